"""ONNX files give what PyTorch gives, at any size, or do not appear."""

import numpy as np
import pytest
import torch

from llie_helpers.cli import main
from llie_helpers.errors import CourseError
from llie_helpers.inference.export import export_onnx
from llie_helpers.methods import create_method
from llie_helpers.models import create_model

runtime = pytest.importorskip("onnxruntime")


@pytest.mark.slow
def test_dual_branch_is_exported_for_any_size(tmp_path, capsys):
    target = tmp_path / "net.onnx"
    command = ["export", "--model", "dual_branch", "--weights", "embedded", "-o", str(target)]
    assert main(command) == 0
    assert "differs from PyTorch's by" in capsys.readouterr().out
    session = runtime.InferenceSession(target, providers=["CPUExecutionProvider"])
    network = create_method("dual_branch", "embedded")
    low = 0.2 * torch.rand(1, 3, 256, 448)
    (enhanced,) = session.run(None, {"low": low.numpy()})
    assert np.abs(enhanced - network(low).numpy()).max() < 1e-3
    assert main(command) == 1
    assert "already exists" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: create_model("fft_dual_branch", size=64), "it has an operation that ONNX lacks"),
        (lambda: create_method("residual", "embedded"), "needs a histogram mapper"),
        (lambda: create_method("clahe"), "it is not a network"),
        (lambda: torch.sqrt, "it is not a network"),
    ],
)
def test_what_onnx_cannot_hold_is_refused(tmp_path, make, reason):
    with pytest.raises(CourseError, match=f"cannot be exported: .*{reason}"):
        export_onnx(make(), tmp_path / "net.onnx")
    assert not list(tmp_path.iterdir())
