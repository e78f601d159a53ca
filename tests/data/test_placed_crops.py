"""Crops with thumbnails: what the thumbnail shows at the crop's place is the crop."""

import numpy as np
import pytest
import torch

from llie_helpers.data.crops import RandomCrops
from llie_helpers.data.pairs import Pairs
from llie_helpers.data.placed_crops import SIDE, PlacedCrops
from llie_helpers.errors import CourseError

HEIGHT, WIDTH, SIZE = 128, 192, 32


@pytest.fixture(scope="module")
def pairs() -> Pairs:
    """One pair whose colours rise along the image: red downwards, green to the right."""
    low = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    low[..., 0] = np.arange(HEIGHT)[:, None] // 2
    low[..., 1] = np.arange(WIDTH) // 2
    low[..., 2] = 10
    return Pairs("ramps", ("a",), (0,), [(low, 2 * low)])


@pytest.mark.parametrize("augment", [False, True])
@pytest.mark.parametrize(("jitter", "scales"), [(1.0, (1, 1)), (1.5, (0.6, 1.6))])
def test_the_thumbnail_shows_the_crop_at_its_place(pairs, augment, jitter, scales):
    crops = PlacedCrops(pairs, SIZE, 40, augment=augment, gain_jitter=jitter, scales=scales)
    for crop in crops:
        assert crop.low.shape == (3, SIZE, SIZE)
        assert crop.whole_low.shape == (3, SIDE, SIDE)
        top, left, bottom, right = crop.edges.tolist()
        assert 0 <= top < bottom <= 1
        assert 0 <= left < right <= 1
        # Where ramps are linear, the mean is the value in the middle.
        y, x = (int((a + b) / 2 * SIDE) for a, b in ((top, bottom), (left, right)))
        for part, whole in ((crop.low, crop.whole_low), (crop.normal, crop.whole_normal)):
            assert torch.allclose(part.mean(dim=(1, 2)), whole[:, y, x], atol=6 / 255)


def test_an_image_that_is_too_small_is_described_as_it_is_and_not_as_its_parts_are(pairs):
    crops = PlacedCrops(pairs, HEIGHT + 1, 20)
    for index in range(20):
        with pytest.raises(CourseError, match=f"a of ramps is {WIDTH}x{HEIGHT}, too small"):
            crops[index]


def test_augmentation_flips_rotates_and_takes_parts_for_the_whole(pairs):
    crops = PlacedCrops(pairs, SIZE, 200)
    directions, spans = [], []
    for crop in crops:
        down = (crop.whole_low[:2, -1] - crop.whole_low[:2, 0]).mean(dim=1) * 255
        across = (crop.whole_low[:2, :, -1] - crop.whole_low[:2, :, 0]).mean(dim=1) * 255
        directions.append((round(down.sign()[0].item()), round(across.sign()[1].item())))
        spans.append(max(down.abs().max(), across.abs().max()).item() / (WIDTH / 2))
    upright = [d for d in directions if d in ((1, 1), (1, -1))]
    assert 130 < len(upright) < 180
    assert 50 < sum(d == (1, 1) for d in upright) < 105
    assert min(spans) == pytest.approx(0.6, abs=0.05)
    assert 60 < sum(span > 0.98 for span in spans) < 140


def test_a_seed_gives_the_same_crops_and_another_epoch_others(pairs):
    def lows(epoch: int) -> torch.Tensor:
        crops = PlacedCrops(pairs, SIZE, 4)
        crops.set_epoch(epoch)
        return torch.stack([crop.low for crop in crops])

    assert torch.equal(lows(0), lows(0))
    assert not torch.equal(lows(0), lows(1))


def test_targets_keep_their_brightness(pairs):
    """Unlike in `RandomCrops`, where both images of a pair get a common gain."""
    brightest = [crop.normal[2].max().item() * 255 for crop in PlacedCrops(pairs, SIZE, 20)]
    assert set(np.round(brightest, 2)) == {20.0}
    brightest = [normal[2].max().item() * 255 for _, normal in RandomCrops(pairs, SIZE, 20)]
    assert len(set(np.round(brightest, 2))) > 5
