"""Split a data set into training, validation and test pairs."""

from collections.abc import Collection, Sequence

from llie_helpers.data.pairs import Pairs
from llie_helpers.data.scenes import scene_split

NAMES = ("train", "val", "test")
# Share of pairs held out for validation, and for testing if there is no official test split.
# Share and seed determine the splits, so they are constants.
HELD_OUT = 0.1
SEED = 0


def split_indices(
    split: str,
    pairs: Pairs,
    official: Sequence[str],
    mismatched: Collection[str] = (),
    validation: Collection[str] = (),
) -> list[int]:
    """Return the indices of the ``pairs`` in ``split``, ascending.

    An official split is used unchanged. Otherwise whole scenes are held out of training: drawn
    with a fixed seed or, for validation, listed by one of their pairs. Validation shares no
    scene with training or test.

    Args:
        split: ``"train"``, ``"val"`` or ``"test"``.
        pairs: all pairs of the data set.
        official: the official split of each pair, or ``"all"`` if there is none.
        mismatched: names of pairs to exclude from training and validation.
        validation: names of pairs whose scenes are for validation; empty to draw them.

    Raises:
        CourseError: there are too few scenes to split.
    """
    if split in official and split != "train":
        return [i for i, part in enumerate(official) if part == split]
    scenes, names = pairs.scenes, pairs.names
    train = [
        i
        for i, part in enumerate(official)
        if part in ("train", "all") and names[i] not in mismatched
    ]
    test = [i for i, part in enumerate(official) if part == "test"]
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
    """Split off about a tenth of the pairs, by whole scenes."""
    kept, held_out = scene_split([scenes[i] for i in indices], HELD_OUT, SEED)
    return [indices[i] for i in kept], [indices[i] for i in held_out]
