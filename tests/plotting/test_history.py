"""The curves of a run, above all which epoch was kept, and on which curve it was chosen."""

import math
from pathlib import Path

import pytest

from llie_helpers import lessons, plotting
from llie_helpers.errors import CourseError
from llie_helpers.lessons import recordings
from llie_helpers.plotting.histories import CAPTION
from llie_helpers.training import History, TrainingRun

ROWS = [
    {"epoch": e, "train_loss": 3 - e, "val_loss": 4 - e, "val_psnr": 9.0, "val_ssim": s, "lr": 1e-3}
    for e, s in ((1, 0.3), (2, 0.5), (3, 0.4))
]


@pytest.mark.parametrize(
    ("monitor", "panel", "line", "kept"),
    [("val_loss", 0, 2, (3, 1)), ("val_psnr", 1, 1, (1, 9.0)), ("val_ssim", 2, 1, (2, 0.5))],
)
def test_the_epoch_kept_is_marked_on_the_curve_that_chose_it(monitor, panel, line, kept):
    history = History({"recipe": {"monitor": monitor}}, ROWS)
    run = TrainingRun(history, Path("best.safetensors"), [])
    for shown in (history, run, {"a run": run}):
        axes = plotting.show_history(shown).axes
        assert len(axes) == (3 if monitor == "val_ssim" else 2)  # the rate is constant
        dot = axes[panel].lines[line]
        assert (dot.get_marker(), dot.get_xdata().item(), dot.get_ydata().item()) == ("o", *kept)
        dots = [line for axis in axes for line in axis.lines if line.get_marker() == "o"]
        assert dots == [dot]


def history(epochs: int = 4, **extra) -> list[dict]:
    return [
        {"epoch": e, "train_loss": 1 / (e + 1), "val_loss": 2 / (e + 1), "lr": 1e-3 / 2**e, **extra}
        for e in range(epochs)
    ]


def test_a_run_has_panels_for_losses_scores_and_rate():
    figure = plotting.show_history(history(val_psnr=12.0))
    loss, score, rate = figure.axes
    assert (loss.get_yscale(), score.get_yscale(), rate.get_yscale()) == (
        "log",
        "linear",
        "log",
    )
    best = loss.lines[2]
    assert (best.get_xdata().item(), best.get_ydata().item()) == (3, 0.5)


def test_several_runs_are_named():
    figure = plotting.show_history({"plain": history(), "Lightning": history(3)})
    assert len(figure.axes) == 2
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == ["training", "validation", "epoch kept", "plain", "Lightning"]


def test_many_names_stay_within_the_figure():
    runs = {f"a run with a long name, number {number}": history() for number in range(8)}
    figure = plotting.show_history(runs)
    figure.draw_without_rendering()
    (legend,) = figure.legends
    assert len(legend.get_texts()) == 11
    box = legend.get_window_extent()
    assert box.x0 >= 0
    assert box.x1 <= figure.bbox.x1


def test_one_epoch_is_visible():
    figure = plotting.show_history(history(1))
    assert figure.axes[0].lines[0].get_marker() == "."
    assert "over 1 epoch the training loss" in figure.alt


def test_a_run_that_was_not_validated():
    rows = [{k: v for k, v in row.items() if k != "val_loss"} for row in history()]
    loss, _ = plotting.show_history(rows).axes
    assert len(loss.lines) == 1


def test_a_run_of_no_epoch_is_refused():
    with pytest.raises(CourseError, match="at least one epoch"):
        plotting.show_history([])


def recording(model="mse_cnn", **columns):
    """A plateau run whose rate falls in epoch 3 and which stops after epoch 5."""
    rows = [
        {"epoch": e, "crops": 1000 * e, "seconds": 3600 * e, "lr": 1e-3 if e < 3 else 5e-4,
         "train_loss": 1 / e, "val_loss": abs(4 - e) + 1, "val_psnr": 10.0 + e, "val_ssim": None,
         "loss_weights": {"mse": 1.0}} | columns
        for e in range(1, 6)
    ]  # fmt: skip
    rows[4] = rows[4] | {"loss_weights": {"mse": 1.0, "ssim": 0.2}}
    recipe = {"monitor": "val_loss", "schedule": "plateau"}
    settings = {"model": model, "data": ["lol_v1/train", "lol_v1/val"], "seed": 3, "recipe": recipe}
    return History(settings, rows, stopped_early=True)


def minute():
    """A run of 200 crops."""
    return [row | {"crops": 100 * row["epoch"]} for row in ROWS[:2]]


def verticals(axis):
    return sorted(line.get_xdata()[0] for line in axis.lines if len({*line.get_xdata()}) == 1
                  and len(line.get_xdata()) == 2)  # fmt: skip


def test_a_minute_is_drawn_above_the_whole_training():
    figure = plotting.show_history(minute(), recording())
    above, below = figure.axes[:4], figure.axes[4:]
    assert [axis.get_title() for axis in above][-1] == "learning rate"
    assert all(axis.get_xscale() == "log" for axis in figure.axes)
    assert above[0].get_xlim() == below[0].get_xlim()
    # The minute's end, the rate lowered, loss weights changed and the stop.
    assert [verticals(axis) for axis in below] == [[200, 3000, 5000, 5000]] * 4
    assert [verticals(axis) for axis in above] == [[]] * 4
    assert below[0].get_ylabel() == "recorded: mse_cnn\nlol_v1, seed 3\n5.0 hours"
    assert figure.get_suptitle() == CAPTION
    for told in ("epoch 4 was kept", "lowered in epoch 3", "stopped early in epoch 5"):
        assert told in figure.alt


def test_both_losses_of_a_gan_are_drawn():
    game = {"adversarial_loss": 0.7, "discriminator_loss": 0.5}
    figure = plotting.show_history(minute(), recording("pix2pix", lr=2e-4, **game))
    titles = [axis.get_title() for axis in figure.axes if axis.get_title()]
    assert titles == ["loss", "game: generator", "game: discriminator", "validation PSNR (dB)"]
    for axis in (*figure.axes[1:3], *figure.axes[5:7]):
        assert [math.log(2)] * 2 in [list(line.get_ydata()) for line in axis.get_lines()]


def test_what_is_not_recorded_is_left_out():
    missing = lessons.recorded("mse_cnn_of_nobody")
    assert missing is None
    assert len(plotting.show_history(minute(), missing).axes) == 2
    assert len(plotting.show_history(minute(), {"a": None, "b": recording()}).axes) == 8


@pytest.mark.parametrize("place", ["unet_lol_v1.history.json", "recordings/unet_lol_v1.json"])
def test_a_recording_is_found_beside_the_weights_or_among_the_others(place, tmp_path, monkeypatch):
    monkeypatch.setattr(recordings, "SHIPPED", tmp_path)
    (tmp_path / place).parent.mkdir(exist_ok=True)
    recording().save(tmp_path / place)
    assert lessons.recorded("unet_lol_v1") == recording()
