"""What to say when a batch does not fit into a GPU's memory."""

from collections.abc import Callable

import torch

from .errors import CourseError
from .lightning_modules import EnhancementModule


def does_not_fit(module: EnhancementModule) -> CourseError:
    """The error for a training that ran out of memory, with a batch that was tried and fits."""
    recipe = module.recipe

    def attempt(batch: int) -> None:
        low = torch.zeros(batch, 3, recipe.crop, recipe.crop, device=module.device)
        module.objective(low, low).backward()

    module.zero_grad()
    batch = largest(attempt, recipe.batch)
    module.zero_grad()
    found = f"A batch of {recipe.batch} crops of {recipe.crop}x{recipe.crop} pixels does not fit "
    if not batch:
        return CourseError(
            f"{found}into the GPU's memory, and not even one does; choose a smaller crop, such as "
            f"crop = {recipe.crop // 2}, or free the memory that other programs or notebooks hold."
        )
    accumulate = -(-recipe.batch * recipe.accumulate // batch)
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
