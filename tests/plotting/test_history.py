"""The curves of a run mark the epoch that was kept, on the curve that chose it."""

from pathlib import Path

import pytest

from llie_helpers import plotting
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
        assert len(axes) == (4 if monitor == "val_ssim" else 3)
        dot = axes[panel].lines[line]
        assert (dot.get_marker(), dot.get_xdata().item(), dot.get_ydata().item()) == ("o", *kept)
        dots = [line for axis in axes for line in axis.lines if line.get_marker() == "o"]
        assert dots == [dot]
