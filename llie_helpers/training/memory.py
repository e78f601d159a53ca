"""Advice for a batch that exceeds the GPU's memory."""

from collections.abc import Callable, Sequence

import torch

from llie_helpers.errors import CourseError
from llie_helpers.training.module import EnhancementModule


def out_of_memory_error(
    module: EnhancementModule, example: Sequence[torch.Tensor], device: torch.device
) -> CourseError:
    """Return the error for a run that exceeded the memory, with a batch size that fits.

    Args:
        module: the module of the failed run.
        example: one item of the training data.
        device: where it ran; Lightning has moved the module to the CPU since.
    """
    module.to(device)

    def attempt(batch_size: int) -> None:
        batch = [torch.stack([image] * batch_size).to(device) for image in example]
        module.training_loss(*batch).backward()

    recipe = module.recipe
    module.zero_grad()
    batch_size = largest(attempt, recipe.batch_size)
    module.zero_grad()
    module.cpu()
    height, width = example[0].shape[-2:]
    found = (
        f"A batch of {recipe.batch_size} crops of {width}x{height} pixels exceeds the GPU's memory"
    )
    if not batch_size:
        return CourseError(
            f"{found}, and so does a single one; choose smaller crops, such as crop_size = "
            f"{width // 2}, or free the memory that other programs or notebooks use."
        )
    accumulate = -(-recipe.batch_size * recipe.accumulate // batch_size)
    return CourseError(
        f"{found}; batch_size = {batch_size} fits, and with accumulate = {accumulate} "
        "each step still uses as many crops (start over with resume=False)."
    )


def largest(attempt: Callable[[int], None], batch_size: int) -> int:
    """Halve ``batch_size`` until ``attempt`` has enough memory; return 0 if 1 is too large."""
    while batch_size := batch_size // 2:
        torch.cuda.empty_cache()
        try:
            attempt(batch_size)
        except torch.cuda.OutOfMemoryError:
            continue
        break
    return batch_size
