"""Every exercise accepts right answers, reports the stub and names the mistake of wrong ones."""

import ast
import importlib
import pkgutil
import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from IPython.core.formatters import DisplayFormatter
from torch import nn

from llie_helpers.errors import CourseError
from llie_helpers.lessons import checks
from llie_helpers.lessons.checks.compare import (
    CHANGED,
    UNNAMED,
    Finding,
    changed,
    difference,
    expect_form,
    expect_type,
)
from llie_helpers.lessons.checks.exercise import (
    CORRECT,
    NO_POWER,
    NOT_ATTEMPTED,
    WRONG,
    Exercise,
    call,
    combine,
    edited,
)
from llie_helpers.lessons.checks.networks import network
from llie_helpers.models.network import any_size

EXERCISES = {
    f"{module.name}-{name}": value
    for module in pkgutil.iter_modules(checks.__path__)
    if module.name.startswith("lesson_")
    for name, value in vars(importlib.import_module(f"{checks.__name__}.{module.name}")).items()
    if isinstance(value, Exercise)
}
every_exercise = pytest.mark.parametrize("exercise", EXERCISES.values(), ids=EXERCISES)
# An observer may ask for more than a right value: a tensor, or one with a gradient.
by_value = pytest.mark.parametrize(
    "exercise",
    [pytest.param(e, id=name) for name, e in EXERCISES.items() if e.observe is call],
)


def given(exercise, answer):
    """An answer as the student hands it in."""
    return answer() if exercise.value else answer


def stub(*_, **__):
    raise NotImplementedError


def restyled(value, style):
    """A result with ``style`` applied to each of its tensors and numbers."""
    if isinstance(value, tuple | list):
        return [restyled(part, style) for part in value]
    return style(torch.as_tensor(value).detach())


# Bytes stay bytes.
STYLES = {
    "NumPy": lambda x: x.numpy(),
    "float64": lambda x: x.double() if x.is_floating_point() else x.numpy(),
    "lists": lambda x: x.tolist() if x.is_floating_point() else x.numpy(),
}


@every_exercise
def test_the_solution_is_right(exercise):
    result = exercise.examine(given(exercise, exercise.reference))
    assert result.verdict == CORRECT, result


@every_exercise
def test_other_right_answers_are_right(exercise):
    for number, answer in enumerate(exercise.right, start=1):
        result = exercise.examine(given(exercise, answer))
        assert result.verdict == CORRECT, f"{number}: {result}"


@pytest.mark.parametrize("style", STYLES.values(), ids=STYLES)
@by_value
def test_the_solution_is_right_in_any_style(exercise, style):
    result = exercise.examine(
        given(exercise, lambda *arguments: restyled(exercise.reference(*arguments), style))
    )
    assert result.verdict == CORRECT, result


@every_exercise
def test_the_stub_is_not_attempted(exercise):
    assert exercise.examine(... if exercise.value else stub).verdict == NOT_ATTEMPTED


@every_exercise
def test_every_mistake_is_named(exercise):
    assert len(exercise.mistakes) >= 3
    for sentence, answer in exercise.wrong_answers.items():
        result = exercise.examine(given(exercise, answer))
        assert result.verdict == WRONG, sentence
        assert sentence in result.message, f"{sentence}: {result}"


@by_value
def test_an_input_changed_in_place_is_told(exercise):
    def careless(*arguments):
        result = exercise.reference(*arguments)
        for argument in arguments:
            if isinstance(argument, torch.Tensor | np.ndarray):
                argument[...] = 1 - argument
        return result

    changeable = torch.Tensor | np.ndarray
    if any(isinstance(argument, changeable) for argument in exercise.inputs()[0]):
        assert exercise.examine(careless).message == CHANGED


def test_a_list_of_numpys_truths_is_told_from_row_numbers():
    mask = EXERCISES["lesson_08-frontier"].examine(lambda costs, qualities: list(qualities > 3))
    assert mask.message == (
        "return a list of row numbers, such as [0, 2]; np.flatnonzero makes them of one True or "
        "False for each row."
    )


def test_what_is_wrong_with_a_block_is_told():
    block = EXERCISES["lesson_03-block"]
    found = block.examine(edited(block.reference, "stride=stride => stride=2"))
    assert "yours become 3 x 5: pass `stride` on" in found.message
    assert "the return statement" in block.examine(lambda **_: None).message


def test_a_network_of_as_many_levels_as_the_drawing_is_told():
    def forward(self, low):
        top = self.encoder[0](low)
        half = self.encoder[1](nn.functional.max_pool2d(top, 2))
        quarter = self.encoder[2](nn.functional.max_pool2d(half, 2))
        return self.encoder[3](nn.functional.max_pool2d(quarter, 2))

    unet = EXERCISES["lesson_04-network"]
    four = type("Four", (unet.reference,), {"forward": any_size(forward)})
    assert "any number of levels, here 3" in unet.examine(four).message


NETWORKS = {name: e for name, e in EXERCISES.items() if "forward" in e.methods}


@pytest.mark.parametrize("exercise", NETWORKS.values(), ids=NETWORKS)
def test_a_forward_pass_that_returns_nothing_is_told(exercise):
    of_any_size = hasattr(exercise.reference.forward, "__wrapped__")

    def forward(self, *inputs):
        """Compute, and forget to return."""

    forgetful = any_size(forward) if of_any_size else forward
    answer = type("Forgetful", (exercise.reference,), {"forward": forgetful})
    assert re.search("returned None.*return statement", str(exercise.examine(answer)))


@every_exercise
def test_hints_and_code_are_shown(exercise):
    assert len(exercise.hints) >= 2
    assert ast.parse(exercise.code).body
    assert exercise.code.count("\n") < 40


def double_solution(image):
    """Twice the image."""
    # Clamped, because twice a bright pixel is no intensity.
    return (2 * image).clamp(0, 1)


double = Exercise(
    title="Twice",
    minutes=2,
    difficulty=1,
    reference=double_solution,
    inputs=lambda: [(torch.rand(3, 3, 5),), (torch.rand(3, 4, 5),)],
    mistakes={
        "the result is not clamped to [0, 1].": ".clamp(0, 1) => ",
        "the second row is brighter, not the first.": lambda image: image * torch.ones(3)[:, None],
    },
    hints=["think", "2 * image"],
)


double_total = Exercise(
    title="Sum",
    minutes=1,
    difficulty=1,
    reference=lambda: 4,
    mistakes={"a pair was counted twice.": lambda: 3},
    hints=["2 + 2"],
    value=True,
)


def in_place(image):
    return image.mul_(2).clamp(0, 1)


class TestExercise:
    @pytest.mark.parametrize(
        ("answer", "words"),
        [
            (lambda image: 2 * image, "not clamped"),
            (lambda image: 3 * image, UNNAMED),
            (lambda image: None, "return statement"),
            (lambda image: (2 * image).clamp(0, 1)[0], "shape (3, 5), expected (3, 3, 5)"),
            (lambda image: "twice", "expected a tensor of shape (3, 3, 5), got str"),
            # It agrees with the mistake while it can, and fails where the mistake does.
            (lambda image: image * torch.ones(3).view(3, 1), "the second row is brighter"),
            (lambda image: image / 0 * 0, "NaN"),
            (in_place, "in place"),
            (lambda: 1, "your code raised TypeError"),
            (lambda image: image.missing, "(line "),
            (torch.rand(3), "without calling it"),
        ],
    )
    def test_names_the_mistake(self, answer, words, capsys):
        result = double.examine(answer)
        assert result.verdict == WRONG
        assert words in result.message
        assert double(answer) is double_solution
        assert capsys.readouterr().out == f"wrong: {result.message}\n"

    @pytest.mark.parametrize("answer", [stub, lambda image: image])
    def test_the_lesson_goes_on_with_the_packages_version(self, answer):
        assert double(answer) is double_solution

    def test_the_lesson_goes_on_with_a_right_answer(self):
        def mine(image):
            return (image + image).clamp(0, 1)

        assert double(mine) is mine
        assert double_total(4.0) == 4.0
        assert double_total(...) == double_total(5) == 4

    def test_a_check_on_the_last_line_shows_its_verdict_alone(self):
        assert DisplayFormatter().format(double(double_solution)) == ({}, {})

    def test_shows_the_students_line(self):
        def broken(image):
            return image.reshape(7)

        message = double.examine(broken).message
        assert "RuntimeError" in message
        assert message.endswith("return image.reshape(7))")

    @pytest.mark.parametrize("style", [torch.as_tensor, torch.Tensor.numpy, torch.Tensor.tolist])
    def test_a_hat_is_no_power(self, style):
        def squared(image):
            return style(image[0, 0, 0]) ^ 2

        assert double.examine(squared).message == NO_POWER

    def test_library_errors_are_not_taken_for_the_stub(self):
        def unsupported(image):
            raise NotImplementedError("not implemented for 'Byte'")

        assert double.examine(unsupported).verdict == WRONG
        assert double.examine(stub).verdict == NOT_ATTEMPTED

    @pytest.mark.parametrize(
        ("answer", "words"),
        [
            (4, "correct"),
            (4.0, "correct"),
            (torch.tensor(4), "correct"),
            (3, "wrong: a pair was counted twice"),
            (5, "wrong: the values differ"),
            ("four", "wrong: expected one number"),
            (..., "not attempted"),
            (None, "not attempted"),
        ],
    )
    def test_an_answer_may_be_a_value(self, answer, words):
        assert str(double_total.examine(answer)).startswith(words)

    def test_the_case_is_shown_where_it_is_plain(self):
        product = replace(
            double, reference=lambda a, b: a * b, mistakes={}, inputs=lambda: [(2, 2), (3, 5)]
        )
        assert (
            product.examine(lambda a, b: a + b).message == "for 3, 5 the answer is 15, yours is 8."
        )
        longer = replace(product, reference=lambda a, b: a > b)
        assert (
            longer.examine(lambda a, b: a < b).message
            == "for 3, 5 the answer is False, yours is True."
        )

    def test_an_observer_looks_at_more_than_the_result(self):
        def observe(answer, image):
            if answer(image).mean() > 0.9:
                raise Finding("far too bright.")
            return "right"

        bright = replace(double, observe=observe)
        assert bright.examine(lambda image: image + 1).message == "far too bright."
        assert bright.examine(lambda image: 0 * image).verdict == CORRECT
        assert bright.examine(lambda image: image.add_(1)).message == CHANGED

    def test_answers_draw_the_same_random_numbers(self):
        noisy = replace(double, reference=lambda image: image + torch.randn(image.shape))
        assert noisy.examine(lambda image: torch.randn_like(image) + image).verdict == CORRECT

    def test_leaves_the_notebooks_random_state_alone(self):
        torch.manual_seed(5)
        expected = torch.rand(1)
        torch.manual_seed(5)
        assert double.examine(double_solution).verdict == CORRECT
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
        assert double(double_solution) is double_solution

    @pytest.mark.parametrize(
        ("change", "words"), [({"difficulty": 6}, "not 1 to 5"), ({"hints": "think"}, "a list")]
    )
    def test_its_parts_are_checked(self, change, words):
        with pytest.raises(ValueError, match=words):
            replace(double, **change)


class TwoLayers(nn.Module):
    """Two convolutions with a ReLU between."""

    def __init__(self, width):
        super().__init__()
        self.first = nn.Conv2d(3, width, 3, padding=1)
        self.norm = nn.BatchNorm2d(width)
        self.last = nn.Conv2d(width, 3, 1)

    def forward(self, low):
        return self.last(torch.relu(self.norm(self.first(low))))


two_layers = Exercise(
    title="Two layers",
    minutes=5,
    difficulty=2,
    reference=TwoLayers,
    inputs=lambda: [({"width": 4}, torch.rand(1, 3, 5, 6)), ({"width": 2}, torch.rand(2, 3, 4, 4))],
    observe=network,
    mistakes={
        "there is no ReLU.": "torch.relu( => (",
        "the second layer looks at neighbours.": "width, 3, 1 => width, 3, 3, padding=1",
        "the norm is not used.": "self.norm(self.first(low)) => self.first(low)",
    },
    hints=["Two layers.", "One norm."],
)


class TestClasses:
    def test_an_answer_may_be_a_class(self):
        class Mine(TwoLayers):
            def forward(self, low):
                return self.last(self.norm(self.first(low)).clamp_min(0))

        assert two_layers(Mine) is Mine
        # What the package has trained fits into the student's class.
        Mine(4).load_state_dict(TwoLayers(4).state_dict())

    def test_names_its_mistakes(self):
        for sentence, mistake in two_layers.wrong_answers.items():
            assert two_layers.examine(mistake).message == sentence

    @pytest.mark.parametrize(
        ("edits", "words"),
        [
            ("self.first => self.begin", "missing: first.weight, first.bias; not expected: begin"),
            ("3, width, 3, padding=1 => 3, width, 5, padding=2", "shape is (4, 3, 5, 5), expected"),
            ("torch.relu => torch.sigmoid", UNNAMED),
            ("self.last(torch => (torch", "shape (1, 4, 5, 6), expected (1, 3, 5, 6)"),
        ],
    )
    def test_tells_how_another_class_differs(self, edits, words):
        assert words in two_layers.examine(edited(TwoLayers, edits)).message

    @pytest.mark.parametrize(
        ("answer", "words"),
        [(TwoLayers(4), "not a network made from it"), (lambda width: width, "got int")],
    )
    def test_other_things_are_told(self, answer, words):
        assert words in two_layers.examine(answer).message

    def test_a_class_with_stubs_is_not_attempted(self):
        class Stub(TwoLayers):
            def forward(self, low):
                raise NotImplementedError

        assert two_layers.examine(Stub).verdict == NOT_ATTEMPTED
        assert two_layers(Stub) is TwoLayers


def test_edits_are_combined_unless_they_exclude_each_other():
    edits = {
        "thrice.": "2 * => 3 *",
        "four times.": "(2 * image) => (4 * image)",
        "clamped.": "0, 1 => 1, 2",
    }
    assert combine(edits, most=2) == {
        "thrice.": ["2 * => 3 *"],
        "four times.": ["(2 * image) => (4 * image)"],
        "clamped.": ["0, 1 => 1, 2"],
        "thrice. Also, clamped.": ["2 * => 3 *", "0, 1 => 1, 2"],
        "four times. Also, clamped.": ["(2 * image) => (4 * image)", "0, 1 => 1, 2"],
    }


def test_a_mistake_may_be_an_edit_of_the_solution():
    thrice = edited(double_solution, ["2 * => 3 *", ".clamp(0, 1) => "])
    assert torch.equal(thrice(torch.ones(1)), torch.tensor([3.0]))
    with pytest.raises(ValueError, match="no '5 ' to edit"):
        edited(double_solution, "5  => 6")


class TestDifference:
    @pytest.mark.parametrize(
        ("got", "expected", "words"),
        [
            ((1, 2), (1, 3), "yours is 2"),
            ((1,), (1, 3), "expected 2 values, got tuple of 1 values"),
            (torch.ones(3, 4), (1, 3), "expected 2 values, got tensor of shape (3, 4)"),
            ({"a": 1}, {"b": 1}, "missing: b; not expected: a."),
            (0.16301, 0.16304, "yours is 0.16301, expected 0.16304"),
            ({}, dict.fromkeys("abcde", 1), "missing: a, b, c and 2 more."),
            (1, {"b": 1}, "keys ['b']"),
            ({"a": 1}, {"a": 2}, "yours is 1"),
            ("low", "normal", "expected 'normal'"),
            (torch.rand(2), 1.0, "expected one number"),
            (float("nan"), 1.0, "NaN"),
            (np.zeros(2), np.ones(2), UNNAMED),
            (np.ones(2), np.ones(2, dtype=np.uint8), "dtype float64, expected uint8"),
            (torch.ones(2) + 0j, torch.ones(2), "dtype complex64, expected float32"),
            ([1, 2, 3], np.ones(2), "shape (3,), expected (2,)"),
            ([1, "two"], np.ones(2), "expected a numpy array of shape (2,), got list"),
            (1, None, "expected None, got int"),
            (torch.ones(2), True, "expected True"),
        ],
    )
    def test_names_it(self, got, expected, words):
        assert words in difference(got, expected)

    @pytest.mark.parametrize(
        ("got", "expected"),
        [
            *[(value, value) for value in (1, 2.5, "low", True, None, (1, [2.0]), {"a": 1})],
            (torch.eye(2) > 0, torch.eye(2) > 0),
            (np.eye(2), torch.eye(2)),
            (torch.eye(2, dtype=torch.bfloat16), np.eye(2)),
            ([[1, 0], [0, torch.tensor(1.0)]], torch.eye(2)),
            (np.array([1.0, 2.0]), (1, 2)),
            ([torch.tensor(1.0), 2], (1, 2)),
            (0.5, torch.tensor(0.5)),
            (np.float64(0.5), 0.5),
            (torch.tensor([0.5]), 0.5),
            (np.nan, np.nan),
        ],
    )
    def test_finds_none_between_equals(self, got, expected):
        assert difference(got, expected) is None

    def test_nan_in_an_input_is_no_change(self):
        values = torch.tensor([1.0, torch.nan])
        assert not changed(values, values.clone())
        assert changed(values, torch.ones(2))


@pytest.mark.parametrize(
    ("got", "words"),
    [
        (None, "returned None"),
        (np.zeros(2), "expected a tensor, got numpy array of shape (2,)"),
        (torch.zeros(2, dtype=torch.float64), "dtype float64, expected float32"),
    ],
)
def test_an_observer_can_ask_for_a_type(got, words):
    with pytest.raises(Finding, match=re.escape(words)):
        expect_type(got, torch.zeros(2))
    expect_type(torch.ones(3), torch.zeros(2))


def test_an_observer_can_ask_for_a_form():
    with pytest.raises(Finding, match="2 values"):
        expect_form(torch.zeros(3), (torch.zeros(3), torch.zeros(3)))
    expect_form([torch.zeros(3), np.ones(3)], (torch.zeros(3), torch.zeros(3)))


def test_generators_are_copied_so_that_both_draw_the_same():
    def noise(generator):
        return torch.rand(3, generator=generator)

    drawn = replace(double, reference=noise, inputs=lambda: [(torch.Generator().manual_seed(1),)])
    assert drawn.examine(lambda generator: noise(generator)).verdict == CORRECT
