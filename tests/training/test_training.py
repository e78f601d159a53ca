"""Training ends the same whatever happens on the way, and says clearly when it fails."""

import json
import re
import subprocess
import sys
import weakref
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from llie_helpers.data.crops import RandomCrops
from llie_helpers.data.pairs import Pairs
from llie_helpers.errors import CourseError
from llie_helpers.images import quantise
from llie_helpers.metrics import ssim
from llie_helpers.models import create_model
from llie_helpers.models.network import Network, Objective
from llie_helpers.models.weights import read
from llie_helpers.training import History, TrainingRun, fit, load_history, trainer
from llie_helpers.training.batches import epoch_loader
from llie_helpers.training.callbacks import MovingAverage
from llie_helpers.training.memory import out_of_memory_error
from llie_helpers.training.module import Supervised, cosine
from llie_helpers.training.recipe import Recipe, load_recipe
from llie_helpers.training.splits import scene_halves
from llie_helpers.training.trainer import hardware

SMALL = Recipe(
    epochs=4, crops_per_epoch=12, crop_size=16, batch_size=4, plateau_patience=0, snapshot_every=2
)


def toy_pairs(title: str, count: int = 3, seed: int = 0, height=24, width=20) -> Pairs:
    draw = np.random.default_rng(seed)
    colours = draw.integers(0, 256, (count, 3), dtype=np.uint8)
    normals = [np.tile(colour, (height, width + i, 1)) for i, colour in enumerate(colours)]
    arrays = [(image // 4, image) for image in normals]
    names = tuple(f"{title}{i}" for i in range(count))
    return Pairs(title, names, tuple(range(count)), arrays)


@pytest.fixture
def train() -> Pairs:
    return toy_pairs("toy/train")


@pytest.fixture
def val() -> Pairs:
    return toy_pairs("toy/val", 2, seed=1)


def fresh(name: str = "mse_cnn", **options) -> nn.Module:
    torch.manual_seed(0)
    if name == "mse_cnn":
        options = {"widths": [4, 6]} | options
    return create_model(name, **options)


def numbers(run: TrainingRun) -> list[dict]:
    """The rows of a run without its times."""
    return [row | {"seconds": None} for row in run.history]


def weights(model: nn.Module) -> torch.Tensor:
    return torch.cat([value.double().flatten() for value in model.state_dict().values()])


def test_fit_improves_and_ends_with_the_best_weights(train, val, tmp_path):
    model = fresh()
    recipe = SMALL.changed(learning_rate=1e-2, epochs=12, snapshot_every=0)
    run = fit(model, train, val, recipe, run_dir=tmp_path, progress=False)
    assert [row["epoch"] for row in run.history] == list(range(1, 13))
    assert run.history[-1]["train_loss"] < run.history[0]["train_loss"]
    assert run.best["val_loss"] == min(row["val_loss"] for row in run.history)
    assert not model.training
    saved = create_model("mse_cnn", weights=run.best_path)
    assert torch.equal(weights(saved), weights(model))
    losses = [torch.mean((model(p.low[None]) - p.normal[None]) ** 2).item() for p in val]
    assert np.mean(losses) == pytest.approx(run.best["val_loss"], rel=1e-5)


def test_snapshots_and_their_weights_are_kept_every_k_epochs(train, val, tmp_path):
    run = fit(fresh(), train, val, SMALL, run_dir=tmp_path, progress=False)
    assert [snapshot.epoch for snapshot in run.snapshots] == [1, 3]
    assert run.snapshots[0].image.shape == val[0].low.shape
    for row in (run.history[0], run.history[2]):
        then = fresh()
        kept = tmp_path / "snapshots" / f"epoch_{row['epoch']:03}.safetensors"
        then.load_state_dict(read(kept)[0])
        with torch.no_grad():
            losses = [F.mse_loss(then(p.low[None]), p.normal[None]).item() for p in val]
        assert np.mean(losses) == pytest.approx(row["val_loss"], rel=1e-5)


def test_nothing_but_the_run_is_written(train, val, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    fit(fresh(), train, val, SMALL, run_dir=tmp_path / "run", progress=False)
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    found = sorted(path.name for path in (tmp_path / "run").iterdir())
    assert found == ["best.safetensors", "history.json", "last.ckpt", "snapshots"]
    assert capfd.readouterr() == ("", "")


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

    step = Supervised.training_step

    def killed(self, batch, batch_idx):
        if self.current_epoch == killed_in_epoch and batch_idx == 1:
            raise MemoryError("as good as killed")
        return step(self, batch, batch_idx)

    monkeypatch.setattr(Supervised, "training_step", killed)
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


def test_the_plateau_schedule_lowers_the_rate_and_the_history_shows_it(train, val, tmp_path):
    recipe = SMALL.changed(learning_rate=10.0, plateau_factor=0.1)
    run = fit(fresh(), train, val, recipe, run_dir=tmp_path, progress=False)
    rates = [row["lr"] for row in run.history]
    assert rates[0] == 10.0
    assert rates[-1] < 10.0


def test_the_lightning_curve_is_that_of_a_plain_loop(train, val, tmp_path):
    run = fit(fresh(), train, val, SMALL, run_dir=tmp_path, progress=False, schedule="constant")
    model = fresh()
    optimizer = torch.optim.Adam(model.parameters(), SMALL.learning_rate)
    crops = RandomCrops(train, SMALL.crop_size, SMALL.crops_per_epoch, seed=0)
    for row in run.history:
        losses = []
        for low, normal in epoch_loader(crops, SMALL.batch_size, seed=0, epoch=row["epoch"] - 1):
            loss = torch.mean((model(low) - normal) ** 2)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        assert np.mean(losses) == pytest.approx(row["train_loss"], rel=1e-4)


def test_a_run_can_follow_the_structural_similarity(train, tmp_path):
    draw = np.random.default_rng(0)
    textured = [draw.integers(0, 256, (24, 20, 3), dtype=np.uint8) for _ in range(2)]
    val = Pairs("toy/val", ("a", "b"), (0, 1), [(image // 4, image) for image in textured])
    recipe = SMALL.changed(monitor="val_ssim", learning_rate=1e-2, patience=2)
    model = fresh()
    run = fit(model, train, val, recipe, run_dir=tmp_path, progress=False)
    assert run.best["val_ssim"] == max(row["val_ssim"] for row in run.history)
    scores = [ssim(quantise(model(p.low[None])), p.normal[None]).item() for p in val]
    assert run.best["val_ssim"] == pytest.approx(sum(scores) / len(scores), abs=1e-5)


def test_averaged_weights_are_validated_and_kept(train, val, tmp_path):
    frozen = fresh()
    before = weights(frozen)
    # With decay 1 the average stays at the weights after the first step.
    recipe = SMALL.changed(ema=1.0, learning_rate=1e-2)
    run = fit(frozen, train, val, recipe, run_dir=tmp_path, progress=False)
    assert len({row["val_loss"] for row in run.history}) == 1
    assert (weights(frozen) - before).abs().max() <= 1e-2 + 1e-6


def test_light_is_learned_from_placed_crops(val, tmp_path):
    train = toy_pairs("toy/train", height=40, width=36)
    recipe = SMALL.changed(
        objective={"light": 1.0}, crop_size=32, learning_rate=1e-2, schedule="cosine", warmup=2
    )
    model = fresh("dual_branch", width=4, blocks=1)
    run = fit(model, train, val, recipe, run_dir=tmp_path, progress=False)
    assert run.history[-1]["train_loss"] < run.history[0]["train_loss"]


def test_stage_two_trains_all_but_the_light(val, tmp_path):
    train = toy_pairs("toy/train", height=40, width=36)
    recipe = load_recipe("dual_branch_stage_two").changed(
        epochs=1, crops_per_epoch=8, crop_size=32, warmup=0, ema=0.0
    )
    model = fresh("dual_branch", width=4, blocks=1)
    before = {name: values.clone() for name, values in model.named_parameters()}
    fit(model, train, val, recipe, run_dir=tmp_path, progress=False)
    for name, values in model.named_parameters():
        assert values.equal(before[name]) == name.startswith("grid_predictor"), name


def test_the_learning_rate_rises_and_then_falls_along_a_cosine():
    factors = [cosine(step, end=20, warmup=4) for step in range(21)]
    assert factors[0] == pytest.approx(0.25)
    assert factors[:4] == sorted(factors[:4])
    assert factors[3:] == sorted(factors[3:], reverse=True)
    assert factors[10] == pytest.approx(0.5)
    assert factors[20] == pytest.approx(0)
    assert cosine(0, end=20) == 1


@pytest.mark.parametrize(
    ("network", "objective", "sentence"),
    [
        (
            "mse_cnn",
            {"x": 1},
            "no option of mse_cnn's objective called 'x'; known: none",
        ),
        ("dual_branch", {"lihgt": 1}, "option of dual_branch's objective called 'lihgt'.*light"),
        ("dual_branch", {"light": "high"}, "light is 'high'; it must be a number"),
    ],
)
def test_options_that_an_objective_does_not_have_are_refused(
    train, val, tmp_path, network, objective, sentence
):
    with pytest.raises(CourseError, match=sentence):
        fit(fresh(network), train, val, SMALL, run_dir=tmp_path / "run", objective=objective)
    assert not (tmp_path / "run").exists()


def test_what_is_no_network_is_refused(train, val, tmp_path):
    with pytest.raises(CourseError, match="got Conv2d; take one from create_model, or derive"):
        fit(nn.Conv2d(3, 3, 1), train, val, SMALL, run_dir=tmp_path)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"train": []}, "no training data"),
        ({"val": toy_pairs("toy/val", 0)}, "no validation data"),
        ({"seed": -1}, "The seed is -1; it must be a whole number from 0"),
    ],
)
def test_what_cannot_be_trained_is_refused_at_once(train, val, tmp_path, change, sentence):
    with pytest.raises(CourseError, match=sentence):
        fit(fresh(), **{"train": train, "val": val, "run_dir": tmp_path / "run"} | change)
    assert not (tmp_path / "run").exists()


def test_the_history_is_recorded_as_it_was(train, val, tmp_path):
    loss = {"mse": 1.0, "ssim": [[0, 0.5], [2, 0.0]]}
    run = fit(
        fresh(), train, val, SMALL, run_dir=tmp_path, progress=False, loss=loss, monitor="val_ssim",
        seed=3,
    )  # fmt: skip
    record = load_history(tmp_path / "history.json")
    assert record == run.history
    assert record.settings["model"] == "mse_cnn"
    assert record.settings["options"] == {"widths": [4, 6]}
    assert record.settings["data"] == ["toy/train", "toy/val"]
    assert record.settings["seed"] == 3
    assert record.settings["recipe"]["crop_size"] == 16
    assert (record.monitor, record.best, record.stopped_early) == ("val_ssim", run.best, False)
    assert record.finished
    assert not History(record.settings, record.rows[:-1]).finished
    assert History(record.settings, record.rows[:-1], stopped_early=True).finished
    written = json.loads((tmp_path / "history.json").read_text())
    assert written["best_epoch"] == run.best["epoch"]
    for epoch, row in enumerate(record, start=1):
        assert (row["epoch"], row["steps"], row["crops"]) == (epoch, 3 * epoch, 12 * epoch)
        assert row["loss_weights"] == ({"mse": 1.0, "ssim": 0.5} if epoch < 3 else {"mse": 1.0})
        weighted = sum(row["loss_weights"][name] * term for name, term in row["loss_terms"].items())
        assert row["train_loss"] == pytest.approx(weighted, rel=1e-4)
        halves = (row["val_psnr_a"] + row["val_psnr_b"]) / 2
        assert row["val_psnr"] == pytest.approx(halves, rel=1e-5)
        assert 0 < row["seconds"] <= record.seconds


def test_a_history_without_validation_can_be_read(tmp_path):
    rows = [
        {"epoch": 1, "train_loss": 2.0, "seconds": 5.0},
        {"epoch": 2, "train_loss": 1.0, "seconds": 9.0},
    ]
    settings = {"model": "mse_cnn", "recipe": {"monitor": "val_loss"}}
    History(settings, rows).save(tmp_path / "history.json")
    record = load_history(tmp_path / "history.json")
    assert record.best == rows[1]  # the last weights were kept
    assert record.seconds == 9.0


def test_halves_of_validation_are_whole_scenes():
    pairs = toy_pairs("toy", 5)
    scenes = Pairs(pairs.title, pairs.names, (7, 3, 7, 9, 3), pairs.arrays)
    assert scene_halves(scenes) == "babaa"


def test_an_epoch_without_any_term_of_the_loss_goes_by(train, val, tmp_path):
    run = fit(
        fresh(), train, val, SMALL, run_dir=tmp_path, progress=False, epochs=2,
        loss={"l1": [[0, 1.0], [1, 0.0]]}, monitor="val_psnr",
    )  # fmt: skip
    assert [row["train_loss"] > 0 for row in run.history] == [True, False]


def test_weights_are_averaged_where_they_are_trained():
    module = Supervised(fresh(), SMALL, seed=0, halves="")
    average = MovingAverage(0.9)
    # PyTorch's device without numbers takes the place of a GPU.
    strategy = SimpleNamespace(root_device=torch.device("meta"))
    average.setup(SimpleNamespace(strategy=strategy), module, "fit")
    assert {value.device.type for value in average._average_model.parameters()} == {"meta"}


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


def test_ctrl_c_still_works_after_the_first(train, val, tmp_path, monkeypatch):
    import signal

    def interrupted(self, batch, batch_idx):
        raise KeyboardInterrupt

    handler = signal.getsignal(signal.SIGINT)
    monkeypatch.setattr(Supervised, "training_step", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fit(fresh(), train, val, SMALL, run_dir=tmp_path, progress=False)
    assert signal.getsignal(signal.SIGINT) is handler


def test_the_callers_random_numbers_are_left_alone(train, val, tmp_path):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    model = create_model("mse_cnn", widths=[4, 6])
    torch.manual_seed(5)
    fit(model, train, val, SMALL, run_dir=tmp_path, progress=False, epochs=1)
    assert torch.equal(torch.rand(3), expected)


DISTRIBUTED = """
import sys
sys.path.insert(0, {tests!r})
from test_training import SMALL, fit, fresh, toy_pairs
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


@pytest.mark.slow
def test_progress_can_be_switched_off_from_outside(tmp_path):
    # tqdm reads the variable when it is imported, so this needs a process of its own.
    import os

    script = (
        "from pathlib import Path; from test_training import SMALL, fit, fresh, toy_pairs\n"
        f"fit(fresh(), toy_pairs('a'), toy_pairs('b'), SMALL, run_dir=Path({str(tmp_path)!r}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        env={**os.environ, "TQDM_DISABLE": "1", "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert (done.returncode, done.stderr) == (0, "")
