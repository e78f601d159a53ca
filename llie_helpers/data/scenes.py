"""Find pairs that show the same scene, and split a data set by scene."""

from collections.abc import Iterable, Sequence

import cv2
import numpy as np

from llie_helpers.data.pairs import Pairs
from llie_helpers.errors import CourseError, check_seed

# Photographs whose correlation is above this show one scene from almost the same viewpoint.
SAME_SCENE = 0.95
# Height and width of the thumbnails: small enough to remove noise and moving leaves.
THUMBNAIL = (24, 36)
# Thumbnails that are compared with all others at once.
ROWS = 1024


def thumbnail(image: np.ndarray) -> np.ndarray:
    """Shrink a uint8 ``(H, W, 3)`` RGB image to a grey vector with mean 0 and length 1.

    The dot product of two such vectors is the normalised correlation of the images, in
    [-1, 1]; exposure and contrast do not change it. A uniform image gives zeros.
    """
    height, width = THUMBNAIL
    small = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY).astype(np.float64).ravel()
    grey -= grey.mean()
    return grey / max(float(np.linalg.norm(grey)), 1e-12)


def group_scenes(normals: Iterable[np.ndarray]) -> list[int]:
    """Number the scenes that ``normals``, uint8 ``(H, W, 3)`` RGB images, show.

    Images whose thumbnails correlate above 0.95 share a scene, and so do images that are
    linked through others: scenes are the connected components. Numbers start at 0 in order of
    appearance.
    """
    return group_thumbnails([thumbnail(image) for image in normals])


def group_thumbnails(vectors: Sequence[np.ndarray]) -> list[int]:
    """Number the scenes of images, given by their `thumbnail`, as `group_scenes` does."""
    # Slow to import, and needed only when a new data set is first opened.
    from scipy.sparse import csr_array, vstack
    from scipy.sparse.csgraph import connected_components

    thumbnails = np.array(vectors)
    if len(thumbnails) == 0:
        return []
    parts = [thumbnails[start : start + ROWS] for start in range(0, len(thumbnails), ROWS)]
    # Few of the products are kept: all of 50,000 pairs' would take 20 GB.
    links = vstack([csr_array(part @ thumbnails.T > SAME_SCENE) for part in parts])
    _, labels = connected_components(links, directed=False)
    in_order = {label: number for number, label in enumerate(dict.fromkeys(labels))}
    return [in_order[label] for label in labels]


def shared_scenes(ours: Pairs, theirs: Pairs) -> list[tuple[str, str]]:
    """Return the names of pairs, one of each set, whose normal-light images show the same scene.

    Training on one pair and testing on the other would be a leak. Thumbnails are compared as in
    `group_scenes`.
    """
    if not (len(ours) and len(theirs)):
        return []
    first, second = (
        np.array([thumbnail(pairs.raw(i)[1]) for i in range(len(pairs))])
        for pairs in (ours, theirs)
    )
    found = np.argwhere(first @ second.T > SAME_SCENE)
    return [(ours.names[i], theirs.names[j]) for i, j in found]


def scene_split(scenes: Sequence[int], fraction: float, seed: int) -> tuple[list[int], list[int]]:
    """Split pairs into training and validation so that no scene is in both.

    Whole scenes are drawn at random, by ``seed``, until validation has at least
    ``fraction`` (0 to 1) of the pairs; training keeps at least one scene.

    Returns:
        ``(train, val)``: indices into ``scenes``, ascending.

    Raises:
        CourseError: there are fewer than two scenes, or the seed is invalid.
    """
    of_pair = np.asarray(scenes)
    drawn = np.random.default_rng(check_seed(seed)).permutation(np.unique(of_pair))
    if len(drawn) < 2:
        raise CourseError(
            "A split into training and validation needs two or more scenes, but the pairs "
            f"({len(scenes)}) show {len(drawn)}; add pairs of another scene."
        )
    sizes = np.array([np.count_nonzero(of_pair == scene) for scene in drawn])
    wanted = 1 + np.searchsorted(sizes.cumsum(), fraction * len(scenes))
    held_out = np.isin(of_pair, drawn[: min(wanted, len(drawn) - 1)])
    return np.flatnonzero(~held_out).tolist(), np.flatnonzero(held_out).tolist()
