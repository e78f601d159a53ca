"""One exercise: its reference solution, the test of a student's answer, and its hints."""

import ast
import inspect
import os
import sysconfig
import textwrap
import traceback
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from llie_helpers.errors import CourseError

CORRECT = "correct"
WRONG = "wrong"
NOT_ATTEMPTED = "not attempted"

# Frames in these folders are never the student's own lines.
_NOT_THE_STUDENT = (
    str(Path(__file__).resolve().parents[2]),
    *(sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")),
)


@dataclass(frozen=True)
class Result:
    """What a check found: ``verdict`` is "correct", "wrong" or "not attempted"."""

    verdict: str
    message: str = ""

    def __str__(self) -> str:
        if self.verdict == WRONG:
            return f"wrong: {self.message}"
        if self.verdict == NOT_ATTEMPTED:
            return (
                "not attempted yet - .hint(1) helps you start; "
                "the lesson goes on with the package's version"
            )
        return self.verdict

    def _ipython_display_(self) -> None:
        """Show nothing: the check has printed its line already."""


@dataclass(frozen=True)
class Check:
    """An exercise that can be called with a student's answer.

    Args:
        title: what the student reads above the exercise.
        minutes: how long the exercise takes.
        difficulty: 1 (a line that the text has just shown) to 5 (a small project).
        reference: a function or class that solves the exercise; its body is shown
            as the solution.
        test: takes the student's answer and returns None where it is right, else one
            sentence that names the likely mistake. Random draws inside are seeded, and
            leave the notebook's own random state as it was.
        hints: from a nudge to nearly the answer.
        value: the answer is a number, word or tensor, and ``reference()`` returns it;
            else the answer is a function or class.
    """

    title: str
    minutes: int
    difficulty: int
    reference: Callable
    test: Callable[[Any], str | None]
    hints: Sequence[str]
    value: bool = False

    def __post_init__(self):
        if not 1 <= self.difficulty <= 5:
            raise ValueError(f"difficulty of {self.title!r} is {self.difficulty}, not 1 to 5")
        if isinstance(self.hints, str) or not self.hints:
            raise ValueError(f"hints of {self.title!r} must be a list of at least one hint")

    def __call__(self, answer: Any) -> Result:
        """Print one line about ``answer`` and return it as a `Result`.

        Raises:
            AssertionError: nbgrader is grading and the answer is not correct.
        """
        with _own_random_state():
            result = self._examine(answer)
        print(result)
        # nbgrader sets the variable ("autograde" or "validate"), and takes points off
        # for a cell that raises; a student who runs the notebook sees the line only.
        if os.environ.get("NBGRADER_EXECUTION") and result.verdict != CORRECT:
            raise AssertionError(str(result))
        return result

    def _examine(self, answer: Any) -> Result:
        if answer is ... or answer is None:
            return Result(NOT_ATTEMPTED)
        if not self.value and not callable(answer):
            return Result(WRONG, "give the check your function itself, without calling it.")
        try:
            mistake = self.test(answer)
        except NotImplementedError as error:
            # The stub raises it bare. PyTorch raises it too, always with a message.
            if not error.args:
                return Result(NOT_ATTEMPTED)
            return Result(WRONG, _explain(error))
        except Exception as error:
            return Result(WRONG, _explain(error))
        return Result(WRONG, mistake) if mistake else Result(CORRECT)

    def hint(self, tier: int = 1) -> None:
        """Print hint number ``tier``, counted from 1.

        Raises:
            CourseError: there is no such hint.
        """
        if not 1 <= tier <= len(self.hints):
            raise CourseError(
                f"There is no hint {tier}: this exercise has hints 1 to {len(self.hints)}; "
                "after the last one, .solution() shows the code."
            )
        print(f"Hint {tier} of {len(self.hints)}: {self.hints[tier - 1]}")

    def solution(self) -> None:
        """Print the code of the reference solution."""
        print(self.code)

    @property
    def code(self) -> str:
        """The body of the reference function without its docstring; a class as a whole."""
        source = textwrap.dedent(inspect.getsource(self.reference))
        tree = ast.parse(source).body[0]
        if isinstance(tree, ast.ClassDef):
            return source.rstrip()
        first = tree.body[0]
        start = first.lineno - 1 if ast.get_docstring(tree) is None else first.end_lineno
        return textwrap.dedent("\n".join(source.splitlines()[start:])).strip()


@contextmanager
def _own_random_state():
    """Seed torch for the block, and put its state back afterwards."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


def _explain(error: Exception) -> str:
    """The error in one line, with the student's own line that led to it."""
    what = f"{type(error).__name__}: {error}".strip().rstrip(":")
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if not frame.filename.startswith(_NOT_THE_STUDENT):
            return f"your code raised {what} (line {frame.lineno}: {frame.line})"
    return f"your code raised {what}"
