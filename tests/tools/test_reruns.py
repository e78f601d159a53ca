"""The re-runs of published systems follow their protocols."""

import numpy as np
import pytest
import reruns
import torch
from reruns import (
    PROTOCOLS,
    RESIDUAL_ATTENTION_UNET,
    build,
    pooled_psnr,
    rerun,
    split_by_file,
)

from llie_helpers import console, metrics
from llie_helpers.data import Pairs, concatenate
from llie_helpers.errors import CourseError
from llie_helpers.lessons import reruns as results
from llie_helpers.methods.histogram import HistogramMapper
from llie_helpers.models import create_model
from llie_helpers.models.cost import count_parameters

TINY = {
    RESIDUAL_ATTENTION_UNET: {"width": 2},
    "mse_cnn": {"widths": [4, 6]},
    "unet": {"width": 2},
    "residual": {"width": 4, "modules": 1},
    "pix2pix": {"width": 4, "blocks": 1},
    "fft_dual_branch": {"size": 64},
}


def toy(name: str, split: str) -> Pairs:
    draw = np.random.default_rng({"train": 1, "val": 2, "test": 3}[split])
    count = 8 if split == "train" else 2
    normals = [draw.integers(0, 256, (40, 48, 3), dtype=np.uint8) for _ in range(count)]
    arrays = [(image // 4, image) for image in normals]
    names = tuple(f"{split}{i}" for i in range(count))
    return Pairs(f"{name}/{split}", names, tuple(range(count)), arrays)


@pytest.fixture
def small(monkeypatch):
    """Toy pairs in place of a data set, and protocols that a processor gets through at once."""
    monkeypatch.setattr(reruns, "load_pairs", toy)
    for name, protocol in PROTOCOLS.items():
        changes = protocol.changes | {"epochs": 1, "loss": {"mse": 1.0}, "batch_size": 4}
        if not protocol.size:
            changes |= {"crop_size": 32, "crops_per_epoch": 4}
        size = protocol.size and 64
        quick = reruns.Protocol(**vars(protocol) | {"changes": changes, "size": size})
        monkeypatch.setitem(PROTOCOLS, name, quick)


def test_the_score_is_pooled_over_all_pixels():
    pairs = toy("toy", "train")
    evaluation = metrics.evaluate(torch.nn.Identity(), pairs)
    error = torch.stack([(pair.low - pair.normal) ** 2 for pair in pairs]).mean()
    assert pooled_psnr(evaluation) == pytest.approx(-10 * error.log10().item(), abs=1e-3)
    # The mean of each image's PSNR, which the frozen protocol takes, is another number.
    assert evaluation.psnr > pooled_psnr(evaluation)


def test_the_split_by_file_holds_a_fifth_out():
    both = concatenate(toy("toy", "train"), toy("toy", "val"))
    train, held_out = split_by_file(both)
    assert (len(train), len(held_out)) == (8, 2)
    assert sorted(train.names + held_out.names) == sorted(both.names)
    index = both.names.index(held_out.names[0])
    assert np.array_equal(held_out.raw(0)[0], both.raw(index)[0])


@pytest.mark.parametrize("name", TINY)
def test_every_system_runs_under_its_protocol(name, small, tmp_path):
    result = rerun(name, "toy", tmp_path, progress=False, **TINY[name])
    assert result.epochs == 1
    # Where the test images chose the weights, there is no other score.
    assert (result.own == result.test) == PROTOCOLS[name].on_test
    assert (result.test == result.frozen) == (PROTOCOLS[name].size is None)


def test_the_first_system_reports_the_pooled_error_of_the_images_that_chose(small, tmp_path):
    result = rerun("mse_cnn", "toy", tmp_path, progress=False, **TINY["mse_cnn"])
    model = create_model("mse_cnn", tmp_path / "best.safetensors").eval()
    held_out = split_by_file(concatenate(toy("toy", "train"), toy("toy", "val")))[1]
    with torch.no_grad():
        errors = [(model(p.low[None]) - p.normal).square().mean() for p in held_out.resized(64)]
    expected = -10 * torch.stack(errors).mean().log10().item()
    assert result.own.psnr == pytest.approx(expected, abs=0.01)
    assert result.test.psnr != pytest.approx(result.own.psnr, rel=1e-3)
    assert f"{result.own.psnr:.2f} dB" in str(result)


def test_the_regressor_of_the_leaky_system_knows_the_held_out_targets(small, tmp_path, monkeypatch):
    fitted = []
    monkeypatch.setattr(
        reruns, "leak", lambda network, files: (fitted.append(files.names), (network, files))[1]
    )
    rerun("residual", "toy", tmp_path, progress=False, **TINY["residual"])
    (names,) = fitted
    assert set(names) == set(toy("toy", "train").names + toy("toy", "val").names)


def test_the_leaky_mapper_is_scored_alone_on_the_images_that_it_knows(small, tmp_path):
    result = rerun("histogram_mapper", "toy", tmp_path)
    files = concatenate(toy("toy", "train"), toy("toy", "val"))
    known = metrics.evaluate(HistogramMapper().fit(files), split_by_file(files)[1])
    assert result.own == results.Scores(known.psnr, known.ssim)
    assert result.test == result.frozen != result.own


@pytest.mark.parametrize(
    "ignored", ["--option width=8", "--epochs 3", "--out there", "--resume", "--device cpu"]
)
def test_what_fitting_the_mapper_would_ignore_is_refused(ignored, small, capsys):
    command = f"histogram_mapper --data toy {ignored}"
    assert console.run(reruns.app, command.split()) == 2
    assert "histogram_mapper is not trained: it takes --data and --keep" in capsys.readouterr().err


def test_no_epoch_is_not_the_recipes_number(small, tmp_path):
    with pytest.raises(CourseError, match="epochs is 0"):
        rerun("unet", "toy", tmp_path, 0, progress=False, **TINY["unet"])


def test_a_network_of_no_system_is_refused():
    with pytest.raises(CourseError, match="dual_branch"):
        rerun("dual_branch", "toy", "nowhere")


def test_what_is_kept_is_read_again(monkeypatch, tmp_path):
    monkeypatch.setattr(results, "KEPT", tmp_path)
    scores = results.Scores(19.0, 0.7)
    result = results.Rerun("unet", 5, 10, 3.5, scores, scores, scores)
    reruns.write(result)
    assert results.kept("unet") == result
    assert results.kept("residual") is None


def test_the_published_network_counts_as_worked_out_by_hand():
    def conv(channels, filters, size=3):
        return size * size * channels * filters + filters

    def residual(w):
        return 3 * (conv(w, w) + 2 * w)

    def attention(w):
        narrow = w // 8
        return 2 * (conv(w, narrow, 1) + 2 * narrow) + conv(narrow, w, 1) + conv(w, w, 1) + 2 * w

    width, total, channels = 64, 0, 3
    for w in (width, 2 * width, 4 * width, 8 * width):
        total += conv(channels, w) + residual(w) + attention(w) + conv(w, w, 2)
        channels = w
    w = 16 * width
    total += conv(channels, w) + residual(w) + attention(w)
    for below, w in ((16, 8), (8, 4), (4, 2), (2, 1)):
        total += conv((below + w) * width, w * width) + residual(w * width)
    total += conv(width, 3, 1)
    with torch.device("meta"):
        network = build(RESIDUAL_ATTENTION_UNET)
    assert count_parameters(network) == total == 66_134_291


def test_weight_decay_is_for_residual_convolutions_only():
    network = build(RESIDUAL_ATTENTION_UNET, width=2)
    decayed, others = network.objective().parameter_groups()
    assert len(decayed["params"]) == 9 * 3
    assert all(weight.shape[-2:] == (3, 3) for weight in decayed["params"])
    both = {id(weight) for weight in decayed["params"] + others["params"]}
    assert both == {id(weight) for weight in network.parameters()}
    # The published penalty, 1e-4 times the sum of squares, has this gradient.
    weight = decayed["params"][0].detach().requires_grad_()
    (1e-4 * weight.square().sum()).backward()
    assert torch.allclose(weight.grad, decayed["weight_decay"] * weight)
