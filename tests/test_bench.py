"""The benchmark measures what it says."""

import numpy as np
import pytest

from llie_helpers.bench import DataSpeed, bench_data
from llie_helpers.images import save_image, to_float


@pytest.fixture
def lol(tmp_path, monkeypatch):
    """Pairs of photograph size in the layout of LOL v1."""
    monkeypatch.setenv("LLIE_DATA", str(tmp_path))
    monkeypatch.setenv("LLIE_RUNS", str(tmp_path / "runs"))
    draw = np.random.default_rng(0)
    for i, folder in enumerate(["our485"] * 4 + ["eval15"]):
        image = to_float(draw.integers(0, 256, (400, 600, 3), dtype=np.uint8))
        for side in ("low", "high"):
            save_image(tmp_path / "lol_dataset" / folder / side / f"{i}.png", image)


def test_the_cache_is_much_faster_than_decoding(lol):
    speed = bench_data("lol_v1", seconds=0.5)
    assert speed.title == "lol_v1/train"
    # 20 times is promised on an idle computer; a busy one blurs both numbers.
    assert speed.ratio > 5


def test_the_report_shows_both_ways_and_their_ratio():
    text = str(DataSpeed("lol_v1/train", cached=2000.0, decoded=20.0))
    assert "2,000 a second" in text
    assert "20.0 a second" in text
    assert "100 times" in text
