"""Figures of images, training runs and results.

Every function returns a figure that is independent of pyplot. As the last line of a cell it is
shown once; elsewhere, use ``display(figure)``. Figures need not be closed.
"""

import base64
import io
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import torch
from cycler import cycler
from IPython.display import display
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator
from PIL import Image
from torch import Tensor

from llie_helpers.data.pairs import Pairs
from llie_helpers.errors import CourseError
from llie_helpers.images import quantise, to_uint8
from llie_helpers.metrics import psnr, ssim

# The palette of Okabe and Ito, which colour-blind readers can distinguish.
CHANNELS = {"red": "#D55E00", "green": "#009E73", "blue": "#0072B2"}
COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"]
GREY = "#666666"
WIDTH = 9.0  # inches: 900 pixels, the width of a notebook
LINE = 0.29  # inches, height of a line of text


def use_style() -> None:
    """Set matplotlib's defaults to the style of the course."""
    mpl.rcParams.update(
        {
            "figure.dpi": 100,
            "savefig.dpi": "figure",
            "figure.figsize": (WIDTH, 4.0),
            "font.size": 12,
            "axes.titlesize": 12,
            "axes.labelsize": 12,
            "xtick.labelsize": 11,
            "ytick.labelsize": 11,
            "legend.fontsize": 11,
            "legend.frameon": False,
            "lines.linewidth": 2,
            "axes.prop_cycle": cycler(color=COLOURS),
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "axes.axisbelow": True,
            "grid.color": "#DDDDDD",
            "image.cmap": "gray",
            "image.interpolation": "antialiased",
        }
    )


class CourseFigure(Figure):
    """A figure of ``width`` x ``height`` inches, shown as JPEG if it has images, else as PNG.

    Notebooks are committed with their outputs, and photographs are five times as large in PNG.
    """

    def __init__(self, width: float, height: float) -> None:
        super().__init__(figsize=(width, height), layout="constrained")

    def _ipython_display_(self) -> None:
        photographs = any(axes.images for axes in self.axes)
        kind = "jpeg" if photographs else "png"
        # Full colour resolution keeps the text sharp.
        options = {"quality": 88, "subsampling": 0} if photographs else {}
        buffer = io.BytesIO()
        self.savefig(buffer, format=kind, pil_kwargs=options)
        if not photographs:
            buffer = _with_palette(buffer)
        data = base64.b64encode(buffer.getvalue()).decode()
        # For screen readers; nbconvert preserves it.
        titles = [axes.get_title() for axes in self.axes if axes.get_title()]
        alt = f"Figure: {', '.join(titles)}" if titles else "Figure"
        mime = f"image/{kind}"
        display({mime: data, "text/plain": alt}, metadata={mime: {"alt": alt}}, raw=True)


def _with_palette(png: io.BytesIO) -> io.BytesIO:
    """Return a PNG with 256 colours, which are enough for a chart and need a third of the bytes."""
    smaller = io.BytesIO()
    Image.open(png).convert("RGB").quantize(256).save(smaller, "png", optimize=True)
    return smaller


def show_images(
    images: Sequence[Tensor] | Tensor,
    titles: Sequence[str] = (),
    scores: Sequence[str] = (),
    columns: int | None = None,
) -> Figure:
    """Show images side by side.

    Args:
        images: ``(3, H, W)`` each, or one ``(N, 3, H, W)`` tensor, in [0, 1].
        titles: one above each image, or none.
        scores: one below each image, or none.
        columns: images per row; by default up to four.
    """
    images = list(images)
    columns = columns or min(len(images), 4)
    rows = [images[i : i + columns] for i in range(0, len(images), columns)]
    figure, axes = _grid(rows, lines=len(rows) * (bool(titles) + bool(scores)))
    for i, image in enumerate(images):
        _picture(
            axes[i // columns][i % columns],
            image,
            title=titles[i] if titles else "",
            below=scores[i] if scores else "",
        )
    return figure


def show_pairs(pairs: Pairs, n: int = 4) -> Figure:
    """Show the first ``n`` pairs, low light above normal light, with the mean of each image."""
    shown = list(itertools.islice(pairs, n))
    rows = [[pair.low for pair in shown], [pair.normal for pair in shown]]
    figure, axes = _grid(rows, lines=3)
    for column, pair in enumerate(shown):
        _picture(axes[0][column], pair.low, pair.name, f"mean {pair.low.mean():.3f}")
        _picture(axes[1][column], pair.normal, "", f"mean {pair.normal.mean():.3f}")
    axes[0][0].set_ylabel("low")
    axes[1][0].set_ylabel("normal")
    return figure


def show_results(
    low: Sequence[Tensor] | Tensor,
    outputs: Mapping[str, Sequence[Tensor] | Tensor],
    normal: Sequence[Tensor] | Tensor,
) -> Figure:
    """Show input, outputs and target in one row per image, each with PSNR and SSIM.

    Args:
        low: ``(3, H, W)`` each, or one ``(N, 3, H, W)`` tensor, in [0, 1].
        outputs: method name -> one output for each image.
        normal: one target for each image.
    """
    columns = {"low": low, **outputs, "target": normal}
    rows = list(zip(*columns.values(), strict=True))
    figure, axes = _grid(rows, lines=1 + len(rows))
    for i, row in enumerate(rows):
        for axis, name, image in zip(axes[i], columns, row, strict=True):
            score = "" if name == "target" else _score(image, row[-1])
            _picture(axis, image, name if i == 0 else "", score)
    return figure


def show_histograms(images: Sequence[Tensor] | Tensor, labels: Sequence[str]) -> Figure:
    """Show each image with the histograms of its channels and the share of clipped values.

    Args:
        images: ``(3, H, W)`` each, in [0, 1].
        labels: one per image.
    """
    images = list(images)
    figure = CourseFigure(WIDTH, 2.6 * len(images) + 0.4)
    axes = figure.subplots(len(images), 2, squeeze=False, width_ratios=[1, 1.7])
    for (left, right), image, label in zip(axes, images, labels, strict=True):
        _picture(left, image, label)
        _histogram(right, image)
        right.sharex(axes[0][1])
    axes[0][1].legend(loc="upper right")
    axes[-1][1].set_xlabel("value (0 black, 1 full)")
    return figure


def show_history(history: Any) -> Figure:
    """Plot one or several training runs, and mark the epoch whose weights were kept.

    Args:
        history: a `History`, a `TrainingRun`, or a list of one dict per epoch with ``epoch``,
            ``train_loss``, ``lr`` and, where they were measured, ``val_loss`` and ``val_psnr``; or
            label -> one of these. The best epoch of a list has the lowest ``val_loss``.

    Raises:
        CourseError: a run has no epochs.
    """
    given = history if isinstance(history, Mapping) else {"": history}
    runs = {label: getattr(run, "history", run) for label, run in given.items()}
    if not all(len(run) for run in runs.values()):
        raise CourseError("The history is empty: train for at least one epoch first.")
    panels = {"loss": "loss"}
    if all("val_psnr" in run[0] for run in runs.values()):
        panels["val_psnr"] = "validation PSNR (dB)"
    if any(_monitor(run) == "val_ssim" for run in runs.values()):
        panels["val_ssim"] = "validation SSIM"
    panels["lr"] = "learning rate"
    figure = CourseFigure(WIDTH, 3.6)
    axes = dict(zip(panels, figure.subplots(1, len(panels)), strict=True))
    for colour, run in zip(itertools.cycle(COLOURS), runs.values(), strict=False):
        _curves(axes, run, colour)
    for panel, axis in axes.items():
        axis.set(title=panels[panel], xlabel="epoch")
        axis.xaxis.set_major_locator(
            MaxNLocator(5, steps=[1, 2, 5, 10], integer=True, min_n_ticks=1)
        )
    _log_scale(axes["loss"])
    _log_scale(axes["lr"])
    key = [
        Line2D([], [], color=GREY, linestyle="--", label="training"),
        Line2D([], [], color=GREY, label="validation"),
        Line2D([], [], color=GREY, marker="o", linestyle="", label="epoch kept"),
    ]
    if len(runs) > 1:
        key += [Line2D([], [], color=c, label=name) for c, name in zip(COLOURS, runs, strict=False)]
    figure.legend(handles=key, loc="outside lower center", ncols=5)
    return figure


def _grid(rows: Sequence[Sequence[Tensor]], lines: int) -> tuple[CourseFigure, list[list[Axes]]]:
    """Return a figure with one axis per image, and space for ``lines`` of text in its height."""
    columns = max(len(row) for row in rows)
    # A single column would be too large at full width.
    width = WIDTH if columns > 1 else WIDTH * 0.6
    tallest = [max(image.shape[-2] / image.shape[-1] for image in row) for row in rows]
    height = width / columns * sum(tallest) + LINE * lines
    figure = CourseFigure(width, height)
    axes = figure.subplots(len(rows), columns, squeeze=False)
    for axis in axes.flat:
        axis.set_visible(False)
    return figure, axes.tolist()


def _picture(axis: Axes, image: Tensor, title: str = "", below: str = "") -> None:
    axis.set_visible(True)
    axis.imshow(to_uint8(image))
    axis.set_anchor("N")  # aligns the titles of a row
    axis.set(xticks=[], yticks=[], title=title)
    axis.set_xlabel(below, color=GREY)
    axis.spines[:].set_visible(False)


def _score(image: Tensor, target: Tensor) -> str:
    image = quantise(image)
    return f"{psnr(image, target).item():.1f} dB, SSIM {ssim(image, target).item():.2f}"


def _histogram(axis: Axes, image: Tensor) -> None:
    bins = 128
    for values, (name, colour) in zip(image, CHANNELS.items(), strict=True):
        share = torch.histc(values.float(), bins, 0, 1) / values.numel()
        edges = torch.linspace(0, 1, bins + 1).tolist()
        axis.stairs(share.tolist(), edges, fill=True, color=colour, alpha=0.25)
        axis.stairs(share.tolist(), edges, color=colour, label=name, linewidth=1.5)
    black = (image <= 0.5 / 255).float().mean().item()
    white = (image >= 254.5 / 255).float().mean().item()
    axis.set(xlim=(0, 1), yticks=[])
    axis.set_title(f"clipped: {black:.1%} black, {white:.1%} full", color=GREY)


def _monitor(run: Sequence[Mapping[str, Any]]) -> str:
    """Return the column that decides which epoch of a run is the best."""
    return getattr(run, "monitor", "val_loss")


def _curves(axes: Mapping[str, Axes], run: Sequence[Mapping[str, Any]], colour: str) -> None:
    epochs = [row["epoch"] for row in run]
    # A line of one point would be invisible.
    look: dict[str, Any] = {"color": colour, "marker": "." if len(run) == 1 else ""}
    axes["loss"].plot(epochs, [row["train_loss"] for row in run], linestyle="--", **look)
    for column, axis in {"val_loss": axes["loss"], **axes}.items():
        if column.startswith("val_") and column in run[0]:
            axis.plot(epochs, [row[column] for row in run], **look)
    axes["lr"].step(epochs, [row["lr"] for row in run], where="post", **look)
    monitor = _monitor(run)
    if monitor not in run[0]:
        return
    kept = min(run, key=lambda row: row[monitor] if monitor == "val_loss" else -row[monitor])
    axis = axes["loss" if monitor == "val_loss" else monitor]
    axis.plot(kept["epoch"], kept[monitor], "o", color=colour, markersize=7)


def _log_scale(axis: Axes) -> None:
    """Make an axis logarithmic with plain numbers, several of them even within one decade."""
    axis.set_yscale("log")
    low, high = axis.get_ylim()
    ticks = (
        (1, 1.5, 2, 3, 4, 5, 6, 8) if high / low < 8 else (1, 2, 5) if high / low < 500 else (1,)
    )
    axis.yaxis.set_major_locator(LogLocator(subs=ticks))
    axis.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axis.yaxis.set_minor_locator(NullLocator())
