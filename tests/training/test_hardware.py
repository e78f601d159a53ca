"""Where a run computes: devices that are refused, memory that runs out, several processes."""

import subprocess
import sys
import weakref
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import nn
from toys import SMALL, fresh, weights

from llie_helpers.errors import CourseError
from llie_helpers.models import create_model
from llie_helpers.models.network import Network, Objective
from llie_helpers.training import fit, load_history, trainer
from llie_helpers.training.batches import epoch_loader
from llie_helpers.training.callbacks import MovingAverage
from llie_helpers.training.memory import out_of_memory_error
from llie_helpers.training.module import Supervised
from llie_helpers.training.trainer import hardware


def test_weights_are_averaged_where_they_are_trained():
    module = Supervised(fresh(), SMALL, seed=0, halves="")
    average = MovingAverage(0.9)
    # PyTorch's device without numbers takes the place of a GPU.
    strategy = SimpleNamespace(root_device=torch.device("meta"))
    average.setup(SimpleNamespace(strategy=strategy), module, "fit")
    assert {value.device.type for value in average._average_model.parameters()} == {"meta"}


class WithThumbnails(Objective):
    sees_whole = True

    def __call__(self, loss, low, normal, *whole):
        whole_low, whole_normal, _ = whole
        return super().__call__(loss, low, normal) + super().__call__(loss, whole_low, whole_normal)


class Greedy(Network):
    """Runs out of memory with more than ``room`` images, as a GPU does."""

    def __init__(self, room: int, objective: type[Objective] = Objective):
        super().__init__()
        self.room, self.gain = room, nn.Parameter(torch.ones(()))
        self.objective = lambda: objective(self)

    def forward(self, image):
        if len(image) > self.room:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        return image * self.gain


@pytest.mark.parametrize("objective", [Objective, WithThumbnails])
@pytest.mark.parametrize(
    ("room", "advice"),
    [
        (3, "batch_size = 3 fits, and with accumulate = 4 each step still uses as many crops"),
        (0, "so does a single one; choose smaller crops, such as crop_size = 8"),
    ],
)
def test_out_of_memory_names_a_batch_that_fits(train, val, tmp_path, room, advice, objective):
    with pytest.raises(CourseError, match=advice):
        fit(Greedy(room, objective), train, val, SMALL, run_dir=tmp_path, progress=False,
            batch_size=12)  # fmt: skip


def test_a_batch_that_fits_is_looked_for_where_the_run_was():
    places = set()

    class Watched(Greedy):
        def forward(self, image):
            places.add(image.device.type)
            return super().forward(image)

    module = Supervised(Watched(0), SMALL, seed=0, halves="")
    module.cpu = lambda: None  # which does not work from there
    # PyTorch's device without numbers takes the place of a GPU.
    out_of_memory_error(module, list(torch.zeros(2, 3, 16, 16)), torch.device("meta"))
    assert places == {"meta"}


def test_the_batch_that_did_not_fit_is_gone_when_others_are_tried(train, val, tmp_path):
    alive = []

    class Forgetful(Greedy):
        def forward(self, image):
            alive.append(any(old() is not None for old in kept))
            activation = image * self.gain
            kept.append(weakref.ref(activation))
            return super().forward(activation)

    model, kept = Forgetful(3), []
    with pytest.raises(CourseError, match="batch_size = 3 fits"):
        fit(model, train, val, SMALL, run_dir=tmp_path, progress=False, batch_size=12)
    assert alive == [False, False, False]


@pytest.mark.parametrize(
    ("where", "sentence"),
    [
        ({"devices": 0}, "number of devices is 0; it must be 1 or more"),
        ({"device": "tpuu"}, "no device 'tpuu'"),
        ({"device": "meta"}, "no device 'meta'"),
        ({"device": "cuda"}, "2 devices from cuda:0 on were requested, but this computer has 1"),
        ({"device": "cuda:1"}, "no device 'cuda:1'"),
    ],
)
def test_devices_that_are_not_here_are_refused(train, val, tmp_path, monkeypatch, where, sentence):
    if "cuda" in where.get("device", ""):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(CourseError, match=sentence):
        fit(fresh(), train, val, SMALL, run_dir=tmp_path / "run", **({"devices": 2} | where))
    assert not (tmp_path / "run").exists()


def test_training_on_a_device_that_only_computes_is_refused(train, val, tmp_path, monkeypatch):
    monkeypatch.setattr(trainer, "choose_device", torch.device)
    with pytest.raises(CourseError, match="Training on 'xpu' is not supported; use auto, cpu"):
        fit(fresh(), train, val, SMALL, run_dir=tmp_path / "run", device="xpu")


def test_a_gpu_is_taken_by_its_number(monkeypatch):
    monkeypatch.delenv("LLIE_PROFILE", raising=False)  # the quick one asks for the CPU
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    assert hardware("auto", 1) == ("cuda", [0], 1)
    assert hardware("cuda:2", 2) == ("cuda", [2, 3], 2)
    assert hardware("cpu", 2) == ("cpu", 2, 2)


DISTRIBUTED = """
import sys
sys.path.insert(0, {tests!r})
from llie_helpers.training import fit
from toys import SMALL, fresh, toy_pairs
if __name__ == "__main__":
    fit(fresh(), toy_pairs("toy/train"), toy_pairs("toy/val", 2, seed=1), SMALL,
        run_dir={folder!r}, progress=False, device="cpu", devices=2, epochs=2)
"""


@pytest.mark.slow
def test_two_processes_train_the_same_model(train, val, tmp_path):
    alone = fresh()
    expected = fit(alone, train, val, SMALL, run_dir=tmp_path / "a", progress=False, epochs=2)
    script = tmp_path / "two.py"
    tests = str(Path(__file__).parent)
    script.write_text(DISTRIBUTED.format(tests=tests, folder=str(tmp_path / "b")))
    done = subprocess.run([sys.executable, script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    shared = create_model("mse_cnn", weights=tmp_path / "b" / "best.safetensors")
    assert torch.allclose(weights(shared), weights(alone), atol=1e-5)
    history = load_history(tmp_path / "b" / "history.json")
    for one, two in zip(expected.history, history, strict=True):
        for column in ("steps", "crops", "train_loss", "val_loss", "val_psnr", "val_ssim"):
            assert one[column] == pytest.approx(two[column], rel=1e-4)


def test_a_batch_that_processes_cannot_share_is_refused(train):
    with pytest.raises(CourseError, match="batch of 3 cannot be shared by 2"):
        epoch_loader(train, 3, seed=0, epoch=0, processes=2)
