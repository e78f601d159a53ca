import inspect
import re
import shutil
import sys
import types

import build
import nbformat
import pytest
from builder import inspection, publishing, wording
from builder.solutions import with_solution, without_solution
from builder.source import ROOT, notebook, repository

from llie_helpers import __version__
from llie_helpers.errors import CourseError
from llie_helpers.lessons.checks.compare import Finding
from llie_helpers.lessons.checks.exercise import Exercise

ADDRESS = "some_body/course"
TOY = '''\
# %% [markdown]
# # Toy

# %% [markdown]
# {{setup}}

# %% tags=["nbval-check-output"]
from llie_helpers.lessons.checks import lesson_99 as check

print(2 + 2)

# %% [markdown]
# {{exercise double}}
#
# Write it.


# %%
def my_double(x):
    """Twice x."""
    ### SOLUTION double


# %%
check.double(my_double)

# %% [markdown]
# {{answers double}}
'''

SETUP = "# %% [markdown]\n# {{setup}}\n"


def double(x):
    """Twice."""
    return 2 * x


@pytest.fixture(autouse=True)
def _toy_checks(monkeypatch):
    module = types.ModuleType("llie_helpers.lessons.checks.lesson_99")
    module.double = Exercise(
        title="Twice as bright",
        minutes=7,
        difficulty=2,
        reference=double,
        inputs=lambda: [(3,)],
        mistakes={"that is the square.": lambda x: x**2},
        hints=["Multiply.", "By two."],
    )
    monkeypatch.setitem(sys.modules, module.__name__, module)


@pytest.fixture
def course(tmp_path):
    """A course of one lesson in a folder of its own."""
    source = tmp_path / "notebooks" / "source" / "99_toy.py"
    source.parent.mkdir(parents=True)
    source.write_text(TOY)
    (tmp_path / "pyproject.toml").write_text(f'[tool.course]\nrepository = "{ADDRESS}"\n')
    return source


def cells(source, **options):
    return notebook(source, ADDRESS, **options).cells


def written(source, text=TOY):
    source.write_text(text)
    return notebook(source, ADDRESS)


def executed(source):
    """The toy notebook as if it had run."""
    built = notebook(source, ADDRESS)
    code = [cell for cell in built.cells if cell.cell_type == "code"]
    for count, cell in enumerate(code, start=1):
        cell.execution_count = count
    code[1].outputs = [nbformat.v4.new_output("stream", name="stdout", text="4\n")]
    return built


def test_setup_installs_the_extras_that_a_lesson_names(course):
    course.write_text(TOY.replace("{{setup}}", "{{setup video,onnx}}"))
    setup = cells(course)[3].source
    release = f"git+https://github.com/{ADDRESS}@v{__version__}"
    assert f'"llie_helpers[video,onnx] @ {release}"' in setup


def test_badges_and_setup_carry_the_configured_address(course):
    badges, _, note, setup = cells(course)[:4]
    assert f"github/{ADDRESS}/blob/main/notebooks/99_toy.ipynb" in badges.source
    assert "kaggle" in badges.source
    assert "Run this cell first" in note.source
    assert "After each restart of the kernel" in note.source
    assert f"git+https://github.com/{ADDRESS}@v{__version__}\n" in setup.source
    assert 'lessons.begin("99_toy")' in setup.source
    assert len(setup.source.splitlines()) <= 7


def test_a_published_address_is_not_called_a_placeholder(course):
    assert "on purpose" not in wording.setup_note("00_toy", "somebody/course")
    assert "on purpose" in wording.setup_note("00_toy", ADDRESS)


def test_the_page_is_linked_once_it_is_published(course):
    course.write_text(TOY.replace("# # Toy", "# # Toy\n#\n# To try it, {{page}}."))
    assert "To try it, run `python tools/webpage.py build`" in cells(course)[1].source
    published = notebook(course, "somebody/lights").cells[1].source
    assert "To try it, open [its page](https://somebody.github.io/lights/enhancer/)." in published


def test_the_time_that_a_student_needs_is_computed(course):
    core = "\n# ".join(["word " * 200] * 4)
    deeper = "# %% [markdown]\n# ## Going deeper\n# {{exercise double}}\n"
    course.write_text(
        TOY.replace("# # Toy", f"# # Toy\n#\n# {{{{minutes}}}}\n#\n# {core}")
        .replace("# %% [markdown]\n# {{exercise double}}\n", deeper)
        .replace("# {{answers double}}", "# {{answers double}}\n#\n# ## Papers\n# " + core)
        .replace("print(2 + 2)", "\n".join(["print(2 + 2)"] * 20))
    )
    rows = cells(course)[1].source.split("\n\n")[1].splitlines()
    # 800 words, 28 lines with the setup, and the note above it.
    assert rows == [
        "| minutes for you | core path | going deeper |",
        "| --- | --- | --- |",
        "| reading | 7 | 0 |",
        "| exercises | none | 7 for 1 |",
        "| together | 7 | 7 |",
    ]


def test_the_student_gets_no_solution_and_the_instructor_does(course):
    student = [cell.source for cell in cells(course)]
    assert 'def my_double(x):\n    """Twice x."""\n    raise NotImplementedError' in student
    solved = "    ### BEGIN SOLUTION\n    return 2 * x\n    ### END SOLUTION"
    assert any(cell.source.endswith(solved) for cell in cells(course, solutions=True))


def test_the_exercise_and_its_answers_come_from_the_check(course):
    text = "\n".join(cell.source for cell in cells(course) if cell.cell_type == "markdown")
    assert "### Exercise 1: Twice as bright\n\n*Difficulty ●●○○○ · about 7 minutes*" in text
    assert "<summary>Hint 2</summary>\n\nBy two." in text
    assert "<summary>Solution</summary>\n\n```python\nreturn 2 * x\n```" in text


def test_nbgrader_can_grade_an_exercise(course):
    found = [c.metadata["nbgrader"] for c in cells(course) if "nbgrader" in c.metadata]
    solution, check = found
    assert solution == {
        "schema_version": 3,
        "grade_id": "double",
        "grade": False,
        "locked": False,
        "solution": True,
        "task": False,
    }
    assert check == {
        "schema_version": 3,
        "grade_id": "double-check",
        "grade": True,
        "locked": True,
        "solution": False,
        "task": False,
        "points": 2,
    }


def total():
    numbers = [1, 3]
    return sum(numbers)


def test_an_answer_that_is_a_value_is_left_open():
    exercise = Exercise("Sum", 1, 1, reference=total, mistakes={}, hints=["1 + 3"], value=True)
    solved = with_solution("a = ...  ### SOLUTION total\nprint(a)", {"total": exercise}.get)
    assert solved == (
        "### BEGIN SOLUTION\nnumbers = [1, 3]\na = sum(numbers)\n### END SOLUTION\nprint(a)"
    )
    assert without_solution(solved) == "numbers = ...\na = ...\nprint(a)"


class Twice:
    def __init__(self, factor):
        self.factor = factor

    def __call__(self, x):
        """Twice."""
        return self.factor * x


def test_an_answer_may_be_a_class_with_some_methods_left_open():
    exercise = Exercise("Class", 1, 1, reference=Twice, mistakes={}, hints=["*"])
    posed = """class My:
    def __init__(self, factor):
        self.factor = factor

    def __call__(self, x):
        \"\"\"Write this one.\"\"\"
        """
    solved = with_solution(f"{posed}### SOLUTION twice.__call__", {"twice": exercise}.get)
    assert "        ### BEGIN SOLUTION\n        return self.factor * x\n" in solved
    assert without_solution(solved) == f"{posed}raise NotImplementedError"


def test_the_answer_may_be_used_from_the_check_on(course):
    course.write_text(TOY.replace("# %%\ncheck.double", "# %%\nmy_double = check.double"))
    assert "my_double = check.double(my_double)" in [cell.source for cell in cells(course)]


def test_claims_of_the_text_become_metadata(course):
    (claiming,) = [c for c in cells(_claiming(course)) if "claims" in c.metadata]
    assert claiming.source.startswith("# Toy")
    assert claiming.metadata["claims"] == ["2 + 2 == 4"]
    without = notebook(course, ADDRESS)
    without.cells[1].metadata.clear()
    assert "metadata of cell 1" in inspection.drift(without, notebook(course, ADDRESS))


def _claiming(source):
    source.write_text(TOY.replace("# # Toy", "# # Toy\n#\n# {{claim 2 + 2 == 4}}"))
    return source


@pytest.mark.parametrize(("training", "shown"), [("dual_branch_photographs", 2), ("nobody_0", 0)])
def test_cells_about_a_training_are_left_out_until_it_is_recorded(course, training, shown):
    about = f'recorded="{training}"'
    course.write_text(f"{TOY}\n# %% [markdown] {about}\n# Below.\n\n# %% {about}\nbelow = 1\n")
    assert sum("elow" in cell.source for cell in cells(course)) == shown


def test_a_class_of_the_package_is_shown_as_it_is(course):
    shown = "### SOURCE llie_helpers.lessons.checks.compare.Finding"
    course.write_text(TOY.replace("print(2 + 2)", f"a = 1\n\n\n{shown}"))
    assert cells(course)[4].source.endswith(f"a = 1\n\n\n{inspect.getsource(Finding).rstrip()}")


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("import math  # noqa: F401 - for your code", "import math  # for your code"),
        ("from math import (  # noqa: F401\n    pi,\n)", "from math import (\n    pi,\n)"),
    ],
)
def test_a_note_to_the_linter_stays_in_the_source(course, line, shown):
    course.write_text(TOY.replace("print(2 + 2)", line))
    assert cells(course)[4].source.endswith(f"as check\n\n{shown}")


def test_a_hidden_cell_is_folded_under_its_title(course):
    course.write_text(
        TOY.replace('%% tags=["nbval', '%% Add two numbers tags=["hide-input", "nbval')
    )
    cell = cells(course)[4]
    assert cell.source.startswith('#@title Add two numbers {display-mode: "form"}\n')
    assert cell.metadata == {
        "tags": ["hide-input", "nbval-check-output"],
        "cellView": "form",
        "jupyter": {"source_hidden": True},
    }


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("print(2 + 2)", "### SOURCE llie_helpers.models.Nothing", "names no class"),
        ("print(2 + 2)", "### SOURCE llie_helpers.nothing.Net", "names no class"),
        ('%% tags=["nbval', '%% tags=["hide-input", "nbval', "needs a title"),
        ("# # Toy", "# # Toy\n# {{claim 2 +}}", "not an expression"),
        ("SOLUTION double", "SOLUTION duble", "did you mean double"),
        ("{{answers double}}", "{{answer double}}", "not a directive"),
        ("{{answers double}}", "{{answers duble}}", "did you mean double"),
        ("check.double(my_double)", "print(1)", "must call check.NAME"),
        ("# %%\ncheck.double(my_double)\n", "", "No cell checks this exercise"),
    ],
)
def test_a_mistake_in_a_source_is_told(course, old, new, message):
    assert old in TOY
    with pytest.raises(CourseError, match=message):
        written(course, TOY.replace(old, new))


def test_editing_one_cell_leaves_all_other_ids_alone(course):
    before = [cell.id for cell in cells(course)]
    after = [cell.id for cell in written(course, TOY.replace("2 + 2", "2 + 3")).cells]
    assert len(set(before)) == len(before)
    assert sum(one != other for one, other in zip(before, after, strict=True)) == 1


def test_a_notebook_that_ran_well_has_no_problem(course):
    assert inspection.problems(executed(course)) == []
    assert inspection.drift(executed(course), notebook(course, ADDRESS)) == ""


def _never_ran(built):
    for cell in built.cells:
        if cell.cell_type == "code":
            cell.execution_count, cell.outputs = None, []


def _out_of_order(built):
    code = [cell for cell in built.cells if cell.cell_type == "code"]
    code[0].execution_count, code[1].execution_count = 2, 1


def _says(**output):
    def change(built):
        cell = next(cell for cell in built.cells if cell.cell_type == "code")
        cell.outputs = [nbformat.v4.new_output(**output)]

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_never_ran, "ran nothing"),
        (_never_ran, "not executed from top to bottom"),
        (_out_of_order, "not executed from top to bottom"),
        (_says(output_type="error", ename="ValueError", evalue="no"), "stores an error"),
        (_says(output_type="stream", name="stderr", text="UserWarning"), "standard error"),
        (_says(output_type="stream", text="saved in /tmp/a/b"), "path of the machine"),
        (_says(output_type="stream", text="<Line2D at 0x7fe0c4dc87d0>"), "memory address"),
        (
            _says(output_type="display_data", data={"image/png": "A" * 800_000}),
            "output of 800,",
        ),
        (lambda built: built.metadata.update(widgets={}), "state of widgets"),
        (lambda built: built.cells[1].update(source="x" * 2_000_000), "at most 2,000,000"),
    ],
)
def test_a_problem_of_a_notebook_is_told(course, change, message):
    built = executed(course)
    change(built)
    assert any(message in sentence for sentence in inspection.problems(built))


def test_an_embedded_image_may_spell_anything(course):
    built = executed(course)
    _says(output_type="display_data", data={"text/html": "<img src='data:;base64,AA/tmp/AA'>"})(
        built
    )
    assert inspection.problems(built) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda built: built.cells[4].update(source="print(5)"), "the source of cell 4"),
        (lambda built: built.cells[4].metadata.clear(), "the metadata of cell 4"),
        (lambda built: built.cells.pop(), "8 cells and its source 9"),
        (lambda built: built.metadata.update(kernelspec={}), "metadata were changed"),
    ],
)
def test_drift_is_told(course, change, message):
    committed = executed(course)
    change(committed)
    assert message in inspection.drift(committed, notebook(course, ADDRESS))


def test_a_build_runs_the_lesson_as_a_student_without_this_machine(course, monkeypatch):
    monkeypatch.setenv("LLIE_DATA", "/somewhere")
    build.build(
        _with(course, "print(2 + 2)", "import os; print(os.listdir(os.environ['LLIE_DATA']))")
    )
    built = nbformat.read(course.parent.parent / "99_toy.ipynb", as_version=4)
    assert inspection.problems(built) == []
    printed = "".join(output.text for cell in built.cells for output in cell.get("outputs", []))
    assert printed == ("99_toy: quick profile (set by LLIE_PROFILE), on the CPU, seed 0.\n[]\n")
    assert "execution" not in str([cell.metadata for cell in built.cells])


def test_a_lesson_that_fails_leaves_the_old_notebook_alone(course):
    old = course.parent.parent / "99_toy.ipynb"
    old.write_text("old")
    with pytest.raises(CourseError, match="ZeroDivisionError"):
        build.build(_with(course, SETUP, "# %%\n1 / 0"))
    assert old.read_text() == "old"
    assert [path.name for path in old.parent.iterdir()] == ["source", "99_toy.ipynb"]


def test_an_error_in_a_widgets_callback_is_an_error(course):
    widget = "import ipywidgets\n\nipywidgets.interact(lambda x: 1 / x, x=[0, 1])"
    with pytest.raises(CourseError, match="A widget failed: ZeroDivisionError"):
        build.build(_with(course, SETUP, f"# %%\n{widget}"))


def _with(source, old, new):
    # Kernels are processes of their own, where the toy's checks do not exist.
    text = TOY[: TOY.index("# %% [markdown]\n# {{exercise")]
    text = text.replace("from llie_helpers.lessons.checks import lesson_99 as check\n\n", "")
    source.write_text(text.replace(old, new))
    return source


def test_check_reports_each_notebook(course, capsys, monkeypatch):
    monkeypatch.setattr(build, "repository", lambda: ADDRESS)
    root = course.parents[2]
    assert build.check_all({"99_toy": course}, root) == 1
    assert "never built" in capsys.readouterr().out
    nbformat.write(executed(course), root / "notebooks" / "99_toy.ipynb")
    assert build.check_all({"99_toy": course}, root) == 0
    assert capsys.readouterr().out == "99_toy: up to date\n"
    shutil.copy(root / "notebooks" / "99_toy.ipynb", root / "notebooks" / "98_gone.ipynb")
    assert build.check_all({"99_toy": course}, root) == 1
    assert "98_gone: needs a rebuild\n  - it has no source" in capsys.readouterr().out


def test_instructors_get_an_unexecuted_copy_with_solutions(course, tmp_path, monkeypatch):
    monkeypatch.setattr(build, "repository", lambda: ADDRESS)
    build.write_instructor_copy(course, tmp_path / "out")
    text = (tmp_path / "out" / "99_toy.ipynb").read_text()
    assert text.count("return 2 * x") == 1  # in the cell that nbgrader clears
    assert "Hint" not in text
    build.write_instructor_copy(course, tmp_path / "out", answers=True)
    text = (tmp_path / "out" / "99_toy.ipynb").read_text()
    assert text.count("return 2 * x") == 2
    assert "By two." in text


def test_publishing_moves_every_address_and_keeps_the_outputs(course):
    root = course.parents[2]
    path = root / "notebooks" / "99_toy.ipynb"
    nbformat.write(executed(course), path)
    original = (ROOT / "README.md").read_text()
    readme = root / "README.md"
    readme.write_text(
        original.replace(repository(), ADDRESS).replace(
            publishing.site(repository()), publishing.site(ADDRESS)
        )
    )
    assert "Not published yet" in readme.read_text()
    changed = publishing.publish_as("somebody/lights", root)
    assert changed == ["pyproject.toml", "README.md", "notebooks/99_toy.ipynb"]
    assert not any(ADDRESS in file.read_text() for file in root.rglob("*") if file.is_file())
    published = readme.read_text()
    assert "Not published yet" not in published
    assert not re.search(r"\bsome_body\b|nobody can register", published)
    assert len(published.split("\n\n")) == len(original.split("\n\n")) - 1
    assert "https://somebody.github.io/lights/" in published
    moved = nbformat.read(path, as_version=4)
    assert inspection.drift(moved, notebook(course, "somebody/lights")) == ""
    assert inspection.problems(moved) == []


def test_publishing_refuses_a_stale_notebook_and_changes_nothing(course):
    root = course.parents[2]
    nbformat.write(executed(course), root / "notebooks" / "99_toy.ipynb")
    course.write_text(TOY.replace("2 + 2", "2 + 3"))
    with pytest.raises(CourseError, match="out of date"):
        publishing.publish_as("somebody/lights", root)
    assert ADDRESS in (root / "pyproject.toml").read_text()


def test_publishing_refuses_what_is_no_address(course):
    with pytest.raises(CourseError, match="expected OWNER/REPO"):
        publishing.publish_as("https://github.com/a/b", course.parents[2])


def test_an_unknown_lesson_is_told_with_its_nearest_name(monkeypatch, course):
    monkeypatch.setattr(build, "sources", lambda: {"99_toy": course})
    with pytest.raises(CourseError, match="did you mean 99_toy"):
        build.main(["--check", "99_toi"])


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--answers"], "--answers is for --instructor"),
        (["--answers", "--check"], "--answers is for --instructor"),
        (["--publish-as", "some-body/dark", "99_toy"], "moves all lessons"),
    ],
)
def test_an_option_that_would_be_ignored_is_refused(arguments, sentence, monkeypatch, capsys):
    for name in ("sources", "build"):
        monkeypatch.setattr(build, name, lambda *_: {})
    monkeypatch.setattr(publishing, "publish_as", lambda _: [])
    with pytest.raises(SystemExit) as end:
        build.main(arguments)
    assert end.value.code == 2
    assert sentence in capsys.readouterr().err
