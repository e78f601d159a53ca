"""Train the five rebuilt systems, each under its own protocol, and score them.

If a system's validation images are unknown, they are a random fifth of the files, as in lesson 03.
"""

import json
import math
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Annotated, Any

import torch
import typer
from residual_attention_unet import ResidualAttentionUNet

from llie_helpers import console
from llie_helpers.data import Pairs, concatenate, load_pairs
from llie_helpers.data.crops import WholeImages
from llie_helpers.errors import unknown_name
from llie_helpers.files import atomic_path
from llie_helpers.lessons import reruns
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
# Not part of the package; its recipe is beside this file.
RESIDUAL_ATTENTION_UNET = "residual_attention_unet"


@dataclass(frozen=True)
class Protocol:
    """The protocol under which a system is trained and scored.

    Args:
        size: side in pixels to which images are resized; None for random crops.
        augment: flip, rotate and change the brightness of resized pairs.
        changes: changes to the network's recipe.
        on_test: validate and select weights on the test images; otherwise on a random fifth of the
            training files, which shares scenes with the rest.
        leaky: map images with a `HistogramMapper` fitted to all training files, including those
            for validation.
        pooled: score one error over all pixels of all images, not the mean of scores.
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
    # Lesson 03: the system's own network, and the course's.
    RESIDUAL_ATTENTION_UNET: Protocol(size=128, pooled=True),
    "mse_cnn": Protocol(size=128, pooled=True),
    "unet": Protocol(
        size=256, augment=True, changes={"epochs": 10, "schedule": "constant", "ema": 0.0}
    ),
    "residual": Protocol(changes={"epochs": 5}, leaky=True),
    "pix2pix": Protocol(size=256, augment=True),
    "fft_dual_branch": Protocol(size=224, on_test=True),
}

app = console.new_app()


@app.command(
    help=__doc__,
    **console.examples(
        f"{RESIDUAL_ATTENTION_UNET} --data lol_v1 --option width=16",
        "fft_dual_branch --data lol_v1 --epochs 40",
        program=PROGRAM,
    ),
)
def main(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help=f"One of {', '.join(PROTOCOLS)}, or {HistogramMapper.name}: the one of residual, "
            "alone.",
        ),
    ],
    data: console.Data,
    option: console.Options = None,
    epochs: Annotated[
        int | None, typer.Option(help="Largest number of epochs.", show_default="the recipe's")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Folder of the run.", show_default="runs/rerun_MODEL"),
    ] = None,
    resume: console.Resume = False,
    device: console.Device = "auto",
    keep: Annotated[
        bool, typer.Option("--keep", help="Write the scores into the package, for lesson 08.")
    ] = False,
) -> None:
    if model == HistogramMapper.name and (
        option or epochs is not None or out or resume or device != "auto"
    ):
        raise typer.BadParameter(f"{model} is not trained: it takes --data and --keep alone")
    folder = console.run_folder(f"rerun_{model}", out, resume)
    result = rerun(model, data, folder, epochs, device=device, **console.key_values(option))
    print(result)
    if keep:
        print(f"kept in {write(result)}")


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

    Mismatched pairs are excluded. A run in ``run_dir`` is resumed.

    Args:
        name: a network in `PROTOCOLS`, or "histogram_mapper" for the mapper of the leaky one alone.
        data: a data set, such as "lol_v1".
        run_dir: folder for the files of `fit`.
        epochs: largest number of epochs, by default the recipe's.
        device: see `choose_device`.
        progress: show one progress line.
        options: options of the network.

    Raises:
        CourseError: there is no such protocol; see also `load_pairs` and `fit`.
    """
    if name == HistogramMapper.name:
        return mapper_alone(data)
    if name not in PROTOCOLS:
        known = [*PROTOCOLS, HistogramMapper.name]
        raise unknown_name("part of a published system", name, known)
    protocol = PROTOCOLS[name]
    torch.manual_seed(SEED)
    network = build(name, **options)
    method: Method = NetworkMethod(network)
    files = training_files(data)
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
    if epochs is not None:
        recipe = recipe.changed(epochs=epochs)
    trained = fit(
        network,
        train if protocol.augment or not protocol.size else WholeImages(train),
        held_out,
        recipe,
        run_dir=run_dir,
        seed=SEED,
        device=device,
        progress=progress,
    )
    # Held-out images are already mapped, test images are not.
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
    """Map ``files`` with a mapper fitted to their own targets; return the method too."""
    mapper = HistogramMapper().fit(files)
    return NetworkMethod(network, mapper), mapper.map_pairs(files)


def mapper_alone(data: str) -> Rerun:
    """Score the leaky mapper of the residual network without the network, on the same images."""
    files, test = training_files(data), load_pairs(data, "test")
    begun = time.perf_counter()
    mapper = HistogramMapper().fit(files)
    seconds = time.perf_counter() - begun
    own, on_test = (evaluate(mapper, pairs) for pairs in (split_by_file(files)[1], test))
    scores = Scores(on_test.psnr, on_test.ssim)
    return Rerun(mapper.name, 0, 0, seconds, Scores(own.psnr, own.ssim), scores, scores)


def training_files(data: str) -> Pairs:
    """Return all pairs but those of the test, in one order."""
    return concatenate(load_pairs(data, "train"), load_pairs(data, "val"))


def split_by_file(pairs: Pairs) -> list[Pairs]:
    """Split pairs at random into four fifths and one fifth, ignoring scenes."""
    from sklearn.model_selection import train_test_split

    parts = train_test_split(range(len(pairs)), test_size=0.2, random_state=SEED)
    return [pairs.subset(part) for part in parts]


def pooled_psnr(evaluation: Evaluation) -> float:
    """Return the PSNR in dB of the mean squared error over all images, which have one size."""
    return -10 * math.log10(fmean(10 ** (-row["psnr"] / 10) for row in evaluation.per_image))


def write(result: Rerun) -> Path:
    """Write scores into the package, for lesson 08, and return the file."""
    path = reruns.KEPT / f"{result.model}.json"
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(asdict(result), indent=1) + "\n")
    return path


if __name__ == "__main__":
    sys.exit(console.run(app, sys.argv[1:], PROGRAM))
