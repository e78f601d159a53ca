"""Claims of the text are evaluated where the notebook runs, by the builder and by nbval."""

import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from builder import claims, execution
from nbformat import v4

from llie_helpers.errors import CourseError

ROOT = Path(__file__).parents[2]


def lesson(*claimed):
    """A notebook whose text between two cells makes claims about the first."""
    text = v4.new_markdown_cell("The second is larger.", metadata={"claims": list(claimed)})
    code = "import math\nscores = {'first': 1.0, 'second': 2.0}\nlimit = 3"
    return v4.new_notebook(cells=[v4.new_code_cell(code), text, v4.new_code_cell("limit = 0")])


def test_claims_are_taken_out_of_the_text():
    text = "It is larger.\n\n{{claim a > {1: 2}[1]}}\n{{ claim b }}\n\nThe rest.\n"
    assert claims.split(text) == ("It is larger.\n\nThe rest.", ["a > {1: 2}[1]", "b"])


@pytest.mark.parametrize(
    ("text", "message"),
    [("Larger.\n{{claim a >}}", "not an expression"), ("{{claim a > b}}", "is alone")],
)
def test_a_claim_is_an_expression_beside_a_sentence(text, message):
    with pytest.raises(CourseError, match=message):
        claims.split(text)


TRUE = "scores['second'] > scores['first'] and all(score < limit for score in scores.values())"
FALSE = "math.sqrt(scores['first']) > limit"


@pytest.mark.parametrize(("claim", "word"), [(FALSE, "is false"), ("nothing", "NameError")])
def test_a_claim_that_does_not_hold_is_told_with_its_values(claim, word):
    namespace = {"scores": {"first": 1.0}, "limit": 3, "math": __import__("math")}
    with pytest.raises(AssertionError, match=word) as told:
        exec(claims.probe(claim), namespace)
    if claim == FALSE:
        assert "limit = 3" in str(told.value)
        assert "math.sqrt(scores['first']) = 1.0" in str(told.value)
        assert "math = " not in str(told.value)


def test_a_probe_leaves_no_names_behind():
    namespace = {"scores": {"first": 0, "second": 1}, "limit": 3}
    exec(claims.probe(TRUE), namespace)
    assert namespace.keys() == {"scores", "limit", "__builtins__"}


@pytest.mark.slow
def test_a_false_claim_fails_the_build(tmp_path):
    built = lesson(TRUE)
    execution.execute(built, tmp_path, {})
    assert [cell.execution_count for cell in built.cells if cell.cell_type == "code"] == [1, 2]
    with pytest.raises(CourseError) as told:
        execution.execute(lesson(TRUE, FALSE), tmp_path, {})
    for part in ("After cell [1]", FALSE, "limit = 3", "The second is larger."):
        assert part in str(told.value)


@pytest.mark.slow
def test_a_false_claim_fails_under_nbval(tmp_path):
    for name, claim in {"right": TRUE, "wrong": FALSE}.items():
        nbformat.write(lesson(claim), tmp_path / f"{name}.ipynb")
    command = "-m pytest -p conftest -p no:cacheprovider --nbval-lax --nbval-current-env -q ."
    environment = os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tools'}"}
    environment.pop("PYTEST_ADDOPTS", None)  # such as a share of lines that tests must cover
    done = subprocess.run(
        [sys.executable, *command.split()],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "1 failed, 3 passed" in done.stdout, done.stdout
    assert "FAILED wrong.ipynb::Cell 0" in done.stdout
    assert "limit = 3" in done.stdout
