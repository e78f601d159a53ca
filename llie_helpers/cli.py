"""The command line ``python -m llie_helpers``: what can be asked, and how errors look.

Exit codes: 0 done, 1 an error that the user can mend (one sentence on stderr), 2 the
command was mistyped, 130 interrupted. The commands themselves are in `commands`.
"""

import argparse
import json
import sys
from collections.abc import Sequence

from llie_helpers.errors import CourseError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    options = vars(build_parser().parse_args(arguments))
    command = options.pop("command")
    # Imported late, so that --help needs neither torch nor lightning.
    from llie_helpers import commands

    try:
        return getattr(commands, command)(**options) or 0
    except CourseError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m llie_helpers", description="Low-light image enhancement, step by step."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    add_data(commands)
    add_train(commands)
    add_evaluate(commands)
    add_enhance(commands)
    add_export(commands)
    add_gallery(commands)
    add_bench(commands)
    add_published(commands)
    add_ship(commands)
    return parser


def add_command(commands, name: str, function: str, summary: str, *examples: str):
    """Add one command: its summary is shown in the list, and with the examples in its help."""
    lines = "\n".join(f"  python -m llie_helpers {example}" for example in examples)
    parser = commands.add_parser(
        name,
        help=summary,
        description=f"{summary[0].upper()}{summary[1:]}.",
        epilog=f"examples:\n{lines}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(command=function)
    return parser


def add_data(commands) -> None:
    data = commands.add_parser("data", help="list, download, check and cache data sets")
    data = data.add_subparsers(required=True, metavar="ACTION")
    add_command(data, "list", "data_list", "list the data sets and where they lie", "data list")
    for name, summary in (
        ("get", "download a data set from Kaggle, unless it is present"),
        ("check", "decode every image and report what is missing or damaged"),
        ("cache", "decode a data set once, so that training reads it fast"),
    ):
        parser = add_command(data, name, f"data_{name}", summary, f"data {name} lol_v1")
        parser.add_argument("name", metavar="NAME", help="a data set, see `data list`")


def add_train(commands) -> None:
    parser = add_command(
        commands,
        "train",
        "train",
        "train a network by its recipe and keep the weights that validate best",
        "train --model mse_cnn --data lol_v1",
        "train --model mse_cnn --data lol_v1 --resume",
        "train --model residual --data lol_v1 --mapped",
        "train --model mse_cnn --data embedded --quick --set learning_rate=2e-3",
    )
    parser.add_argument("--model", required=True, help="a network, such as mse_cnn")
    add_data_option(parser)
    parser.add_argument("--recipe", help="a recipe's name or .toml file (default: the network's)")
    parser.add_argument("--weights", help="start from these instead of random ones")
    parser.add_argument("--quick", action="store_true", help="use the recipe's [quick] table")
    parser.add_argument("--epochs", type=int, help="instead of the recipe's")
    add_pairs_option(parser, "--set", "changes", "change an entry of the recipe")
    add_pairs_option(parser, "--option", "model_options", "set an option of the network")
    parser.add_argument(
        "--mapped", action="store_true", help="show it histogram-mapped images (lesson 05)"
    )
    parser.add_argument("--seed", type=int, default=0, help="of weights and crops (default: 0)")
    parser.add_argument("--out", help="folder of the run (default: runs/MODEL_DATA_SEED)")
    parser.add_argument("--resume", action="store_true", help="go on with the run in that folder")
    parser.add_argument("--accelerator", default="auto", help="cpu, gpu, ... (default: auto)")
    parser.add_argument("--devices", type=int, default=1, help="processes or GPUs (default: 1)")


def add_evaluate(commands) -> None:
    parser = add_command(
        commands,
        "evaluate",
        "evaluate",
        "score a method on a data set under the frozen protocol",
        "evaluate --model gamma --data lol_v1",
        "evaluate --model gamma --option gamma=0.3 --data lol_v1",
        "evaluate --model mse_cnn --weights lol_v1 --data lol_v1 --each",
    )
    add_method_options(parser)
    add_data_option(parser)
    parser.add_argument("--split", default="test", help="train, val or test (default: test)")
    parser.add_argument("--each", action="store_true", help="also print each image's scores")


def add_enhance(commands) -> None:
    parser = add_command(
        commands,
        "enhance",
        "enhance",
        "brighten photographs and videos: files, and folders with all they hold",
        "enhance dark.jpg -o bright.jpg",
        "enhance holiday/ evening.png -o bright/ --exposure -0.5",
        "enhance dark.jpg -o bright.png --model clahe --option clip=3.0",
    )
    parser.add_argument("inputs", nargs="+", metavar="INPUT", help="a file, or a folder")
    parser.add_argument(
        "-o", "--out", required=True, metavar="OUT", help="a file for one input, else a folder"
    )
    add_method_options(parser, default="dual_branch")
    parser.add_argument(
        "--exposure", type=float, default=0.0, metavar="STOPS", help="brighter, or darker below 0"
    )
    parser.add_argument(
        "--strength", type=float, default=1.0, help="from 0 (as it was) to 1 (default)"
    )
    parser.add_argument(
        "--fast", action="store_true", help="videos: set the exposure only, and leave the noise"
    )
    parser.add_argument("--force", action="store_true", help="overwrite what exists")


def add_export(commands) -> None:
    parser = add_command(
        commands,
        "export",
        "export",
        "write a network as an ONNX file, for programs without PyTorch",
        "export --model dual_branch -o dual_branch.onnx",
    )
    parser.add_argument("--model", required=True, help="a network")
    parser.add_argument("--weights", help="shipped weights or a .safetensors file")
    parser.add_argument("--format", choices=["onnx"], default="onnx", help="(default: onnx)")
    parser.add_argument("-o", "--out", required=True, metavar="FILE", help="where to write it")
    parser.add_argument("--force", action="store_true", help="overwrite FILE if it exists")


def add_gallery(commands) -> None:
    parser = add_command(
        commands,
        "gallery",
        "gallery",
        "write a page with every test image before and after, and its target",
        "gallery clahe mse_cnn --data lol_v1 -o gallery",
    )
    parser.add_argument(
        "methods", nargs="+", metavar="METHOD", help="classical, or a network with shipped weights"
    )
    add_data_option(parser)
    parser.add_argument("--split", default="test", help="train, val or test (default: test)")
    parser.add_argument("-o", "--out", required=True, metavar="DIR", help="a new folder")


def add_bench(commands) -> None:
    bench = commands.add_parser("bench", help="measure speed on this computer")
    bench = bench.add_subparsers(required=True, metavar="WHAT")
    parser = add_command(
        bench,
        "data",
        "bench_data",
        "compare random crops from the cache with decoding the files each time",
        "bench data --data lol_v1",
    )
    parser.add_argument("--data", default="lol_v1", help="a data set (default: lol_v1)")
    parser.add_argument("--seconds", type=float, default=5, help="for each way (default: 5)")
    parser = add_command(
        bench,
        "inference",
        "bench_inference",
        "time every network on one image, and CLAHE beside them",
        "bench inference",
        "bench inference --size 1280x720",
    )
    parser.add_argument(
        "--size",
        type=size,
        nargs="+",
        default=[(600, 400), (1280, 720)],
        metavar="WxH",
        help="(default: 600x400 1280x720)",
    )
    parser.add_argument("--repeats", type=int, default=7, help="of each, at most (default: 7)")
    parser = add_command(
        bench,
        "enhance",
        "bench_enhance",
        "time large photographs, tile by tile, and a video of 1280x720",
        "bench enhance",
    )
    parser.add_argument("--model", default="dual_branch", help="(default: dual_branch)")
    parser.add_argument("--weights", help="shipped weights or a .safetensors file")
    parser.add_argument(
        "--megapixels",
        type=float,
        nargs="+",
        default=[1, 4, 12, 24],
        help="of the photographs (default: 1 4 12 24)",
    )
    parser.add_argument("--frames", type=int, default=96, help="of the video (default: 96)")


def add_published(commands) -> None:
    parser = add_command(
        commands,
        "published",
        "published",
        "train a network under the protocol of the system that its lesson rests on",
        "published residual_attention_unet --data lol_v1 --option width=16",
        "published fft_dual_branch --data lol_v1 --epochs 40",
    )
    parser.add_argument("model", metavar="MODEL", help="a network of one of the five systems")
    add_data_option(parser)
    add_pairs_option(parser, "--option", "model_options", "set an option of the network")
    parser.add_argument("--epochs", type=int, help="at most (default: the recipe's)")
    parser.add_argument("--out", help="folder of the run (default: runs/published_MODEL)")
    parser.add_argument("--resume", action="store_true", help="go on with the run in that folder")
    parser.add_argument("--keep", action="store_true", help="put the scores into the package")


def add_ship(commands) -> None:
    parser = add_command(
        commands,
        "ship",
        "ship",
        "put trained weights into the package and score them for their card",
        "ship --model unet --data lol_v1 --title 'lesson 04' --weights runs/unet/best.safetensors",
    )
    parser.add_argument("--model", required=True, help="a network")
    add_data_option(parser)
    parser.add_argument(
        "--weights",
        required=True,
        nargs="+",
        metavar="FILE",
        help="of one run or more; the first is shipped, the scores are means over all",
    )
    parser.add_argument("--title", required=True, help="a few words for the README's table")
    parser = add_command(
        commands,
        "results",
        "results",
        "write the README's table of networks from the model cards",
        "results",
        "results --check",
    )
    parser.add_argument("--check", action="store_true", help="only say whether it is up to date")


def add_data_option(parser) -> None:
    parser.add_argument(
        "--data",
        required=True,
        help="a data set (see `data list`), folders:LOW_DIR:NORMAL_DIR or FILE.npz",
    )


def add_method_options(parser, default: str | None = None) -> None:
    parser.add_argument(
        "--model",
        required=default is None,
        default=default,
        help="a network or classical method" + (f" (default: {default})" if default else ""),
    )
    parser.add_argument("--weights", help="shipped weights or a .safetensors file")
    add_pairs_option(parser, "--option", "model_options", "set an option of the method")


def add_pairs_option(parser, flag: str, name: str, summary: str) -> None:
    parser.add_argument(
        flag,
        dest=name,
        action="append",
        type=key_and_value,
        default=[],
        metavar="KEY=VALUE",
        help=f"{summary}; may be given several times",
    )


def size(text: str) -> tuple[int, int]:
    """``"600x400"`` becomes ``(600, 400)``."""
    width, cross, height = text.partition("x")
    if not (cross and width.isdecimal() and height.isdecimal()):
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form WIDTHxHEIGHT")
    return int(width), int(height)


def key_and_value(text: str) -> tuple[str, object]:
    """``"gamma=0.3"`` becomes ``("gamma", 0.3)``; values are JSON, or else plain text."""
    key, equals, value = text.partition("=")
    if not (key and equals):
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form KEY=VALUE")
    try:
        return key, json.loads(value)
    except json.JSONDecodeError:
        return key, value
