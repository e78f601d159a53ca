"""What is wrong with a data set: a report of a check, and warnings of what is left out."""

import functools
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from tqdm.auto import tqdm

from llie_helpers.errors import CourseError

# How many problems a message names; `check` lists them all.
MOST = 5


@dataclass(frozen=True)
class Report:
    """The result of checking a data set: ``str(report)`` is for people, ``ok`` for scripts.

    Args:
        title: the data set and its folder.
        counts: pairs per split.
        problems: what is missing or damaged: folders, files without a partner, sizes that
            differ, unreadable files. `data.load_pairs` leaves such files and pairs out, except
            that it needs all folders.
        warnings: what is unusual but usable, such as an unexpected number of pairs.
    """

    title: str
    counts: Mapping[str, int]
    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing is missing or damaged."""
        return not self.problems

    def __str__(self) -> str:
        counts = ", ".join(f"{split} {count}" for split, count in self.counts.items())
        plural = "" if len(self.problems) == 1 else "s"
        verdict = "ok" if self.ok else f"{len(self.problems)} problem{plural}"
        lines = [f"{self.title}: pairs: {counts or 'none'}; {verdict}"]
        lines += [f"  problem: {problem}" for problem in self.problems]
        lines += [f"  warning: {warning}" for warning in self.warnings]
        return "\n".join(lines)


def failure(read: Callable[[], object]) -> str | None:
    """Return why ``read`` raises a `CourseError`, or None if it does not."""
    try:
        read()
    except CourseError as error:
        return str(error).rstrip(".")
    return None


def failures(reads: Sequence[Callable[[], object]], title: str = "checking") -> list[str | None]:
    """Return the `failure` of each of ``reads``, which run in threads, below a progress bar."""
    with ThreadPoolExecutor() as pool:
        return list(tqdm(pool.map(failure, reads), title, len(reads), delay=2))


def few(sentences: Sequence[str]) -> str:
    """Join the first few of many sentences, and count the rest."""
    more = len(sentences) - MOST
    return "; ".join(sentences[:MOST]) + (f"; and {more} more" if more > 0 else "")


def tell_left_out(title: str, left_out: Sequence[str], splits: Iterable[str]) -> None:
    """Warn, once, of what is left out of a data set, if anything.

    Args:
        title: the data set and its folder.
        left_out: a sentence for each pair or file.
        splits: the official split of each pair that is left.
    """
    if left_out:
        counts = ", ".join(f"{split} {count}" for split, count in Counter(splits).items())
        _warn_once(f"{title}: {len(left_out)} left out, pairs: {counts}; {few(left_out)}.")


@functools.cache
def _warn_once(message: str) -> None:
    logging.getLogger(__name__).warning("%s", message)
