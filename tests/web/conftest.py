"""The built page on a server of its own."""

import pytest
import webpage


@pytest.fixture(scope="session", autouse=True)
def _built():
    if not webpage.DIST.is_dir():
        pytest.skip(f"the page is not built: `{webpage.PROGRAM} build`")


@pytest.fixture(scope="module")
def server():
    """The page's address, and the paths asked for so far."""
    with webpage.served() as server:
        yield server
