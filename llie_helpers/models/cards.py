"""Model cards: how shipped weights were trained, and how they score.

A card is a Markdown file beside the weights, ``weights/MODEL_DATA.md``, with YAML front matter.
``tools/cards.py`` writes the cards and the README's table of them.
"""

from dataclasses import dataclass, field
from pathlib import Path

import yaml

from llie_helpers.errors import CourseError
from llie_helpers.models.weights import SHIPPED


@dataclass(frozen=True)
class Card:
    """The front matter of a card.

    Attributes:
        model, data: a network, and the name of its weights: in general the data set that it was
            trained on, and "photographs" for LOL v1 and photographs together.
        title: a few words for a row of a table.
        parameters: number of parameters of the network.
        seeds: seeds of the runs that were scored.
        scores: split -> ``psnr`` (dB), ``ssim`` and ``psnr_gt_mean`` (dB) of the shipped weights
            under the frozen protocol.
        runs: split -> such scores for the weights of every seed, if there are several.
    """

    model: str
    data: str
    title: str
    parameters: int
    seeds: list[int]
    scores: dict[str, dict[str, float]]
    runs: dict[str, list[dict[str, float]]] = field(default_factory=dict)

    @property
    def path(self) -> Path:
        """Return the card's path in the package."""
        return SHIPPED / f"{self.model}_{self.data}.md"


def read(path: Path) -> tuple[Card, str]:
    """Return a card's front matter and its text.

    Raises:
        CourseError: the front matter is missing or has other entries.
    """
    try:
        _, front_matter, text = path.read_text(encoding="utf-8").split("---\n", 2)
        return Card(**yaml.safe_load(front_matter)), text
    except (TypeError, ValueError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise CourseError(f"{path.name} has no front matter of a model card: {reason}.") from error


def shipped_cards() -> list[Card]:
    """Return all cards in the package, in ascending order of test PSNR."""
    cards = [read(path)[0] for path in SHIPPED.glob("*.md")]
    return sorted(cards, key=lambda card: card.scores["test"]["psnr"])
