"""Chromium for the tests and tools that need a browser."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from llie_helpers.errors import CourseError


@contextmanager
def chromium(*arguments: str) -> Iterator[Any]:
    """Yield a headless Chromium with more command-line ``arguments``, as Playwright's browser.

    Raises:
        CourseError: Chromium or Playwright is missing.
    """
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        raise CourseError("Chromium is not installed.")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError as error:
        raise CourseError("Playwright is missing: run `pip install playwright`.") from error
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program, args=["--no-sandbox", *arguments]
        )
        yield browser
        browser.close()
