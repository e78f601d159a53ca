"""Figures of images and results.

Every function returns a figure that is independent of pyplot. As the last line of a cell it is
shown once; elsewhere, use ``display(figure)``. Figures need not be closed.
"""

import base64
import html
import io
import itertools
from collections.abc import Mapping, Sequence

import matplotlib as mpl
import numpy as np
import torch
from cycler import cycler
from IPython.display import display
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image
from torch import Tensor

from llie_helpers.data.pairs import Pairs
from llie_helpers.errors import CourseError, check_lengths
from llie_helpers.images import quantise, to_uint8
from llie_helpers.metrics import psnr, ssim

# The palette of Okabe and Ito, which colour-blind readers can distinguish.
CHANNELS = {"red": "#D55E00", "green": "#009E73", "blue": "#0072B2"}
COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"]
GREY = "#666666"
WIDTH = 9.0  # inches: 900 pixels, the width of a notebook
LINE = 0.29  # inches, height of a line of text
TALLEST = 3  # times as high as its column is a picture at most
LONGEST = 20  # times as long as it is wide, or less, is a picture that is not stretched
FULL = 0.94  # of a column's width, which a text may take


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
    The picture is embedded in HTML, the only place where a stored notebook keeps a text for
    those who cannot see it.

    Args:
        width, height: in inches.
        alt: what the figure shows, such as "PSNR against stops; the two curves cross at 3".
    """

    def __init__(self, width: float, height: float, alt: str = "") -> None:
        super().__init__(figsize=(width, height), layout="constrained")
        self.alt = alt

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
        titles = [axes.get_title() for axes in self.axes if axes.get_title()]
        alt = self.alt or f"Figure: {', '.join(titles)}"
        picture = (
            f'<img src="data:image/{kind};base64,{data}" alt="{html.escape(alt)}" '
            'style="max-width:100%;height:auto">'
        )
        display({"text/html": picture, "text/plain": alt}, raw=True)


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
    alt: str = "",
) -> CourseFigure:
    """Show images side by side.

    Args:
        images: ``(3, H, W)`` each, or one ``(N, 3, H, W)`` tensor, in [0, 1].
        titles: one above each image, or none.
        scores: one below each image, or none.
        columns: images per row; by default up to four.
        alt: what they show, for those who cannot see them; by default titles and scores.

    Raises:
        CourseError: there are no images, not as many titles or scores, or one is not an image.
    """
    images = list(images)
    texts = {"titles": titles, "scores": scores}
    check_lengths({"images": images} | {name: given for name, given in texts.items() if given})
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
    figure.alt = alt or f"Side by side: {_listed(titles or ['photographs'], scores)}."
    return figure


def show_pairs(pairs: Pairs, n: int = 4) -> CourseFigure:
    """Show the first ``n`` pairs, low light above normal light, with the mean of each image.

    Raises:
        CourseError: there are no pairs.
    """
    shown = list(pairs[:n])
    check_lengths({"pairs": shown})
    rows = [[pair.low for pair in shown], [pair.normal for pair in shown]]
    figure, axes = _grid(rows, lines=3)
    for column, pair in enumerate(shown):
        _picture(axes[0][column], pair.low, pair.name, f"mean {pair.low.mean():.3f}")
        _picture(axes[1][column], pair.normal, "", f"mean {pair.normal.mean():.3f}")
    axes[0][0].set_ylabel("low")
    axes[1][0].set_ylabel("normal")
    names = _listed([pair.name for pair in shown])
    figure.alt = f"Pairs of photographs, in low light above and in normal light below: {names}."
    return figure


def show_results(
    low: Sequence[Tensor] | Tensor,
    outputs: Mapping[str, Sequence[Tensor] | Tensor],
    normal: Sequence[Tensor] | Tensor,
) -> CourseFigure:
    """Show input, outputs and target in one row per image, each with PSNR and SSIM.

    Args:
        low: ``(3, H, W)`` each, or one ``(N, 3, H, W)`` tensor, in [0, 1].
        outputs: method name -> one output for each image.
        normal: one target for each image.

    Raises:
        CourseError: there are no images, not as many outputs or targets, or one is not an image.
    """
    named = {f"outputs of {name}": images for name, images in outputs.items()}
    check_lengths({"images": low, **named, "targets": normal})
    titles = ["low", *outputs, "target"]
    rows = list(zip(low, *outputs.values(), normal, strict=True))
    figure, axes = _grid(rows, lines=1 + len(rows))
    scores = [[*(_score(image, row[-1]) for image in row[:-1]), ""] for row in rows]
    for i, row in enumerate(rows):
        for axis, title, image, score in zip(axes[i], titles, row, scores[i], strict=True):
            _picture(axis, image, title if i == 0 else "", score)
    each = (_listed(titles, line) for line in scores)
    figure.alt = f"Photographs, one row each: {'. '.join(each)}."
    return figure


def show_histograms(images: Sequence[Tensor] | Tensor, labels: Sequence[str]) -> CourseFigure:
    """Show each image with the histograms of its channels and the share of clipped values.

    Args:
        images: ``(3, H, W)`` each, in [0, 1].
        labels: one per image.

    Raises:
        CourseError: there are no images, not as many labels, or one is not an image.
    """
    images = list(images)
    check_lengths({"images": images, "labels": labels})
    for image in images:
        check_image(image)
    figure = CourseFigure(WIDTH, 2.6 * len(images) + 0.4)
    axes = figure.subplots(len(images), 2, squeeze=False, width_ratios=[1, 1.7])
    for (left, right), image, label in zip(axes, images, labels, strict=True):
        _picture(left, image, label)
        _histogram(right, image)
        right.sharex(axes[0][1])
    axes[0][1].legend(loc="upper right")
    axes[-1][1].set_xlabel("value (0 black, 1 full)")
    shares = [right.get_title() for _, right in axes]
    figure.alt = f"Photographs with histograms of their channels: {_listed(labels, shares)}."
    return figure


def check_image(image: object, expected: str = "an image of shape (3, H, W)") -> None:
    """Check that ``image`` is a tensor ``(3, H, W)``.

    Raises:
        CourseError: it is something else; the message says what was ``expected``.
    """
    if not isinstance(image, Tensor):
        raise CourseError(f"Expected {expected}, got an object of type {type(image).__name__}.")
    if image.ndim != 3 or image.shape[0] != 3 or not image.numel():
        raise CourseError(f"Expected {expected}, got a tensor of shape {tuple(image.shape)}.")


def _listed(names: Sequence[str], remarks: Sequence[str] = ()) -> str:
    """Return names, each with its remark if it has one."""
    pairs = itertools.zip_longest(names, remarks, fillvalue="")
    return "; ".join(f"{name} ({remark})" if remark else name for name, remark in pairs)


def _grid(rows: Sequence[Sequence[Tensor]], lines: int) -> tuple[CourseFigure, list[list[Axes]]]:
    """Return a figure with one axis per image, and space for ``lines`` of text in its height."""
    for image in itertools.chain(*rows):
        check_image(image)
    columns = max(len(row) for row in rows)
    # A single column would be too large at full width.
    width = WIDTH if columns > 1 else WIDTH * 0.6
    tallest = [max(_shape(image) for image in row) for row in rows]
    height = width / columns * sum(tallest) + LINE * lines
    figure = CourseFigure(width, height)
    axes = figure.subplots(len(rows), columns, squeeze=False)
    for axis in axes.flat:
        axis.set_visible(False)
    return figure, axes.tolist()


def _shape(image: Tensor) -> float:
    """Return the height of a picture in widths of its column: a strip must not fill pages."""
    return min(max(image.shape[-2] / image.shape[-1], 1 / LONGEST), TALLEST)


def _picture(axis: Axes, image: Tensor, title: str = "", below: str = "") -> None:
    axis.set_visible(True)
    sides = image.shape[-2:]
    axis.imshow(to_uint8(image), aspect="equal" if max(sides) <= LONGEST * min(sides) else "auto")
    axis.set_anchor("N")  # aligns the titles of a row
    axis.set(xticks=[], yticks=[], title=title)
    axis.set_xlabel(below, color=GREY)
    axis.spines[:].set_visible(False)
    for text in (axis.title, axis.xaxis.label):
        _fit(text, axis)


def _fit(text: Text, axis: Axes) -> None:
    """Make a text smaller if it is wider than the column of its axis."""
    place = axis.get_subplotspec()
    assert place is not None  # it is one of `Figure.subplots`
    shares = np.array(place.get_gridspec().get_width_ratios(), float)
    room = FULL * axis.figure.bbox.width * shares[place.colspan.start] / shares.sum()
    width = text.get_window_extent().width
    if width > room:
        text.set_fontsize(text.get_fontsize() * room / width)


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
