"""A folder of photographs taken in good light, darkened by the physics of `relighting`."""

import os
import zlib
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import cache, lru_cache, partial
from pathlib import Path

import cv2
import numpy as np
import torch
from tqdm.auto import tqdm

from llie_helpers.data.folders import images_in
from llie_helpers.data.pairs import Lazy, Pairs, RawPair
from llie_helpers.data.relighting import draw_kind, draw_pair
from llie_helpers.data.report import Report, few, tell_left_out
from llie_helpers.data.scenes import group_thumbnails, thumbnail
from llie_helpers.data.sources import Source
from llie_helpers.errors import CourseError
from llie_helpers.images import SMALLEST, read_rgb, to_float, to_uint8

# Pairs of a training photograph: one darkness could be learned by heart with its photograph, and
# each kind of light should meet many photographs. Validation and test use the first.
DARKNESSES = 4
# Longest side in pixels, reached by averaging: a draw takes a fraction of a second, and a crop
# shows about as much of the scene as one of LOL's 600 x 400.
LONGEST = 640
# Pairs kept in memory, at most 0.6 GB: without them every crop would need a draw.
KEPT = 256
PREFIX = "photographs:"


class Photographs(Source):
    """A folder of photographs in good light, ``"photographs:DIR"``.

    Each is a scene of its own, but those of a burst, which show almost the same view, share one.

    Pairs are computed on access: ``park.jpg`` gives ``park_0`` to ``park_3`` for training, or
    ``park_0`` for validation or test, and always the same darkness for the same name.
    """

    def pairs(self, split: str) -> Pairs:
        pairs = super().pairs(split)
        return pairs if split == "train" else pairs[::DARKNESSES]

    def check(self) -> Report:
        kept, _, left_out = self._sorted_out()
        problems = left_out or ([] if kept else ["it holds no photographs"])
        return Report(self.title, {"all": len(kept)}, tuple(problems))

    def where(self) -> Path:
        folder = Path(self.name.removeprefix(PREFIX))
        if not os.path.isdir(folder):
            raise CourseError(f"There is no folder {folder}; check its name.")
        return folder

    def _load(self) -> tuple[Pairs, list[str]]:
        kept, numbers, left_out = self._sorted_out()
        if not kept:
            raise CourseError(
                f"{self.title} is not usable: {few(left_out or ['it holds no photographs'])}."
            )
        tell_left_out(self.title, left_out, ["all"] * len(kept))
        made = [
            (scene, path, f"{path.stem}_{number}")
            for scene, path in zip(numbers, kept, strict=True)
            for number in range(DARKNESSES)
        ]
        scenes, _, names = zip(*made, strict=True)
        arrays = Lazy([partial(_pair, path, _modified(path), name) for _, path, name in made])
        return Pairs(self.name, names, scenes, arrays), ["all"] * len(made)

    def _sorted_out(self) -> tuple[list[Path], list[int], list[str]]:
        """Return the photographs to use, their scenes, and a sentence for each that is left out."""
        files = images_in(self.where())
        with ThreadPoolExecutor() as pool:
            looks = pool.map(_look, files, map(_modified, files))
            found = dict(zip(files, tqdm(looks, "checking", len(files), delay=2), strict=True))
        names = Counter(path.stem for path in files)
        left_out = [problem for problem in found.values() if isinstance(problem, str)]
        left_out += [f"{n} photographs are called {name}" for name, n in names.items() if n > 1]
        kept = {
            path: view
            for path, view in found.items()
            if not isinstance(view, str) and names[path.stem] == 1
        }
        return list(kept), group_thumbnails(list(kept.values())), left_out


@lru_cache(KEPT)
def _pair(path: Path, modified: int, name: str) -> RawPair:
    """Return a photograph darkened as its pair's ``name`` seeds it, and in good light."""
    image = read_rgb(path)
    height, width = _reduced(image)
    small = to_float(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA))
    generator = torch.Generator().manual_seed(zlib.crc32(name.encode(errors="surrogateescape")))
    low, normal = map(to_uint8, draw_pair(small, draw_kind(generator), generator))
    low.flags.writeable = normal.flags.writeable = False
    return low, normal


def _reduced(image: np.ndarray) -> tuple[int, int]:
    """Return the height and width to which a photograph is reduced."""
    scale = min(1.0, LONGEST / max(image.shape[:2]))
    height, width = (round(side * scale) for side in image.shape[:2])
    return height, width


def _modified(path: Path) -> int:
    return path.stat().st_mtime_ns if os.path.exists(path) else 0


@cache
def _look(path: Path, modified: int) -> np.ndarray | str:
    """Return a photograph's thumbnail, or why it cannot be used.

    Each version of a file is decoded once for all splits.
    """
    try:
        image = read_rgb(path)
    except CourseError as error:
        return str(error).rstrip(".")
    height, width = _reduced(image)
    if min(height, width) < SMALLEST:
        return f"{path} is too narrow: reduced to {width}x{height}, below {SMALLEST} pixels"
    return thumbnail(image)
