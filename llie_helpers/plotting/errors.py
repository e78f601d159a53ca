"""Draw what the error of each method consists of."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from llie_helpers.data.pairs import Pairs
from llie_helpers.images import quantise
from llie_helpers.methods import as_method
from llie_helpers.metrics.diagnosis import PARTS, error_parts
from llie_helpers.plotting.figures import COLOURS, WIDTH, CourseFigure


@torch.no_grad()
def show_error_parts(
    methods: Mapping[str, Callable[[Tensor], Tensor]], pairs: Pairs
) -> CourseFigure:
    """Draw a bar for each method: its mean squared error on ``pairs`` in three parts.

    Args:
        methods: label -> a `Method`, a network, or any other callable that maps images
            ``(1, 3, H, W)`` in [0, 1] to the same.
        pairs: images and targets.
    """
    parts = {}
    for label, method in methods.items():
        method = as_method(method)
        made = [quantise(method(pair.low[None].to(method.device))).cpu() for pair in pairs]
        each = [error_parts(one, pair.normal[None]) for one, pair in zip(made, pairs, strict=True)]
        parts[label] = torch.cat(each).mean(dim=0).tolist()
    figure = CourseFigure(WIDTH, 1.3 + 0.4 * len(parts))
    axis = figure.subplots()
    begin = [0.0] * len(parts)
    for number, name in enumerate(PARTS):
        width = [values[number] for values in parts.values()]
        axis.barh(list(parts), width, left=begin, color=COLOURS[number], label=name)
        begin = [start + more for start, more in zip(begin, width, strict=True)]
    axis.invert_yaxis()
    axis.set(xlabel="mean squared error")
    axis.grid(axis="y", visible=False)
    figure.legend(loc="outside upper center", ncols=3)
    told = []
    for label, values in parts.items():
        named = zip(PARTS, values, strict=True)
        told.append(f"{label}: {', '.join(f'{name} {value:.4f}' for name, value in named)}")
    figure.alt = f"Mean squared error in three parts. {'; '.join(told)}."
    return figure
