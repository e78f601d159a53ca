"""Model cards: what shipped weights are, how they score, and the README's table of them.

A card is a Markdown file beside the weights, ``weights/MODEL_DATA.md``. Its head, between
two lines of ``---``, is YAML for programs; what follows is for readers.
"""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import fmean, stdev

import yaml

from llie_helpers.errors import CourseError
from llie_helpers.files import atomic_path
from llie_helpers.metrics import Evaluation
from llie_helpers.models.weights import SHIPPED

MARKS = ("<!-- results, written by `python -m llie_helpers results` -->", "<!-- end of results -->")
# Scores, and how many decimals of each are printed.
COLUMNS = {"psnr": 2, "ssim": 3, "psnr_gt_mean": 2}

# What the README says above the table of each data set.
HEADINGS = {
    "lol_v1": "Trained and tested on LOL v1:",
    "embedded": "Miniatures as the lessons train them in the quick profile, within a minute or so, "
    "tested on\nphotographs from the installed libraries:",
}

# What a new card has to say under its head.
TEMPLATE = """# MODEL, trained on DATA

## Training

Data and what was left out of it, recipe, command, hardware, steps and hours.

## Scores

## Limits

## Licence
"""


@dataclass(frozen=True)
class Card:
    """The head of a card.

    Attributes:
        model, data: a network and the data set that it was trained on.
        title: a few words for a table's row.
        parameters: how many the network has.
        seeds: of the runs that were scored.
        scores: split -> ``psnr``, ``ssim`` and ``psnr_gt_mean`` of the shipped weights under the
            frozen protocol.
        runs: split -> such scores of every seed's weights, where there are several.
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
        return SHIPPED / f"{self.model}_{self.data}.md"


def read(path: Path) -> tuple[Card, str]:
    """Return a card's head and its text.

    Raises:
        CourseError: the file has no head, or one with other entries.
    """
    _, head, text = path.read_text(encoding="utf-8").split("---\n", 2)
    try:
        return Card(**yaml.safe_load(head)), text
    except (TypeError, yaml.YAMLError) as error:
        raise CourseError(f"The head of {path.name} is no model card: {error}.") from error


def write(card: Card, text: str, path: Path | None = None) -> None:
    entries = {name: value for name, value in asdict(card).items() if value}
    head = yaml.safe_dump(entries, sort_keys=False, default_flow_style=None)
    with atomic_path(path or card.path) as temporary:
        temporary.write_text(f"---\n{head}---\n{text}", encoding="utf-8")


def shipped_cards() -> list[Card]:
    """All cards in the package, best test PSNR last."""
    cards = [read(path)[0] for path in SHIPPED.glob("*.md")]
    return sorted(cards, key=lambda card: card.scores["test"]["psnr"])


def scores(evaluation: Evaluation) -> dict[str, float]:
    """An evaluation's scores, rounded as they are printed."""
    return {name: round(getattr(evaluation, name), digits) for name, digits in COLUMNS.items()}


def table(cards: list[Card]) -> str:
    """The README's table of networks that were trained on one data set."""
    lines = [
        "| network | parameters | PSNR (dB) | SSIM | GT-mean PSNR (dB) | on unseen scenes (val) |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for card in cards:
        test, val = card.scores["test"], card.scores["val"]
        lines.append(
            f"| [`{card.model}`](llie_helpers/weights/{card.path.name}), {card.title} "
            f"| {card.parameters:,} | {test['psnr']:.2f} | {test['ssim']:.3f} "
            f"| {test['psnr_gt_mean']:.2f} | {val['psnr']:.2f} dB, {val['ssim']:.3f} |"
        )
        if card.runs:
            psnr, ssim, gain = (over_seeds(card, "test", name) for name in COLUMNS)
            unseen = f"{over_seeds(card, 'val', 'psnr')} dB, {over_seeds(card, 'val', 'ssim')}"
            lines.append(
                f"| its recipe, mean and spread of {len(card.seeds)} seeds "
                f"| | {psnr} | {ssim} | {gain} | {unseen} |"
            )
    return "\n".join(lines)


def over_seeds(card: Card, split: str, name: str) -> str:
    """Mean and standard deviation of a score over a card's runs, as text."""
    values = [run[name] for run in card.runs[split]]
    return f"{fmean(values):.{COLUMNS[name]}f} ± {stdev(values):.{COLUMNS[name]}f}"


def with_table(readme: str) -> str:
    """The README's text with the table as the cards have it.

    Raises:
        CourseError: the two marks around the table are missing.
    """
    first, last = MARKS
    if first not in readme or last not in readme:
        raise CourseError(f"README.md must hold the lines {first!r} and {last!r}.")
    before, rest = readme.split(first, 1)
    parts = []
    for data, heading in HEADINGS.items():
        if cards := [card for card in shipped_cards() if card.data == data]:
            parts.append(f"{heading}\n\n{table(cards)}\n")
    return f"{before}{first}\n" + "\n".join(parts) + f"{last}{rest.split(last, 1)[1]}"
