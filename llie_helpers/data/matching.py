"""Match files to pairs by name, never by their order in a folder."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from llie_helpers.data.pairs import RawPair
from llie_helpers.errors import CourseError
from llie_helpers.images import SMALLEST, read_rgb


class PairFiles(NamedTuple):
    """The two files of one pair.

    ``split`` is the official split, or ``"all"`` if there is none; ``scene`` is the name of the
    scene, or empty if it is unknown.
    """

    name: str
    low: Path
    normal: Path
    split: str = "all"
    scene: str = ""

    def read(self) -> RawPair:
        """Decode both files to uint8 ``(H, W, 3)`` RGB.

        Raises:
            CourseError: a file cannot be read, or the two sizes differ or are too small.
        """
        low, normal = read_rgb(self.low), read_rgb(self.normal)
        if low.shape != normal.shape:
            sizes = [f"{image.shape[1]}x{image.shape[0]}" for image in (low, normal)]
            raise CourseError(
                f"{self.low} is {sizes[0]} but {self.normal} is {sizes[1]}; "
                "the two images of a pair must have the same size."
            )
        if min(low.shape[:2]) < SMALLEST:
            raise CourseError(
                f"{self.low} is {low.shape[1]}x{low.shape[0]}; the smallest is "
                f"{SMALLEST}x{SMALLEST} pixels."
            )
        return low, normal


# "low00001" and "normal00001", or "7_low" and "7_high": the side is not part of the name.
_SIDE = re.compile(r"^(low|normal|high)(?=[_-]?\d)[_-]?|[_-](low|normal|high)$", re.IGNORECASE)


def by_name(path: Path) -> str:
    """Return the name of a file's pair: 2 for ``2.png``, ``low_2.png`` and ``2_high.png``."""
    return _SIDE.sub("", path.stem)


def by_number(path: Path) -> str:
    """Return the number in a file's name without zeros, 7 for ``img0007.png``, else its name."""
    return path.stem if (found := number(path)) is None else str(found)


def number(path: Path) -> int | None:
    """Return the number in a file's name if there is just one, else None."""
    found = re.findall(r"\d+", path.stem)
    return int(found[0]) if len(found) == 1 else None


def match(
    low_files: Iterable[Path],
    normal_files: Iterable[Path],
    split: str = "all",
    name: Callable[[Path], str] = by_name,
) -> tuple[list[PairFiles], list[str]]:
    """Pair the files of two folders that have the same ``name``; ``split`` is the official one.

    Returns:
        The pairs in natural order (2 before 10), and a sentence for each file that is left out,
        because it has no partner or shares its name with another.
    """
    low, normal = _grouped(low_files, name), _grouped(normal_files, name)
    pairs, left_out = [], []
    for key in natural_sort(low.keys() & normal.keys()):
        if len(low[key]) == len(normal[key]) == 1:
            pairs.append(PairFiles(key, low[key][0], normal[key][0], split))
    for one, other, side in ((low, normal, "normal-light"), (normal, low, "low-light")):
        for key in natural_sort(one):
            partners = len(other.get(key, ()))
            if len(one[key]) > 1:
                left_out.append(f"{' and '.join(map(str, one[key]))} have the same name")
            elif partners != 1:
                left_out.append(
                    f"{one[key][0]} has {partners or 'no'} {side} partner{'s' * (partners > 1)}"
                )
    return pairs, left_out


def natural_sort(names: Iterable[str]) -> list[str]:
    """Sort names so that numbers in them count as numbers: 2 before 10."""

    def key(name: str) -> tuple[list[str | int], str]:
        # Text and numbers alternate, so only like types are compared.
        parts = re.split(r"(\d+)", name)
        return [int(part) if i % 2 else part for i, part in enumerate(parts)], name

    return sorted(names, key=key)


def _grouped(files: Iterable[Path], name: Callable[[Path], str]) -> dict[str, list[Path]]:
    grouped = defaultdict(list)
    for path in sorted(files):
        # macOS may write an accent as a character of its own; then equal names would differ.
        grouped[unicodedata.normalize("NFC", name(path))].append(path)
    return grouped
