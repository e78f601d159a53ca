"""The lessons in JupyterLab: Run All, and everything is there."""

import pytest
from builder.source import sources

FIRST, *OTHERS = sources()
pytestmark = pytest.mark.browser


def run(opened, name):
    with opened(name, viewport={"width": 1280, "height": 900}) as notebook:
        notebook.run_all()
        assert notebook.errors() == []
        assert notebook.broken_images() == 0
        for width in (1280, 900, 390):
            notebook.page.set_viewport_size({"width": width, "height": 900})
            assert notebook.too_wide() == [], width
        notebook.page.evaluate("jupyterapp.serviceManager.sessions.shutdownAll()")


def test_the_first_lesson_runs_and_shows_all(opened):
    run(opened, FIRST)


@pytest.mark.slow
@pytest.mark.parametrize("name", OTHERS)
def test_another_lesson_runs_and_shows_all(opened, name):
    run(opened, name)
