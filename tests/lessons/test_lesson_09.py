"""What lesson 09 has its students write is what the package does."""

import pytest
import torch

from llie_helpers.inference import export, tiles
from llie_helpers.lessons.checks import lesson_09
from llie_helpers.methods import create_method


def test_tiles_are_the_packages(monkeypatch):
    monkeypatch.setattr(tiles, "TILE", 320)
    method = create_method("dual_branch")
    image = torch.rand(1, 3, 70, tiles.TILE**2 // 70 + 1)  # smaller ones are not tiled
    by_student = lesson_09.in_tiles(method, image, tiles.TILE, tiles.OVERLAP)
    assert torch.allclose(by_student[0], tiles.enhance_tiled(method, image[0]), atol=1e-6)


@pytest.mark.parametrize("length", [100, tiles.TILE, 3000])
def test_tiles_and_weights_along_a_side_are_the_packages(length):
    laid = lesson_09.lay_tiles(length, tiles.TILE, tiles.OVERLAP)
    expected = list(tiles.tile_slices(length))
    assert [slice(*span) for span in laid] == expected
    for span, part in zip(laid, expected, strict=True):
        weights = lesson_09.tile_weights((0, 1), span, (1, length), tiles.OVERLAP)
        assert torch.allclose(weights[0], tiles.blend_weights(part, length), atol=1e-6)


@pytest.mark.parametrize(("tile", "overlap"), [(24, 9), (16, 7), (20, 6)])
def test_tiles_of_a_local_method_are_the_whole(tile, overlap):
    image = torch.rand(1, 3, 41, 57)
    whole = lesson_09.Toy()(image)
    assert torch.allclose(
        lesson_09.in_tiles(lesson_09.Toy(), image, tile, overlap), whole, atol=1e-6
    )


@pytest.mark.parametrize("side", [16, 17, 23, 24, 133])
def test_padding_is_that_of_an_exported_file(side):
    assert lesson_09.mirror_solution(0, side, 8) == export._reflected(side, 8).tolist()
