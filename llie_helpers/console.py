"""What the command line and the tools share: options, examples, and errors of one sentence.

Exit codes: 0 success, 1 an error (one sentence on stderr), 2 wrong usage, 130 interrupted.
"""

import json
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from llie_helpers.errors import CourseError
from llie_helpers.paths import runs_dir

PROGRAM = "python -m llie_helpers"
DEBUG = "--debug"

# Options that the command line and tools have.
Data = Annotated[
    str,
    typer.Option(
        help="A data set (see `data list`), folders:LOW_DIR:NORMAL_DIR, photographs:DIR "
        "or FILE.npz; A+B for both."
    ),
]
Weights = Annotated[
    str | None,
    typer.Option(
        help="Shipped weights, see `models`, or a .safetensors file.",
        show_default="of a network, photographs or else lol_v1",
    ),
]
Options = Annotated[
    list[str] | None,
    typer.Option(
        "--option", metavar="KEY=VALUE", help="Set an option of the method; may be repeated."
    ),
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or mps; auto uses a CUDA GPU, if any.")]
Resume = Annotated[bool, typer.Option("--resume", help="Continue the run in that folder.")]


def new_app(**settings: Any) -> typer.Typer:
    """Return a Typer application without commands, with plain output."""
    return typer.Typer(
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        add_completion=False,
        **settings,
    )


def examples(*commands: str, program: str = PROGRAM) -> dict[str, Any]:
    """Return the settings of a command whose help ends with examples."""
    lines = "\n".join(f"  {program} {command}" for command in commands)
    return {"epilog": f"\b\nExamples:\n{lines}"}  # \b keeps the lines as they are


def run(app: typer.Typer, arguments: Sequence[str], program: str = PROGRAM) -> int:
    """Run one command and return its exit code; an error is one sentence on stderr."""
    debug = DEBUG in arguments
    try:
        app([argument for argument in arguments if argument != DEBUG], prog_name=program)
    except SystemExit as end:
        return int(end.code or 0)
    except Exception as error:
        if debug:
            traceback.print_exc()
        print(f"error: {sentence(error)}", file=sys.stderr)
        return 1
    return 0


def sentence(error: Exception) -> str:
    """Return the one line that tells a user about ``error``."""
    text = " ".join(str(error).split())
    if isinstance(error, CourseError):
        return text
    return (
        f"unexpected error: {type(error).__name__}: {text or 'no message'}; "
        f"run again with {DEBUG} for the traceback."
    )


def key_values(texts: Sequence[str] | None) -> dict[str, Any]:
    """Turn ``["gamma=0.3"]`` into ``{"gamma": 0.3}``; values are JSON or plain text."""
    values: dict[str, Any] = {}
    for text in texts or ():
        key, equals, value = text.partition("=")
        if not (key and equals):
            raise typer.BadParameter(f"{text!r} is not of the form KEY=VALUE")
        try:
            values[key] = json.loads(value)
        except json.JSONDecodeError:
            values[key] = value
    return values


def run_folder(name: str, out: Path | None, resume: bool) -> Path:
    """Return the folder of a run: ``out``, or one in runs/.

    Raises:
        CourseError: the folder holds a run and ``resume`` is False.
    """
    folder = out or runs_dir() / name
    if os.path.exists(folder / "last.ckpt") and not resume and first_process():
        raise CourseError(
            f"{folder} already holds a run; add --resume to continue it, or choose --out."
        )
    return folder


def say(text: str) -> None:
    """Print ``text`` from the first process only."""
    if first_process():
        print(text, flush=True)


def first_process() -> bool:
    """Return whether this is the first, or only, process of a training run."""
    return os.environ.get("LOCAL_RANK", "0") == "0"
