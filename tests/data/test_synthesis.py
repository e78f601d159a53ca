import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from llie_helpers.data import synthesis
from llie_helpers.errors import CourseError

unit = st.floats(0.0, 1.0, width=32)
PHOTOGRAPH = torch.rand(3, 24, 32, generator=torch.Generator().manual_seed(0))


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@given(st.lists(unit, min_size=1))
def test_linear_light_and_back_is_the_identity(values):
    srgb = torch.tensor(values)
    linear = synthesis.to_linear(srgb)
    assert torch.allclose(synthesis.to_srgb(linear), srgb, atol=1e-5)
    assert ((linear >= 0) & (linear <= 1)).all()


def test_the_srgb_curve_has_its_published_values():
    # IEC 61966-2-1: mid-grey reflects 18 % of the light and is stored as about 118 of 255.
    assert synthesis.to_srgb(torch.tensor(0.18)).item() == pytest.approx(118 / 255, abs=2e-3)
    # Both pieces meet at the knee.
    assert synthesis.to_linear(torch.tensor(0.04045)).item() == pytest.approx(0.0031308, abs=1e-6)


def test_the_srgb_curve_has_a_slope_everywhere():
    linear = torch.tensor([0.0, 0.001, 0.5, 1.0], requires_grad=True)
    synthesis.to_srgb(linear).sum().backward()
    assert torch.isfinite(linear.grad).all()


@given(unit, st.floats(-6, 6), st.floats(-6, 6))
def test_stops_add_up(value, first, second):
    light = torch.tensor(value)
    twice = synthesis.expose(synthesis.expose(light, first), second)
    assert torch.allclose(twice, synthesis.expose(light, first + second), rtol=1e-5)


def test_one_stop_less_is_half_the_light():
    assert synthesis.expose(torch.tensor(0.5), -1).item() == 0.25


@settings(max_examples=25)
@given(st.floats(0.01, 1.0), st.sampled_from([100.0, 1000.0, 5000.0]))
def test_shot_noise_keeps_the_mean_and_has_the_variance_of_photon_counts(signal, photons):
    flat = torch.full((200_000,), signal)
    noisy = synthesis.shot_noise(flat, photons, seeded())
    variance = signal / photons
    assert noisy.mean().item() == pytest.approx(signal, abs=5 * (variance / 200_000) ** 0.5)
    # A rare large count makes the sample variance of few photons a little uneven.
    assert noisy.var().item() == pytest.approx(variance, rel=0.03)


def test_shot_noise_counts_whole_photons():
    counts = synthesis.shot_noise(torch.full((1000,), 0.05), 40.0, seeded()) * 40
    assert torch.allclose(counts, counts.round(), atol=1e-4)


def test_read_noise_does_not_depend_on_the_signal():
    for signal in (0.0, 0.7):
        noisy = synthesis.read_noise(torch.full((200_000,), signal), 0.02, seeded())
        assert noisy.mean().item() == pytest.approx(signal, abs=5 * 0.02 / 200_000**0.5)
        assert noisy.std().item() == pytest.approx(0.02, rel=0.01)


def test_a_map_of_stops_changes_the_light_from_place_to_place():
    exposed = synthesis.expose(torch.full((3, 1, 2), 0.5), torch.tensor([[-1.0, 1.0]]))
    assert exposed[2, 0].tolist() == [0.25, 1.0]


@pytest.mark.parametrize("signal", [0.02, 0.5])
def test_grainy_noise_of_one_pixel_is_shot_and_read_noise(signal):
    flat = torch.full((3, 300, 300), signal)
    noisy = synthesis.grainy_noise(flat, 500.0, 0.01, 1.0, seeded())
    assert noisy.mean().item() == pytest.approx(signal, abs=5e-4)
    assert noisy.var().item() == pytest.approx(signal / 500 + 0.01**2, rel=0.02)
    generator = seeded()
    shot = synthesis.shot_noise(flat, 500.0, generator)
    assert torch.equal(noisy, synthesis.read_noise(shot, 0.01, generator))


def test_grains_are_correlated_over_their_width():
    flat = torch.full((2, 3, 240, 240), 0.3)
    correlations, deviations = [], []
    for grain in (0.6, 1.0, 1.5, 2.5):
        noise = synthesis.grainy_noise(flat, 500.0, 0.01, grain, seeded()) - 0.3
        assert noise.mean().item() == pytest.approx(0, abs=1e-3)
        product = (noise[..., 1:] * noise[..., :-1]).mean()
        correlations.append((product / noise.var()).item())
        deviations.append(noise.std().item())
    reduced, single, wide, wider = correlations
    assert abs(reduced) < 0.3
    assert abs(single) < 0.02
    assert 0.3 < wide < wider < 1
    # A reduced photograph is less noisy, and an enlarged one hardly less.
    assert deviations[0] < 0.75 * deviations[1]
    assert 0.75 * deviations[1] < min(deviations[2:]) < deviations[1]


def test_grainy_noise_leaves_details_sharp():
    stripes = torch.tensor([0.1, 0.8]).repeat(16).expand(3, 32, 32)
    noisy = synthesis.grainy_noise(stripes, 1e6, 1e-4, 2.5, seeded())
    assert (noisy - stripes).abs().max() < 0.01


def test_white_balance_multiplies_each_channel():
    balanced = synthesis.white_balance(torch.full((2, 3, 4, 5), 0.5), (2.0, 1.0, 0.5))
    assert balanced[1, :, 2, 3].tolist() == [1.0, 0.5, 0.25]


def test_noise_and_white_balance_are_computed_where_the_image_is():
    on_gpu = torch.empty(3, 4, 4, device="meta")  # which stands in for a GPU
    assert synthesis.read_noise(on_gpu, 0.1).device == on_gpu.device
    assert synthesis.white_balance(on_gpu, (1.0, 2.0, 1.0)).device == on_gpu.device


@given(unit, st.floats(0.5, 3.0))
def test_tone_is_undone_by_the_inverse_contrast(value, contrast):
    image = torch.tensor(value, dtype=torch.float64)
    bent = synthesis.tone(image, contrast)
    assert 0 <= bent <= 1
    assert synthesis.tone(bent, 1 / contrast).item() == pytest.approx(value, abs=1e-6)


def test_tone_at_one_and_a_half_is_close_to_smoothstep():
    x = torch.linspace(0, 1, 101)
    assert (synthesis.tone(x, 1.5) - (3 * x**2 - 2 * x**3)).abs().max() < 0.03


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ({"photons": 0.0}, "photons is 0.0, but it must be positive"),
        ({"photons": float("nan")}, "photons is nan, but it must be positive"),
        ({"contrast": 0.0}, "contrast is 0.0, but it must be from 0.1 to 10"),
        ({"contrast": 200.0}, "contrast is 200.0, but it must be from 0.1 to 10"),
    ],
)
def test_what_no_camera_has_is_an_error(options, found):
    with pytest.raises(CourseError, match=found):
        synthesis.darken(PHOTOGRAPH, 3, **options)


@pytest.mark.parametrize("contrast", [0.1, 10.0])
def test_the_steepest_tone_curves_are_finite(contrast):
    ramp = torch.linspace(0, 1, 99, dtype=torch.float16)
    assert synthesis.tone(ramp, contrast).isfinite().all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.float64])
def test_a_dark_photograph_has_the_type_of_the_normal_one(dtype):
    assert synthesis.darken(PHOTOGRAPH.to(dtype), 3, jpeg_quality=90).dtype == dtype


def test_jpeg_loses_a_little_and_more_at_low_quality():
    orange = torch.tensor([1.0, 0.6, 0.2]).view(3, 1, 1)
    smooth = (orange * torch.linspace(0, 1, 32)).expand(2, 3, 32, 32)
    errors = [(synthesis.jpeg(smooth, q) - smooth).abs().mean().item() for q in (95, 10)]
    assert 0 < errors[0] < errors[1] < 0.05


@settings(max_examples=40)
@given(st.floats(0, 7), st.floats(50, 5000), st.floats(0, 0.02), st.floats(1.0, 2.0))
def test_darken_stays_on_the_levels_of_an_8_bit_file(stops, photons, read_sigma, contrast):
    low = synthesis.darken(PHOTOGRAPH, stops, photons, read_sigma, (1.2, 1.0, 0.8), contrast)
    assert low.shape == PHOTOGRAPH.shape
    assert ((low >= 0) & (low <= 1)).all()
    assert torch.allclose(low * 255, (low * 255).round(), atol=1e-4)


def test_darken_by_nothing_returns_the_photograph():
    low = synthesis.darken(PHOTOGRAPH, 0, photons=1e9, read_sigma=0.0, contrast=1.4)
    assert (low - PHOTOGRAPH).abs().max() <= 1 / 255


def test_darken_by_n_stops_divides_the_light_by_two_to_the_n():
    low = synthesis.darken(PHOTOGRAPH, 2, photons=1e6, read_sigma=0.0)
    ratio = synthesis.to_linear(PHOTOGRAPH).mean() / synthesis.to_linear(low).mean()
    assert ratio.item() == pytest.approx(4, rel=0.01)


def test_darken_repeats_itself_with_the_same_seed_only():
    first, again, other = (
        synthesis.darken(PHOTOGRAPH, 3, generator=seeded(s), jpeg_quality=90) for s in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_darken_is_its_steps_bit_for_bit():
    generator, gains = seeded(5), (1.1, 1.0, 0.9)
    light = synthesis.expose(synthesis.to_linear(synthesis.tone(PHOTOGRAPH, 1 / 1.2)), -2)
    counted = synthesis.shot_noise(light, 800.0, generator)
    sensor = synthesis.quantise(synthesis.read_noise(counted, 0.002, generator), 12)
    srgb = synthesis.to_srgb(synthesis.white_balance(sensor, gains))
    low = synthesis.quantise(synthesis.tone(srgb, 1.2))
    options = {"gains": gains, "contrast": 1.2, "generator": seeded(5)}
    assert torch.equal(synthesis.darken(PHOTOGRAPH, 2, 800.0, 0.002, **options), low)
