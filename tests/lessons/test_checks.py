"""Every check passes its solution, reports the stub and names the mistake of wrong answers."""

import ast
import importlib
import pkgutil

import numpy as np
import pytest
import torch

from llie_helpers.errors import CourseError
from llie_helpers.lessons import checks
from llie_helpers.lessons.checks.compare import UNNAMED, compare, difference
from llie_helpers.lessons.checks.exercise import CORRECT, NOT_ATTEMPTED, WRONG, Check

LESSONS = {
    module.name: importlib.import_module(f"llie_helpers.lessons.checks.{module.name}")
    for module in pkgutil.iter_modules(checks.__path__)
    if module.name.startswith("lesson_")
}
ALL = [
    pytest.param(lesson, name, id=f"{lesson}-{name}")
    for lesson, module in LESSONS.items()
    for name, value in vars(module).items()
    if isinstance(value, Check)
]


def wrong_answers(lesson: str) -> dict:
    return importlib.import_module(f"wrong_answers.{lesson}").WRONG


def stub(*_):
    raise NotImplementedError


class TestEveryExercise:
    @pytest.mark.parametrize(("lesson", "name"), ALL)
    def test_passes_the_solution(self, lesson, name):
        check = getattr(LESSONS[lesson], name)
        result = check(check.reference() if check.value else check.reference)
        assert result.verdict == CORRECT, result

    @pytest.mark.parametrize(("lesson", "name"), ALL)
    def test_reports_the_stub(self, lesson, name):
        check = getattr(LESSONS[lesson], name)
        assert check(... if check.value else stub).verdict == NOT_ATTEMPTED

    @pytest.mark.parametrize(("lesson", "name"), ALL)
    def test_names_the_mistake_of_wrong_answers(self, lesson, name):
        check, wrong = getattr(LESSONS[lesson], name), wrong_answers(lesson)[name]
        assert len(wrong) >= 3
        for label, (answer, words) in wrong.items():
            result = check(answer)
            assert result.verdict == WRONG, f"{label}: {result}"
            assert words in result.message, f"{label}: {result}"
            assert not result.message.startswith((UNNAMED, "your code raised")), label

    @pytest.mark.parametrize(("lesson", "name"), ALL)
    def test_shows_hints_and_code(self, lesson, name):
        check = getattr(LESSONS[lesson], name)
        assert len(check.hints) >= 2
        assert ast.parse(check.code).body
        assert check.code.count("\n") < 40

    @pytest.mark.parametrize("lesson", LESSONS)
    def test_wrong_answers_belong_to_a_check(self, lesson):
        known = {n for n, value in vars(LESSONS[lesson]).items() if isinstance(value, Check)}
        assert set(wrong_answers(lesson)) == known


def double_solution(image):
    """Twice the image."""
    # Clamped, because twice a bright pixel is no intensity.
    return (2 * image).clamp(0, 1)


def double_test(student):
    mistakes = {"the result is not clamped to [0, 1].": lambda image: 2 * image}
    return compare(student, double_solution, torch.rand(3, 4, 5), mistakes=mistakes)


double = Check("Twice", 2, 1, double_solution, double_test, ["think", "2 * image"])


def in_place(image):
    return image.mul_(2).clamp(0, 1)


class TestCheck:
    @pytest.mark.parametrize(
        ("answer", "words"),
        [
            (lambda image: 2 * image, "not clamped"),
            (lambda image: 3 * image, UNNAMED),
            (lambda image: None, "return statement"),
            (lambda image: (2 * image).clamp(0, 1).double(), "dtype float64, expected float32"),
            (lambda image: (2 * image).clamp(0, 1)[0], "shape (4, 5), expected (3, 4, 5)"),
            (lambda image: (2 * image).clamp(0, 1).numpy(), "expected a tensor"),
            (lambda image: image / 0 * 0, "NaN"),
            (in_place, "in place"),
            (lambda: 1, "your code raised TypeError"),
            (lambda image: image.missing, "(line "),
            (torch.rand(3), "without calling it"),
        ],
    )
    def test_names_the_mistake(self, answer, words, capsys):
        result = double(answer)
        assert result.verdict == WRONG
        assert words in result.message
        assert capsys.readouterr().out == f"wrong: {result.message}\n"

    def test_shows_the_students_line(self):
        def broken(image):
            return image.reshape(7)

        message = double(broken).message
        assert "RuntimeError" in message
        assert message.endswith("return image.reshape(7))")

    def test_library_errors_are_not_taken_for_the_stub(self):
        def unsupported(image):
            raise NotImplementedError("not implemented for 'Byte'")

        assert double(unsupported).verdict == WRONG
        assert double(stub).verdict == NOT_ATTEMPTED

    def test_value_exercises(self):
        answer = Check(
            "Sum", 1, 1, lambda: 4, lambda got: difference(got, 4), ["2 + 2"], value=True
        )
        assert [answer(x).verdict for x in (4, 4.0, torch.tensor(4), 5, "four", ..., None)] == [
            CORRECT,
            CORRECT,
            CORRECT,
            WRONG,
            WRONG,
            NOT_ATTEMPTED,
            NOT_ATTEMPTED,
        ]

    def test_leaves_the_notebooks_random_state_alone(self):
        torch.manual_seed(5)
        expected = torch.rand(1)
        torch.manual_seed(5)
        assert double(double_solution).verdict == CORRECT
        assert torch.rand(1) == expected

    def test_code_is_the_body_without_the_docstring(self):
        assert double.code == (
            "# Clamped, because twice a bright pixel is no intensity.\n"
            "return (2 * image).clamp(0, 1)"
        )

    def test_hints_are_tiered(self, capsys):
        double.hint()
        double.hint(2)
        assert capsys.readouterr().out == "Hint 1 of 2: think\nHint 2 of 2: 2 * image\n"
        with pytest.raises(CourseError, match="hints 1 to 2"):
            double.hint(3)

    @pytest.mark.parametrize("answer", [stub, lambda image: image])
    def test_raises_for_nbgrader(self, answer, monkeypatch):
        monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
        with pytest.raises(AssertionError):
            double(answer)
        assert double(double_solution).verdict == CORRECT

    def test_difficulty_is_checked(self):
        with pytest.raises(ValueError, match="not 1 to 5"):
            Check("Twice", 2, 6, double_solution, double_test, ["think"])


class TestDifference:
    @pytest.mark.parametrize(
        ("got", "expected", "words"),
        [
            ((1, 2), (1, 3), "yours is 2"),
            ((1,), (1, 3), "expected 2 values"),
            ({"a": 1}, {"b": 1}, "keys ['b']"),
            ({"a": 1}, {"a": 2}, "yours is 1"),
            ("low", "normal", "expected 'normal'"),
            (torch.rand(2), 1.0, "expected one number"),
            (float("nan"), 1.0, "NaN"),
            (np.zeros(2), np.ones(2), UNNAMED),
        ],
    )
    def test_names_it(self, got, expected, words):
        assert words in difference(got, expected)

    @pytest.mark.parametrize(
        "value", [1, 2.5, "low", True, (1, [2.0]), {"a": 1}, np.eye(2), torch.eye(2) > 0]
    )
    def test_finds_none_between_equals(self, value):
        assert difference(value, value) is None

    def test_generators_are_copied_so_that_both_draw_the_same(self):
        def noise(generator):
            return torch.rand(3, generator=generator)

        assert compare(noise, noise, torch.Generator().manual_seed(1)) is None
