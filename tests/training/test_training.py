"""What a run learns, records and refuses."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from toys import SMALL, fresh, toy_pairs, weights

from llie_helpers.data.crops import RandomCrops
from llie_helpers.data.pairs import Pairs
from llie_helpers.errors import CourseError
from llie_helpers.images import quantise
from llie_helpers.metrics import ssim
from llie_helpers.models import create_model
from llie_helpers.models.weights import read
from llie_helpers.training import History, fit, load_history
from llie_helpers.training.batches import epoch_loader
from llie_helpers.training.module import cosine
from llie_helpers.training.recipe import load_recipe
from llie_helpers.training.splits import scene_halves


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


def test_the_callers_random_numbers_are_left_alone(train, val, tmp_path):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    model = create_model("mse_cnn", widths=[4, 6])
    torch.manual_seed(5)
    fit(model, train, val, SMALL, run_dir=tmp_path, progress=False, epochs=1)
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.slow
def test_progress_can_be_switched_off_from_outside(tmp_path):
    # tqdm reads the variable when it is imported, so this needs a process of its own.
    script = (
        "from pathlib import Path; from toys import SMALL, fresh, toy_pairs\n"
        "from llie_helpers.training import fit\n"
        f"fit(fresh(), toy_pairs('a'), toy_pairs('b'), SMALL, run_dir=Path({str(tmp_path)!r}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        env={**os.environ, "TQDM_DISABLE": "1", "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert (done.returncode, done.stderr) == (0, "")
