"""Baselines without a network, for every lesson that trains one."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from statistics import fmean
from typing import ClassVar

import cv2
import numpy as np
import torch
from torch import Tensor

from llie_helpers.data.pairs import Pairs
from llie_helpers.errors import CourseError
from llie_helpers.lessons.measured import measured
from llie_helpers.methods import create_method
from llie_helpers.methods.histogram import HistogramMapper
from llie_helpers.metrics import Evaluation, evaluate, psnr
from llie_helpers.tables import Table

GAMMAS = (0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5)
MAPPER = "histogram mapper"
TUNED = "gamma, tuned"
LOL = "lol_v1/test"
LOSING = "#D55E00"
SIMILARITIES = (0.1, 0.2, 0.3, 0.4, 0.5)
TUNING_PAIRS = 24  # enough to choose among a few values


@dataclass(frozen=True)
class Baselines:
    """Methods without a network and their scores; see `baselines`.

    Attributes:
        methods: the methods by title.
        scores: their evaluations on the test pairs, by title.
        on_lol: their PSNR on LOL v1's test pairs, as lesson 02 measured it; what is fitted was
            fitted to LOL v1 there. Empty where ``scores`` are those.
        tuned_gamma: title of the gamma correction whose exponent was tuned on training pairs.
    """

    methods: dict[str, Callable[[Tensor], Tensor]]
    scores: dict[str, Evaluation]
    on_lol: Mapping[str, float]
    tuned_gamma: ClassVar[str] = TUNED

    @property
    def best(self) -> str:
        """Return the title of the method with the highest PSNR."""
        return max(self.scores, key=lambda title: self.scores[title].psnr)

    @property
    def to_beat(self) -> str:
        """Return the title of what a network has to beat: the histogram mapper if it is there."""
        return MAPPER if MAPPER in self.scores else self.best

    def table(self, yours: Mapping[str, Evaluation] | None = None) -> Table:
        """Return PSNR, SSIM and GT-mean PSNR of every method, and its PSNR on LOL v1.

        Args:
            yours: the lesson's own rows, shown below the row of `to_beat` alone. Those with a lower
                PSNR are tinted, and a note says which win and which lose.
        """
        yours = yours or {}
        scores = {self.to_beat: self.scores[self.to_beat], **yours} if yours else self.scores
        rows = [
            [title, f"{score.psnr:.2f}", f"{score.ssim:.3f}", f"{score.psnr_gt_mean:.2f}"]
            for title, score in scores.items()
        ]
        header = ["to beat", "PSNR (dB)", "SSIM", "GT-mean PSNR (dB)"]
        if self.on_lol and not yours:
            header.append("PSNR on LOL v1 (dB)")
            for row in rows:
                row.append(f"{self.on_lol[row[0]]:.2f}")
        limit = self.scores[self.to_beat].psnr
        losing = [
            n for n, title in enumerate(scores) if title in yours and scores[title].psnr < limit
        ]
        note = " ".join(self._compared(title, score) for title, score in yours.items())
        return Table(header, rows, dict.fromkeys(losing, LOSING), note)

    def _compared(self, title: str, score: Evaluation) -> str:
        """Say who wins in PSNR, and whether SSIM agrees."""
        other = self.scores[self.to_beat]
        won, agreed = score.psnr >= other.psnr, score.ssim >= other.ssim
        verb, link = "beats" if won else "loses to", "and also" if won == agreed else "but it"
        beaten = f"the {MAPPER}" if self.to_beat == MAPPER else self.to_beat
        return (
            f"In PSNR, {title} ({score.psnr:.2f} dB) {verb} {beaten} ({other.psnr:.2f} dB), "
            f"{link} {'wins' if agreed else 'loses'} in SSIM "
            f"({score.ssim:.3f} against {other.ssim:.3f})."
        )


def baselines(train: Pairs, test: Pairs) -> Baselines:
    """Evaluate the methods without a network on ``test``.

    These are the unchanged input, gamma correction with an exponent of 0.5 and with one tuned on
    ``train``, CLAHE, histogram equalisation, Retinex, LIME and, if XGBoost is installed, a
    histogram mapper fitted to ``train``.

    Raises:
        CourseError: there are no pairs in ``train`` or in ``test``.
    """
    methods: dict[str, Callable[[Tensor], Tensor]] = {
        "identity": create_method("identity"),
        "gamma 0.5": create_method("gamma", gamma=0.5),
        TUNED: create_method("gamma", gamma=tune_gamma(train)),
        "CLAHE": create_method("clahe"),
        "histogram equalisation": create_method("histogram_equalisation"),
        "Retinex": create_method("retinex"),
        "LIME": create_method("lime"),
    }
    if find_spec("xgboost"):
        methods[MAPPER] = HistogramMapper().fit(train)
    scores = {title: evaluate(method, test) for title, method in methods.items()}
    on_lol = {} if test.title == LOL else measured("02_histograms")["baselines"]
    return Baselines(methods, scores, on_lol)


def tune_gamma(pairs: Pairs) -> float:
    """Return the exponent in `GAMMAS` with the highest mean PSNR on a sample of ``pairs``.

    Raises:
        CourseError: there are no pairs.
    """
    return _best(GAMMAS, lambda gamma: lambda images: images**gamma, pairs)


def tune_smoothing(method: Callable[[Tensor], Tensor], pairs: Pairs) -> float:
    """Return what of `SIMILARITIES` gives `smoothed` the highest mean PSNR on a sample.

    Raises:
        CourseError: there are no pairs.
    """
    remembered = cache(method)  # its outputs do not depend on the filter
    return _best(SIMILARITIES, lambda similar: smoothed(remembered, similar), pairs)


def smoothed(method: Callable[[Tensor], Tensor], similar: float) -> Callable[[Tensor], Tensor]:
    """Return ``method`` followed by a bilateral filter (Tomasi and Manduchi, ICCV 1998).

    Args:
        method: maps ``(N, 3, H, W)`` in [0, 1] to the same.
        similar: sigma in values, those of all three colours together; 3 pixels in space.
    """

    def smooth(images: Tensor) -> Tensor:
        outputs = [
            cv2.bilateralFilter(np.ascontiguousarray(image.permute(1, 2, 0)), -1, similar, 3)
            for image in method(images).detach().float().cpu()
        ]
        return torch.from_numpy(np.stack(outputs)).permute(0, 3, 1, 2).to(images)

    return smooth


def _best(
    values: tuple[float, ...],
    method: Callable[[float], Callable[[Tensor], Tensor]],
    pairs: Pairs,
) -> float:
    """Return the value whose method has the highest mean PSNR on a sample of ``pairs``."""
    if not len(pairs):
        raise CourseError("There are no pairs to tune on; choose a split that has images.")
    chosen = pairs.subset(np.linspace(0, len(pairs) - 1, TUNING_PAIRS))
    sample = [(pair.low[None], pair.normal) for pair in chosen]

    def mean_psnr(value: float) -> float:
        enhance = method(value)
        return fmean(psnr(enhance(low)[0], normal).item() for low, normal in sample)

    return max(values, key=mean_psnr)
