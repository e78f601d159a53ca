"""Ship trained weights with their model card, and write the README's table from the cards."""

import shutil
import sys
from dataclasses import asdict
from pathlib import Path
from statistics import fmean, stdev
from typing import Annotated

import torch
import typer
import yaml
from marked import README, between_marks, rewrite

from llie_helpers.console import Data, examples, new_app, run
from llie_helpers.data import load_pairs
from llie_helpers.files import atomic_path
from llie_helpers.methods import create_method
from llie_helpers.metrics import Evaluation, evaluate
from llie_helpers.models import cards, create_model
from llie_helpers.models import weights as weights_file
from llie_helpers.models.cards import Card
from llie_helpers.models.cost import count_parameters
from llie_helpers.models.weights import mapper_path
from llie_helpers.training import load_history

PROGRAM = "python tools/cards.py"
MARKS = (f"<!-- results, written by `{PROGRAM} results` -->", "<!-- end of results -->")
# Bytes of a weights file in the repository; larger ones are stored in half precision.
LARGEST = 2_000_000
# Number of printed decimals of each score.
DECIMALS = {"psnr": 2, "ssim": 3, "psnr_gt_mean": 2}

# What the README says above the table of each kind of weights.
HEADINGS = {
    "lol_v1": "Trained and tested on LOL v1:",
    "photographs": "Trained on LOL v1 and on photographs darkened by lesson 01's physics, tested "
    "on LOL v1,\nthe default of `enhance`:",
    "embedded": "Miniatures trained by the recipes of the quick profile, within minutes, "
    "tested on\nphotographs from the installed libraries:",
}

# The text of a new card, to be filled in.
TEMPLATE = """# MODEL, trained on DATA

## Training

Data and what was left out of it, recipe, command, hardware, steps and hours.

## Scores

## Limits

## Licence
"""

app = new_app(help=__doc__)


@app.command(
    **examples(
        "ship --model unet --data lol_v1 --title 'lesson 04' --weights runs/unet/best.safetensors",
        program=PROGRAM,
    )
)
def ship(
    model: Annotated[str, typer.Option(help="A network.")],
    data: Data,
    title: Annotated[str, typer.Option(help="Short title for the README's table.")],
    weights: Annotated[
        list[Path],
        typer.Option(
            help="A .safetensors file; may be repeated for several seeds, and the first is shipped."
        ),
    ],
    name: Annotated[
        str | None,
        typer.Option(help="Name of the weights.", show_default="that of the data set"),
    ] = None,
) -> None:
    """Copy trained weights and their history into the package, score them, write their card."""
    networks = [create_model(model, path) for path in weights]
    seeds = [load_history(path.with_name("history.json")).settings["seed"] for path in weights]
    parameters = count_parameters(networks[0])
    name = name or data
    shipped = weights_file.SHIPPED / f"{model}_{name}.safetensors"
    precision = torch.float16 if 4 * parameters > LARGEST else torch.float32
    state = networks[0].state_dict()
    weights_file.save(state, shipped, model, networks[0].options, precision)
    copies = {
        weights[0].with_name("history.json"): shipped.with_suffix(".history.json"),
        mapper_path(weights[0]): mapper_path(shipped),
    }
    for source, target in copies.items():
        if source.is_file():
            with atomic_path(target) as temporary:
                shutil.copyfile(source, temporary)
    # Score the shipped file, which may be in half precision.
    methods = [create_method(model, path) for path in [shipped, *weights[1:]]]
    runs = {}
    for split in ("test", "val"):
        pairs = load_pairs(data, split)
        runs[split] = [rounded(evaluate(method, pairs, progress=True)) for method in methods]
    first = {split: scores[0] for split, scores in runs.items()}
    card = Card(model, name, title, parameters, seeds, first, runs if len(weights) > 1 else {})
    write(card, cards.read(card.path)[1] if card.path.exists() else TEMPLATE)
    print(f"{shipped.name} and {card.path.name} written; describe in the card how it was trained, "
          f"then run `{PROGRAM} results`.")  # fmt: skip


@app.command(**examples("results", program=PROGRAM))
def results() -> None:
    """Write the README's table of networks from the model cards."""
    rewrite(README, with_table)


def rounded(evaluation: Evaluation) -> dict[str, float]:
    """Return an evaluation's scores, rounded for printing."""
    return {name: round(getattr(evaluation, name), digits) for name, digits in DECIMALS.items()}


def write(card: Card, text: str) -> None:
    """Write a card: its front matter, and the text below it."""
    entries = {name: value for name, value in asdict(card).items() if value}
    front_matter = yaml.safe_dump(entries, sort_keys=False, default_flow_style=None)
    with atomic_path(card.path) as temporary:
        temporary.write_text(f"---\n{front_matter}---\n{text}", encoding="utf-8")


def with_table(readme: str) -> str:
    """Return the README's text with tables from the cards."""
    shipped = cards.shipped_cards()
    parts = [
        f"{heading}\n\n{table([card for card in shipped if card.data == data])}\n"
        for data, heading in HEADINGS.items()
    ]
    return between_marks(readme, MARKS, "\n".join(parts))


def table(of_one_set: list[Card]) -> str:
    """Return the README's table of the networks for one data set."""
    lines = [
        "| network | parameters | PSNR (dB) | SSIM | GT-mean PSNR (dB) | on unseen scenes (val) |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for card in of_one_set:
        test, val = card.scores["test"], card.scores["val"]
        lines.append(
            f"| [`{card.model}`](llie_helpers/weights/{card.path.name}), {card.title} "
            f"| {card.parameters:,} | {test['psnr']:.2f} | {test['ssim']:.3f} "
            f"| {test['psnr_gt_mean']:.2f} | {val['psnr']:.2f} dB, {val['ssim']:.3f} |"
        )
        if card.runs:
            psnr, ssim, gt_mean = (over_seeds(card, "test", name) for name in DECIMALS)
            unseen = f"{over_seeds(card, 'val', 'psnr')} dB, {over_seeds(card, 'val', 'ssim')}"
            lines.append(
                f"| its recipe, mean and spread of {len(card.seeds)} seeds "
                f"| | {psnr} | {ssim} | {gt_mean} | {unseen} |"
            )
    return "\n".join(lines)


def over_seeds(card: Card, split: str, name: str) -> str:
    """Return mean and standard deviation of a score over a card's runs, as text."""
    values = [scores[name] for scores in card.runs[split]]
    return f"{fmean(values):.{DECIMALS[name]}f} ± {stdev(values):.{DECIMALS[name]}f}"


if __name__ == "__main__":
    sys.exit(run(app, sys.argv[1:], PROGRAM))
