"""The benchmarks measure what they say."""

import itertools
import time

import bench
import numpy as np
import pytest
from benchmarks import inference
from benchmarks.data import DataSpeed, bench_data, decoded_pairs, items_per_second
from benchmarks.inference import bench_inference, cost_table

from llie_helpers.console import run
from llie_helpers.data import load_pairs
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


def test_speed_is_measured(monkeypatch):
    ticks = itertools.count(step=0.25)
    monkeypatch.setattr(time, "perf_counter", lambda: next(ticks))
    assert items_per_second(range(2), seconds=2.0) == 7 / 2


def test_both_ways_are_measured(lol):
    speed = bench_data("lol_v1", seconds=0.2)
    assert speed.title == "lol_v1/train"
    assert speed.cached > 0
    assert speed.decoded > 0


def test_both_ways_read_the_same_pixels(lol):
    cached = load_pairs("lol_v1", "train")
    decoded = decoded_pairs("lol_v1", cached)
    assert len(decoded) == len(cached)
    for i in range(len(cached)):
        for one, other in zip(cached.raw(i), decoded.raw(i), strict=True):
            np.testing.assert_array_equal(one, other)


def test_the_report_shows_both_ways_and_their_ratio():
    text = str(DataSpeed("lol_v1/train", cached=2000.0, decoded=20.0))
    assert "2,000 a second" in text
    assert "20.0 a second" in text
    assert "100 times" in text


@pytest.mark.slow
def test_networks_are_timed_beside_clahe(monkeypatch):
    # Processes of their own take seconds; the next test has some.
    monkeypatch.setattr(inference, "alone", lambda function, *arguments: function(*arguments))
    costs = {cost.method: cost for cost in bench_inference(["mse_cnn"], 64, 48, repeats=1)}
    assert set(costs) == {"clahe", "mse_cnn"}
    for cost in costs.values():
        assert cost.milliseconds > 0
        assert cost.megabytes > 50
    ours = costs["mse_cnn"]
    assert ours.parameters == count_parameters(create_model("mse_cnn"))
    assert 0 < ours.gmacs < 0.1
    assert min(ours.onnx) > 0
    assert costs["clahe"].onnx is None


def test_an_operation_that_onnx_lacks_is_a_dash():
    cost = inference.InferenceCost("fft", 1000, 0.5, 20.0, 300.0)
    assert str(cost_table([cost])).splitlines()[1].split() == [
        *("fft", "1,000", "0.50", "20", "300", "-", "-")
    ]


@pytest.mark.slow
def test_large_photographs_and_a_video_are_timed(capsys):
    pytest.importorskip("av")
    small = "--megapixels 0.1 --frames 5 --size 64x48 --weights embedded"
    assert run(bench.app, ["enhance", *small.split()]) == 0
    printed = capsys.readouterr().out
    assert "0.1 megapixels" in printed
    assert "whole network" in printed
    assert "exposure alone" in printed


@pytest.mark.parametrize(
    ("command", "code", "sentence"),
    [
        ("data --data embedded", 1, "no files to decode"),
        ("inference --size 8x8", 1, "not possible"),
        ("inference --size 8", 2, "not of the form WIDTHxHEIGHT"),
        ("quality --weights lol_v1", 2, "needs a --model"),
    ],
)
def test_what_cannot_be_measured_is_one_sentence(command, code, sentence, capsys):
    assert run(bench.app, command.split()) == code
    assert sentence in capsys.readouterr().err
