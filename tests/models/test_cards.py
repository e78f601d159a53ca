"""Model cards, as they are read."""

import re
import shlex

import pytest

from llie_helpers.cli import main
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


def commands_of_cards() -> list[str]:
    """The commands that cards say their weights were trained and scored with."""
    texts = [path.read_text().replace("\\\n", " ") for path in sorted(cards.SHIPPED.glob("*.md"))]
    return [line for text in texts for line in re.findall(r"python -m llie_helpers (.*)", text)]


@pytest.mark.parametrize("command", commands_of_cards())
def test_the_commands_of_the_cards_are_right(command, monkeypatch, tmp_path, capsys):
    def load_pairs(*_):
        raise CourseError("so far, so good")

    monkeypatch.setattr("llie_helpers.data.load_pairs", load_pairs)
    monkeypatch.setenv("LLIE_RUNS", str(tmp_path))
    # In place of what a reader would have trained by then.
    command = re.sub(r"runs/\S+\.safetensors", "lol_v1", command)
    assert main(shlex.split(command)) == 1
    assert capsys.readouterr().err == "error: so far, so good\n"
