"""What tests of data sets share."""

import pytest

from llie_helpers.data import report


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A folder, not yet made, where the course looks for data; the cache is beside it."""
    monkeypatch.setenv("LLIE_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("LLIE_CACHE", str(tmp_path / "cache"))
    report._warn_once.cache_clear()
    return tmp_path / "data"
