"""Count the parameters and multiply-adds of a network."""

import copy

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode


def count_parameters(model: nn.Module) -> int:
    """Return the number of parameters; running statistics of batch norm do not count."""
    return sum(parameter.numel() for parameter in model.parameters())


def gmacs(model: nn.Module, height: int = 400, width: int = 600) -> float:
    """Return the multiply-adds, in 1e9, for one image of ``height`` x ``width`` pixels.

    Counts convolutions and matrix products with torch's FlopCounterMode, where one multiply-add
    is two FLOPs. Runs on the "meta" device, where tensors have shapes but no values.
    """
    shapes_only = copy.deepcopy(model).to("meta").eval()
    image = torch.empty(1, 3, height, width, device="meta")
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        shapes_only(image)
    return counter.get_total_flops() / 2 / 1e9
