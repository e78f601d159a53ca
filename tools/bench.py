"""Measure the speed of inference, large photographs, videos and data loading."""

import sys
from typing import Annotated

import torch
import typer

from llie_helpers.cli import Weights, examples, new_app, run
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


@app.command(**examples("data --data lol_v1", program=PROGRAM))
def data(
    data: Annotated[str, typer.Option(help="A data set.")] = "lol_v1",
    seconds: Annotated[float, typer.Option(help="Seconds for each way of reading.")] = 5.0,
) -> None:
    """Compare reading random crops from the cache with decoding the files each time."""
    from benchmarks.data import bench_data

    print(bench_data(data, seconds))


def parsed_size(text: str) -> tuple[int, int]:
    """Turn ``"600x400"`` into ``(600, 400)``."""
    width, cross, height = text.partition("x")
    if not (cross and width.isdecimal() and height.isdecimal()):
        raise typer.BadParameter(f"{text!r} is not of the form WIDTHxHEIGHT")
    return int(width), int(height)


if __name__ == "__main__":
    sys.exit(run(app, sys.argv[1:], PROGRAM))
