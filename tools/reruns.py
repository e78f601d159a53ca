"""Train the five systems that the course rebuilds, each under its own protocol, and score them.

A protocol is followed as far as it is known. Where a system does not say what it validates on,
it is a random fifth of the files, as in the system of lesson 03.
"""

import math
import sys
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Annotated, Any

import torch
import typer
from residual_attention_unet import ResidualAttentionUNet

from llie_helpers import cli
from llie_helpers.data import Pairs, concatenate, load_pairs
from llie_helpers.data.crops import WholeImages
from llie_helpers.errors import unknown_name
from llie_helpers.lessons.reruns import Rerun, Scores
from llie_helpers.methods import Method, NetworkMethod
from llie_helpers.methods.histogram import HistogramMapper
from llie_helpers.metrics import Evaluation, evaluate
from llie_helpers.models import create_model
from llie_helpers.models.cost import count_parameters
from llie_helpers.models.network import Network
from llie_helpers.training import fit, load_recipe

PROGRAM = "python tools/reruns.py"
SEED = 42
# The one network of a system that is no part of the course; its recipe is beside it.
RESIDUAL_ATTENTION_UNET = "residual_attention_unet"


@dataclass(frozen=True)
class Protocol:
    """How a system trains, and how the score that it reports is computed.

    Args:
        size: images are resized to squares of this side, in pixels; None: random crops.
        augment: flip, rotate and change the brightness of resized pairs.
        changes: to the recipe of the network's name.
        on_test: the test images validate, choose the weights and give the score; else a
            random fifth of the training files does, so that both parts share scenes.
        leaky: images are mapped by a `HistogramMapper` that was fitted to all training files,
            those that validate included.
        pooled: the score is one error over all pixels of all images, not a mean of scores.
    """

    size: int | None = None
    augment: bool = False
    changes: dict[str, Any] = field(default_factory=dict)
    on_test: bool = False
    leaky: bool = False
    pooled: bool = False

    def psnr(self, evaluation: Evaluation) -> float:
        """Return the PSNR in dB as the system would report it."""
        return pooled_psnr(evaluation) if self.pooled else evaluation.psnr


PROTOCOLS = {
    # Lesson 03: the system's own network, and this course's in its place.
    RESIDUAL_ATTENTION_UNET: Protocol(size=128, pooled=True),
    "mse_cnn": Protocol(size=128, pooled=True),
    "unet": Protocol(
        size=256, augment=True, changes={"epochs": 10, "schedule": "constant", "ema": 0.0}
    ),
    "residual": Protocol(changes={"epochs": 5}, leaky=True),
    "pix2pix": Protocol(size=256, augment=True),
    "fft_dual_branch": Protocol(size=224, on_test=True),
}

app = cli.new_app()


@app.command(
    help=__doc__,
    **cli.examples(
        f"{RESIDUAL_ATTENTION_UNET} --data lol_v1 --option width=16",
        "fft_dual_branch --data lol_v1 --epochs 40",
        program=PROGRAM,
    ),
)
def main(
    model: Annotated[str, typer.Argument(metavar="MODEL", help=f"One of {', '.join(PROTOCOLS)}.")],
    data: cli.Data,
    option: cli.Options = None,
    epochs: Annotated[
        int | None, typer.Option(help="At most.", show_default="the recipe's")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Folder of the run.", show_default="runs/rerun_MODEL"),
    ] = None,
    resume: cli.Resume = False,
    device: cli.Device = "auto",
    keep: Annotated[
        bool, typer.Option("--keep", help="Put the scores into the package, for lesson 08.")
    ] = False,
) -> None:
    folder = cli.run_folder(f"rerun_{model}", out, resume)
    result = rerun(model, data, folder, epochs, device=device, **cli.key_values(option))
    print(result)
    if keep:
        print(f"kept in {result.keep()}")


def rerun(
    name: str,
    data: str,
    run_dir: Path,
    epochs: int | None = None,
    *,
    device: str = "auto",
    progress: bool = True,
    **options: Any,
) -> Rerun:
    """Train network ``name`` under its system's protocol and score it.

    Pairs that are known to be mismatched are left out. A run in ``run_dir`` is resumed.

    Args:
        name: of a network in `PROTOCOLS`.
        data: a data set, such as "lol_v1".
        run_dir: gets what `fit` writes.
        epochs: at most; the recipe's where None.
        device: as `choose_device` takes it.
        progress: show one progress line.
        options: of the network.

    Raises:
        CourseError: no such protocol, or as `load_pairs` and `fit`.
    """
    if name not in PROTOCOLS:
        raise unknown_name("network of a published system", name, PROTOCOLS)
    protocol = PROTOCOLS[name]
    torch.manual_seed(SEED)
    network = build(name, **options)
    method: Method = NetworkMethod(network)
    files = concatenate(load_pairs(data, "train"), load_pairs(data, "val"))
    test = whole_test = load_pairs(data, "test")
    if protocol.leaky:
        method, files = leak(network, files)
    if protocol.size:
        files, test = files.resized(protocol.size), test.resized(protocol.size)
    train, held_out = (files, test) if protocol.on_test else split_by_file(files)
    recipe_file = Path(__file__).with_name(f"{name}.toml")
    recipe = load_recipe(recipe_file if recipe_file.exists() else name).changed(**protocol.changes)
    if protocol.size:
        recipe = recipe.changed(crop_size=protocol.size, crops_per_epoch=len(train))
    trained = fit(
        network,
        train if protocol.augment or not protocol.size else WholeImages(train),
        held_out,
        recipe.changed(epochs=epochs or recipe.epochs),
        run_dir=run_dir,
        seed=SEED,
        device=device,
        progress=progress,
    )
    # Held-out images were mapped already, those of the test were not.
    own = evaluate(NetworkMethod(network), held_out)
    on_test = own if protocol.on_test else evaluate(method, test)
    frozen = evaluate(method, whole_test) if protocol.size else on_test
    return Rerun(
        name,
        count_parameters(network),
        len(trained.history),
        trained.seconds,
        Scores(protocol.psnr(own), own.ssim),
        Scores(protocol.psnr(on_test), on_test.ssim),
        Scores(frozen.psnr, frozen.ssim),
    )


def build(name: str, **options: Any) -> Network:
    """Return a network of `PROTOCOLS` with random weights."""
    if name != RESIDUAL_ATTENTION_UNET:
        return create_model(name, **options)
    network = ResidualAttentionUNet(**options)
    network.name, network.options = name, options
    return network


def leak(network: Network, files: Pairs) -> tuple[Method, Pairs]:
    """Map ``files`` by trees that were fitted to their own targets; return also the method."""
    mapper = HistogramMapper().fit(files)
    return NetworkMethod(network, mapper), mapper.map_pairs(files)


def split_by_file(pairs: Pairs) -> list[Pairs]:
    """Return four fifths and one fifth, drawn at random whatever the scenes."""
    from sklearn.model_selection import train_test_split

    parts = train_test_split(range(len(pairs)), test_size=0.2, random_state=SEED)
    return [pairs.subset(part) for part in parts]


def pooled_psnr(evaluation: Evaluation) -> float:
    """Return the PSNR in dB of the mean squared error over all images of one size at once."""
    return -10 * math.log10(fmean(10 ** (-row["psnr"] / 10) for row in evaluation.per_image))


if __name__ == "__main__":
    sys.exit(cli.run(app, sys.argv[1:], PROGRAM))
