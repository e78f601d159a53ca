"""One exercise: its reference solution, the mistakes that its check names, and its hints."""

import ast
import functools
import inspect
import itertools
import os
import sys
import sysconfig
import textwrap
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FunctionType
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

# Separates the two texts of an edit.
_ARROW = " => "
ALSO = " Also, "  # between the sentences of mistakes that were made at once

# PyTorch and NumPy call the truth of many values "ambiguous".
ONE_DECISION = (
    "Python's if, and, or, max and min decide once for a whole tensor or array; make it one value "
    "by .all() or .any(), or choose value by value, with torch.where, torch.maximum or "
    "torch.minimum."
)

NO_POWER = "^ combines the bits of whole numbers; a power is written with **."

# Stack frames in these folders are not the student's code.
_NOT_THE_STUDENT = (
    str(Path(__file__).resolve().parents[2]),
    *(sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")),
)


@dataclass(frozen=True)
class Result:
    """The finding of a check: ``verdict`` is "correct", "wrong" or "not attempted"."""

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


def call(answer: Callable, *arguments: Any) -> Any:
    """Observe an answer by what it returns."""
    return answer(*arguments)


def no_arguments() -> list[tuple]:
    """Return the one case of an answer that is a value."""
    return [()]


@dataclass(frozen=True)
class Exercise:
    """An exercise, and the check of a student's answer when it is called with one.

    Answer, reference and mistakes are given copies of the same inputs. Where the answer does
    not agree with the reference but with a mistake on all of them, the mistake's sentence is
    the verdict.

    Args:
        title: what the student reads above the exercise.
        minutes: how long the exercise takes.
        difficulty: 1 (a line that the text has just shown) to 5 (a small project).
        reference: a function or class that solves the exercise; the body of the function is shown
            as the solution.
        mistakes: sentence -> function that makes this mistake, or how to edit the reference so
            that it does: "old => new", or several of these.
        hints: from a first idea to almost the answer.
        inputs: returns the cases, each a tuple of arguments. Torch is seeded before.
        right: other correct answers, in another style.
        value: the answer is a number or word instead of a function; ``reference()``, mistakes
            and ``right`` return theirs.
        observe: maps an answer and the arguments of a case to what is compared, or raises a
            `Finding`; for a training step or a random answer, where one call is not enough.
            Torch is seeded for each case.
        tolerance: largest absolute difference, or relative one for values above 1.
        methods: those of a class that the student writes, and that are shown as the solution.
    """

    title: str
    minutes: int
    difficulty: int
    reference: Callable
    mistakes: Mapping[str, Callable | str | Sequence[str]]
    hints: Sequence[str]
    inputs: Callable[[], list[tuple]] = no_arguments
    right: Sequence[Callable] = ()
    value: bool = False
    observe: Callable = call
    tolerance: float = 1e-5
    methods: Sequence[str] = ()

    def __post_init__(self) -> None:
        if not 1 <= self.difficulty <= 5:
            raise ValueError(f"difficulty of {self.title!r} is {self.difficulty}, not 1 to 5")
        if isinstance(self.hints, str) or not self.hints:
            raise ValueError(f"hints of {self.title!r} must be a list of at least one hint")

    def __call__(self, answer: Any) -> Any:
        """Print one line about ``answer``; return it if it is right, else the package's solution.

        The lesson goes on with what is returned: ``gamma = check.gamma(gamma)``.

        Raises:
            AssertionError: nbgrader is grading and the answer is not correct.
        """
        result = self.examine(answer)
        print(result)
        # nbgrader sets the variable ("autograde" or "validate"), and takes points off
        # for a cell that raises; a student who runs the notebook sees the line only.
        if os.environ.get("NBGRADER_EXECUTION") and result.verdict != CORRECT:
            raise AssertionError(str(result))
        if result.verdict != CORRECT:
            answer = self.reference() if self.value else self.reference
        if isinstance(answer, FunctionType):
            # The line is printed already, should the check be the last line of a cell.
            answer._ipython_display_ = _show_nothing  # type: ignore[attr-defined]
        return answer

    @torch.random.fork_rng(devices=[])
    def examine(self, answer: Any) -> Result:
        """Return what the check finds, without printing it."""
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
        # The stub raises it bare. PyTorch raises it too, always with a message.
        if isinstance(last, NotImplementedError) and not last.args:
            return Result(NOT_ATTEMPTED)
        return Result(WRONG, _explain(last))

    def _mistake(self, got: list, cases: list[tuple]) -> str | None:
        """Return the sentence of the first mistake with the outcomes ``got``."""

        def same(one: Any, other: Any) -> bool:
            if isinstance(one, Exception) or isinstance(other, Exception):
                return type(one) is type(other)
            return difference(one, other, self.tolerance) is None

        for sentence, mistake in self.wrong_answers.items():
            if all(map(same, got, self._outcomes(mistake, cases))):
                return sentence
        return None

    @functools.cached_property
    def wrong_answers(self) -> dict[str, Callable]:
        """Return the mistakes as functions."""
        return {
            sentence: mistake if callable(mistake) else edited(self.reference, mistake)
            for sentence, mistake in self.mistakes.items()
        }

    def _outcomes(self, answer: Callable, cases: list[tuple]) -> Iterator:
        """Yield what is observed in each case, up to the first exception, and that exception."""
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
        """Return the body of the reference function; of a class, the methods to be written."""
        if not self.methods:
            return code_of(self.reference)
        written = (inspect.getsource(getattr(self.reference, name)) for name in self.methods)
        return "\n\n".join(textwrap.dedent(source).rstrip() for source in written)


def code_of(function: Callable) -> str:
    """Return the body of a function without its docstring."""
    source = textwrap.dedent(inspect.getsource(function))
    tree = ast.parse(source).body[0]
    assert isinstance(tree, ast.FunctionDef)
    first = tree.body[0]
    start = first.lineno - 1 if ast.get_docstring(tree) is None else first.end_lineno
    return textwrap.dedent("\n".join(source.splitlines()[start:])).strip()


def _show_nothing() -> None:
    """Replace the text that IPython would show for a function."""


def edited(function: Callable, edits: str | Sequence[str]) -> Callable:
    """Return ``function`` with one edit of its body, or several in turn.

    Args:
        function: a function of a module.
        edits: each "old => new", which replaces the text old wherever it is.

    Raises:
        ValueError: an old text is not in the body.
    """
    source = textwrap.dedent(inspect.getsource(function))
    signature, body = source.split(":\n", maxsplit=1)
    for edit in [edits] if isinstance(edits, str) else edits:
        old, new = edit.split(_ARROW)
        if old not in body:
            raise ValueError(f"{function.__name__} has no {old!r} to edit")
        body = body.replace(old, new)
    scope = dict(vars(sys.modules[function.__module__]))
    exec(f"{signature}:\n{body}", scope)
    return scope[function.__name__]


def combine(mistakes: Mapping[str, str | Sequence[str]], most: int) -> dict[str, list[str]]:
    """Return the edits of one to ``most`` of ``mistakes`` at once, the fewest first."""
    each = [
        (sentence, [edits] if isinstance(edits, str) else list(edits))
        for sentence, edits in mistakes.items()
    ]
    made = {}
    for count in range(1, most + 1):
        for sentences, edits in (zip(*c, strict=True) for c in itertools.combinations(each, count)):
            joined = list(itertools.chain.from_iterable(edits))
            olds = [edit.split(_ARROW)[0] for edit in joined]
            # Two edits of one place exclude each other.
            if not any(one in other for one, other in itertools.permutations(olds, 2)):
                made[ALSO.join(sentences)] = joined
    return made


def _describe(found: str, case: tuple, got: Any, expected: Any) -> str:
    """Return the difference ``found``, with the whole case where that is short and plain."""
    unnamed = found.startswith(UNNAMED) or isinstance(got, bool)
    if not (unnamed and case and all(map(_is_plain, (*case, expected)))):
        return found
    return f"for {', '.join(map(str, case))} the answer is {expected}, yours is {got}."


def _is_plain(value: Any) -> bool:
    if isinstance(value, tuple | list):
        return all(map(_is_plain, value))
    return isinstance(value, int | float | str)


def _explain(error: Exception) -> str:
    """Return the error in one line, with the student's own line that led to it."""
    what = f"{type(error).__name__}: {error}".strip().rstrip(":")
    if "is ambiguous" in what:
        return ONE_DECISION
    if "bitwise_xor" in what or "for ^:" in what:
        return NO_POWER
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if not frame.filename.startswith(_NOT_THE_STUDENT):
            return f"your code raised {what} (line {frame.lineno}: {frame.line})"
    return f"your code raised {what}"
