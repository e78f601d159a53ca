import numpy as np
import pytest

from llie_helpers.data import lighting_scenes as module
from llie_helpers.data.embedded import SPLITS
from llie_helpers.data.lighting_scenes import KINDS, lighting_scenes


@pytest.fixture(scope="module")
def scenes():
    return lighting_scenes()


def test_every_kind_has_every_test_photograph(scenes):
    assert set(scenes) == set(KINDS)
    for kind, pairs in scenes.items():
        photographs = [name.split("_")[0] for name in pairs.names]
        assert set(photographs) == set(SPLITS["test"][0])
        assert len(pairs) == len(set(pairs.scenes)) * len(KINDS[kind])
        assert pairs.names[0] == f"coffee_{kind}_{KINDS[kind][0]:g}"


def test_more_stops_are_darker(scenes):
    means = [pair.low.mean() for pair in scenes["dark"]]
    assert (np.diff(np.reshape(means, (3, len(KINDS["dark"])))) < 0).all()


def test_backlit_scenes_keep_their_highlights_and_lose_their_shadows(scenes):
    for pair in scenes["backlit"]:
        brightness = pair.normal.mean(dim=0)
        ratio = pair.low.mean(dim=0) / brightness.clamp(min=0.02)
        light = brightness >= brightness.quantile(0.98)
        dark = brightness <= brightness.quantile(0.3)
        assert ratio[light].median() > 0.85, pair.name
        assert ratio[dark].median() < 0.8 * ratio[light].median(), pair.name


def test_full_light_needs_no_change_and_has_whites(scenes):
    assert all(low is normal for low, normal in map(scenes["full"].raw, range(6)))
    whites = sum(int((low.amin(dim=0) >= 250 / 255).sum()) for low, *_ in scenes["full"])
    assert whites > 5000


def test_pairs_are_the_same_in_every_run_and_cannot_be_changed(scenes):
    before = scenes["dark"].raw(3)
    module._pair.cache_clear()
    after = lighting_scenes()["dark"].raw(3)
    assert all(map(np.array_equal, before, after))
    with pytest.raises(ValueError, match="read-only"):
        after[0][:] = 0
