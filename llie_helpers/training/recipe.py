"""Training recipes: a dataclass, read from one TOML file per network."""

import math
import os
import tomllib
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from llie_helpers.errors import CourseError, unknown_name

RECIPES = Path(__file__).resolve().parent.parent / "recipes"

CHOICES = {
    "optimizer": ("adam", "adamw"),
    "schedule": ("plateau", "cosine", "constant"),
    "monitor": ("val_loss", "val_psnr", "val_ssim"),
    "precision": ("32-true", "16-mixed", "bf16-mixed"),
}
# What numbers must be, in words and as a check, and the entries for which this holds.
RULES: dict[str, tuple[Callable[[float], bool], tuple[str, ...]]] = {
    "> 0": (
        lambda value: value > 0,
        ("epochs", "crops_per_epoch", "crop_size", "batch_size", "accumulate", "learning_rate",
         "gain_jitter"),
    ),
    ">= 0": (
        lambda value: value >= 0,
        ("adversarial", "weight_decay", "warmup", "plateau_patience", "min_lr", "patience",
         "gradient_clip", "snapshot_every"),
    ),
    "in [0, 1]": (lambda value: 0 <= value <= 1, ("brighten_prob", "ema")),
    "in [0, 1)": (lambda value: 0 <= value < 1, ("beta1", "plateau_factor")),
}  # fmt: skip


@dataclass(frozen=True)
class Recipe:
    """The hyperparameters of a training run."""

    epochs: int = 60
    crops_per_epoch: int = 1600  # random crops per epoch
    crop_size: int = 128  # side of a crop in pixels
    batch_size: int = 8  # crops per optimiser step and process times `accumulate`
    augment: bool = True  # flip and rotate, both images of a pair alike
    gain_jitter: float = 1.0  # low images get a gain from 1/gain_jitter to gain_jitter
    brighten_prob: float = 0.0  # share of low images that are moved towards their targets
    scales: list = field(default_factory=lambda: [1.0, 1.0])  # half of the crops are resized
    loss: dict = field(default_factory=lambda: {"mse": 1.0})  # terms of `losses.WeightedLoss`
    objective: dict = field(default_factory=dict)  # options of the network's own objective
    adversarial: float = 0.0  # weight of the adversarial loss; 0 for none
    optimizer: str = "adam"
    learning_rate: float = 1e-3
    beta1: float = 0.9  # decay of Adam's mean gradient
    weight_decay: float = 0.0
    schedule: str = "plateau"  # or "cosine", to 0 over all steps, or "constant"
    warmup: int = 0  # steps of a cosine schedule in which the learning rate rises
    plateau_factor: float = 0.5  # multiplies the learning rate ...
    plateau_patience: int = 5  # ... after this many epochs without a new best
    min_lr: float = 1e-6
    monitor: str = "val_loss"  # decides on plateaus, early stopping and the best weights
    patience: int = 0  # epochs without a new best before training stops; 0 for never
    min_delta: float = 0.0  # the least change that counts as a new best for early stopping
    ema: float = 0.0  # decay per step of averaged weights, such as 0.999; 0 for none
    gradient_clip: float = 0.0  # largest norm of the gradient; 0 for no limit
    accumulate: int = 1  # batches per optimiser step
    precision: str = "32-true"  # or "bf16-mixed"; "16-mixed" applies on a GPU only
    snapshot_every: int = 0  # epochs between validation images and weights kept; 0 for none

    def __post_init__(self) -> None:
        for name, choices in CHOICES.items():
            if getattr(self, name) not in choices:
                raise unknown_name(name, getattr(self, name), choices)
        for rule, (holds, names) in RULES.items():
            for name in names:
                value = getattr(self, name)
                if not holds(value):
                    raise CourseError(f"A recipe's {name} is {value}; it must be {rule}.")
        two = len(self.scales) == 2 and all(isinstance(s, int | float) for s in self.scales)
        if not (two and 0 < self.scales[0] <= self.scales[1] < math.inf):
            raise CourseError(
                f"A recipe's scales are {self.scales}; they must be the lowest and the highest "
                "factor, such as [0.5, 2.0]."
            )
        if self.adversarial and self.schedule != "constant":
            raise CourseError(
                f"A recipe with an adversarial loss has schedule {self.schedule!r}; it must be "
                "'constant', because the two losses do not decrease together."
            )
        if self.adversarial and self.objective:
            raise CourseError(
                "A recipe has an adversarial loss and options of the network's own objective; "
                "choose one of the two."
            )

    @property
    def mode(self) -> Literal["min", "max"]:
        """Return whether a lower or a higher value of the monitored column is better."""
        return "min" if self.monitor == "val_loss" else "max"

    def changed(self, **changes: Any) -> "Recipe":
        """Return a copy with some values changed.

        Raises:
            CourseError: an unknown name, or a value of the wrong type or out of range.
        """
        known = {entry.name: type(getattr(self, entry.name)) for entry in fields(self)}
        for name, value in changes.items():
            if name not in known:
                raise unknown_name("recipe entry", name, known)
            if known[name] is float and type(value) is int:
                changes[name] = value = float(value)
            if isinstance(value, float) and not math.isfinite(value):
                raise CourseError(f"The recipe's {name} is {value}; it must be a finite number.")
            if type(value) is not known[name]:
                raise CourseError(
                    f"The recipe's {name} is {value!r}; it must be of type {known[name].__name__}."
                )
        return Recipe(**(asdict(self) | changes))


def load_recipe(name: str | os.PathLike, profile: str = "full") -> Recipe:
    """Read the recipe of a network (``recipes/NAME.toml``) or of a .toml file's path.

    Args:
        name: a network's name or a path ending in .toml.
        profile: "full", or "quick" to apply the file's ``[quick]`` table as well.

    Raises:
        CourseError: the recipe does not exist, is not valid TOML, or has an invalid entry.
    """
    path = Path(name)
    if path.suffix != ".toml":
        path = RECIPES / f"{name}.toml"
    if not os.path.isfile(path):
        raise unknown_name("recipe", str(name), [file.stem for file in RECIPES.glob("*.toml")])
    try:
        entries = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CourseError(f"{path} is not valid TOML: {error}.") from error
    quick = entries.pop("quick", {})
    if not isinstance(quick, dict):
        raise CourseError(f"{path} sets quick to {quick!r}; it must be a table [quick].")
    if profile == "quick":
        entries |= quick
    return Recipe().changed(**entries)
