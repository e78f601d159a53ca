"""What tests of several rooms share."""

from contextlib import ExitStack

import pytest
from chromium import chromium
from hypothesis import HealthCheck, settings

from llie_helpers.errors import CourseError

# An example may take any time: other tests run beside it.
settings.register_profile("course", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("course")


@pytest.fixture(scope="module")
def browser(request):
    """Chromium, driven by Playwright, with the options that a module lists in CHROMIUM."""
    with ExitStack() as stack:
        try:
            browser = stack.enter_context(chromium(*getattr(request.module, "CHROMIUM", ())))
        except CourseError as reason:
            pytest.skip(str(reason))
        yield browser
