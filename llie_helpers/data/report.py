"""The result of checking a data set."""

from collections.abc import Mapping
from dataclasses import dataclass

from llie_helpers.errors import CourseError

# How many problems an error names; `check` lists them all.
MOST = 5


@dataclass(frozen=True)
class Report:
    """The result of checking a data set: ``str(report)`` is for people, ``ok`` for scripts.

    Args:
        title: the data set and its folder.
        counts: pairs per split.
        problems: what makes the set unusable: files without a partner, sizes that
            differ, unreadable files.
        warnings: what is unusual but usable, such as an unexpected number of pairs.
    """

    title: str
    counts: Mapping[str, int]
    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether the set is usable."""
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
            first, more = "; ".join(self.problems[:MOST]), len(self.problems) - MOST
            rest = f"; and {more} more" if more > 0 else ""
            raise CourseError(f"{self.title} is not usable: {first}{rest}.")
