"""A sum of loss terms whose weights may change from epoch to epoch."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from llie_helpers.errors import CourseError, unknown_name
from llie_helpers.losses.perceptual import Perceptual
from llie_helpers.losses.pixel import fft_amplitude, gt_mean, l1, mse
from llie_helpers.losses.places import coarse, colour
from llie_helpers.losses.structural import ssim_loss

Term = Callable[[Tensor, Tensor], Tensor]

LOSSES: dict[str, Term | type[Perceptual]] = {
    "mse": mse,
    "l1": l1,
    "ssim": ssim_loss,
    "fft_amplitude": fft_amplitude,
    "gt_mean": gt_mean,
    "coarse": coarse,
    "colour": colour,
    "perceptual": Perceptual,  # loads its network on construction
}

Weight = float | Sequence[tuple[int, float]]


class WeightedLoss(nn.Module):
    """``sum of weight * term``, such as ``WeightedLoss({"l1": 1.0, "ssim": 0.2})``.

    A weight may be a schedule ``[(0, 0.01), (50, 0.2)]``: 0.01 from epoch 0, 0.2 from
    epoch 50 on (epochs count from 0). A term whose weight is 0 is not computed; if all weights
    are 0, so are the loss and its gradient.

    Attributes:
        terms: the last call's terms by name, unweighted and detached, for logging.
        weights: the weight of each term in the current epoch.

    Args:
        weights: a number or a schedule for each name in ``LOSSES``.

    Raises:
        CourseError: a name is unknown, there is no term, a weight is negative or not a number, or
            a schedule does not start at epoch 0 with increasing epochs.
    """

    def __init__(self, weights: Mapping[str, Weight]) -> None:
        super().__init__()
        self.schedules = {name: _schedule(name, weight) for name, weight in weights.items()}
        if not self.schedules:
            raise CourseError('A loss needs at least one term, such as {"l1": 1.0}.')
        self.functions: dict[str, Any] = {name: LOSSES[name] for name in self.schedules}
        if "perceptual" in self.functions:
            # Also an attribute, so that it moves to the device with this module.
            self.perceptual = self.functions["perceptual"] = Perceptual()
        self.terms: dict[str, Tensor] = {}
        self.set_epoch(0)

    def set_epoch(self, epoch: int) -> None:
        """Use the weights of ``epoch``, counted from 0."""
        self.weights = {
            name: next(weight for start, weight in reversed(steps) if start <= epoch)
            for name, steps in self.schedules.items()
        }

    def forward(self, enhanced: Tensor, normal: Tensor) -> Tensor:
        values = {
            name: self.functions[name](enhanced, normal)
            for name, weight in self.weights.items()
            if weight
        }
        self.terms = {name: value.detach() for name, value in values.items()}
        if not values:
            # A zero with a gradient, so that a step without terms needs no special case.
            return 0.0 * enhanced.float().sum()
        first, *others = (self.weights[name] * value for name, value in values.items())
        return sum(others, start=first)


def _schedule(name: str, weight: Weight) -> list[tuple[int, float]]:
    """Return ``weight`` as steps ``(first epoch, weight)``, checked."""
    if name not in LOSSES:
        raise unknown_name("loss term", name, LOSSES)
    found = f"The weight of loss term {name!r} is {weight!r}, but"
    try:
        pairs = [(0, weight)] if isinstance(weight, int | float) else weight
        steps = [(int(epoch), float(value)) for epoch, value in pairs]
    except (TypeError, ValueError) as error:
        raise CourseError(f"{found} it must be a number or a schedule of them.") from error
    epochs = [epoch for epoch, _ in steps]
    if epochs[:1] != [0] or any(a >= b for a, b in itertools.pairwise(epochs)):
        raise CourseError(
            f"{found} a schedule starts at epoch 0 with increasing epochs, such as "
            "[(0, 0.01), (50, 0.2)]."
        )
    if not all(0 <= value < float("inf") for _, value in steps):
        raise CourseError(f"{found} it must be >= 0.")
    return steps
