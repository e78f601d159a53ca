"""The bars of what errors consist of."""

from types import SimpleNamespace

import numpy as np

from llie_helpers import plotting
from llie_helpers.data import Pairs
from llie_helpers.metrics import evaluate


def test_a_bar_for_each_method():
    low, normal = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), dtype=np.uint8)
    pairs = Pairs("one", ("a",), (0,), [(low, normal)])
    methods = {"identity": lambda x: x, "half": lambda x: x / 2}
    figure = plotting.show_error_parts({name: evaluate(it, pairs) for name, it in methods.items()})
    (axis,) = figure.axes
    assert [text.get_text() for text in axis.get_yticklabels()] == ["identity", "half"]
    assert len(axis.patches) == 8
    assert figure.alt.count("brightness") == 2


def test_a_negative_part_is_drawn_to_the_left_of_zero():
    evaluation = SimpleNamespace(brightness=-0.02, light=0.01, colour=0.03, detail=0.04)
    (axis,) = plotting.show_error_parts({"it": evaluation}).axes
    ends = [(bar.get_x(), bar.get_x() + bar.get_width()) for bar in axis.patches]
    assert np.allclose(ends, [(0, -0.02), (0, 0.01), (0.01, 0.04), (0.04, 0.08)])
