"""Thumbnails are means over areas, computed either way."""

import pytest
import torch

from llie_helpers.models.thumbnail import thumbnail


@pytest.mark.parametrize("size", [(16, 700), (300, 64), (1111, 777)])
def test_in_an_exported_network_a_thumbnail_is_the_same(monkeypatch, size):
    image = torch.rand(2, 3, *size)
    expected = thumbnail(image, 64)
    assert expected.shape == (2, 3, 64, 64)
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
    assert torch.allclose(thumbnail(image, 64), expected, atol=1e-6)
