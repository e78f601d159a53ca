"""Read pairs from one ``dataset.npz`` of paired arrays."""

import os
import zlib
from collections.abc import Sequence
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from llie_helpers.data.pairs import Pairs, RawPair
from llie_helpers.data.report import Report
from llie_helpers.data.scenes import group_scenes
from llie_helpers.data.sources import Source
from llie_helpers.errors import CourseError
from llie_helpers.images import SMALLEST

# Names of the low-light and the normal-light array, in order of preference.
KEYS = (("low", "normal"), ("low", "high"), ("low_light", "normal_light"), ("x", "y"))


class NpzFile(Source):
    """The pairs of an npz file without official splits; see `read_npz`."""

    def check(self) -> Report:
        names, _ = read_npz(self.where())
        return Report(self.title, {"all": len(names)})

    def where(self) -> Path:
        path = Path(self.name)
        if not os.path.isfile(path):
            raise CourseError(f"There is no file {path}; check its name and folder.")
        return path

    def _load(self) -> tuple[Pairs, Sequence[str]]:
        names, arrays = read_npz(self.where())
        scenes = group_scenes(normal for _, normal in arrays)
        title = Path(self.name).name
        return Pairs(title, tuple(names), tuple(scenes), arrays), ["all"] * len(names)


def read_npz(path: Path) -> tuple[list[str], list[RawPair]]:
    """Read pairs as ``(names, [(low, normal), ...])``, uint8 ``(H, W, 3)`` RGB.

    The file holds two arrays ``(N, H, W, 3)``, uint8 or float in [0, 1], called low and
    normal, low and high, low_light and normal_light, or X and Y (upper or lower case). An
    optional array ``names`` has N strings; by default, pairs are called 0, 1, 2, ...

    Raises:
        CourseError: the file or its arrays are missing, or of a wrong shape, type or value.
    """
    try:
        # Not `np.load`, which also takes other files than archives.
        with path.open("rb") as stream, np.lib.npyio.NpzFile(stream) as archive:
            arrays = {key.lower(): archive[key] for key in archive.files}
    # An encrypted archive raises RuntimeError.
    except (OSError, ValueError, EOFError, RuntimeError, BadZipFile, zlib.error) as error:
        raise CourseError(f"{path} is not a readable npz file ({error}); get it again.") from error
    for keys in KEYS:
        if arrays.keys() >= set(keys):
            low, normal = (_to_uint8(arrays[key], f"{key!r} in {path}") for key in keys)
            break
    else:
        known = ", ".join(" and ".join(pair) for pair in KEYS)
        raise CourseError(f"{path} holds {sorted(arrays)}, but one of these is needed: {known}.")
    if low.shape != normal.shape:
        raise CourseError(
            f"The arrays in {path} have shapes {low.shape} and {normal.shape}, "
            "but the two images of a pair must have the same size."
        )
    if min(low.shape[1:3]) < SMALLEST:
        raise CourseError(
            f"The images in {path} are {low.shape[2]}x{low.shape[1]}; the smallest are "
            f"{SMALLEST}x{SMALLEST} pixels."
        )
    names = [str(name) for name in np.atleast_1d(arrays.get("names", range(len(low))))]
    if len(names) != len(low):
        raise CourseError(f"{path} holds {len(low)} pairs but {len(names)} names.")
    return names, list(zip(low, normal, strict=True))


def _to_uint8(array: np.ndarray, what: str) -> np.ndarray:
    if array.ndim != 4 or array.shape[-1] != 3 or array.size == 0:
        raise CourseError(f"The array {what} has shape {array.shape}, expected (N, H, W, 3).")
    if array.dtype == np.uint8:
        return array
    # Comparisons with NaN are false.
    if not (np.issubdtype(array.dtype, np.floating) and array.min() >= 0 and array.max() <= 1):
        raise CourseError(
            f"The array {what} is {array.dtype} from {array.min()} to {array.max()}, "
            "expected uint8, or float in [0, 1]."
        )
    return np.rint(array * 255).astype(np.uint8)
