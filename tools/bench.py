"""Measure quality in every light, and the speed of inference, videos and data loading."""

import sys
from typing import Annotated

import torch
import typer
from tqdm.auto import tqdm

from llie_helpers.console import Weights, examples, new_app, run
from llie_helpers.models import list_models

PROGRAM = "python tools/bench.py"
SIZES = ["600x400", "1280x720"]
MEGAPIXELS = [1.0, 4.0, 12.0, 24.0]

app = new_app(help=__doc__)


@app.command(**examples("inference", "inference --size 1280x720", program=PROGRAM))
def inference(
    size: Annotated[
        list[str], typer.Option(metavar="WIDTHxHEIGHT", help="May be repeated.")
    ] = SIZES,
    repeats: Annotated[int, typer.Option(help="At most, for each method.")] = 7,
) -> None:
    """Time every network, and CLAHE for comparison, on one image."""
    from benchmarks.inference import bench_inference, cost_table

    for width, height in map(parsed_size, size):
        print(f"one image of {width}x{height}, {torch.get_num_threads()} threads, float32")
        print(cost_table(bench_inference(list_models(), width, height, repeats)))


@app.command(**examples("enhance", "enhance --megapixels 12 --frames 24", program=PROGRAM))
def enhance(
    model: Annotated[str, typer.Option(help="A network.")] = "dual_branch",
    weights: Weights = None,
    megapixels: Annotated[
        list[float], typer.Option(help="Size of a photograph; may be repeated.")
    ] = MEGAPIXELS,
    frames: Annotated[int, typer.Option(help="Frames of the video.")] = 96,
    size: Annotated[
        str, typer.Option(metavar="WIDTHxHEIGHT", help="Frames of the video.")
    ] = "1280x720",
) -> None:
    """Time large photographs and a video."""
    from benchmarks.enhance import bench_photo, bench_video

    print(f"{model}, {torch.get_num_threads()} threads, float32")
    for count in megapixels:
        print(bench_photo(model, weights, count))
    for fast in (False, True):
        print(bench_video(model, weights, frames, parsed_size(size), fast))


@app.command(**examples("page", program=PROGRAM))
def page(
    size: Annotated[str, typer.Option(metavar="WIDTHxHEIGHT", help="A photograph.")] = SIZES[0],
    repeats: Annotated[int, typer.Option(help="After one run to warm up.")] = 5,
) -> None:
    """Time the page in Chromium, as `tools/webpage.py build` writes it, and Python beside it."""
    from benchmarks.page import bench_page

    print(bench_page(*parsed_size(size), repeats))


@app.command(**examples("data --data lol_v1", program=PROGRAM))
def data(
    data: Annotated[str, typer.Option(help="A data set.")] = "lol_v1",
    seconds: Annotated[float, typer.Option(help="Seconds for each way of reading.")] = 5.0,
) -> None:
    """Compare reading random crops from the cache with decoding the files each time."""
    from benchmarks.data import bench_data

    print(bench_data(data, seconds))


@app.command(**examples("quality", "quality --model lime", "quality --rules", program=PROGRAM))
def quality(
    model: Annotated[
        list[str] | None,
        typer.Option(
            help="A method; may be repeated.",
            show_default="all, whose scores go into the package and the README",
        ),
    ] = None,
    weights: Weights = None,
    rules: Annotated[
        bool, typer.Option("--rules", help="Check what must hold for the default network.")
    ] = False,
) -> None:
    """Score methods on the lighting scenes: dark, backlit and in full light."""
    if weights and not (model or rules):
        raise typer.BadParameter("--weights needs a --model, or --rules")
    from benchmarks.quality import every_method, keep, score
    from benchmarks.rules import report

    from llie_helpers.data.lighting_scenes import KINDS
    from llie_helpers.lessons.quality import table
    from llie_helpers.methods import create_method

    named = {name: create_method(name, weights) for name in model or ()}
    if rules:
        for method in named.values() or [create_method("dual_branch", weights)]:
            print(report(method), end="\n\n")
        return
    methods = named or every_method()
    scores = {name: score(method) for name, method in tqdm(methods.items())}
    for kind in KINDS:
        print(table(scores, kind), end="\n\n")
    if not model:
        keep(scores)


def parsed_size(text: str) -> tuple[int, int]:
    """Turn ``"600x400"`` into ``(600, 400)``."""
    width, cross, height = text.partition("x")
    if not (cross and width.isdecimal() and height.isdecimal()):
        raise typer.BadParameter(f"{text!r} is not of the form WIDTHxHEIGHT")
    return int(width), int(height)


if __name__ == "__main__":
    sys.exit(run(app, sys.argv[1:], PROGRAM))
