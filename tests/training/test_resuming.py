"""What a run that ends early leaves, and how the next one goes on from it."""

import re
import signal

import pytest
import torch
from torch import nn
from toys import SMALL, fresh, kill_in, numbers, weights

from llie_helpers.errors import CourseError
from llie_helpers.models.network import Network
from llie_helpers.training import fit
from llie_helpers.training.module import Supervised


@pytest.mark.parametrize(
    "changes",
    [
        {"learning_rate": 0.05},  # so high that the plateau schedule acts
        {"schedule": "cosine", "ema": 0.9, "optimizer": "adamw", "gradient_clip": 0.5},
        {"accumulate": 2, "schedule": "constant"},
    ],
)
@pytest.mark.parametrize("killed_in_epoch", [1, 3])
def test_a_killed_run_resumes_to_the_same_weights(
    train, val, tmp_path, monkeypatch, changes, killed_in_epoch
):
    whole = fresh()
    expected = fit(whole, train, val, SMALL, run_dir=tmp_path / "a", progress=False, **changes)
    kill_in(monkeypatch, Supervised, killed_in_epoch)
    with pytest.raises(MemoryError):
        fit(fresh(), train, val, SMALL, run_dir=tmp_path / "b", progress=False, **changes)
    monkeypatch.undo()
    resumed = fresh()
    run = fit(resumed, train, val, SMALL, run_dir=tmp_path / "b", progress=False, **changes)
    assert numbers(run) == numbers(expected)
    assert torch.equal(weights(resumed), weights(whole))
    assert run.best_path.read_bytes() == expected.best_path.read_bytes()


def test_a_run_says_what_it_did_not_train_itself(train, val, tmp_path):
    def said(epochs):
        run = fit(
            fresh(), train, val, SMALL, run_dir=tmp_path, progress=False, epochs=epochs, patience=0
        )
        return re.sub(r"\d+ s\b", "0 s", str(run).split(";")[0])

    assert said(epochs=1) == "1 epoch in 0 s"
    assert said(epochs=2) == "2 epochs in 0 s, 1 of them loaded from an earlier run"
    assert said(epochs=2) == "2 epochs in 0 s, all loaded from an earlier run"


def test_dropout_and_batch_statistics_resume_too(train, val, tmp_path):
    network = {"name": "pix2pix", "width": 2, "blocks": 1}
    whole, resumed = fresh(**network), fresh(**network)
    fit(whole, train, val, SMALL, run_dir=tmp_path / "a", progress=False, epochs=2)
    fit(resumed, train, val, SMALL, run_dir=tmp_path / "b", progress=False, epochs=1)
    fit(resumed, train, val, SMALL, run_dir=tmp_path / "b", progress=False, epochs=2)
    assert torch.equal(weights(resumed), weights(whole))


def test_an_early_stopped_run_stays_stopped(train, val, tmp_path):
    stuck = SMALL.changed(epochs=9, patience=2, learning_rate=1e-12, min_delta=1e-3)
    first = fit(fresh(), train, val, stuck, run_dir=tmp_path, progress=False)
    assert len(first.history) == 3
    again = fit(fresh(), train, val, stuck, run_dir=tmp_path, progress=False)
    assert again.history == first.history
    assert again.history.stopped_early


@pytest.mark.parametrize(("before", "after", "length"), [(2, 4, 5), (2, 0, 6), (4, 2, 3)])
def test_a_resumed_run_has_its_own_patience(train, val, tmp_path, before, after, length):
    """It goes on where the earlier one stopped, or stops where that would have gone on."""
    stuck = SMALL.changed(learning_rate=1e-12, min_delta=1e-3)
    first = {"patience": before, "epochs": 3 if before == 2 else 2}
    fit(fresh(), train, val, stuck, run_dir=tmp_path, progress=False, **first)
    again = {"patience": after, "epochs": 6}
    run = fit(fresh(), train, val, stuck, run_dir=tmp_path, progress=False, **again)
    assert len(run.history) == length
    assert run.history.stopped_early == (after > 0)


class Exploding(Network):
    """A network whose output is NaN in the third epoch."""

    def __init__(self):
        super().__init__()
        self.gain = nn.Parameter(torch.ones(()))
        self.register_buffer("steps", torch.zeros(()))

    def forward(self, image):
        self.steps += self.training
        return image * self.gain * (float("nan") if self.steps > 7 else 1)


def test_a_nan_loss_stops_with_advice_and_keeps_the_last_good_checkpoint(train, val, tmp_path):
    with pytest.raises(CourseError, match=r"nan at step 7 of epoch 3 .* rate 0.001; lower the"):
        fit(Exploding(), train, val, SMALL, run_dir=tmp_path, progress=False)
    kept = torch.load(tmp_path / "last.ckpt", weights_only=True)
    assert kept["global_step"] == 6
    assert (tmp_path / "best.safetensors").is_file()


class Bright(Exploding):
    def forward(self, image):
        self.steps += self.training
        return image * self.gain * (1e4 if self.steps > 7 else 1)


def test_an_exploding_loss_stops_before_it_is_infinite(train, val, tmp_path):
    with pytest.raises(
        CourseError, match=r"became \d\.\d+e\+0\d at step 7 of epoch 3 .*gradient_clip"
    ):
        fit(Bright(), train, val, SMALL, run_dir=tmp_path, progress=False)
    assert torch.load(tmp_path / "last.ckpt", weights_only=True)["global_step"] == 6


def test_a_run_with_other_settings_is_not_mixed_up(train, val, tmp_path):
    fit(fresh(), train, val, SMALL, run_dir=tmp_path, progress=False, epochs=1)
    with pytest.raises(CourseError, match=r"learning_rate 0.001, now 0.1"):
        fit(fresh(), train, val, SMALL, run_dir=tmp_path, progress=False, learning_rate=0.1)
    run = fit(fresh(), train, val, SMALL, run_dir=tmp_path, progress=False, epochs=1, resume=False)
    assert len(run.history) == 1


def test_a_full_disk_leaves_no_half_checkpoint(train, val, tmp_path, monkeypatch):
    import errno

    import lightning

    fit(fresh(), train, val, SMALL, run_dir=tmp_path, progress=False, epochs=1)
    before = (tmp_path / "last.ckpt").read_bytes()

    def full(self, path, **_):
        path.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(lightning.Trainer, "save_checkpoint", full)
    with pytest.raises(CourseError, match="disk is full"):
        fit(fresh(), train, val, SMALL, run_dir=tmp_path, progress=False, epochs=2)
    assert (tmp_path / "last.ckpt").read_bytes() == before
    assert not list(tmp_path.glob(".last*"))


@pytest.mark.parametrize("name", ["last.ckpt", "history.json"])
@pytest.mark.parametrize("damage", ["halved", "emptied", "replaced", "another kind"])
def test_a_damaged_run_is_one_sentence(train, val, tmp_path, name, damage):
    fit(fresh(), train, val, SMALL, run_dir=tmp_path, progress=False, epochs=1)
    path = tmp_path / name
    content = path.read_bytes()
    path.write_bytes(
        {
            "halved": content[: len(content) // 2],
            "emptied": b"",
            "replaced": b"\x00\xff" * 50,
            "another kind": b'[{"epochs": 1}]',
        }[damage]
    )
    with pytest.raises(CourseError, match=rf"{name} .*resume=False") as caught:
        fit(fresh(), train, val, SMALL, run_dir=tmp_path, progress=False, epochs=2)
    assert "\n" not in str(caught.value)
    run = fit(fresh(), train, val, SMALL, run_dir=tmp_path, progress=False, epochs=1, resume=False)
    assert len(run.history) == 1


@pytest.mark.parametrize("inside", ["", "run"])
def test_a_file_in_the_place_of_the_folder_is_refused(train, val, tmp_path, inside):
    (tmp_path / "file").touch()
    with pytest.raises(CourseError, match="file is a file, but run_dir must be a folder"):
        fit(fresh(), train, val, SMALL, run_dir=tmp_path / "file" / inside, progress=False)


def test_ctrl_c_still_works_after_the_first(train, val, tmp_path, monkeypatch):
    def interrupted(self, batch, batch_idx):
        raise KeyboardInterrupt

    handler = signal.getsignal(signal.SIGINT)
    monkeypatch.setattr(Supervised, "training_step", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fit(fresh(), train, val, SMALL, run_dir=tmp_path, progress=False)
    assert signal.getsignal(signal.SIGINT) is handler
