"""Exercises: a reference solution, known mistakes with their messages, and hints."""

import ast
import functools
import inspect
import itertools
import os
import sysconfig
import textwrap
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from llie_helpers.errors import CourseError
from llie_helpers.lessons.checks.compare import (
    CHANGED,
    UNNAMED,
    Finding,
    changed,
    copy_of,
    difference,
)

CORRECT = "correct"
WRONG = "wrong"
NOT_ATTEMPTED = "not attempted"

# Stack frames in these folders are not the student's code.
_NOT_THE_STUDENT = (
    str(Path(__file__).resolve().parents[2]),
    *(sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")),
)


@dataclass(frozen=True)
class Result:
    """The result of a check: ``verdict`` is "correct", "wrong" or "not attempted"."""

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
        """Show nothing: the check has already printed its line."""


def call(answer: Callable, *arguments: Any) -> Any:
    """Return what an answer returns for ``arguments``."""
    return answer(*arguments)


def no_arguments() -> list[tuple]:
    """Return a single case without arguments, for answers that are values."""
    return [()]


@dataclass(frozen=True)
class Exercise:
    """An exercise; calling it checks a student's answer.

    Answer, reference and mistakes are run on copies of the same inputs. If the answer disagrees
    with the reference but agrees with a mistake on all of them, the mistake's sentence is shown.

    Args:
        title: heading of the exercise.
        minutes: time that the exercise takes.
        difficulty: 1 (a line that the text has just shown) to 5 (a small project).
        reference: a function or class that solves the exercise; its body is shown as the
            solution.
        mistakes: sentence -> function that makes this mistake.
        hints: from a first idea to almost the answer.
        inputs: returns the cases, each a tuple of arguments. Torch is seeded before.
        right: other correct answers, in another style.
        value: the answer is a number or word instead of a function; ``reference()``, mistakes
            and ``right`` return theirs.
        observe: maps an answer and the arguments of a case to what is compared, or raises a
            `Finding`; for a training step or a random answer, where one call is not enough.
            Torch is seeded for each case.
        tolerance: largest absolute difference, or relative one for values above 1.
    """

    title: str
    minutes: int
    difficulty: int
    reference: Callable
    mistakes: Mapping[str, Callable]
    hints: Sequence[str]
    inputs: Callable[[], list[tuple]] = no_arguments
    right: Sequence[Callable] = ()
    value: bool = False
    observe: Callable = call
    tolerance: float = 1e-5

    def __post_init__(self) -> None:
        if not 1 <= self.difficulty <= 5:
            raise ValueError(f"difficulty of {self.title!r} is {self.difficulty}, not 1 to 5")
        if isinstance(self.hints, str) or not self.hints:
            raise ValueError(f"hints of {self.title!r} must be a list of at least one hint")

    def __call__(self, answer: Any) -> Result:
        """Print one line about ``answer`` and return it as a `Result`.

        Raises:
            AssertionError: nbgrader is grading and the answer is not correct.
        """
        with torch.random.fork_rng(devices=[]):
            result = self._examine(answer)
        print(result)
        # nbgrader sets the variable ("autograde" or "validate") and deducts points for a cell
        # that raises; students who run the notebook only see the line.
        if os.environ.get("NBGRADER_EXECUTION") and result.verdict != CORRECT:
            raise AssertionError(str(result))
        return result

    def _examine(self, answer: Any) -> Result:
        if answer is ... or answer is None:
            return Result(NOT_ATTEMPTED)
        if not self.value and not callable(answer):
            return Result(WRONG, "give the check your function itself, without calling it.")
        torch.manual_seed(0)
        cases = self.inputs()
        got = list(self._outcomes((lambda: answer) if self.value else answer, cases))
        last = got[-1]
        if isinstance(last, Finding):
            return Result(WRONG, str(last))
        for case, one, right in zip(
            cases, got, self._outcomes(self.reference, cases), strict=False
        ):
            if isinstance(one, Exception):
                break
            if found := difference(one, right, self.tolerance):
                found = self._mistake(got, cases) or _describe(found, case, one, right)
                return Result(WRONG, found)
        if not isinstance(last, Exception):
            return Result(CORRECT)
        # The stub raises it without a message, PyTorch always with one.
        if isinstance(last, NotImplementedError) and not last.args:
            return Result(NOT_ATTEMPTED)
        return Result(WRONG, _explain(last))

    def _mistake(self, got: list, cases: list[tuple]) -> str | None:
        """Return the sentence of the first mistake that has the outcomes ``got``."""

        def same(one: Any, other: Any) -> bool:
            if isinstance(one, Exception) or isinstance(other, Exception):
                return type(one) is type(other)
            return difference(one, other, self.tolerance) is None

        for sentence, mistake in self.mistakes.items():
            if all(map(same, got, self._outcomes(mistake, cases))):
                return sentence
        return None

    def _outcomes(self, answer: Callable, cases: list[tuple]) -> Iterator:
        """Yield the outcome of each case, up to and including the first exception."""
        for case in cases:
            torch.manual_seed(1)
            arguments = [copy_of(value) for value in case]
            try:
                outcome = self.observe(answer, *arguments)
            except Exception as error:
                outcome = error
            if changed(case, arguments):
                outcome = Finding(CHANGED)
            yield outcome
            if isinstance(outcome, Exception):
                return

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
        """Return the body of the reference function without its docstring; a class as a whole."""
        source = textwrap.dedent(inspect.getsource(self.reference))
        tree = ast.parse(source).body[0]
        if not isinstance(tree, ast.FunctionDef):
            return source.rstrip()
        first = tree.body[0]
        start = first.lineno - 1 if ast.get_docstring(tree) is None else first.end_lineno
        return textwrap.dedent("\n".join(source.splitlines()[start:])).strip()


def combinations(
    function: Callable, bugs: Mapping[str, Mapping[str, Any]], most: int
) -> dict[str, Callable]:
    """Return the mistakes that combine one to ``most`` of ``bugs``, the fewest first.

    Args:
        function: solves the exercise, with bugs that its options switch on.
        bugs: sentence -> options of ``function``.
        most: the largest number of bugs in one answer.
    """
    made: dict[str, Callable] = {}
    for count in range(1, most + 1):
        for sentences in itertools.combinations(bugs, count):
            options = {key: value for one in sentences for key, value in bugs[one].items()}
            # Two values of one option exclude each other.
            if len(options) == sum(len(bugs[one]) for one in sentences):
                made[" Also, ".join(sentences)] = functools.partial(function, **options)
    return made


def _describe(found: str, case: tuple, got: Any, expected: Any) -> str:
    """Return the difference ``found``, or the whole case if it consists of plain values."""
    if not (found.startswith(UNNAMED) and case and all(map(_is_plain, (*case, expected)))):
        return found
    return f"for {', '.join(map(str, case))} the answer is {expected}, yours is {got}."


def _is_plain(value: Any) -> bool:
    if isinstance(value, tuple | list):
        return all(map(_is_plain, value))
    return isinstance(value, int | float | str)


def _explain(error: Exception) -> str:
    """Return the error in one line, with the line of the student's code that caused it."""
    what = f"{type(error).__name__}: {error}".strip().rstrip(":")
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if not frame.filename.startswith(_NOT_THE_STUDENT):
            return f"your code raised {what} (line {frame.lineno}: {frame.line})"
    return f"your code raised {what}"
