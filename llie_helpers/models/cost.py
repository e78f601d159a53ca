"""What a network costs: its parameters and its multiply-adds."""

import copy

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode


def count_parameters(model: nn.Module) -> int:
    """Return the number of learned values; statistics of batch norm are not counted."""
    return sum(parameter.numel() for parameter in model.parameters())


def gmacs(model: nn.Module, height: int = 400, width: int = 600) -> float:
    """Return 1e9 multiply-adds for one image of ``height`` x ``width`` pixels.

    Counts convolutions and matrix products, as torch's FlopCounterMode does;
    one multiply-add is two of its FLOPs. Nothing is computed: on the "meta" device a
    tensor has a shape and no values.
    """
    shapes_only = copy.deepcopy(model).to("meta").eval()
    image = torch.empty(1, 3, height, width, device="meta")
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        shapes_only(image)
    return counter.get_total_flops() / 2 / 1e9
