"""The page for teachers says what the lessons and the checks say."""

import re

import pytest
import teachers
from builder.source import find_check, sources

PAGE = teachers.PAGE.read_text(encoding="utf-8")


def test_the_page_is_up_to_date():
    assert teachers.with_parts(PAGE) == PAGE, "run `python tools/teachers.py`"


def test_drift_is_written_over():
    drifted = PAGE.replace("of which exercises", "exercises").replace("take float", "")
    assert teachers.with_parts(drifted) == PAGE != drifted


@pytest.mark.parametrize("name", sources())
def test_a_lesson_is_there_with_all_mistakes(name):
    assert f"(../notebooks/{name}.ipynb)" in PAGE
    for exercise in re.findall(r"\{\{exercise (\w+)\}\}", sources()[name].read_text("utf-8")):
        check = find_check(name, exercise)
        assert f"**{check.title}** ({check.minutes} min)" in PAGE
        for sentence in check.mistakes:
            assert (teachers._plain(sentence) in PAGE) == (" Also, " not in sentence)
