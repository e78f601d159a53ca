"""Baselines without a network, for every lesson that trains one."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from statistics import fmean

import numpy as np
from torch import Tensor

from llie_helpers.data.pairs import Pairs
from llie_helpers.methods import create_method
from llie_helpers.methods.histogram import HistogramMapper
from llie_helpers.metrics import Evaluation, evaluate, psnr
from llie_helpers.tables import Table

GAMMAS = (0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5)
TUNING_PAIRS = 24  # enough to choose among a few exponents


@dataclass(frozen=True)
class Baselines:
    """Methods without a network and their scores; see `baselines`.

    Attributes:
        methods: the methods by title.
        scores: their evaluations on the test pairs, by title.
        tuned_gamma: title of the gamma correction that was tuned on training pairs.
    """

    methods: dict[str, Callable[[Tensor], Tensor]]
    scores: dict[str, Evaluation]
    tuned_gamma: str

    @property
    def best(self) -> str:
        """Return the title of the method with the highest PSNR."""
        return max(self.scores, key=lambda title: self.scores[title].psnr)

    def table(self) -> Table:
        """Return PSNR, SSIM and GT-mean PSNR of every method."""
        rows = [
            [title, f"{score.psnr:.2f}", f"{score.ssim:.3f}", f"{score.psnr_gt_mean:.2f}"]
            for title, score in self.scores.items()
        ]
        return Table(["to beat", "PSNR (dB)", "SSIM", "GT-mean PSNR (dB)"], rows)


def baselines(train: Pairs, test: Pairs) -> Baselines:
    """Evaluate the methods without a network on ``test``.

    These are the unchanged input, gamma correction with an exponent of 0.5 and with one tuned on
    ``train``, CLAHE, histogram equalisation, Retinex and, if XGBoost is installed, a histogram
    mapper fitted to ``train``.
    """
    gamma = tune_gamma(train)
    tuned = f"gamma {gamma}"
    methods: dict[str, Callable[[Tensor], Tensor]] = {
        "identity": create_method("identity"),
        "gamma 0.5": create_method("gamma", gamma=0.5),
        tuned: create_method("gamma", gamma=gamma),
        "CLAHE": create_method("clahe"),
        "histogram equalisation": create_method("histogram_equalisation"),
        "Retinex": create_method("retinex"),
    }
    if find_spec("xgboost"):
        methods["histogram mapper"] = HistogramMapper().fit(train)
    scores = {title: evaluate(method, test) for title, method in methods.items()}
    return Baselines(methods, scores, tuned)


def tune_gamma(pairs: Pairs) -> float:
    """Return the exponent in `GAMMAS` with the highest mean PSNR on a sample of ``pairs``."""
    sample = list(pairs.subset(np.linspace(0, len(pairs) - 1, TUNING_PAIRS)))

    def mean_psnr(gamma: float) -> float:
        return fmean(psnr(pair.low**gamma, pair.normal).item() for pair in sample)

    return max(GAMMAS, key=mean_psnr)
