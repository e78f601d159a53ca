"""Curves of training runs: a student's, and above a recorded one the minute that it is part of."""

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator

from llie_helpers.errors import CourseError
from llie_helpers.plotting.figures import COLOURS, GREY, WIDTH, CourseFigure

Run = Sequence[Mapping[str, Any]]

PANELS = {
    "loss": "loss",
    "adversarial_loss": "game: generator",
    "discriminator_loss": "game: discriminator",
    "val_psnr": "validation PSNR (dB)",
    "val_ssim": "validation SSIM",
    "lr": "learning rate",
}
GAME = ("adversarial_loss", "discriminator_loss")  # training losses of two players
CAPTION = "Other photographs, other darkness: compare the shapes, never the levels."
# Events of a run and how they are drawn, as vertical lines.
EVENTS: dict[str, dict[str, Any]] = {
    "learning rate lowered": {"color": GREY, "linestyle": ":"},
    "loss weights changed": {"color": COLOURS[4], "linestyle": "-."},
    "stopped early": {"color": "black", "linestyle": "-"},
    "your minute ends here": {"color": COLOURS[3], "linestyle": "-"},
}
# The loss of a discriminator that gives every pair the probability 0.5, as a horizontal line.
UNDECIDED: dict[str, Any] = {"color": "black", "linestyle": ":", "linewidth": 1.5}


def show_history(history: Any, recorded: Any = None) -> CourseFigure:
    """Plot one or several training runs, and mark the epoch whose weights were kept.

    Below them, on the same axis of crops seen, the runs of ``recorded`` with a line where the first
    ones end: what a minute shows of a whole training. A learning rate that never changes has no
    panel. Adversarial runs have one for the loss of each player, with a line at log 2, the loss of
    a discriminator that cannot tell.

    Args:
        history: a `History`, a `TrainingRun`, or a list of one dict per epoch with ``epoch``,
            ``train_loss``, ``val_loss``, ``lr`` and optionally ``val_psnr``; or label -> one of
            these. The best epoch of a list has the lowest ``val_loss``.
        recorded: the same, from `lessons.recorded`; a run that is None is left out.

    Raises:
        CourseError: a run has no epochs.
    """
    mine, theirs = _runs(history), _runs(recorded)
    blocks = [block for block in (mine, theirs) if block]
    if not mine or not all(len(run) for block in blocks for run in block.values()):
        raise CourseError("The history is empty: train for at least one epoch first.")
    every = [run for block in blocks for run in block.values()]
    across = "crops" if theirs and all("crops" in run[0] for run in every) else "epoch"
    panels = _panels(every, compared=bool(theirs))
    figure = CourseFigure(WIDTH, 5.6 if theirs else 3.6)
    grid = figure.subplots(len(blocks), len(panels), squeeze=False, sharex=bool(theirs))
    colours = dict(zip(dict.fromkeys(itertools.chain(*blocks)), itertools.cycle(COLOURS)))
    drawn: set[str] = set()
    for row, block in zip(grid, blocks, strict=True):
        axes = dict(zip(panels, row, strict=True))
        for label, run in block.items():
            _curves(axes, run, colours[label], across)
            if theirs:
                drawn |= _events(axes, run, across)
        for panel in axes.keys() & GAME:
            axes[panel].axhline(math.log(2), **UNDECIDED)
        for panel in {"loss", *GAME, "lr"} & axes.keys():
            _log_scale(axes[panel])
    for panel, axis in zip(panels, grid[0], strict=True):
        axis.set_title(PANELS[panel])
    for axis in grid[-1]:
        axis.set_xlabel("crops seen" if across == "crops" else "epoch")
        if across == "crops":
            axis.set_xscale("log")
        else:
            axis.xaxis.set_major_locator(
                MaxNLocator(5, steps=[1, 2, 5, 10], integer=True, min_n_ticks=1)
            )
    if theirs:
        end = max(run[-1][across] for run in mine.values())
        for axis in grid[1]:
            axis.axvline(end, linewidth=1.5, **EVENTS["your minute ends here"])
        drawn.add("your minute ends here")
        grid[0][0].set_ylabel("your run")
        grid[1][0].set_ylabel(_about(theirs))
        figure.suptitle(CAPTION, fontsize=11, color=GREY)
    named = {label: colour for label, colour in colours.items() if label}
    _legend(figure, named, drawn, game=GAME[0] in panels)
    figure.alt = " ".join(_told(label, run) for block in blocks for label, run in block.items())
    return figure


def _runs(history: Any) -> dict[str, Run]:
    """Return the runs by label; a single one has none."""
    if history is None:
        return {}
    given = history if isinstance(history, Mapping) else {"": history}
    return {label: getattr(run, "history", run) for label, run in given.items() if run is not None}


def _panels(runs: Sequence[Run], compared: bool) -> list[str]:
    def some(column: str) -> bool:
        return any(run[-1].get(column) is not None for run in runs)

    game = some("discriminator_loss")
    chosen_by_ssim = any(_monitor(run) == "val_ssim" for run in runs)
    shown = {
        "loss": True,
        **dict.fromkeys(GAME, game),
        "val_psnr": some("val_psnr"),
        "val_ssim": chosen_by_ssim or (compared and not game and some("val_ssim")),
        "lr": any(len(set(_values(run, "lr"))) > 1 for run in runs),
    }
    return [panel for panel, present in shown.items() if present]


def _monitor(run: Run) -> str:
    """Return the column that decides which epoch of a run is the best."""
    return getattr(run, "monitor", "val_loss")


def _values(run: Run, column: str) -> list[float]:
    return [math.nan if row.get(column) is None else row[column] for row in run]


def _kept(run: Run) -> Mapping[str, Any] | None:
    """Return the row of the best epoch, if the run has one."""
    monitor = _monitor(run)
    sign = 1 if monitor == "val_loss" else -1
    known = [row for row in run if row.get(monitor) is not None]
    return min(known, key=lambda row: sign * row[monitor], default=None)


def _curves(axes: Mapping[str, Axes], run: Run, colour: str, across: str) -> None:
    x = _values(run, across)
    # A line of one point would be invisible.
    look: dict[str, Any] = {"color": colour, "marker": "." if len(run) == 1 else ""}
    axes["loss"].plot(x, _values(run, "train_loss"), linestyle="--", **look)
    if any(row.get("val_loss") is not None for row in run):
        axes["loss"].plot(x, _values(run, "val_loss"), **look)
    for panel in ("val_psnr", "val_ssim"):
        if panel in axes:
            axes[panel].plot(x, _values(run, panel), **look)
    for panel in axes.keys() & GAME:
        axes[panel].plot(x, _values(run, panel), linestyle="--", **look)
    if "lr" in axes:
        axes["lr"].step(x, _values(run, "lr"), where="post", **look)
    monitor = _monitor(run)
    if kept := _kept(run):
        axis = axes["loss" if monitor == "val_loss" else monitor]
        axis.plot(kept[across], kept[monitor], "o", color=colour, markersize=7)


def _happened(run: Run) -> dict[str, list[Mapping[str, Any]]]:
    """Return the epochs of each kind of event."""
    recipe = getattr(run, "settings", {}).get("recipe", {})
    found: dict[str, list[Mapping[str, Any]]] = {}
    for before, row in itertools.pairwise(run):
        # Other schedules change the rate at every step.
        if recipe.get("schedule") == "plateau" and row["lr"] < before["lr"]:
            found.setdefault("learning rate lowered", []).append(row)
        if row.get("loss_weights") != before.get("loss_weights"):
            found.setdefault("loss weights changed", []).append(row)
    if getattr(run, "stopped_early", False):
        found["stopped early"] = [run[-1]]
    return found


def _events(axes: Mapping[str, Axes], run: Run, across: str) -> set[str]:
    """Draw the events of a run and return their kinds."""
    happened = _happened(run)
    for kind, rows in happened.items():
        for row, axis in itertools.product(rows, axes.values()):
            axis.axvline(row[across], linewidth=1, zorder=1, **EVENTS[kind])
    return set(happened)


def _about(runs: Mapping[str, Run]) -> str:
    """Return which runs were recorded, in a few short lines."""
    settings = [getattr(run, "settings", {}) for run in runs.values()]
    hours = sum(run[-1].get("seconds") or 0 for run in runs.values()) / 3600
    models = ", ".join(dict.fromkeys(str(its.get("model", "?")) for its in settings))
    data = ", ".join(dict.fromkeys(str(its.get("data", "?")[0]).split("/")[0] for its in settings))
    seeds = ", ".join(dict.fromkeys(str(its.get("seed", "?")) for its in settings))
    many = "s" if "," in seeds else ""
    return f"recorded: {models}\n{data}, seed{many} {seeds}\n{hours:.1f} hours"


def _told(label: str, run: Run) -> str:
    """Return what the curves of a run show, in words."""
    losses = _values(run, "train_loss")
    epochs = "1 epoch" if len(run) == 1 else f"{len(run)} epochs"
    text = f"{label or 'Training run'}: over {epochs} the training loss goes from "
    text += f"{losses[0]:.3g} to {losses[-1]:.3g}"
    scores = _values(run, "val_psnr")
    if not math.isnan(scores[-1]):
        text += f" and the validation PSNR from {scores[0]:.1f} to {scores[-1]:.1f} dB"
    if kept := _kept(run):
        text += f"; epoch {kept['epoch']} was kept"
    for kind, rows in _happened(run).items():
        text += f"; {kind} in epoch {', '.join(str(row['epoch']) for row in rows)}"
    return f"{text}."


def _legend(figure: CourseFigure, colours: Mapping[str, str], drawn: set[str], game: bool) -> None:
    key = [
        Line2D([], [], color=GREY, linestyle="--", label="training"),
        Line2D([], [], color=GREY, label="validation"),
        Line2D([], [], color=GREY, marker="o", linestyle="", label="epoch kept"),
    ]
    if len(colours) > 1:
        key += [Line2D([], [], color=colour, label=label) for label, colour in colours.items()]
    key += [Line2D([], [], label=kind, **look) for kind, look in EVENTS.items() if kind in drawn]
    if game:
        key.append(Line2D([], [], label="log 2: cannot tell", **UNDECIDED))
    columns = 4 if drawn else 5
    legend = figure.legend(handles=key, loc="outside lower center", ncols=columns)
    while columns > 1 and legend.get_window_extent().width > figure.bbox.width:
        legend.remove()
        columns -= 1
        legend = figure.legend(handles=key, loc="outside lower center", ncols=columns)


def _log_scale(axis: Axes) -> None:
    """Make an axis logarithmic with plain numbers, several of them even within one decade."""
    axis.set_yscale("log")
    low, high = axis.get_ylim()
    ticks = (
        (1, 1.5, 2, 3, 4, 5, 6, 8) if high / low < 12 else (1, 2, 5) if high / low < 500 else (1,)
    )
    axis.yaxis.set_major_locator(LogLocator(subs=ticks))
    axis.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axis.yaxis.set_minor_locator(NullLocator())
