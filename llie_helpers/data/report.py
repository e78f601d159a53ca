"""What is wrong with a data set, told so that it can be mended."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from llie_helpers.data.pairs import PairFiles
from llie_helpers.errors import CourseError
from llie_helpers.images import read_rgb


@dataclass(frozen=True)
class Report:
    """What a check of a data set found: ``str(report)`` is for people, ``ok`` for scripts.

    Args:
        title: the set and where it lies.
        counts: pairs per split.
        problems: what makes the set unusable: files without a partner, sizes that
            differ, unreadable files.
        warnings: what is merely unusual, such as a count other than the published one.
    """

    title: str
    counts: dict[str, int]
    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        return not self.problems

    def __str__(self) -> str:
        counts = ", ".join(f"{split} {count}" for split, count in self.counts.items())
        lines = [f"{self.title}: pairs: {counts or 'none'}; {'ok' if self.ok else 'not usable'}"]
        lines += [f"  problem: {problem}" for problem in self.problems]
        lines += [f"  warning: {warning}" for warning in self.warnings]
        return "\n".join(lines)

    def raise_problems(self) -> None:
        """Raise a `CourseError` that names the first few problems, if there are any."""
        if self.problems:
            raise CourseError(f"{self.title} is not usable: {first_few(self.problems)}.")


def first_few(problems: Sequence[str], most: int = 5) -> str:
    """Join the first ``most`` problems and say how many more there are."""
    more = len(problems) - most
    return "; ".join(problems[:most]) + (f"; and {more} more" if more > 0 else "")


def inspect(files: Sequence[PairFiles]) -> list[str]:
    """Decode every file and return the problems: unreadable files and sizes that differ.

    A progress bar appears when it takes longer than two seconds.
    """
    from tqdm.auto import tqdm

    with ThreadPoolExecutor() as pool:
        found = list(tqdm(pool.map(_inspect_one, files), "checking", len(files), delay=2))
    return [problem for problem in found if problem]


def _inspect_one(pair: PairFiles) -> str | None:
    try:
        low, normal = read_rgb(pair.low), read_rgb(pair.normal)
    except CourseError as error:
        return str(error).rstrip(".")
    if low.shape != normal.shape:
        sizes = [f"{image.shape[1]}x{image.shape[0]}" for image in (low, normal)]
        return f"{pair.low} is {sizes[0]} but {pair.normal} is {sizes[1]}"
    return None
