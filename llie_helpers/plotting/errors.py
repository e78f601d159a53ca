"""Draw what the error of each method consists of."""

from collections.abc import Mapping

from llie_helpers.errors import check_lengths
from llie_helpers.metrics import Evaluation
from llie_helpers.plotting.figures import WIDTH, CourseFigure

# Label and colour of each part of `error_parts`; the two local ones in shades of orange.
PARTS = {
    "brightness": ("brightness", "#0072B2"),
    "light": ("local light", "#D55E00"),
    "colour": ("local colour", "#EFB082"),
    "detail": ("detail", "#009E73"),
}


def show_error_parts(evaluations: Mapping[str, Evaluation]) -> CourseFigure:
    """Draw a bar for each evaluation: its mean squared error in the parts of `error_parts`.

    Args:
        evaluations: label -> the evaluation of a method, all on the same pairs.

    Raises:
        CourseError: there are no evaluations.
    """
    check_lengths({"evaluations": evaluations})
    figure = CourseFigure(WIDTH, 1.3 + 0.4 * len(evaluations))
    axis = figure.subplots()
    begin = [0.0] * len(evaluations)
    for part, (name, colour) in PARTS.items():
        width = [getattr(it, part) for it in evaluations.values()]
        axis.barh(list(evaluations), width, left=begin, color=colour, label=name)
        # Brightness may be negative; its bar must not lie behind the others.
        begin = [max(0.0, start + more) for start, more in zip(begin, width, strict=True)]
    axis.invert_yaxis()
    axis.set(xlabel="mean squared error")
    axis.grid(axis="y", visible=False)
    figure.legend(loc="outside upper center", ncols=len(PARTS))
    told = []
    for label, it in evaluations.items():
        parts = ", ".join(f"{name} {getattr(it, part):.4f}" for part, (name, _) in PARTS.items())
        told.append(f"{label}: {parts}")
    figure.alt = f"Mean squared error in its parts. {'; '.join(told)}."
    return figure
