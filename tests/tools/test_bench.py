"""The benchmark measures what it says."""

import numpy as np
import pytest
from bench_data import ByOpenCV, DataSpeed, bench_data
from bench_enhance import bench_photos, bench_video
from bench_inference import bench_inference

from llie_helpers.data import load_pairs, source
from llie_helpers.errors import CourseError
from llie_helpers.images import save_image, to_float
from llie_helpers.models import create_model
from llie_helpers.models.cost import count_parameters


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


def test_both_ways_are_measured(lol):
    speed = bench_data("lol_v1", seconds=0.2)
    assert speed.title == "lol_v1/train"
    assert speed.cached > 0
    assert speed.decoded > 0


def test_both_ways_read_the_same_pixels(lol):
    cached = load_pairs("lol_v1", "train")
    files = {file.name: file for file in source("lol_v1").listing().files}
    decoded = ByOpenCV([files[name] for name in cached.names])
    assert len(decoded) == len(cached)
    for i in range(len(cached)):
        for one, other in zip(cached.raw(i), decoded[i], strict=True):
            np.testing.assert_array_equal(one, other)


def test_the_report_shows_both_ways_and_their_ratio():
    text = str(DataSpeed("lol_v1/train", cached=2000.0, decoded=20.0))
    assert "2,000 a second" in text
    assert "20.0 a second" in text
    assert "100 times" in text


def test_networks_are_timed_beside_clahe(monkeypatch):
    monkeypatch.setattr("llie_helpers.bench_inference.list_models", lambda: ["dual_branch"])
    costs = {cost.method: cost for cost in bench_inference(64, 48, repeats=1)}
    assert set(costs) == {"clahe", "dual_branch"}
    for cost in costs.values():
        assert cost.milliseconds > 0
        assert cost.megabytes > 50
    ours = costs["dual_branch"]
    assert ours.parameters == count_parameters(create_model("dual_branch"))
    assert 0 < ours.gmacs < 0.1
    assert min(ours.onnx) > 0
    assert costs["clahe"].onnx is None
    assert len({len(str(cost)) for cost in costs.values()}) == 1


def test_a_bench_of_nothing_is_refused():
    with pytest.raises(CourseError, match="not possible"):
        bench_inference(8, 8)


def test_large_photographs_and_a_video_are_timed(monkeypatch):
    (cost,) = bench_photos("dual_branch", "embedded", [0.1])
    assert cost.seconds > 0
    assert cost.megabytes > 50
    assert "0.1 megapixels" in str(cost)
    monkeypatch.setattr("llie_helpers.bench_enhance.VIDEO", (64, 48))
    whole, fast = bench_video("dual_branch", "embedded", frames=5)
    assert whole.frames_per_second > 0
    assert fast.frames_per_second > 0
    assert "exposure alone" in str(fast)
