import pytest
import torch
from builder.source import ROOT

from llie_helpers.devices import choose_device
from llie_helpers.errors import CourseError


def test_one_module_decides_what_to_run_on():
    asking = [
        path.name
        for folder in ("llie_helpers", "notebooks/source")
        for path in (ROOT / folder).rglob("*.py")
        if "is_available(" in path.read_text(encoding="utf-8")
    ]
    assert asking == ["devices.py"]


@pytest.mark.parametrize(
    ("cuda", "mps", "chosen"),
    [(False, False, "cpu"), (True, False, "cuda"), (False, True, "cpu"), (True, True, "cuda")],
)
def test_auto_is_cuda_or_the_cpu_and_the_cpu_in_the_quick_profile(monkeypatch, cuda, mps, chosen):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    for profile, expected in (("full", chosen), ("quick", "cpu")):
        monkeypatch.setenv("LLIE_PROFILE", profile)
        assert choose_device().type == expected
    monkeypatch.delenv("LLIE_PROFILE")
    assert choose_device().type == chosen


@pytest.mark.parametrize("name", ["mps", "cuda:0", "hpu", "vulkan", "meta"])
def test_a_device_asked_for_by_name_must_be_there(monkeypatch, name):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(CourseError, match=f"no device '{name}'; use auto or cpu"):
        choose_device(name)
