"""What tests of several rooms share."""

from contextlib import ExitStack

import pytest
from chromium import chromium

from llie_helpers.errors import CourseError


@pytest.fixture(scope="module")
def browser(request):
    """Chromium, driven by Playwright, with the options that a module lists in CHROMIUM."""
    with ExitStack() as stack:
        try:
            browser = stack.enter_context(chromium(*getattr(request.module, "CHROMIUM", ())))
        except CourseError as reason:
            pytest.skip(str(reason))
        yield browser
