"""The table to beat: tuned on training pairs, scored on test pairs."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from llie_helpers import lessons, metrics
from llie_helpers.data import Pairs
from llie_helpers.errors import CourseError
from llie_helpers.lessons import baseline


def darkened(exponent: float, seed: int, count: int = 3) -> Pairs:
    """Pairs whose low images give the normal ones by ``low ** exponent``."""
    draw = np.random.default_rng(seed)
    normals = [draw.integers(64, 256, (16, 24, 3), dtype=np.uint8) for _ in range(count)]
    lows = [np.rint(255 * (image / 255) ** (1 / exponent)).astype(np.uint8) for image in normals]
    names = tuple(f"{seed}-{i}" for i in range(count))
    return Pairs("darkened", names, tuple(range(count)), list(zip(lows, normals, strict=True)))


@pytest.mark.parametrize("exponent", [0.15, 0.5])
def test_gamma_is_tuned_on_the_pairs_that_it_is_given(exponent):
    assert lessons.tune_gamma(darkened(exponent, seed=0)) == exponent


def test_a_split_without_pairs_is_refused():
    with pytest.raises(CourseError, match="no pairs to tune on"):
        lessons.baselines(darkened(0.5, seed=0)[:0], darkened(0.5, seed=1))


def test_a_smoothed_method_loses_its_grain_and_keeps_its_edges():
    clean = torch.full((2, 3, 24, 32), 0.3)
    clean[..., 16:] = 0.9
    grainy = clean + 0.05 * torch.randn(clean.shape, generator=torch.Generator().manual_seed(0))
    smooth = lessons.smoothed(lambda images: images, similar=0.2)(grainy)
    assert smooth.shape == grainy.shape
    assert (smooth - clean).std() < (grainy - clean).std() / 2


def test_the_filter_is_tuned_on_the_pairs_that_it_is_given():
    pairs = darkened(0.5, seed=0)  # of noise alone, which a filter can only spoil
    assert lessons.tune_smoothing(lambda images: images**0.5, pairs) == 0.1


@pytest.mark.parametrize("dtype", [torch.float16, torch.float64])
def test_a_network_may_be_smoothed(dtype):
    network = torch.nn.Conv2d(3, 3, 1).to(dtype)
    images = torch.rand(1, 3, 20, 20, dtype=dtype)
    smooth = lessons.smoothed(network, similar=10.0)(images)
    assert smooth.dtype == dtype
    assert smooth.std() < network(images).std()


def test_every_baseline_is_scored_on_the_test_pairs():
    train, test = darkened(0.3, seed=0), darkened(0.3, seed=1)
    found = lessons.baselines(train, test)
    assert list(found.scores) == list(found.methods) == [
        "identity", "gamma 0.5", "gamma, tuned", "CLAHE", "histogram equalisation", "Retinex",
        "LIME", "histogram mapper",
    ]  # fmt: skip
    for title, method in found.methods.items():
        assert found.scores[title].psnr == metrics.evaluate(method, test).psnr
    assert found.tuned_gamma == found.best == "gamma, tuned"
    assert found.methods[found.best].gamma == 0.3
    assert found.table().rows[2][:2] == [found.best, f"{found.scores[found.best].psnr:.2f}"]


def test_scores_on_lol_are_those_that_lesson_02_measured():
    kept = lessons.measured("02_histograms")
    pairs = darkened(0.3, seed=0)
    found = lessons.baselines(pairs, pairs)
    table = found.table()
    of_title = {row[0]: row[-1] for row in table.rows}
    assert table.header[-1] == "PSNR on LOL v1 (dB)"
    assert of_title == {title: f"{psnr:.2f}" for title, psnr in kept["baselines"].items()}
    assert kept["baselines"]["histogram mapper"] == kept["mapper"]["test pairs"]


def test_on_lol_itself_its_scores_are_shown_once():
    pairs = replace(darkened(0.3, seed=0), title="lol_v1/test")
    assert len(lessons.baselines(pairs, pairs).table().header) == 4


@pytest.mark.parametrize(
    ("psnr", "ssim", "told"),
    [
        (90.0, 1.0, "beats the histogram mapper"),
        (1.0, 0.0, "loses to the histogram mapper"),
        (1.0, 1.0, "but it wins in SSIM (1.000 against"),
        (90.0, 1.0, "and also wins in SSIM"),
    ],
)
def test_the_lessons_own_rows_say_whether_they_win(psnr, ssim, told):
    found = lessons.baselines(darkened(0.3, seed=0), darkened(0.3, seed=1))
    score = replace(found.scores["identity"], psnr=psnr, ssim=ssim)
    table = found.table({"mine": score})
    assert told in table.note
    assert [row[0] for row in table.rows] == ["histogram mapper", "mine"]
    assert list(table.colours) == ([1] if psnr == 1 else [])
    assert ("background-color:#D55E00" in table._repr_html_()) == (psnr == 1)
    assert str(table).endswith(table.note)


def test_the_mapper_is_left_out_where_xgboost_is_not_installed(monkeypatch):
    monkeypatch.setattr(baseline, "find_spec", lambda name: None)
    pairs = darkened(0.5, seed=0)
    found = lessons.baselines(pairs, pairs)
    assert "histogram mapper" not in found.scores
