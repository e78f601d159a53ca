"""Which pairs train, validate and test."""

from collections.abc import Collection, Sequence

from llie_helpers.data.pairs import Pairs
from llie_helpers.data.scenes import scene_split

NAMES = ("train", "val", "test")
# The share of pairs held out for validation, and for testing where there is no official
# test split. With the seed it decides what is in which split, so it is not an option.
HELD_OUT = 0.1
SEED = 0


def split_indices(
    split: str,
    pairs: Pairs,
    official: Sequence[str],
    mismatched: Collection[str] = (),
    validation: Collection[str] = (),
) -> list[int]:
    """Return which ``pairs`` are in ``split``, ascending.

    An official split is taken as it is. Otherwise whole scenes are held out of training,
    drawn with a fixed seed or, for validation, named by one of their pairs. Validation
    shares no scene with training or test.

    Args:
        split: ``"train"``, ``"val"`` or ``"test"``.
        pairs: all pairs of the data set.
        official: per pair its official split, or ``"all"`` if the set has none.
        mismatched: names of pairs that may neither train nor validate.
        validation: names of pairs whose scenes validate; empty to draw them.

    Raises:
        CourseError: there are too few scenes to split.
    """
    if split in official and split != "train":
        return [i for i, its in enumerate(official) if its == split]
    scenes, names = pairs.scenes, pairs.names
    train = [
        i
        for i, its in enumerate(official)
        if its in ("train", "all") and names[i] not in mismatched
    ]
    test = [i for i, its in enumerate(official) if its == "test"]
    if not test:
        train, test = _hold_out(train, scenes)
    if split == "test":
        return test
    if "val" in official:
        return train
    test_scenes = {scenes[i] for i in test}
    free = [i for i in train if scenes[i] not in test_scenes]
    named = {scenes[i] for i in free if names[i] in validation}
    val = [i for i in free if scenes[i] in named] if named else _hold_out(free, scenes)[1]
    return val if split == "val" else sorted(set(train) - set(val))


def _hold_out(indices: Sequence[int], scenes: Sequence[int]) -> tuple[list[int], list[int]]:
    """Set about a tenth of the pairs aside, by whole scenes."""
    kept, held_out = scene_split([scenes[i] for i in indices], HELD_OUT, SEED)
    return [indices[i] for i in kept], [indices[i] for i in held_out]
