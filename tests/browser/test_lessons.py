"""The lessons in JupyterLab: Run All, and everything is there."""

from contextlib import contextmanager

import pytest
from builder.source import sources

FIRST, *OTHERS = sources()
pytestmark = pytest.mark.browser


@contextmanager
def ran(opened, name):
    with opened(name, viewport={"width": 1280, "height": 900}) as notebook:
        notebook.run_all()
        assert notebook.errors() == []
        assert notebook.broken_images() == 0
        for width in (1280, 900, 390):
            notebook.page.set_viewport_size({"width": width, "height": 900})
            assert notebook.too_wide() == [], width
        yield notebook
        notebook.page.evaluate("jupyterapp.serviceManager.sessions.shutdownAll()")


def test_the_first_lesson_runs_shows_all_and_has_no_barrier(opened):
    with ran(opened, FIRST) as notebook:
        assert notebook.serious() == []


@pytest.mark.slow
@pytest.mark.parametrize("name", OTHERS)
def test_another_lesson_runs_and_shows_all(opened, name):
    with ran(opened, name):
        pass
