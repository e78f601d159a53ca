"""The command line, ``python -m llie_helpers`` or ``llie``: one function per command.

Each command imports what it needs when it runs, so that ``--help`` is fast.
"""

import inspect
import io
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from llie_helpers import __version__
from llie_helpers.console import (
    DEBUG,
    PROGRAM,
    Data,
    Device,
    Options,
    Resume,
    Weights,
    examples,
    key_values,
    new_app,
    run,
    run_folder,
    say,
)
from llie_helpers.errors import CourseError, check_seed


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command in ``arguments``, by default those of the process."""
    if isinstance(sys.stdout, io.TextIOWrapper):  # which may lack the letters of a file's name
        sys.stdout.reconfigure(errors="backslashreplace")
    return run(app, sys.argv[1:] if arguments is None else arguments)


app = new_app()
data_app = new_app(help="List, download, check and cache data sets.")
app.add_typer(data_app, name="data")


def print_version(wanted: bool) -> None:
    """Print the version and exit, if ``--version`` was given."""
    if wanted:
        print(f"llie_helpers {__version__}")
        raise typer.Exit


@app.callback()
def common(
    version: Annotated[
        bool,
        typer.Option("--version", callback=print_version, is_eager=True, help="Show the version."),
    ] = False,
    debug: Annotated[
        bool, typer.Option(DEBUG, help="Show an error's traceback; works after a command too.")
    ] = False,
) -> None:
    """Low-light image enhancement, step by step."""


# Options that several of these commands have.
Name = Annotated[str, typer.Argument(metavar="NAME", help="A data set, see `data list`.")]
Split = Annotated[str, typer.Option(help="train, val or test.")]
Model = Annotated[str, typer.Option(help="A network or a classical method, see `models`.")]
NetworkName = Annotated[str, typer.Option("--model", help="A network, see `models`.")]
Force = Annotated[bool, typer.Option("--force", help="Overwrite existing files.")]


@app.command(**examples("models"))
def models() -> None:
    """List all methods with their parameters, weights and options."""
    from llie_helpers.methods import list_methods
    from llie_helpers.methods.classical import METHODS
    from llie_helpers.models import MODELS, create_model
    from llie_helpers.models.cards import shipped_cards
    from llie_helpers.models.cost import count_parameters
    from llie_helpers.tables import Table

    cards = sorted(shipped_cards(), key=lambda card: card.data)
    made_by: dict[str, Callable[..., Any]] = {**METHODS, **MODELS}
    rows = []
    for name in list_methods():
        count = count_parameters(create_model(name)) if name in MODELS else 0
        # Some were trained with other options, and so have another number of parameters.
        weights = [f"{card.data} ({card.parameters:,})" for card in cards if card.model == name]
        options = [
            f"{option.name}={json.dumps(option.default, separators=(',', ':'))}"
            for option in inspect.signature(made_by[name]).parameters.values()
        ]
        rows.append([name, f"{count:,}", ", ".join(weights) or "-", " ".join(options)])
    print(Table(["method", "parameters", "weights (their parameters)", "options"], rows))


@data_app.command("list", **examples("data list"))
def data_list() -> None:
    """List the data sets and their folders."""
    from llie_helpers import data
    from llie_helpers.tables import Table

    rows = [
        [name, data.CATALOG[name].title, str(folder or "not present")]
        for name, folder in data.available().items()
    ]
    rows.append(["embedded", data.CATALOG["embedded"].title, "always present"])
    print(Table(["name", "title", "folder"], rows))


@data_app.command("get", **examples("data get lol_v1"))
def data_get(name: Name) -> None:
    """Download a data set from Kaggle, unless it is already present."""
    from llie_helpers import data

    print(f"{name} is in {data.get(name)}")


@data_app.command("check", **examples("data check lol_v1"))
def data_check(name: Name) -> None:
    """Decode every image and report what is missing or damaged."""
    from llie_helpers import data

    report = data.check(name)
    print(report)
    raise typer.Exit(0 if report.ok else 1)


@data_app.command("cache", **examples("data cache lol_v1"))
def data_cache(name: Name) -> None:
    """Decode a data set into the cache, so that training reads it fast."""
    from llie_helpers import data
    from llie_helpers.data.splits import NAMES

    for split in NAMES:
        print(data.load_pairs(name, split))


@app.command(
    **examples(
        "train --model mse_cnn --data lol_v1",
        "train --model mse_cnn --data lol_v1 --resume",
        "train --model residual --data lol_v1 --mapped",
        "train --model mse_cnn --data embedded --quick --set learning_rate=2e-3",
    )
)
def train(
    model: NetworkName,
    data: Data,
    recipe: Annotated[
        str | None,
        typer.Option(help="A recipe's name or .toml file.", show_default="the network's own"),
    ] = None,
    weights: Annotated[
        str | None,
        typer.Option(
            help="Start from shipped weights or a .safetensors file.", show_default="random weights"
        ),
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Apply the recipe's quick table.")] = False,
    epochs: Annotated[int | None, typer.Option(show_default="the recipe's")] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="Change a value of the recipe; may be repeated."
        ),
    ] = None,
    option: Options = None,
    mapped: Annotated[
        bool, typer.Option("--mapped", help="Train on histogram-mapped images (lesson 05).")
    ] = False,
    seed: Annotated[int, typer.Option(help="Seed of the initial weights and the crops.")] = 0,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Folder of the run.", show_default="runs/MODEL_DATA_SEED"),
    ] = None,
    resume: Resume = False,
    device: Device = "auto",
    devices: Annotated[int, typer.Option(help="Number of processes or GPUs.")] = 1,
) -> None:
    """Train a network with its recipe.

    Keeps the weights that score best on the validation images.
    """
    import torch

    from llie_helpers.devices import choose_device, describe
    from llie_helpers.models import create_model
    from llie_helpers.models.cost import count_parameters
    from llie_helpers.training import fit, load_recipe
    from llie_helpers.training.splits import load_splits

    place = choose_device(device)
    how = load_recipe(recipe or model, "quick" if quick else "full").changed(**key_values(changes))
    if epochs is not None:
        how = how.changed(epochs=epochs)
    torch.manual_seed(check_seed(seed))
    network = create_model(model, weights, **key_values(option))
    name = f"{model}_mapped" if mapped else model
    # Windows has no colons in names, and photographs:DIR has one.
    folder = run_folder(f"{name}_{Path(data).stem}_{seed}".replace(":", "_"), out, resume)
    train_pairs, val_pairs = load_splits(data, folder, seed, mapped)
    say(
        f"{model}, {count_parameters(network):,} parameters, on {describe(place)}\n"
        f"{train_pairs}\nrun folder {folder}"
    )
    trained = fit(
        network,
        train_pairs,
        val_pairs,
        how,
        run_dir=folder,
        seed=seed,
        device=str(place),
        devices=devices,
    )
    say(
        f"{trained}\nScore it: {PROGRAM} evaluate --model {model} --data {data} "
        f"--weights {trained.best_path}"
    )


@app.command(
    **examples(
        "evaluate --model gamma --data lol_v1",
        "evaluate --model gamma --option gamma=0.3 --data lol_v1",
        "evaluate --model mse_cnn --weights lol_v1 --data lol_v1 --each",
    )
)
def evaluate(
    model: Model,
    data: Data,
    split: Split = "test",
    weights: Weights = None,
    option: Options = None,
    each: Annotated[bool, typer.Option("--each", help="Also print every image's scores.")] = False,
    device: Device = "auto",
) -> None:
    """Score a method under the frozen protocol."""
    from llie_helpers.data import load_pairs
    from llie_helpers.devices import choose_device, describe
    from llie_helpers.methods import NetworkMethod, create_method
    from llie_helpers.metrics import evaluate
    from llie_helpers.models.cost import gmacs
    from llie_helpers.tables import Table

    place = choose_device(device)
    method = create_method(model, weights, place, **key_values(option))
    pairs = load_pairs(data, split)
    scores = evaluate(method, pairs, progress=True)
    if each:
        rows = [
            [
                row["name"],
                f"{row['psnr']:.2f} dB",
                f"{row['ssim']:.3f}",
                f"{row['psnr_gt_mean']:.2f} dB",
            ]
            for row in scores.per_image
        ]
        print(Table(["image", "PSNR", "SSIM", "GT-mean PSNR"], rows), end="\n\n")
    height, width = pairs.raw(0)[0].shape[:2]
    cost = gmacs(method.network, height, width) if isinstance(method, NetworkMethod) else 0.0
    rows = [
        ["data", f"{pairs.title}, {len(pairs)} pairs"],
        ["PSNR", f"{scores.psnr:.2f} dB"],
        ["SSIM", f"{scores.ssim:.3f}"],
        ["LPIPS", "not available" if scores.lpips is None else f"{scores.lpips:.3f}"],
        ["GT-mean PSNR", f"{scores.psnr_gt_mean:.2f} dB (diagnostic: uses the target's mean)"],
        ["parameters", f"{method.parameter_count:,}"],
        ["GMACs", f"{cost:.2f} at {width}x{height}"],
        ["ms per megapixel", f"{scores.ms_per_megapixel:.0f} on {describe(place)}"],
    ]
    print(Table(["method", model], rows))


@app.command(
    **examples(
        "enhance dark.jpg -o enhanced.jpg",
        "enhance holiday/ evening.png -o enhanced/ --exposure -0.5",
        "enhance dark.jpg -o enhanced.png --model clahe --option clip=3.0",
        "enhance - -o - < dark.jpg > enhanced.jpg",
    )
)
def enhance(
    inputs: Annotated[
        list[Path],
        typer.Argument(metavar="INPUT...", help="Files and folders, or - for standard input."),
    ],
    out: Annotated[
        Path,
        typer.Option(
            "--out", "-o", help="A file for one input file, - for standard output, else a folder."
        ),
    ],
    model: Model = "dual_branch",
    weights: Weights = None,
    option: Options = None,
    exposure: Annotated[
        float, typer.Option(metavar="STOPS", help="Stops of light to add; negative to remove.")
    ] = 0.0,
    strength: Annotated[float, typer.Option(help="From 0 (the input) to 1 (the result).")] = 1.0,
    fast: Annotated[
        bool, typer.Option("--fast", help="Videos: correct the exposure only, not the noise.")
    ] = False,
    force: Force = False,
    device: Device = "auto",
) -> None:
    """Enhance photographs and videos.

    Takes files, and folders with all their subfolders.
    """
    from llie_helpers.devices import choose_device
    from llie_helpers.inference.batch import enhance_files
    from llie_helpers.inference.image import adjustment
    from llie_helpers.inference.tiles import enhance_tiled
    from llie_helpers.inference.video import enhance_video
    from llie_helpers.methods import create_method

    postprocess = adjustment(exposure, strength)
    method = create_method(model, weights, choose_device(device), **key_values(option))
    summary = enhance_files(
        inputs,
        out,
        lambda image: enhance_tiled(method, image, postprocess),
        lambda source, target: enhance_video(source, target, method, postprocess, fast),
        force,
    )
    print(summary, file=sys.stderr if out == Path("-") else sys.stdout)
    raise typer.Exit(1 if summary.failed else 0)


@app.command(**examples("export --model dual_branch -o dual_branch.onnx"))
def export(
    model: NetworkName,
    out: Annotated[Path, typer.Option("--out", "-o", help="The .onnx file to write.")],
    weights: Weights = None,
    force: Force = False,
) -> None:
    """Write a network, with all that enhance does, as an ONNX file."""
    from llie_helpers.inference.export import export_onnx
    from llie_helpers.methods import create_method

    if os.path.exists(out) and not force:
        raise CourseError(f"{out} already exists; add --force to overwrite it.")
    difference = export_onnx(create_method(model, weights), out)
    size = out.stat().st_size / 1e6
    print(
        f"{out}: {size:.1f} MB; on three photographs its output differs from that of enhance by "
        f"{difference:.1g} at most."
    )


@app.command(**examples("gallery clahe mse_cnn --data lol_v1 -o gallery"))
def gallery(
    methods: Annotated[
        list[str],
        typer.Argument(metavar="METHOD...", help="A method; networks use their default weights."),
    ],
    data: Data,
    out: Annotated[Path, typer.Option("--out", "-o", help="A new folder.")],
    split: Split = "test",
    device: Device = "auto",
) -> None:
    """Write a page that compares methods.

    Shows every image of a split: the input, the output of each method and the target.
    """
    from llie_helpers.data import load_pairs
    from llie_helpers.devices import choose_device
    from llie_helpers.methods import create_method
    from llie_helpers.plotting.gallery import write_gallery

    place = choose_device(device)
    chosen = {name: create_method(name, device=place) for name in methods}
    print(write_gallery(chosen, load_pairs(data, split), out))


@app.command(**examples("ranking photographs/ -m clahe -m lime -m dual_branch -o ranking.html"))
def ranking(
    folder: Annotated[Path, typer.Argument(help="A folder of dark photographs.")],
    methods: Annotated[
        list[str],
        typer.Option(
            "--model", "-m", help="A method, repeated for each; networks use their default weights."
        ),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="The .html file to write.")],
    force: Force = False,
    device: Device = "auto",
) -> None:
    """Write a page on which to rank methods blind.

    It shows the photographs with the outputs in random order, and counts which is preferred.
    """
    from llie_helpers.data.folders import images_in
    from llie_helpers.devices import choose_device
    from llie_helpers.methods import create_method
    from llie_helpers.plotting.ranking import ranking

    if os.path.exists(out) and not force:
        raise CourseError(f"{out} already exists; add --force to overwrite it.")
    place = choose_device(device)
    chosen = {name: create_method(name, device=place) for name in methods}
    print(ranking({path.name: path for path in images_in(folder)}, chosen, out))
