"""ONNX files give what `enhance` gives, at any size, or do not appear."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.torch_version import TorchVersion

from llie_helpers.cli import main
from llie_helpers.errors import CourseError
from llie_helpers.images import quantise
from llie_helpers.inference import enhance, export
from llie_helpers.inference.export import export_onnx
from llie_helpers.inference.traceable_mapper import TraceableMapper
from llie_helpers.methods import NetworkMethod, create_method
from llie_helpers.models import create_model
from llie_helpers.models.network import Network

runtime = pytest.importorskip("onnxruntime")

# Networks with each way of padding, normalising and looking at the whole photograph.
SMALL = {
    "dual_branch": {"width": 8, "blocks": 1, "deep": 1},
    "fft_dual_branch": {"size": 32},
    "mse_cnn": {"widths": [4, 6, 8]},
    "pix2pix": {"width": 4, "blocks": 1},
    "plain_unet": {"widths": [4, 6]},
    "residual": {"width": 4, "modules": 1},
    "unet": {"width": 4},
}


@pytest.fixture(scope="module")
def mapper():
    return create_method("residual", "embedded").mapper


def small(name, mapper=None):
    torch.manual_seed(0)
    return NetworkMethod(create_model(name, **SMALL[name]), mapper)


def run(file, low, exposure=0.0, strength=1.0):
    session = runtime.InferenceSession(file, providers=["CPUExecutionProvider"])
    numbers = {"exposure": np.array(exposure, "f4"), "strength": np.array(strength, "f4")}
    (enhanced,) = session.run(None, {"low": low[None].numpy(), **numbers})
    return torch.from_numpy(enhanced[0])


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALL)
def test_every_network_gives_what_enhance_gives_at_any_size(tmp_path, name, mapper):
    method, file = small(name, mapper), tmp_path / "net.onnx"
    assert export_onnx(method, file) <= 1 / 255
    for size in ((16, 17), (64, 64), (101, 50)):
        low = quantise(0.3 * torch.rand(3, *size))
        for controls in ({}, {"exposure": -0.7, "strength": 0.6}):
            difference = (run(file, low, **controls) - enhance(low, method, **controls)).abs()
            assert difference.max() < 1e-4


@pytest.mark.slow
def test_the_command_says_how_far_the_file_is_from_enhance(tmp_path, capsys):
    target = tmp_path / "net.onnx"
    command = ["export", "--model", "residual", "--weights", "embedded", "-o", str(target)]
    assert main(command) == 0
    assert "differs from that of enhance by" in capsys.readouterr().out
    session = runtime.InferenceSession(target, providers=["CPUExecutionProvider"])
    about = session.get_modelmeta().custom_metadata_map
    assert "histogram mapper" in about["method"]
    assert "no padding is needed" in about["low"]
    assert set(about) >= {value.name for value in session.get_inputs()}
    assert main(command) == 1
    assert "already exists" in capsys.readouterr().err


@pytest.mark.slow
def test_a_file_that_differs_is_not_kept(tmp_path, mapper, monkeypatch):
    monkeypatch.setattr(export, "TraceableMapper", lambda mapper: nn.Identity())
    with pytest.raises(CourseError, match="was not kept: its output differs from that of enhance"):
        export_onnx(small("mse_cnn", mapper), tmp_path / "net.onnx")
    assert not list(tmp_path.iterdir())


class Unusual(Network):
    """A network with an operation that ONNX lacks."""

    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(1))

    def forward(self, low, context=None, place=None):
        return (self.gain * torch.linalg.svdvals(low).mean() * low).clamp(0, 1)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (Unusual, "it has an operation that ONNX lacks"),
        (lambda: create_method("clahe"), "it is not a network"),
        (lambda: torch.sqrt, "it is not a network"),
    ],
)
def test_what_onnx_cannot_hold_is_refused(tmp_path, make, reason):
    with pytest.raises(CourseError, match=f"cannot be exported: .*{reason}"):
        export_onnx(make(), tmp_path / "net.onnx")
    assert not list(tmp_path.iterdir())


def test_an_older_pytorch_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(torch, "__version__", TorchVersion("2.8.1+cpu"))
    with pytest.raises(CourseError, match=r"needs PyTorch 2\.9 or later, but this is 2\.8\.1"):
        export_onnx(small("residual"), tmp_path / "net.onnx")
    assert not list(tmp_path.iterdir())


@settings(max_examples=30)
@given(
    size=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    scale=st.floats(0, 1),
    levels=st.integers(1, 255),
    seed=st.integers(0, 99),
)
def test_the_traceable_mapper_maps_as_the_mapper_does(mapper, size, scale, levels, seed):
    generator = torch.Generator().manual_seed(seed)
    # Few levels make percentiles coincide.
    image = (scale * torch.rand(1, 3, *size, generator=generator) * levels).round() / levels
    difference = (TraceableMapper(mapper)(image) - quantise(mapper(image))).abs()
    assert difference.max() <= 1 / 255 + 1e-6  # where rounding errors meet a half
    assert difference.mean() < 1e-3
