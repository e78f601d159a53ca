"""What an error consists of, and which detail is true."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from llie_helpers.errors import CourseError
from llie_helpers.metrics import (
    error_parts,
    true_and_false_detail,
)


def image(seed=0, size=64):
    """An image with structure of all sizes, away from black and white."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(1, 3, 8, 8, generator=generator)
    smooth = torch.nn.functional.interpolate(coarse, (size, size), mode="bilinear")
    return 0.3 + 0.2 * smooth + 0.1 * torch.rand(1, 3, size, size, generator=generator)


@settings(max_examples=20)
@given(st.integers(0, 99), st.integers(100, 199))
def test_the_parts_add_up_to_the_squared_error(one, other):
    enhanced, normal = image(one)[..., :61, :], image(other)[..., :61, :]
    total = (enhanced - normal)[..., :56, :].square().mean().item()  # of whole squares
    assert error_parts(enhanced, normal).sum().item() == pytest.approx(total, rel=1e-4)


@pytest.mark.parametrize("measure", [error_parts, true_and_false_detail])
def test_a_batch_is_measured_as_its_images(measure):
    enhanced = torch.cat([0.5 * image(2), image(3)])
    normal = torch.cat([image(0), image(1)])
    assert torch.allclose(measure(enhanced, normal)[1], measure(image(3)[0], image(1)[0])[0])


def spots(colour):
    blocks = torch.eye(8).repeat_interleave(8, 0).repeat_interleave(8, 1) * 0.1
    return torch.tensor(colour).view(3, 1, 1) * (blocks - blocks.mean())


@pytest.mark.parametrize(
    ("spoil", "part"),
    [
        (lambda x: 1.2 * x, 0),
        (lambda x: x + spots((1, 1, 1)), 1),
        (lambda x: x + spots((1, -1, 0)), 2),
        (lambda x: x + 0.1 * (torch.arange(64) % 2 - 0.5), 3),
    ],
)
def test_each_part_counts_its_own_error(spoil, part):  # in the order of `PARTS`
    shares = error_parts(spoil(image()), image())[0]
    assert shares[part] / shares.sum() > 0.95


def noise(seed=1):
    return 0.05 * torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(seed))


def test_an_image_without_a_whole_square_has_no_parts():
    with pytest.raises(CourseError, match="at least 8x8 pixels, but this one is 64x7"):
        error_parts(image()[..., :7, :], image()[..., :7, :])


def test_detail_of_the_target_is_true_and_noise_is_false():
    normal = image()
    perfect, noisy, soft = (
        true_and_false_detail(made, normal)[0]
        for made in (normal, normal + noise(), torch.nn.functional.avg_pool2d(normal, 9, 1, 4))
    )
    assert perfect.tolist() == pytest.approx([1, 0], abs=1e-3)
    # Noise adds no true detail, however much there is of it.
    assert noisy[0] == pytest.approx(1, abs=0.1)
    assert noisy[1] > 1
    assert soft[0] < 0.2
    invented = true_and_false_detail(normal.mean() + noise(), normal)[0]
    assert invented[0] < 0.1 < 1 < invented[1]


def test_brightness_is_no_detail():
    darker = true_and_false_detail(0.5 * image(), image())[0]
    assert darker.tolist() == pytest.approx([1, 0], abs=1e-3)


def test_a_negative_has_only_false_detail():
    normal = image()
    true, false = true_and_false_detail(1 - normal, normal)[0]
    assert true == 0
    assert false > 0.7


def test_there_is_no_share_of_the_detail_of_a_uniform_target():
    normal = torch.cat([torch.full((1, 3, 64, 64), 0.7), image()])
    shares = true_and_false_detail(normal + noise(), normal)
    assert shares[0].isnan().all()
    assert shares[1].isfinite().all()
