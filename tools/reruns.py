"""The systems that the course rebuilds, re-run: each under its own protocol, then under ours.

A protocol is followed as far as it is known. Where a system does not say what it validates on,
it is a random fifth of the files, as in the system of lesson 03.
"""

import math
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean

import cv2
import torch

from llie_helpers import metrics
from llie_helpers.data import Pairs, load_pairs
from llie_helpers.data.crops import WholeImages
from llie_helpers.errors import unknown_name
from llie_helpers.lessons.reruns import Rerun, Scores
from llie_helpers.models import create_model
from llie_helpers.models.cost import count_parameters
from llie_helpers.training.fitting import fit
from llie_helpers.training.recipe import load_recipe

SEED = 42


@dataclass(frozen=True)
class Protocol:
    """How a system trains, and what the number that it reports is a number of.

    Args:
        size: images are resized to squares of this side, in pixels; None: random crops.
        augment: flip, rotate and change the brightness of resized pairs.
        changes: to the recipe of the network's name.
        on_test: the test images validate, choose the weights and give the score; else a
            random fifth of the training files does, so that scenes stand on both sides.
        leaky: images are mapped by a `HistogramMapper` that was fitted to all training files,
            those that validate included.
        pooled: the score is one error over all pixels of all images, not a mean of scores.
    """

    size: int | None = None
    augment: bool = False
    changes: dict = field(default_factory=dict)
    on_test: bool = False
    leaky: bool = False
    pooled: bool = False

    def psnr(self, evaluation: metrics.Evaluation) -> float:
        """The PSNR in dB as the system would report it."""
        return pooled_psnr(evaluation) if self.pooled else evaluation.psnr


PROTOCOLS = {
    # Lesson 03: the system's own network, and this course's in its place.
    "residual_attention_unet": Protocol(size=128, pooled=True),
    "mse_cnn": Protocol(size=128, pooled=True),
    "unet": Protocol(
        size=256, augment=True, changes={"epochs": 10, "schedule": "constant", "ema": 0.0}
    ),
    "residual": Protocol(changes={"epochs": 5}, leaky=True),
    "pix2pix": Protocol(size=256, augment=True),
    "fft_dual_branch": Protocol(size=224, on_test=True),
}


def rerun(
    name: str,
    data: str,
    run_dir: str | Path,
    epochs: int | None = None,
    progress: bool = True,
    **options,
) -> Rerun:
    """Train network ``name`` under its system's protocol and score it.

    Pairs that are known not to belong together are left out. A run in ``run_dir`` is gone on with.

    Args:
        name, options: as `models.create_model` takes them; a network in `PROTOCOLS`.
        data: a data set, such as "lol_v1".
        epochs: at most; the recipe's where None.

    Raises:
        CourseError: no such protocol, or as `data.load` and `training.fit`.
    """
    if name not in PROTOCOLS:
        raise unknown_name("published system's network", name, PROTOCOLS)
    protocol = PROTOCOLS[name]
    torch.manual_seed(SEED)
    model = create_model(name, **options)
    files, whole_test = (
        together(load_pairs(data, "train"), load_pairs(data, "val")),
        load_pairs(data, "test"),
    )
    method = model
    if protocol.leaky:
        method, files = leak(model, files)
    test = whole_test
    if protocol.size:
        files, test = resized(files, protocol.size), resized(test, protocol.size)
    train, held_out = (files, test) if protocol.on_test else split_by_file(files)
    recipe = load_recipe(name).changed(**protocol.changes)
    if protocol.size:
        recipe = recipe.changed(crop_size=protocol.size, crops_per_epoch=len(train))
    run = fit(
        model,
        train if protocol.augment or not protocol.size else WholeImages(train),
        held_out,
        recipe.changed(epochs=epochs or recipe.epochs),
        run_dir=run_dir,
        seed=SEED,
        progress=progress,
    )
    # Held-out images were mapped already, those of the test were not.
    own = metrics.evaluate(model, held_out)
    on_test = own if protocol.on_test else metrics.evaluate(method, test)
    frozen = metrics.evaluate(method, whole_test) if protocol.size else on_test
    return Rerun(
        name,
        count_parameters(model),
        len(run.history),
        run.seconds,
        Scores(protocol.psnr(own), own.ssim),
        Scores(protocol.psnr(on_test), on_test.ssim),
        Scores(frozen.psnr, frozen.ssim),
    )


def leak(model: torch.nn.Module, files: Pairs) -> tuple[torch.nn.Module, Pairs]:
    """``files`` mapped by trees that were fitted to their own targets, and how to map new ones."""
    from llie_helpers.methods import NetworkMethod
    from llie_helpers.methods.histogram import HistogramMapper

    mapper = HistogramMapper().fit(files)
    return NetworkMethod(model, mapper), mapper.map_pairs(files)


def split_by_file(pairs: Pairs) -> list[Pairs]:
    """Four fifths and one fifth, drawn at random whatever the scenes."""
    from sklearn.model_selection import train_test_split

    parts = train_test_split(range(len(pairs)), test_size=0.2, random_state=SEED)
    return [pairs.subset(part) for part in parts]


def together(*parts: Pairs) -> Pairs:
    """All pairs of several sets as one."""
    names, scenes, arrays = (
        [entry for pairs in parts for entry in getattr(pairs, of)]
        for of in ("names", "scenes", "arrays")
    )
    return Pairs(" and ".join(p.title for p in parts), tuple(names), tuple(scenes), arrays)


def resized(pairs: Pairs, size: int) -> Pairs:
    """``pairs`` as squares of ``size`` pixels, whatever their shapes were."""
    arrays = [tuple(cv2.resize(i, (size, size)) for i in pairs.raw(n)) for n in range(len(pairs))]
    return Pairs(f"{pairs.title} at {size}x{size}", pairs.names, pairs.scenes, arrays)


def pooled_psnr(evaluation: metrics.Evaluation) -> float:
    """PSNR in dB of the mean squared error over all images of one size at once."""
    return -10 * math.log10(fmean(10 ** (-row["psnr"] / 10) for row in evaluation.per_image))
