"""What to say when a batch does not fit into a GPU's memory."""

from collections.abc import Callable

import torch

from llie_helpers.errors import CourseError
from llie_helpers.training.module import EnhancementModule


def out_of_memory_error(module: EnhancementModule) -> CourseError:
    """The error for a training that ran out of memory, with a batch that was tried and fits."""
    recipe = module.recipe

    def attempt(batch: int) -> None:
        low = torch.zeros(batch, 3, recipe.crop_size, recipe.crop_size, device=module.device)
        module.objective(module.loss, low, low).backward()

    module.zero_grad()
    batch = largest(attempt, recipe.batch_size)
    module.zero_grad()
    found = f"A batch of {recipe.batch_size} crops of {recipe.crop_size}x{recipe.crop_size} pixels does not fit "
    if not batch:
        return CourseError(
            f"{found}into the GPU's memory, and not even one does; choose a smaller crop, such as "
            f"crop = {recipe.crop_size // 2}, or free the memory that other programs or notebooks hold."
        )
    accumulate = -(-recipe.batch_size * recipe.accumulate // batch)
    return CourseError(
        f"{found}into the GPU's memory; batch = {batch} fits, and with accumulate = {accumulate} "
        "each step still sees as many crops (start over with resume=False)."
    )


def largest(attempt: Callable[[int], None], batch: int) -> int:
    """The first of batch/2, batch/4, ... that ``attempt`` can do without running out of memory.

    Returns:
        That size, or 0 if a batch of one fails too.
    """
    while batch := batch // 2:
        torch.cuda.empty_cache()
        try:
            attempt(batch)
        except torch.cuda.OutOfMemoryError:
            continue
        break
    return batch
