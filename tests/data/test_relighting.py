import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from llie_helpers.data import relighting
from llie_helpers.data.relighting import KINDS, add_strip, draw_kind, draw_pair, draw_scene, relight
from llie_helpers.data.synthesis import to_linear
from llie_helpers.images import quantise

PHOTOGRAPH = quantise(torch.rand(3, 24, 32, generator=torch.Generator().manual_seed(0)))
kinds = st.sampled_from(list(KINDS))
DARK = [kind for kind in KINDS if kind != "unchanged"]


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@settings(max_examples=60)
@given(kinds, st.integers(0, 10_000))
def test_pairs_are_on_the_levels_of_an_8_bit_file_and_repeat_with_the_seed(kind, seed):
    pair = draw_pair(PHOTOGRAPH, kind, seeded(seed))
    for image, again in zip(pair, draw_pair(PHOTOGRAPH, kind, seeded(seed)), strict=True):
        assert image.shape == PHOTOGRAPH.shape
        assert torch.equal(image, quantise(image))
        assert torch.equal(image, again)


@pytest.mark.parametrize("kind", DARK)
def test_another_seed_gives_another_darkness(kind):
    lows = [draw_pair(PHOTOGRAPH, kind, seeded(seed))[0] for seed in (1, 2)]
    assert not torch.equal(*lows)


def test_unchanged_pairs_are_equal_but_for_jpeg():
    smooth = quantise(torch.linspace(0, 1, 32).expand(3, 32, 32))
    equal = 0
    for seed in range(40):
        low, normal = draw_pair(smooth, "unchanged", seeded(seed))
        equal += torch.equal(low, normal)
        assert (low - normal).abs().mean() < 0.01
    assert 20 <= equal < 40


def test_unchanged_pairs_include_strips_and_wholes_of_white_and_black():
    grey = torch.full((3, 32, 32), 0.5)
    pairs = [draw_pair(grey, "unchanged", seeded(seed))[1] for seed in range(400)]
    for value in (0.0, 1.0):
        shares = [(image == value).float().mean().item() for image in pairs]
        assert any(0 < share <= 0.5 for share in shares)
        assert 1.0 in shares


@pytest.mark.parametrize("side", range(4))
def test_a_strip_covers_its_share_along_one_side(side):
    image = add_strip(torch.full((3, 20, 40), 0.5), 1.0, 0.25, side)
    white = image == 1.0
    assert image.shape == (3, 20, 40)
    assert white.float().mean().item() == 0.25
    lines = [white[0, 0], white[0, :, -1], white[0, -1], white[0, :, 0]]
    assert sum(bool(line.all()) for line in lines) == 1


@settings(max_examples=60)
@given(st.sampled_from(DARK), st.integers(0, 10_000))
def test_scenes_lose_light_and_are_within_their_ranges(kind, seed):
    scene = draw_scene(PHOTOGRAPH, kind, seeded(seed))
    assert (scene.stops >= 0).all()
    assert relighting.CONTRAST[0] <= scene.contrast <= relighting.CONTRAST[1]
    assert relighting.GRAIN[0] <= scene.grain <= relighting.GRAIN[1]
    assert relighting.PHOTONS[0] <= scene.photons <= relighting.CLEAN_PHOTONS
    assert relighting.CLEAN_READ_SIGMA <= scene.read_sigma <= relighting.READ_SIGMA[1]


def test_lamps_and_cameras_are_drawn_as_often_as_they_say():
    generator = seeded()
    scenes = [draw_scene(PHOTOGRAPH, "uniform", generator) for _ in range(300)]
    noisy = [scene for scene in scenes if scene.photons < relighting.CLEAN_PHOTONS]
    grains = [scene.grain for scene in scenes if scene.grain != 1]
    for found, share in (
        (noisy, relighting.NOISY_SHARE),
        (grains, relighting.GRAINY_SHARE),
        ([scene for scene in scenes if scene.jpeg_quality is not None], relighting.JPEG_SHARE),
        ([scene for scene in scenes if scene.glare.any()], relighting.GLARE_SHARE),
    ):
        assert len(found) / len(scenes) == pytest.approx(share, abs=0.08)
    # Uniform on a logarithmic scale: half of the values are below the geometric mean.
    for values, (lowest, highest) in (
        ([scene.photons for scene in noisy], relighting.PHOTONS),
        ([scene.read_sigma for scene in noisy], relighting.READ_SIGMA),
        (grains, relighting.GRAIN),
    ):
        below = sum(value < (lowest * highest) ** 0.5 for value in values)
        assert below / len(values) == pytest.approx(0.5, abs=0.1)


def test_backlit_scenes_keep_the_light_of_highlights_in_half_of_the_draws():
    window = torch.full((3, 48, 64), 0.1)
    window[:, :, 32:] = 0.95
    kept = 0
    for seed in range(60):
        stops = draw_scene(window, "backlit", seeded(seed)).stops
        kept += bool(stops[:, 48:].max() < 0.05)
        assert stops[:, :16].mean() > stops[:, 48:].mean() + 0.5
    assert 15 < kept < 45


@settings(max_examples=30)
@given(st.sampled_from(DARK), st.integers(0, 10_000))
def test_without_a_lamp_in_the_picture_the_target_is_the_photograph(kind, seed):
    scene = draw_scene(PHOTOGRAPH, kind, seeded(seed))
    _, normal = relight(PHOTOGRAPH, scene._replace(glare=torch.zeros(3, 24, 32)), seeded(seed))
    assert torch.equal(normal, PHOTOGRAPH)


def test_a_lamp_in_the_picture_is_as_bright_in_both():
    scene = draw_scene(PHOTOGRAPH, "uniform", seeded(3))
    glare = torch.zeros(3, 24, 32)
    glare[:, 8:16, 8:16] = 2.0
    low, normal = relight(PHOTOGRAPH, scene._replace(glare=glare, jpeg_quality=None), seeded())
    assert (low[:, 9:15, 9:15] == 1).all()
    assert (normal[:, 8:16, 8:16] == 1).all()
    assert torch.equal(normal[:, 20:], PHOTOGRAPH[:, 20:])


def test_the_lamp_in_the_picture_is_the_source_of_the_light(monkeypatch):
    monkeypatch.setattr(relighting, "LAMP_FIELD", (0.0, 0.0))
    monkeypatch.setattr(relighting, "GLARE_SHARE", 1.0)
    for seed in range(10):
        scene = draw_scene(PHOTOGRAPH, "lamp", seeded(seed))
        assert scene.glare[0].argmax() == scene.stops.argmin()


def test_relighting_divides_the_light_by_two_to_the_stops():
    scene = draw_scene(PHOTOGRAPH, "uniform", seeded(1))
    stops = torch.full((24, 32), 1.0)
    stops[:, 16:] = 3.0
    clean = scene._replace(
        stops=stops, colour=(1, 1, 1), glare=torch.zeros(3, 24, 32), jpeg_quality=None,
        photons=1e6, read_sigma=0.0, contrast=1.0, grain=1.0,
    )  # fmt: skip
    low, normal = relight(PHOTOGRAPH, clean, seeded())
    light = to_linear(normal) / to_linear(low).clamp(min=1e-6)
    assert light[:, :, :16].median().item() == pytest.approx(2, rel=0.02)
    assert light[:, :, 16:].median().item() == pytest.approx(8, rel=0.02)


def test_the_camera_of_the_scene_takes_the_photograph():
    grey = torch.full((3, 60, 80), 0.5)
    steady = draw_scene(grey, "uniform", seeded())._replace(
        stops=torch.zeros(60, 80), colour=(1, 1, 1), glare=torch.zeros(3, 60, 80),
        photons=500, read_sigma=0.0, grain=1.0, contrast=1.0, jpeg_quality=None,
    )  # fmt: skip

    def noise(**camera):
        return relight(grey, steady._replace(**camera), seeded())[0] - grey

    def correlation(noise):
        return (noise[..., 1:] * noise[..., :-1]).mean() / noise.square().mean()

    fine = noise()
    assert correlation(fine).abs() < 0.05
    assert correlation(noise(grain=2.0)) > 0.3
    assert noise(read_sigma=0.05).std() > 1.5 * fine.std()
    assert noise(photons=50).std() > 2.5 * fine.std()
    assert noise(jpeg_quality=20).std() < 0.9 * fine.std()


def test_kinds_are_drawn_as_often_as_they_say():
    generator = seeded()
    drawn = [draw_kind(generator) for _ in range(2000)]
    assert sum(KINDS.values()) == pytest.approx(1)
    for kind, share in KINDS.items():
        assert drawn.count(kind) / 2000 == pytest.approx(share, abs=0.04)
