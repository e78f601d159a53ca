"""Match files to pairs by name, never by their order in a folder."""

import re
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from llie_helpers.data.pairs import RawPair
from llie_helpers.errors import CourseError
from llie_helpers.images import read_rgb


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
            CourseError: a file cannot be read, or the two sizes differ.
        """
        low, normal = read_rgb(self.low), read_rgb(self.normal)
        if low.shape != normal.shape:
            sizes = [f"{image.shape[1]}x{image.shape[0]}" for image in (low, normal)]
            raise CourseError(
                f"{self.low} is {sizes[0]} but {self.normal} is {sizes[1]}; "
                "the two images of a pair must have the same size."
            )
        return low, normal

    def problem(self) -> str | None:
        """Return why the pair cannot be read, or None if it can."""
        try:
            self.read()
        except CourseError as error:
            return str(error).rstrip(".")
        return None


def match(
    low_files: Iterable[Path], normal_files: Iterable[Path], split: str = "all"
) -> tuple[list[PairFiles], list[str]]:
    """Pair the files of two folders by name; ``split`` is their official split.

    ``low/2.png`` belongs to ``normal/2.jpg``, ``low00001.png`` to ``normal00001.png``
    and ``7_low.png`` to ``7_high.png``.

    Returns:
        The pairs in natural order (2 before 10) and a list of problems: files without a
        partner and names that occur twice.
    """
    low, normal = _by_name(low_files), _by_name(normal_files)
    problems = [
        f"{' and '.join(map(str, files))} have the same name"
        for files in [*low.values(), *normal.values()]
        if len(files) > 1
    ]
    for one, other, missing in ((low, normal, "normal-light"), (normal, low, "low-light")):
        for name in natural_sort(one.keys() - other.keys()):
            problems.append(f"{one[name][0]} has no {missing} partner")
    both = natural_sort(low.keys() & normal.keys())
    return [PairFiles(name, low[name][0], normal[name][0], split) for name in both], problems


def natural_sort(names: Iterable[str]) -> list[str]:
    """Sort names so that numbers in them count as numbers: 2 before 10."""

    def key(name: str) -> tuple[list[str | int], str]:
        # Text and numbers alternate, so only like types are compared.
        parts = re.split(r"(\d+)", name)
        return [int(part) if i % 2 else part for i, part in enumerate(parts)], name

    return sorted(names, key=key)


# "low00001" and "normal00001", or "7_low" and "7_high": the side is not part of the name.
_SIDE = re.compile(r"^(low|normal|high)(?=[_-]?\d)[_-]?|[_-](low|normal|high)$", re.IGNORECASE)


def _by_name(files: Iterable[Path]) -> dict[str, list[Path]]:
    by_name = defaultdict(list)
    for path in sorted(files):
        by_name[_SIDE.sub("", path.stem)].append(path)
    return by_name
