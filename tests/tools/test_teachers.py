"""The page for teachers says what the lessons and the checks say."""

import re

import pytest
import teachers
from builder.source import find_check, sources

PAGE = teachers.PAGE.read_text(encoding="utf-8")


def test_the_page_is_up_to_date(capsys):
    assert teachers.main(["--check"]) == 0
    assert "matches" in capsys.readouterr().out


def test_drift_is_told_and_written_over(tmp_path, capsys):
    drifted = tmp_path / "teachers.md"
    drifted.write_text(PAGE.replace("of which exercises", "exercises").replace("take float", ""))
    assert teachers.main(["--check"], drifted) == 1
    assert "does not match" in capsys.readouterr().out
    assert teachers.main([], drifted) == 0
    assert drifted.read_text(encoding="utf-8") == PAGE


@pytest.mark.parametrize("name", sources())
def test_a_lesson_is_there_with_all_mistakes(name):
    assert f"(../notebooks/{name}.ipynb)" in PAGE
    for exercise in re.findall(r"\{\{exercise (\w+)\}\}", sources()[name].read_text("utf-8")):
        check = find_check(name, exercise)
        assert f"**{check.title}** ({check.minutes} min)" in PAGE
        assert all(teachers._plain(sentence) in PAGE for sentence in check.mistakes)
