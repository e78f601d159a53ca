"""The strip: one detail of one photograph, with one more panel in every lesson."""

from collections.abc import Callable
from importlib.util import find_spec
from math import ceil

import torch
from torch import Tensor, nn

from llie_helpers import paths
from llie_helpers.data import load_pairs
from llie_helpers.data.synthesis import expose, to_linear, to_srgb
from llie_helpers.images import load_image, quantise, save_image
from llie_helpers.lessons.lesson import Lesson
from llie_helpers.methods import create_method
from llie_helpers.methods.histogram import HistogramMapper
from llie_helpers.methods.registry import DEFAULT_WEIGHTS
from llie_helpers.models.weights import shipped
from llie_helpers.plotting import show_images
from llie_helpers.plotting.figures import CourseFigure

PHOTOGRAPH, STOPS = "motorcycle_4stops", 4
DETAIL = (slice(70, 200), slice(110, 290))  # rows and columns: engine, tank and spokes
# The network whose shipped weights stand in for a student's who has not done the lesson.
NETWORKS = {"03": "mse_cnn", "04": "plain_unet", "05": "residual", "06": "pix2pix",
            "07": "dual_branch"}  # fmt: skip


@torch.no_grad()
def strip(lesson: Lesson, method: Callable[[Tensor], Tensor] | None = None) -> CourseFigure:
    """Show the detail as each lesson up to this one leaves it, dark first and the target last.

    Panels are the student's own results where there are some, else those of shipped weights.
    Without XGBoost there is none of the histogram mapper.

    Args:
        lesson: the running lesson.
        method: the student's, which maps images ``(1, 3, H, W)`` on the lesson's device to the
            same; its result is kept in the folder of the ledger.
    """
    pairs = load_pairs("embedded", "test")
    garage = pairs[pairs.names.index(PHOTOGRAPH)]
    number = lesson.name[:2]
    folder = paths.runs_dir() / "strip"
    if method is not None:
        if isinstance(method, nn.Module):
            method.eval()
        made = quantise(method(garage.low[None].to(lesson.device))[0]).cpu()
        save_image(folder / f"{number}.png", made)
    panels = {"dark": garage.low}
    if number > "00":
        panels["01 brightened"] = to_srgb(expose(to_linear(garage.low), STOPS)).clamp(0, 1)
    for each in sorted({"02", *NETWORKS}):
        kept = folder / f"{each}.png"
        if each > number:
            break
        if kept.is_file():
            panels[f"{each} yours"] = load_image(kept)
        elif each == "02":
            if find_spec("xgboost"):
                mapper = HistogramMapper().fit(load_pairs("embedded", "train"))
                panels["02 mapper"] = mapper(garage.low)
        elif set(DEFAULT_WEIGHTS) & set(shipped(name := NETWORKS[each])):
            panels[f"{each} {name}"] = quantise(create_method(name)(garage.low[None])[0])
    panels["target"] = garage.normal
    rows, columns = DETAIL
    lines = 1 if len(panels) <= 5 else 2
    return show_images(
        [image[:, rows, columns] for image in panels.values()],
        list(panels),
        columns=ceil(len(panels) / lines),
    )
