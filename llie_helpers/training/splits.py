"""The pairs that a network is trained and validated on, as they are or behind the mapper."""

import os
from pathlib import Path

from llie_helpers import data as data_sets
from llie_helpers.data.pairs import Pairs
from llie_helpers.files import remove
from llie_helpers.models.weights import mapper_path


def load_splits(data: str, folder: Path, seed: int, mapped: bool) -> tuple[Pairs, Pairs]:
    """Return the training and validation pairs of a run.

    Args:
        data: a data set; see `load_pairs`.
        folder: the run's folder; a new run saves its mapper in it, or removes an earlier one.
        seed: the run's seed.
        mapped: map the low images by `map_splits` (lesson 05).

    Raises:
        CourseError: the data set is not available, or has too few scenes for a mapper.
    """
    train, val = data_sets.load_pairs(data, "train"), data_sets.load_pairs(data, "val")
    kept = mapper_path(folder / "best.safetensors")
    # The mapper of a run that goes on stays: whether it may, on these data, `fit` finds out later.
    begins = not os.path.exists(folder / "last.ckpt")
    if mapped:
        from llie_helpers.methods.histogram import map_splits

        train, val, mapper = map_splits(train, val, seed)
        if begins:
            mapper.save(kept)
    elif begins:
        remove(kept)
    return train, val


def scene_halves(pairs: Pairs) -> str:
    """Return "a" or "b" for each pair: every other scene is in half a, the rest in half b."""
    order = sorted(set(pairs.scenes))
    return "".join("ab"[order.index(scene) % 2] for scene in pairs.scenes)
