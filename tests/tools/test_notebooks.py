"""What every published notebook promises. nbval runs them; this looks at them."""

import ast
import functools
import inspect
import itertools
import re
import statistics

import build
import nbformat
import pytest
from builder import inspection
from builder.solutions import exercises
from builder.source import built_path, find_check, notebook, repository, sources

from llie_helpers.lessons.checks.exercise import CORRECT
from llie_helpers.models import MODELS

LESSONS = sources()
WITH_NETWORKS = ("03", "04", "05", "06", "07")
pytestmark = pytest.mark.parametrize("name", LESSONS)


@functools.cache
def committed(name):
    return nbformat.read(built_path(LESSONS[name]), as_version=4)


@functools.cache
def instructors(name):
    return notebook(LESSONS[name], repository(), solutions=True)


def code_cells(built):
    return [cell for cell in built.cells if cell.cell_type == "code"]


def markdown(built):
    return "\n".join(cell.source for cell in built.cells if cell.cell_type == "markdown")


def test_it_is_built_from_its_source_and_ran_from_top_to_bottom(name):
    assert build.check(LESSONS[name]) == []


def test_the_file_is_small(name):
    assert built_path(LESSONS[name]).stat().st_size <= inspection.LARGEST_FILE


def test_it_holds_no_solution(name):
    assert not any("SOLUTION" in cell.source for cell in code_cells(committed(name)))


def test_solutions_of_classes_show_the_methods_that_students_write(name):
    marked = {}
    for exercise, method in re.findall(r"### SOLUTION (\w+)\.(\w+)", LESSONS[name].read_text()):
        marked.setdefault(exercise, []).append(method)
    for exercise, methods in marked.items():
        assert list(find_check(name, exercise).methods) == methods


def test_prose_stands_before_nearly_every_code_cell(name):
    cells = instructors(name).cells
    checks = [id(check) for _, check in exercises(cells).values()]
    explained = [
        before.cell_type == "markdown"
        for before, cell in itertools.pairwise(cells)
        if cell.cell_type == "code" and id(cell) not in checks
    ]
    assert sum(explained) >= 0.8 * len(explained)


def test_code_cells_are_short(name):
    lengths = [len(cell.source.splitlines()) for cell in code_cells(committed(name))]
    assert statistics.median(lengths) < 12


@pytest.mark.parametrize(
    "part",
    [
        r"you will be able to|learning objectives",
        r"minutes",
        r"\b[GM]B\b",
        r"\bquick\b",
        r"\bfull\b",
        r"^## .*recap",
        r"^## .*papers",
    ],
)
def test_it_says_what_it_teaches_and_costs(name, part):
    assert re.search(part, markdown(committed(name)), re.IGNORECASE | re.MULTILINE)


def test_students_predict_before_they_run(name):
    assert any("predict(" in cell.source for cell in code_cells(committed(name)))


def test_a_slider_teaches_something(name):
    sliders = r"(parameter_slider|frames_slider|before_after)\("
    assert any(re.search(sliders, cell.source) for cell in code_cells(committed(name)))


def test_there_are_exercises_each_with_header_check_and_answers(name):
    text = LESSONS[name].read_text(encoding="utf-8")
    posed = re.findall(r"\{\{exercise (\w+)\}\}", text)
    assert len(posed) >= 3
    assert list(exercises(instructors(name).cells)) == posed
    assert re.findall(r"\{\{answers (\w+)\}\}", text) == posed


def test_the_stored_verdict_of_each_exercise_is_that_of_its_stub(name):
    built = committed(name)
    checked = [c for c in code_cells(built) if c.metadata.get("nbgrader", {}).get("grade")]
    assert checked
    for cell in checked:
        assert "not attempted" in "".join(output.get("text", "") for output in cell.outputs)


def parameters(definition):
    """The parameters of a function, or of each method of a class, by name."""
    if isinstance(definition, ast.ClassDef):
        methods = [node for node in definition.body if isinstance(node, ast.FunctionDef)]
        return {method.name: parameters(method) for method in methods}
    return [argument.arg for argument in definition.args.args]


def test_an_exercise_takes_what_its_solution_takes(name):
    for exercise, (solution, _) in exercises(instructors(name).cells).items():
        check = find_check(name, exercise)
        if not check.value:
            *_, posed = ast.parse(solution.source).body
            assert parameters(posed) == parameters(
                ast.parse(inspect.getsource(check.reference)).body[0]
            ), exercise


def imports_of(built):
    """Every import at the top level of a cell, in order."""
    code = "\n".join(
        re.sub(r"^(\s*)[%!].*$", r"\1pass", cell.source, flags=re.MULTILINE)
        for cell in code_cells(built)
    )
    found = [node for node in ast.parse(code).body if isinstance(node, ast.Import | ast.ImportFrom)]
    return "\n".join(map(ast.unparse, found))


def test_the_solutions_are_correct(name, monkeypatch, capsys):
    # As nbgrader grades: the imports, then each exercise and its check.
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    built = instructors(name)
    namespace = {"__name__": "__main__"}
    exec(imports_of(built), namespace)
    namespace["lesson"] = namespace["lessons"].begin(name)
    for exercise, (solution, check) in exercises(built.cells).items():
        exec(solution.source, namespace)
        exec(check.source, namespace)  # raises if the answer is wrong
        assert f"{CORRECT}\n" in capsys.readouterr().out, exercise


@pytest.fixture
def source(name):
    return LESSONS[name].read_text(encoding="utf-8")


def test_the_first_lesson_alone_tells_that_the_course_is_not_published(name):
    unpublished = "_" in repository().split("/")[0]
    assert ("Not published yet" in markdown(committed(name))) == (
        unpublished and name.startswith("00_")
    )


def test_the_core_path_comes_first_with_the_time_it_takes(name, source):
    assert source.count("{{minutes}}") == 1
    core, _ = source.split("\n# ## Going deeper\n")
    assert "core path ends here" in core
    assert "{{minutes}}" in core
    assert "{{exercise" in core
    total = re.search(r"^\| together \| (\d+) \|", markdown(committed(name)), re.M)
    assert 50 <= int(total[1]) <= 80


def test_nobody_types_the_number_of_exercises(name, source):
    assert not re.search(r"(\d|two|three|four|five|six|seven) exercises", source, re.IGNORECASE)


def test_claims_stand_beside_the_text(name, source):
    assert source.count("\n# {{claim ") >= 3


def test_the_lesson_goes_on_with_the_students_answers(name, source):
    for exercise, (_, check) in exercises(instructors(name).cells).items():
        assert re.search(rf"^(\w+) = check\.{exercise}\(\1\)$", check.source, re.M), exercise


def test_answers_to_predictions_are_folded(name):
    outputs = [output for cell in code_cells(committed(name)) for output in cell.outputs]
    shown = "".join(output.get("data", {}).get("text/html", "") for output in outputs)
    answers = re.findall(r'<details class="llie-answer"[^>]*>', shown)
    revealed = sum(cell.source.count(".reveal(") for cell in code_cells(committed(name)))
    assert len(answers) == revealed > 0
    assert not any("open" in answer for answer in answers)


def test_every_figure_says_what_it_shows(name, source):
    outputs = [output for cell in code_cells(committed(name)) for output in cell.outputs]
    kinds = {kind for output in outputs for kind in output.get("data", {})}
    assert not any(kind.startswith("image/") for kind in kinds)
    shown = "".join(output.get("data", {}).get("text/html", "") for output in outputs)
    texts = [re.search(r' alt="([^"]*)"', tag) for tag in re.findall(r"<img [^>]*>", shown)]
    assert texts
    for text in texts:
        assert len(text[1].split()) >= 3, text[1]
        assert not text[1].startswith(("Figure:", "&lt;lambda")), text[1]


def test_sliders_say_what_their_pictures_show(name, source):
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    for call in calls:
        if getattr(call.func, "attr", "") in ("before_after", "frames_slider"):
            assert "alt" in [option.arg for option in call.keywords], ast.unparse(call)


def test_the_network_in_view_is_the_packages(name, source):
    shown = [
        (cell.source, node.name)
        for cell in code_cells(committed(name))
        if "### BEGIN" not in cell.source and "%pip" not in cell.source
        for node in ast.parse(cell.source).body
        if isinstance(node, ast.ClassDef)
    ]
    networks = {network.__name__: inspect.getsource(network) for network in MODELS.values()}
    for code, title in shown:
        assert networks.get(title, "").strip() in code
    page = "\n".join(cell.source for cell in committed(name).cells)  # solutions are in view too
    in_view = any(network.strip() in page for network in networks.values())
    assert in_view == name.startswith(WITH_NETWORKS)


def test_code_is_short_enough_for_the_formatter(name, source):
    assert "fmt: skip" not in source
