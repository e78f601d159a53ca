"""What tests of training share."""

import pytest
from toys import toy_pairs

from llie_helpers.data import Pairs


@pytest.fixture
def train() -> Pairs:
    return toy_pairs("toy/train")


@pytest.fixture
def val() -> Pairs:
    return toy_pairs("toy/val", 2, seed=1)
