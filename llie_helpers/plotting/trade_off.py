"""Plot the quality of methods against their cost, with labels that do not overlap."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.transforms import Bbox

from llie_helpers.errors import check_lengths
from llie_helpers.plotting.figures import COLOURS, GREY, WIDTH, CourseFigure

# Offset of a label from its marker, in points, and alignment, in order of preference.
OFFSETS = [(9, 0, "left"), (-9, 0, "right"), (0, 12, "center"), (0, -12, "center"),
           (9, 12, "left"), (-9, 12, "right"), (9, -12, "left"), (-9, -12, "right"),
           (0, 24, "center"), (0, -24, "center")]  # fmt: skip
# Source of a score -> marker, and whether it is hollow.
SOURCES = {"the course's": ("o", False), "published": ("o", True), "re-measured": ("s", True)}


class Point(NamedTuple):
    """One method in a plot of quality against cost; ``source`` is one of `SOURCES`."""

    label: str
    cost: float
    quality: float
    source: str = "the course's"


def show_trade_off(points: Sequence[Point], cost: str, quality: str) -> Figure:
    """Plot quality against cost (a logarithmic axis), each point with its label.

    Args:
        points: with positive costs; labels are placed in this order.
        cost: the title of the horizontal axis, with its unit.
        quality: the title of the vertical axis, with its unit.

    Raises:
        CourseError: there are no points.
    """
    check_lengths({"points": points})
    each = "; ".join(f"{p.label} {p.quality:.4g} at {p.cost:.3g}" for p in points)
    figure = CourseFigure(WIDTH, 4.5, f"{quality} against {cost}: {each}.")
    axis = figure.subplots()
    for point in points:
        axis.plot(point.cost, point.quality, **_look(point.source))
    axis.set(xscale="log", xlabel=cost, ylabel=quality)
    axis.margins(x=0.12, y=0.12)
    sources = [source for source in SOURCES if any(point.source == source for point in points)]
    if len(sources) > 1:
        axis.legend(handles=[Line2D([], [], **_look(source), label=source) for source in sources])
    _label_points(figure, axis, points)
    return figure


def _look(source: str) -> dict[str, Any]:
    marker, hollow = SOURCES[source]
    colour = GREY if hollow else COLOURS[0]
    face = "none" if hollow else colour
    return {"marker": marker, "color": colour, "markerfacecolor": face, "markersize": 8,
            "linestyle": ""}  # fmt: skip


def _label_points(figure: Figure, axis: Axes, points: Sequence[Point]) -> None:
    """Write each label beside its point, without overlap if there is space."""
    figure.canvas.draw()  # sets the positions of everything
    dots = axis.transData.transform([(point.cost, point.quality) for point in points])
    taken = [Bbox.from_bounds(x - 6, y - 6, 12, 12) for x, y in dots]
    if legend := axis.get_legend():
        taken.append(legend.get_window_extent())
    for point in points:
        if not any(_write(figure, axis, point, offset, taken) for offset in OFFSETS):
            axis.annotate(point.label, (point.cost, point.quality), fontsize=10)


def _write(
    figure: Figure, axis: Axes, point: Point, offset: tuple[int, int, str], taken: list[Bbox]
) -> bool:
    """Write the label at ``offset`` and add its box to ``taken``; return False if it overlaps."""
    dx, dy, alignment = offset
    text = axis.annotate(
        point.label,
        (point.cost, point.quality),
        (dx, dy),
        textcoords="offset points",
        ha=alignment,
        va="center",
        fontsize=10,
        color="black" if point.source == "the course's" else GREY,
    )
    box = text.get_window_extent()
    inside = axis.bbox.x0 <= box.x0 and box.x1 <= figure.bbox.x1
    if not inside or any(box.overlaps(other) for other in taken):
        text.remove()
        return False
    taken.append(box)
    if dy:  # other markers may be as near, so that a line has to tell whose label this is
        axis.annotate(
            "",
            (point.cost, point.quality),
            (dx, dy - math.copysign(6, dy)),
            textcoords="offset points",
            arrowprops={"arrowstyle": "-", "color": GREY, "shrinkA": 0, "shrinkB": 4},
        )
    return True
