"""Observe an answer that is a network: its layers, and its output with weights like another's."""

import zlib
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn

from llie_helpers.lessons.checks.compare import NOTHING, Finding

IN_PLACE = (
    "+= and the like change features that the gradient still needs, so training would stop with an "
    "error; write x = x + ... instead."
)


def network(
    answer: Callable[..., nn.Module], options: Mapping[str, Any], *inputs: torch.Tensor
) -> tuple[dict[str, torch.Size], Any]:
    """Return names and shapes of all weights, and the output for ``inputs`` in evaluation mode.

    For ``Exercise.observe``. Each weight gets values that depend on its name alone, so networks
    of the same names and shapes have the same weights, and a trained one's fit.

    Args:
        answer: a class, or a function that returns a network.
        options: what it is called with.
        inputs: what the network is called with.
    """
    if isinstance(answer, nn.Module):
        raise Finding("give the check the class itself, not a network made from it.")
    made = answer(**options)
    if made is None:
        raise Finding(NOTHING)
    if not isinstance(made, nn.Module):
        raise Finding(f"expected a network (an nn.Module), got {type(made).__name__}.")
    state = made.state_dict()
    made.load_state_dict({name: _values(name, value) for name, value in state.items()})
    output = made.eval()(*inputs)
    if isinstance(output, torch.Tensor) and output.requires_grad:
        try:
            output.sum().backward()
        except RuntimeError as error:
            if "inplace" not in str(error):
                raise
            raise Finding(IN_PLACE) from error
        output = output.detach()
    return {name: value.shape for name, value in state.items()}, output


def network_with_advice(advice: str) -> Callable[..., tuple[dict[str, torch.Size], Any]]:
    """Return `network` that follows PyTorch's error about sizes with ``advice``."""

    def observe(
        answer: Callable[..., nn.Module], options: Mapping[str, Any], *inputs: torch.Tensor
    ) -> tuple[dict[str, torch.Size], Any]:
        try:
            return network(answer, options, *inputs)
        except RuntimeError as error:
            if isinstance(error, NotImplementedError):
                raise
            reason = str(error).rstrip(".")
            raise Finding(f"PyTorch says: {reason}. {advice}") from error

    return observe


def _values(name: str, like: torch.Tensor) -> torch.Tensor:
    """Return values that let a signal through many layers, and positive ones for a buffer."""
    generator = torch.Generator().manual_seed(zlib.crc32(name.encode()))
    drawn = torch.rand(like.shape, generator=generator)
    if not like.is_floating_point() or name.rpartition(".")[2].startswith("running_"):
        return drawn.to(like.dtype)
    inputs = like[0].numel() if like.ndim > 1 else 100
    return (2 * drawn - 1) * (6 / inputs) ** 0.5
