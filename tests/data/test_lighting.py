import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from llie_helpers.data import lighting

fraction = st.floats(0.0, 1.0)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@settings(max_examples=40)
@given(st.integers(2, 8), st.integers(8, 60), st.integers(8, 60), st.integers(0, 1000))
def test_a_field_has_mean_0_and_deviation_1(cells, height, width, seed):
    field = lighting.light_field((height, width), cells, seeded(seed))
    assert field.shape == (height, width)
    assert field.mean().item() == pytest.approx(0, abs=1e-4)
    assert field.std(correction=0).item() == pytest.approx(1, abs=1e-3)


def test_a_field_of_more_cells_changes_faster():
    steps = []
    for cells in (2, 4, 8):
        fields = [lighting.light_field((64, 64), cells, seeded(seed)) for seed in range(8)]
        steps.append(torch.stack(fields).diff().abs().mean().item())
    assert steps[0] < steps[1] < steps[2] < 0.3


def test_a_lamp_obeys_the_inverse_square_law():
    # One row of 100 pixels, the lamp at pixel 10 and a tenth of the width in front of it.
    stops = lighting.lamp_stops((1, 100), y=0.5, x=0.105, reach=0.1)[0]
    for pixels in (0, 10, 30, 80):
        squared = (10**2 + pixels**2) / 10**2  # of the way to the lamp, in units of the reach
        assert 2 ** stops[10 + pixels].item() == pytest.approx(squared, rel=1e-3)


@settings(max_examples=40)
@given(fraction, fraction, st.floats(0.05, 1), st.floats(0.01, 1))
def test_ambient_light_bounds_how_dark_it_is_away_from_the_lamp(y, x, reach, ambient):
    stops = lighting.lamp_stops((20, 30), y, x, reach, ambient)
    assert stops.min() >= -1e-5
    assert stops.max() <= -math.log2(ambient) + 1e-4
    row, column = min(int(y * 20), 19), min(int(x * 30), 29)
    assert stops[row, column] == stops.min()


def backlit(dark=0.0, bright=0.9):
    """Return a dark room with a window on the right half."""
    linear = torch.full((3, 120, 160), dark)
    linear[:, :, 80:] = bright
    return linear


@settings(max_examples=25)
@given(st.floats(1, 6), st.floats(0.55, 0.95), st.floats(0.3, 1.5), st.floats(0.1, 1))
def test_backlight_spares_highlights_and_takes_its_depth_from_black(depth, level, softness, bright):
    stops = lighting.backlight_stops(backlit(0.0, bright), depth, level, softness)
    assert stops.shape == (120, 160)
    assert stops[:, :40].numpy() == pytest.approx(depth, abs=1e-3)
    assert stops[:, 120:].max() <= 0.05
    assert stops.min() >= 0


def test_backlight_takes_from_a_surface_by_its_share_of_the_highlights():
    linear = torch.tensor([0.1, 0.4, 0.8]).repeat_interleave(60).expand(3, 90, 180)
    stops = lighting.backlight_stops(linear, depth=4, level=0.9, softness=0.7)
    for column, share in ((30, 0.125), (90, 0.5), (150, 1.0)):
        assert stops[45, column].item() == pytest.approx(4 * (1 - share**0.7), abs=0.05)


def test_backlight_leaves_no_halo_before_a_window():
    stops = lighting.backlight_stops(backlit(0.01, 0.9), depth=4, level=0.8)
    # Two pixels from the edge, darkness is that of the whole surface.
    assert (stops[:, :78] - stops[:, :40].mean()).abs().max() < 0.25
    assert stops[:, 82:].max() < 0.25


def test_backlight_darkens_a_surface_as_a_whole():
    texture = 0.04 * torch.rand(1, 120, 160, generator=seeded())
    room = backlit(0.05, 0.9) + texture
    spread = lighting.backlight_stops(room, depth=4, level=0.8)[:, :60].std()
    alone = 4 * (1 - room[0, :, :60] ** 0.8)
    assert spread < alone.std() / 2


def test_backlight_finds_no_highlight_in_black_and_nothing_else_in_white():
    assert (lighting.backlight_stops(backlit(0.0, 0.0), depth=3, level=0.8) == 3).all()
    assert lighting.backlight_stops(backlit(1.0, 1.0), depth=3, level=0.8).max() < 0.01


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (97, 61)])
def test_maps_have_the_size_of_any_picture(size):
    image = torch.rand(3, *size, generator=seeded())
    assert lighting.backlight_stops(image, depth=3, level=0.8).shape == size
    assert torch.isfinite(lighting.light_field(size, 3, seeded())).all()
    assert lighting.lamp_stops(size, 0.5, 0.5, 0.2).shape == size
    assert lighting.lamp_glare(size, 0.5, 0.5, 0.2).shape == (3, *size)


@given(st.floats(-1, 1), st.floats(-1, 1))
def test_gains_of_coloured_light_keep_their_geometric_mean(warmth, tint):
    red, green, blue = lighting.light_colour(warmth, tint)
    assert math.log(red) + math.log(green) + math.log(blue) == pytest.approx(0, abs=1e-9)
    assert math.log(red / blue) == pytest.approx(2 * warmth, abs=1e-9)
    assert math.log(green**2 / (red * blue)) == pytest.approx(2 * tint, abs=1e-9)


@pytest.mark.parametrize(
    ("white", "warmth"),
    # CIE 15: X and Z of D50, D75 and A for the 2 degree observer, with Y = 1.
    [((0.9642, 0.8251), 0.24), ((0.9497, 1.2264), -0.10), ((1.0985, 0.3558), 1.03)],
)
def test_warmth_is_that_of_the_standard_illuminants(white, warmth):
    xyz = torch.tensor([white[0], 1.0, white[1]])
    # IEC 61966-2-1: rows for red and blue of the matrix from XYZ to linear sRGB.
    red = xyz @ torch.tensor([3.2406, -1.5372, -0.4986])
    blue = xyz @ torch.tensor([0.0557, -0.2040, 1.0570])
    assert (red / blue).log().item() / 2 == pytest.approx(warmth, abs=0.01)


@settings(max_examples=40)
@given(fraction, fraction)
def test_the_glare_of_a_lamp_falls_off_from_where_its_light_does(y, x):
    near_to_far = lighting.lamp_stops((20, 30), y, x, 0.2).flatten().argsort()
    glare = lighting.lamp_glare((20, 30), y, x, 0.2)[0].flatten()
    assert (glare[near_to_far].diff() <= 1e-6).all()


def test_a_lamp_in_the_picture_is_more_than_white_and_its_glare_falls_off():
    gains = lighting.light_colour(0.2)
    light = lighting.lamp_glare((100, 100), y=0.505, x=0.505, radius=0.1, gains=gains)
    assert (light[:, 45:56, 45:56] > 1).all()
    row = light[0, 50, 50:]
    assert (row.diff() < 0).all()
    # Outside the disc only the Moffat profile is left.
    for pixels in (20, 40):
        glare = 0.3 / (1 + (pixels / 10) ** 2) ** 1.5 * gains[0]
        assert row[pixels].item() == pytest.approx(glare, rel=0.01)
    assert torch.allclose(light[0] / light[2], torch.tensor(gains[0] / gains[2]), rtol=1e-4)
