import logging
import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from llie_helpers import data, images, metrics
from llie_helpers.data.pairs import Pairs, concatenate
from llie_helpers.data.synthesis import to_linear
from llie_helpers.errors import CourseError
from llie_helpers.methods import Method, NetworkMethod, classical
from llie_helpers.metrics import evaluation, scores
from llie_helpers.models import create_model
from llie_helpers.models.network import Network


def random_images(seed, n, height, width):
    """Two related batches, from nearly equal to unrelated and from dark to bright."""
    rng = np.random.default_rng(seed)
    normal = rng.random((n, 3, height, width)) ** rng.uniform(0.3, 8)
    noise = rng.uniform(0, 1) * rng.standard_normal(normal.shape)
    enhanced = np.clip(rng.uniform(0.1, 1.5) * normal + noise, 0, 1)
    return torch.tensor(enhanced, dtype=torch.float32), torch.tensor(normal, dtype=torch.float32)


sizes = st.integers(11, 48)
seeds = st.integers(0, 2**32 - 1)


@settings(max_examples=25)
@given(seed=seeds, n=st.integers(1, 3), height=sizes, width=sizes)
def test_psnr_and_ssim_are_scikit_images(seed, n, height, width):
    enhanced, normal = random_images(seed, n, height, width)
    ours = metrics.psnr(enhanced, normal), metrics.ssim(enhanced, normal)
    assert ours[0].shape == ours[1].shape == (n,)
    for i in range(n):
        a, b = enhanced[i].double().numpy(), normal[i].double().numpy()
        reference = structural_similarity(
            a,
            b,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            data_range=1,
            channel_axis=0,
        )
        assert ours[1][i].item() == pytest.approx(reference, abs=1e-4)
        assert ours[0][i].item() == pytest.approx(
            peak_signal_noise_ratio(b, a, data_range=1), abs=1e-3
        )


def test_scores_of_one_image_are_those_of_a_batch_of_one():
    enhanced, normal = random_images(0, 1, 16, 20)
    assert torch.equal(metrics.ssim(enhanced[0], normal[0]), metrics.ssim(enhanced, normal))
    assert torch.equal(metrics.psnr(enhanced[0], normal[0]), metrics.psnr(enhanced, normal))


def test_equal_images_score_the_maximum():
    image = random_images(1, 2, 16, 16)[0]
    assert metrics.psnr(image, image).tolist() == [math.inf, math.inf]
    assert metrics.ssim(image, image).tolist() == pytest.approx([1.0, 1.0])


MEASURES = [
    metrics.psnr,
    metrics.ssim,
    metrics.match_gt_mean,
    metrics.ciede2000,
    metrics.lpips,
    metrics.error_parts,
    metrics.true_and_false_detail,
]


@pytest.mark.parametrize("metric", [each for each in MEASURES if each is not metrics.lpips])
def test_half_precision_images_are_scored_in_full_precision(metric):
    enhanced, normal = (images.quantise(x).half() for x in random_images(2, 2, 32, 32))
    enhanced[0] = 0  # the gain to its target's mean is more than a float16 holds
    assert torch.equal(metric(enhanced, normal), metric(enhanced.float(), normal.float()))


@pytest.mark.parametrize(
    ("enhanced", "normal"),
    [((1, 3, 16, 16), (1, 3, 16, 17)), ((1, 1, 16, 16), (1, 1, 16, 16)), ((16, 16), (16, 16))],
)
@pytest.mark.parametrize("metric", MEASURES)
def test_shapes_that_cannot_be_compared_are_refused(metric, enhanced, normal):
    with pytest.raises(CourseError, match="must be the same"):
        metric(torch.zeros(enhanced), torch.zeros(normal))


def test_ssim_says_that_an_image_is_too_small():
    with pytest.raises(CourseError, match="at least 11x11 pixels, but this one is 40x10"):
        metrics.ssim(torch.zeros(3, 10, 40), torch.zeros(3, 10, 40))


@given(seed=seeds, gain=st.floats(0.2, 1.0))
@settings(max_examples=20)
def test_match_gt_mean_undoes_a_gain(seed, gain):
    normal = random_images(seed, 2, 12, 12)[1]
    assert torch.allclose(metrics.match_gt_mean(normal * gain, normal), normal, atol=1e-5)


def test_match_gt_mean_uses_one_gain_per_image_and_keeps_black():
    normal = torch.stack([torch.full((3, 12, 12), 0.2), torch.full((3, 12, 12), 0.8)])
    enhanced = torch.stack([torch.full((3, 12, 12), 0.4), torch.zeros(3, 12, 12)])
    matched = metrics.match_gt_mean(enhanced, normal)
    assert torch.allclose(matched[0], normal[0])
    assert matched[1].max() == 0


@pytest.fixture
def pairs():
    rng = np.random.default_rng(0)
    normals = [rng.integers(0, 256, (*shape, 3), np.uint8) for shape in [(16, 24), (20, 16)]]
    return Pairs("two", ("a", "b"), (4, 7), [(normal // 4, normal) for normal in normals])


def test_evaluate_averages_over_images_and_keeps_each(pairs):
    result = metrics.evaluate(lambda x: x, pairs)
    assert [(row["name"], row["scene"]) for row in result.per_image] == [("a", 4), ("b", 7)]
    for name in ("psnr", "ssim", "psnr_gt_mean"):
        values = [row[name] for row in result.per_image]
        assert getattr(result, name) == pytest.approx(sum(values) / 2)
        assert values[0] != values[1]
    assert result.per_image[0]["psnr"] == metrics.psnr(pairs[0].low, pairs[0].normal).item()
    assert result.psnr_gt_mean > result.psnr
    assert result.ms_per_megapixel > 0
    assert f"PSNR {result.psnr:.2f} dB" in str(result)
    assert "2 images" in str(result)


def test_time_is_the_median_in_milliseconds_per_megapixel(monkeypatch, pairs):
    seconds = iter((9.0, 0.2, 0.3))

    def timed(method, low):
        return method(low), next(seconds) * low[0, 0].numel() / 1e6

    monkeypatch.setattr(evaluation, "_timed", timed)
    result = metrics.evaluate(lambda x: x, pairs.subset([0, 1, 1]))
    assert result.ms_per_megapixel == pytest.approx(300)


def test_evaluate_clamps_and_rounds_before_it_scores(pairs):
    rounded = metrics.evaluate(lambda x: images.quantise(4.2 * x), pairs)
    raw = metrics.evaluate(lambda x: 4.2 * x, pairs)
    assert raw.per_image == rounded.per_image


def test_evaluate_turns_dropout_off_and_leaves_each_module_as_it_was(pairs):
    model = torch.nn.Sequential(torch.nn.Dropout(0.5), torch.nn.BatchNorm2d(3)).train()
    model[1].eval()
    first, second = metrics.evaluate(model, pairs), metrics.evaluate(model, pairs)
    assert first.per_image == second.per_image
    assert [model.training, model[0].training, model[1].training] == [True, True, False]


class OnMeta(Method):
    """A method on PyTorch's meta device, which stands in for a GPU, with outputs on the CPU."""

    device = torch.device("meta")

    def enhance(self, part, context, place):
        assert part.device == self.device
        return torch.full(part.shape, 0.5)


class OnMetaNetwork(Network):
    """The same as a network."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.empty(1, device="meta"))

    def forward(self, low):
        assert low.device == self.weight.device
        return torch.full(low.shape, 0.5)


@pytest.mark.parametrize("method", [OnMeta(), OnMetaNetwork()], ids=["method", "network"])
def test_evaluate_moves_images_to_the_device(method, pairs):
    grey = metrics.evaluate(lambda low: torch.full_like(low, 0.5), pairs)
    assert metrics.evaluate(method, pairs).per_image == grey.per_image


def test_a_network_and_its_method_score_alike(pairs):
    network = create_model("mse_cnn", widths=[2, 3])
    alone, as_method = (
        metrics.evaluate(network, pairs),
        metrics.evaluate(NetworkMethod(network), pairs),
    )
    assert alone.per_image == as_method.per_image


def test_evaluate_refuses_what_cannot_be_scored(pairs):
    with pytest.raises(CourseError, match="no pairs"):
        metrics.evaluate(lambda x: x, pairs.subset([]))
    with pytest.raises(CourseError, match="image a has values that are not finite"):
        metrics.evaluate(lambda x: x / 0, pairs)
    with pytest.raises(CourseError, match="must be the same"):
        metrics.evaluate(lambda x: x[..., :-1], pairs)


@given(first=st.floats(0.02, 1), second=st.floats(0.02, 1))
def test_ciede2000_of_greys_is_the_difference_of_lightness_over_its_weight(first, second):
    greys = torch.tensor([[first], [second]]).view(2, 1, 1, 1).expand(-1, 3, 2, 2)
    linear = to_linear(greys[:, 0, 0, 0].double())
    # CIE 1976 lightness above its linear part; the weight of lightness in CIEDE2000.
    lightness = torch.where(linear > 216 / 24389, 116 * linear ** (1 / 3) - 16, linear * 24389 / 27)
    distance = (lightness.mean() - 50) ** 2
    weight = 1 + 0.015 * distance / (20 + distance) ** 0.5
    expected = (lightness[0] - lightness[1]).abs() / weight
    found = metrics.ciede2000(greys[:1], greys[1:])
    assert found.item() == pytest.approx(expected.item(), abs=0.02)


def test_ciede2000_sees_colours_and_treats_a_batch_as_its_images():
    enhanced, normal = random_images(0, 2, 12, 16)
    found = metrics.ciede2000(enhanced.requires_grad_(), normal)  # as a network's output does
    assert found.shape == (2,)
    assert found[1] == metrics.ciede2000(enhanced[1], normal[1])
    assert metrics.ciede2000(normal, normal).tolist() == [0, 0]
    red, green = torch.zeros(2, 3, 4, 4)
    red[0], green[1] = 0.5, 0.5
    assert metrics.ciede2000(red, green) > 50
    with pytest.raises(CourseError, match="must be the same"):
        metrics.ciede2000(enhanced, normal[..., :8])


def use_lpips(monkeypatch, constructor):
    import torchmetrics.image.lpip

    monkeypatch.setattr(
        torchmetrics.image.lpip, "LearnedPerceptualImagePatchSimilarity", constructor
    )
    scores._lpips_metric.cache_clear()


@pytest.fixture(autouse=True)
def _forget_lpips():
    yield
    scores._lpips_metric.cache_clear()


def test_lpips_that_cannot_be_had_is_none_and_said_once(monkeypatch, caplog, pairs):
    def no_network(**_):
        raise OSError("no route to host")

    use_lpips(monkeypatch, no_network)
    caplog.set_level(logging.INFO)
    result = metrics.evaluate(lambda x: x, pairs)
    assert result.lpips is None
    assert "LPIPS not available" in str(result)
    assert [record.getMessage() for record in caplog.records] == [
        "LPIPS is left out (`pip install torchvision` adds it): no route to host"
    ]


def test_lpips_is_averaged_over_images(monkeypatch, pairs):
    class Distance(torch.nn.Module):
        def __init__(self, net_type, normalize):
            super().__init__()
            assert (net_type, normalize) == ("alex", True)

        def forward(self, enhanced, normal):
            return (enhanced - normal).abs().mean()

    use_lpips(monkeypatch, Distance)
    pairs = pairs.resized(31)
    expected = [(pair.low - pair.normal).abs().mean().item() for pair in pairs]
    assert metrics.lpips(pairs[0].low, pairs[0].normal).tolist() == pytest.approx(expected[:1])
    assert metrics.evaluate(lambda x: x, pairs).lpips == pytest.approx(sum(expected) / 2)


def test_images_that_are_too_small_for_lpips_have_the_other_scores(monkeypatch, pairs):
    class Distance(torch.nn.Module):
        def __init__(self, **_):
            super().__init__()
            # The strides of torchvision's AlexNet, up to the last layer that LPIPS looks at.
            self.layers = torch.nn.Sequential(
                torch.nn.Conv2d(3, 1, kernel_size=11, stride=4, padding=2),
                torch.nn.MaxPool2d(kernel_size=3, stride=2),
                torch.nn.MaxPool2d(kernel_size=3, stride=2),
            )

        def forward(self, enhanced, normal):
            return (self.layers(enhanced) - self.layers(normal)).abs().mean()

    use_lpips(monkeypatch, Distance)
    wide = torch.rand(2, 3, 31, 40)
    assert metrics.lpips(*wide).shape == (1,)
    assert metrics.lpips(*wide[..., :30, :]) is None
    small = pairs.resized(30)
    assert metrics.evaluate(lambda x: x, small).lpips is None
    # A mean over some of the images would be that of other images.
    both = concatenate(small, pairs.resized(31))
    assert metrics.evaluate(lambda x: x, both).lpips is None


# The conftest.py at the root hides $LLIE_DATA from the tests, so that they need no data.
@pytest.mark.skipif(
    data.available()["lol_v1"] is None, reason="run with LOL v1 in $LLIE_DATA and --noconftest"
)
@pytest.mark.parametrize(
    ("method", "psnr", "ssim", "psnr_gt_mean"),
    [
        (classical.identity, 7.77, 0.195, 18.75),
        (classical.gamma, 12.33, 0.563, 23.20),
        (lambda image: classical.gamma(image, 0.3), 16.66, 0.641, 20.51),
        (classical.clahe, 9.13, 0.362, 18.95),
    ],
    ids=["identity", "gamma 0.5", "gamma 0.3", "clahe"],
)
def test_known_scores_on_lol_v1_are_reproduced(method, psnr, ssim, psnr_gt_mean):
    result = metrics.evaluate(method, data.load_pairs("lol_v1", "test"))
    found = round(result.psnr, 2), round(result.ssim, 3), round(result.psnr_gt_mean, 2)
    assert found == (psnr, ssim, psnr_gt_mean)


@pytest.mark.parametrize(("kind", "waits"), [("cpu", 0), ("cuda", 2), ("mps", 2)])
def test_time_includes_what_a_gpu_still_computes(monkeypatch, kind, waits):
    calls = []
    for each in (torch.cuda, torch.mps):
        monkeypatch.setattr(each, "synchronize", lambda each=each: calls.append(each.__name__))
    image = SimpleNamespace(device=torch.device(kind))
    output, seconds = evaluation._timed(lambda low: low, image)
    assert output is image
    assert seconds >= 0
    assert calls == waits * [f"torch.{kind}"]
