import torch
from hypothesis import given
from hypothesis import strategies as st

from llie_helpers.data.augment import augment_pair, brightness, flip_rotate, lerp_log

IMAGE = torch.arange(3 * 4 * 6, dtype=torch.float32).view(3, 4, 6) / 72
DIM = IMAGE / 2


def test_there_are_eight_different_symmetries():
    seen = {str(flip_rotate(IMAGE, k).tolist()) for k in range(8)}
    assert len(seen) == 8
    assert torch.equal(flip_rotate(IMAGE, 0), IMAGE)
    assert flip_rotate(IMAGE, 1).shape == (3, 6, 4)


def test_each_symmetry_has_exactly_one_inverse():
    for k in range(8):
        inverses = [
            j for j in range(8) if torch.equal(flip_rotate(flip_rotate(IMAGE, k), j), IMAGE)
        ]
        # A quarter turn is undone by the opposite one, anything with a flip by itself.
        assert inverses == [k if k >= 4 else (4 - k) % 4]


@given(st.floats(0, 4))
def test_brightness_stays_in_range_and_multiplies(gain):
    bright = brightness(IMAGE, gain)
    assert torch.equal(bright, (IMAGE * gain).clamp(max=1))


@given(st.integers(0, 10_000))
def test_a_pair_gets_the_same_change_on_both_sides(seed):
    low, normal = augment_pair(IMAGE, IMAGE, torch.Generator().manual_seed(seed))
    assert torch.equal(low, normal)


def test_a_pair_changes_in_shape_and_brightness_and_repeats_with_the_seed():
    draws = [augment_pair(DIM, DIM, torch.Generator().manual_seed(s)) for s in range(50)]
    gains = [(low.sum() / (DIM).sum()).item() for low, _ in draws]
    assert 0.8 <= min(gains) < 0.85
    assert 1.2 < max(gains) <= 1.25
    assert {low.shape for low, _ in draws} == {(3, 4, 6), (3, 6, 4)}
    again, _ = augment_pair(DIM, DIM, torch.Generator().manual_seed(7))
    assert torch.equal(again, draws[7][0])


@given(st.floats(0, 1))
def test_towards_its_target_an_image_lies_between_both(share):
    moved = lerp_log(DIM, IMAGE, share)
    assert (moved >= DIM - 1e-6).all()
    assert (moved <= IMAGE + 1e-6).all()
    assert torch.equal(lerp_log(DIM, IMAGE, 0.0), DIM)
    assert torch.equal(lerp_log(DIM, IMAGE, 1.0), IMAGE)
