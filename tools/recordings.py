"""Train the runs whose histories the lessons draw, one after another on one core.

`recordings.toml` lists them. A run that was stopped is resumed after its last complete epoch.
"""

import json
import shutil
import sys
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import torch
import typer

from llie_helpers.console import examples, new_app, sentence
from llie_helpers.console import run as run_app
from llie_helpers.errors import CourseError, unknown_name
from llie_helpers.files import atomic_path
from llie_helpers.models import create_model
from llie_helpers.models import weights as weights_file
from llie_helpers.paths import runs_dir
from llie_helpers.tables import Table
from llie_helpers.training import Recipe, TrainingRun, fit, load_history, load_recipe
from llie_helpers.training.splits import load_splits

PROGRAM = "python tools/recordings.py"
LIST = Path(__file__).with_suffix(".toml")


@dataclass(frozen=True)
class Recording:
    """A training run for each of some seeds; `recordings.toml` explains the entries."""

    name: str
    lesson: str
    why: str
    model: str
    data: str
    seeds: list[int]
    changes: dict[str, Any] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    mapped: bool = False

    def runs(self) -> "Iterator[Run]":
        """Yield the run of each seed."""
        return (Run(self, seed) for seed in self.seeds)

    def how(self) -> Recipe:
        """Return the network's recipe with the changes."""
        return load_recipe(self.model).changed(**self.changes)


@dataclass(frozen=True)
class Run:
    """A recording with one seed."""

    recording: Recording
    seed: int

    def __str__(self) -> str:
        return f"{self.recording.name}_{self.seed}"

    @property
    def folder(self) -> Path:
        return runs_dir() / "recordings" / str(self)

    @property
    def definition(self) -> str:
        """What the run depends on, as JSON."""
        words = ("lesson", "why", "seeds")
        return json.dumps({k: v for k, v in vars(self.recording).items() if k not in words})

    @property
    def finished(self) -> bool:
        """Whether the run has been trained to its end, as it is defined now."""
        mark = self.folder / "finished"
        return mark.is_file() and mark.read_text(encoding="utf-8") == self.definition

    def progress(self) -> str:
        """Return the epochs trained so far and the most there can be."""
        path = self.folder / "history.json"
        done = len(load_history(path)) if path.is_file() else 0
        return f"{done}/{self.recording.how().epochs}"

    def train(self) -> TrainingRun:
        """Train the run to its end, from its last checkpoint if there is one."""
        about = self.recording
        torch.manual_seed(self.seed)
        network = create_model(about.model, **about.options)
        train, val = load_splits(about.data, self.folder, self.seed, about.mapped)
        trained = fit(
            network,
            train,
            val,
            about.how(),
            run_dir=self.folder,
            seed=self.seed,
            resume=True,
            device="cpu",
        )
        # History and checkpoint are not written in one step, so they cannot tell that all is done.
        with atomic_path(self.folder / "finished") as temporary:
            temporary.write_text(self.definition, encoding="utf-8")
        return trained

    def target(self) -> Path:
        """Return where the history is kept: beside the shipped weights if this run made them."""
        about = self.recording
        shipped = weights_file.SHIPPED / f"{about.model}_{about.data}.safetensors"
        if shipped.is_file() and equal(shipped, self.folder / "best.safetensors"):
            return shipped.with_suffix(".history.json")
        return weights_file.SHIPPED / "recordings" / f"{self}.json"


def equal(shipped: Path, trained: Path) -> bool:
    """Return whether two files hold the same weights, if need be in half precision."""
    ours, theirs = weights_file.read(shipped)[0], weights_file.read(trained)[0]
    return ours.keys() == theirs.keys() and all(
        torch.equal(value.half(), theirs[key].half()) for key, value in ours.items()
    )


def load_recordings() -> dict[str, Recording]:
    """Read `recordings.toml`.

    Raises:
        CourseError: an entry is unknown or missing.
    """
    recordings = {}
    for name, entries in tomllib.loads(LIST.read_text(encoding="utf-8")).items():
        try:
            recordings[name] = Recording(name, **entries)
        except TypeError as error:
            raise CourseError(f"{LIST.name}, {name}: {error}.") from None
    return recordings


def chosen(names: Iterable[str] | None) -> list[Run]:
    """Return the runs of the named recordings, by default of all.

    Raises:
        CourseError: there is no such recording.
    """
    recordings = load_recordings()
    for name in names or ():
        if name not in recordings:
            raise unknown_name("recording", name, recordings)
    return [run for name in names or recordings for run in recordings[name].runs()]


app = new_app(help=__doc__)
Names = Annotated[
    list[str] | None,
    typer.Argument(metavar="[NAME...]", help="Recordings; by default all.", show_default=False),
]


@app.command("list", **examples("list", program=PROGRAM))
def list_recordings() -> None:
    """List the recordings with the epochs trained so far."""
    rows = [
        [
            str(run),
            run.recording.lesson,
            run.progress(),
            "finished" if run.finished else "",
            run.recording.why,
        ]
        for run in chosen(None)
    ]
    print(Table(["recording", "lesson", "epochs", "", "shows"], rows))


@app.command(**examples("run", "run mse_cnn plain_unet", program=PROGRAM))
def run(names: Names = None) -> None:
    """Train what is missing, in order; an error ends one run, not the others."""
    torch.set_num_threads(1)
    failed = False
    for each in chosen(names):
        if each.finished:
            continue
        try:
            print(f"{each}: {each.train()}", flush=True)
        except Exception as error:
            failed = True
            print(f"{each}: {sentence(error)}", file=sys.stderr, flush=True)
    raise typer.Exit(failed)


@app.command(**examples("keep mse_cnn", program=PROGRAM))
def keep(
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help="Finished recordings.")],
) -> None:
    """Copy the histories of finished recordings into the package, for the lessons."""
    runs = chosen(names)
    if missing := [str(each) for each in runs if not each.finished]:
        raise CourseError(
            f"{', '.join(missing)}: not finished; train with `{PROGRAM} run {' '.join(names)}`."
        )
    for each in runs:
        with atomic_path(target := each.target()) as temporary:
            shutil.copyfile(each.folder / "history.json", temporary)
        print(f"{each} kept in {target}")


if __name__ == "__main__":
    sys.exit(run_app(app, sys.argv[1:], PROGRAM))
