"""Diagrams of network architectures."""

from collections.abc import Mapping, Sequence
from typing import Literal

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.text import Text

from llie_helpers.errors import check_lengths
from llie_helpers.plotting.figures import COLOURS, GREY, WIDTH, CourseFigure

# Colours of the arrows.
CONVOLVE, DOWN, UP, SHORTCUT = "black", COLOURS[0], COLOURS[1], GREY
STEP = 1.5  # distance of neighbouring boxes, and of rows, in units of the axes

Point = tuple[float, float]


def show_encoder_decoder(widths: Sequence[int]) -> CourseFigure:
    """Draw an encoder-decoder with additive shortcuts as a U.

    The height of a box shows the resolution of a feature map, which is halved from row to row, and
    its width the number of channels.

    Args:
        widths: channels at full resolution, at half of it, and so on.

    Raises:
        CourseError: there are no widths.
    """
    figure = _u(
        widths,
        2 * len(widths),
        "+",
        4.9,
        "A network drawn as a U: the encoder halves the size and goes down through "
        f"{', '.join(map(str, widths))} channels, the decoder climbs back, and at each level a "
        "shortcut adds the encoder's features to the decoder's.",
        {
            "3x3 convolution": CONVOLVE,
            "3x3 convolution, stride 2": DOWN,
            "3x3 convolution, then twice as large": UP,
            "shortcut": SHORTCUT,
        },
    )
    bottom = (len(widths) - 1) * STEP
    _arrow(figure.axes[0], (bottom, -bottom), (bottom + 2 * STEP, -bottom), CONVOLVE, bend=0.35)
    return figure


def show_unet(widths: Sequence[int]) -> CourseFigure:
    """Draw a U-Net: as `show_encoder_decoder`, with skip connections that are concatenated."""
    return _u(
        widths,
        2 * len(widths) - 2,
        "skip",
        4.4,
        "A U-Net: two convolutions at each level, on the left max-pooling down through "
        f"{', '.join(map(str, widths))} channels, on the right transposed convolutions up. At each "
        "level above the lowest, a skip connection puts the encoder's features, as they are before "
        "the pooling, beside the enlarged ones.",
        {
            "max-pooling, then two convolutions": DOWN,
            "up: enlarge, put the skip beside, two convolutions": UP,
            "skip connection": SHORTCUT,
        },
    )


def _u(
    widths: Sequence[int], end: int, mark: str, height: float, alt: str, arrows: Mapping[str, str]
) -> CourseFigure:
    """Draw a U whose last box is in column ``end`` and whose shortcuts have the label ``mark``."""
    check_lengths({"widths": widths})
    figure = CourseFigure(WIDTH, height, alt)
    axes = figure.subplots()
    last = len(widths) - 1
    for level, channels in enumerate(widths):
        x, y = level * STEP, -level * STEP
        mirrored = (end - level) * STEP
        share = "full size" if level == 0 else f"1/{2**level}"
        axes.text(-1.7 * STEP, y, share, ha="right", va="center", color=GREY)
        for place in {x, mirrored}:
            _box(axes, place, y, channels / widths[-1], level, f"{channels}")
        if x < mirrored:
            _arrow(axes, (x, y), (mirrored, y), SHORTCUT, mark)
        if level < last:
            below = y - STEP
            _arrow(axes, (x, y), (x + STEP, below), DOWN)
            _arrow(axes, (mirrored - STEP, below), (mirrored, y), UP)
    for place, name in ((-STEP, "image"), ((end + 1) * STEP, "enhanced")):
        _box(axes, place, 0, 3 / widths[-1], 0, f"3\n{name}")
    _arrow(axes, (-STEP, 0), (0, 0), CONVOLVE)
    _arrow(axes, (end * STEP, 0), ((end + 1) * STEP, 0), CONVOLVE)
    axes.set(xlim=(-2.8 * STEP, (end + 1.8) * STEP), ylim=(-last * STEP - 1.1, 1.3))
    axes.axis("off")
    lines = [
        Line2D([], [], color=colour, linestyle=_line(colour), label=label)
        for label, colour in arrows.items()
    ]
    figure.legend(handles=lines, loc="outside lower center", ncols=4, fontsize=10)
    return figure


def _box(axes: Axes, x: float, y: float, width: float, level: int, label: str) -> None:
    height = 1.25 * 0.75**level
    width = 0.12 + 0.75 * width
    corner = x - width / 2, y - height / 2
    axes.add_patch(Rectangle(corner, width, height, facecolor="#F2F2F2", edgecolor="black"))
    # A number above a wide box would touch the arrow that comes from above.
    top, align = (y, "center") if width > 0.5 else (y + height / 2 + 0.06, "bottom")
    axes.text(x, top, label, ha="center", va=align, fontsize=10)


def _arrow(
    axes: Axes, start: Point, end: Point, colour: str, label: str = "", bend: float = 0.0
) -> None:
    look = {
        "arrowstyle": "->",
        "color": colour,
        "linestyle": _line(colour),
        "linewidth": 1.8,
        "shrinkA": 15,
        "shrinkB": 15,
        "connectionstyle": f"arc3,rad={bend}",
    }
    axes.annotate("", end, start, arrowprops=look)
    if label:
        middle = (start[0] + end[0]) / 2, (start[1] + end[1]) / 2
        axes.text(*middle, label, ha="center", va="center", fontsize=13, backgroundcolor="white")


def _line(colour: str) -> Literal["-", "--"]:
    return "--" if colour == SHORTCUT else "-"


def show_two_path() -> CourseFigure:
    """Draw lesson 05's two-path module: the sum of two paths, then a residual block."""
    figure = CourseFigure(
        WIDTH,
        1.9,
        "Two modules in a row. In the first, x goes through a 3x3 convolution, a ReLU and another "
        "3x3 convolution, and beside them through a 1x1 convolution; the sum goes through a ReLU "
        "and becomes y. The second adds y itself in place of the 1x1 convolution.",
    )
    axes = figure.subplots()
    for start, bypass in ((0.0, "1x1"), (4.9, "")):
        fork, join = start + 0.5, start + 3.6
        path = [(fork, 0), (fork, -1), (join, -1), (join, 0)]
        axes.plot(*zip(*path, strict=True), color=CONVOLVE, linewidth=1.8)
        colour = CONVOLVE if bypass else SHORTCUT
        axes.plot((start + 0.2, join), (0, 0), color=colour, linestyle=_line(colour), linewidth=1.8)
        axes.plot((join, start + 4.7), (0, 0), color=CONVOLVE, linewidth=1.8)
        for place, label in ((1.05, "3x3"), (2.05, "ReLU"), (3.05, "3x3")):
            _layer(axes, start + place, -1, label)
        if bypass:
            _layer(axes, start + 2.05, 0, bypass)
        _layer(axes, join, 0, "+", round_box=True)
        _layer(axes, join + 0.65, 0, "ReLU")
    for x, label in ((0.0, "x"), (4.9, "y"), (9.85, "out")):
        axes.text(x, 0, label, ha="center", va="center", fontsize=13, style="italic")
    axes.set(xlim=(-0.4, 10.3), ylim=(-1.5, 0.5))
    axes.axis("off")
    return figure


def show_game() -> CourseFigure:
    """Draw lesson 06's two players, and the way of each loss back to the player it teaches."""
    figure = CourseFigure(
        WIDTH,
        2.9,
        "The dark image goes to the generator. The discriminator gets it together with either the "
        "target or the generator's output. Its own loss goes back to it and is cut off before the "
        "generator; the generator's loss goes back through the discriminator to the generator.",
    )
    axes = figure.subplots()
    places = {
        "dark image": (0, 0),
        "generator": (2.4, -0.6),
        "output": (4.6, -0.6),
        "target": (4.6, 0.6),
        "discriminator": (7.2, 0),
        "real or fake?": (10, 0),
    }
    boxes = {label: _layer(axes, *place, label) for label, place in places.items()}
    for start, end in (
        ("dark image", "generator"),
        ("dark image", "discriminator"),
        ("generator", "output"),
        ("output", "discriminator"),
        ("target", "discriminator"),
        ("discriminator", "real or fake?"),
    ):
        ends = {"patchA": boxes[start].get_bbox_patch(), "patchB": boxes[end].get_bbox_patch()}
        look = {"arrowstyle": "->", "linewidth": 1.8, "shrinkA": 1, "shrinkB": 1}
        axes.annotate("", places[end], places[start], arrowprops=look | ends)
    for y, to, colour, label in (
        (1.2, 5.9, DOWN, "teaches the discriminator; detach() cuts it off here"),
        (-1.3, 2.4, UP, "teaches the generator, by way of the discriminator"),
    ):
        look = {"arrowstyle": "->", "linewidth": 1.8, "color": colour}
        axes.annotate("", (to, y), (10.7, y), arrowprops=look)
        axes.text(10.7, y + 0.2, label, color=colour, ha="right", va="bottom", fontsize=11)
    axes.plot((5.9, 5.9), (1.05, 1.35), color=DOWN, linewidth=3)
    axes.set(xlim=(-0.8, 11), ylim=(-1.5, 1.8))
    axes.axis("off")
    return figure


def _layer(axes: Axes, x: float, y: float, label: str, round_box: bool = False) -> Text:
    box = {"boxstyle": "circle" if round_box else "square", "facecolor": "#F2F2F2"}
    return axes.text(x, y, label, ha="center", va="center", fontsize=12, bbox=box)
