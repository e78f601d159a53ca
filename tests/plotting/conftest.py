"""What tests of figures share."""

import matplotlib as mpl
import pytest

from llie_helpers import plotting


@pytest.fixture(autouse=True)
def style():
    with mpl.rc_context():
        plotting.use_style()
        yield
