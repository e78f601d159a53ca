"""Model cards, as they are read."""

import pytest

from llie_helpers.errors import CourseError
from llie_helpers.models import cards, create_model
from llie_helpers.models.cost import count_parameters


def test_every_shipped_file_of_weights_has_a_card_that_matches():
    weights = sorted(cards.SHIPPED.glob("*.safetensors"))
    assert weights
    for path in weights:
        card, text = cards.read(path.with_suffix(".md"))
        assert path.stem == f"{card.model}_{card.data}"
        network = create_model(card.model, weights=card.data)
        assert count_parameters(network) == card.parameters
        for heading in ("## Scores", "## Limits", "## Licence"):
            assert heading in text, (path.stem, heading)


def test_the_best_card_comes_last():
    psnr = [card.scores["test"]["psnr"] for card in cards.shipped_cards()]
    assert psnr == sorted(psnr)


@pytest.mark.parametrize("text", ["---\nmodel: x\n---\n", "---\n[: x\n---\n", "no front matter"])
def test_a_damaged_card_is_named(text, tmp_path):
    path = tmp_path / "mine.md"
    path.write_text(text)
    with pytest.raises(CourseError, match=r"mine\.md"):
        cards.read(path)
