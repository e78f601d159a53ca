"""Predict the percentiles of the normal-light image from those of the low-light one."""

import json
import os
from typing import Any

import numpy as np
import torch
from torch import Tensor

from llie_helpers.data.pairs import Pairs
from llie_helpers.errors import CourseError, check_seed
from llie_helpers.files import atomic_path
from llie_helpers.images import Place
from llie_helpers.methods.histogram.percentiles import (
    Q,
    map_histogram,
    mapped,
    pair_percentiles,
    percentiles,
)
from llie_helpers.methods.method import Method

FOLDS = 4  # groups of scenes for cross-fitting


class HistogramMapper(Method):
    """Enhance by predicted percentiles: quantile regression with gradient-boosted trees (XGBoost).

    One regressor serves all channels and levels. Its features are the low image's percentiles in
    the channel and averaged over channels, the channel, the level, and the low image's percentile
    at that level; it predicts the ``quantile`` of the target's percentile. The default of 0.5, the
    median, is robust to outliers; 0.1 and 0.9 bracket the brightness of the target. Predicted
    percentiles are sorted, so that tone curves are monotone (monotone rearrangement, Chernozhukov
    et al., Econometrica 2010).

    Args:
        quantile: which quantile of the target to predict, in (0, 1).
        seed: seed of the sampling of rows and columns for each tree.

    Raises:
        CourseError: xgboost is not installed, or ``quantile`` or the seed is out of range.
    """

    name = "histogram_mapper"

    def __init__(self, quantile: float = 0.5, seed: int = 0) -> None:
        if not 0 < quantile < 1:
            raise CourseError(f"quantile is {quantile}, but it must be between 0 and 1.")
        try:
            from xgboost import XGBRegressor
        except ImportError as error:
            raise CourseError(
                "Histogram mapping needs XGBoost: run `pip install xgboost`."
            ) from error
        # Chosen by cross-fitting on LOL v1's training pairs.
        self.regressor = XGBRegressor(
            objective="reg:quantileerror",
            quantile_alpha=quantile,
            n_estimators=200,
            max_depth=5,
            learning_rate=0.1,
            min_child_weight=20,
            subsample=0.8,
            colsample_bytree=0.5,
            random_state=check_seed(seed),
            # Trees over so few rows take milliseconds. On a busy machine, several threads would
            # wait for one another fifty times as long.
            n_jobs=1,
        )
        self.fitted = False

    def fit(self, pairs: Pairs) -> "HistogramMapper":
        """Fit the regressor to ``pairs`` and return the mapper.

        Raises:
            CourseError: there are no pairs.
        """
        if not len(pairs):
            raise CourseError("The histogram mapper got no pairs; choose a split with images.")
        return self.fit_percentiles(*pair_percentiles(pairs))

    def fit_percentiles(self, low: np.ndarray, normal: np.ndarray) -> "HistogramMapper":
        """Fit the regressor to percentiles (N, 3, len(Q)) of low and normal images."""
        self.regressor.fit(self._features(low), normal.reshape(-1))
        self.fitted = True
        return self

    def predict(self, low: Tensor) -> Tensor:
        """Predict target percentiles (N, 3, len(Q)) of low images (N, 3, H, W), or without N.

        Raises:
            CourseError: the mapper has not been fitted.
        """
        return self.prepare(low)[1]

    def predict_percentiles(self, low: np.ndarray) -> np.ndarray:
        """Predict target percentiles, sorted, from those of low images (N, 3, len(Q))."""
        self._check_fitted()
        found = self.regressor.predict(self._features(low)).reshape(low.shape)
        return np.sort(found.clip(0, 1), axis=-1)

    def prepare(self, whole: Tensor) -> tuple[Tensor, Tensor]:
        """Return the percentiles of whole images, and their predicted target percentiles."""
        source = percentiles(whole)
        found = self.predict_percentiles(source.reshape(-1, 3, len(Q)).cpu().numpy())
        return source, torch.from_numpy(found).reshape(source.shape).to(source)

    def enhance(self, part: Tensor, context: tuple[Tensor, Tensor], place: Place) -> Tensor:
        source, targets = context
        return map_histogram(part, targets, source)

    def map_pairs(self, pairs: Pairs) -> Pairs:
        """Map each low image of ``pairs`` to its predicted percentiles.

        Raises:
            CourseError: the mapper has not been fitted.
        """
        targets = torch.stack([self.predict(pair.low) for pair in pairs])
        return mapped(pairs, targets)

    def save(self, path: str | os.PathLike) -> None:
        """Write the fitted mapper to a .json file, for `load`.

        Raises:
            CourseError: the mapper has not been fitted, or the file cannot be written.
        """
        text = json.dumps(self.as_dict(), separators=(",", ":"))
        with atomic_path(path) as temporary:
            temporary.write_text(text, encoding="utf-8")

    def as_dict(self) -> dict[str, Any]:
        """Return the fitted trees in XGBoost's JSON form, as every version of it reads them.

        Raises:
            CourseError: the mapper has not been fitted.
        """
        self._check_fitted()
        booster = self.regressor.get_booster()
        booster.set_attr(levels=json.dumps(Q))
        model = json.loads(booster.save_raw("json"))
        # XGBoost 3.1 and later write "[0.4]"; earlier ones then take 0.5 without a word.
        parameters = model["learner"]["learner_model_param"]
        parameters["base_score"] = parameters["base_score"].strip("[]")
        return model

    @classmethod
    def load(cls, path: str | os.PathLike) -> "HistogramMapper":
        """Read a mapper that `save` wrote.

        Raises:
            CourseError: xgboost is not installed, or the file holds no mapper.
        """
        mapper = cls()  # says so where xgboost is not installed
        from xgboost.core import XGBoostError

        try:
            mapper.regressor.load_model(path)
            if mapper.regressor.get_booster().attr("levels") != json.dumps(Q):
                raise ValueError("it was not written by save")
        except (XGBoostError, ValueError) as error:
            reason = str(error).splitlines()[-1]
            raise CourseError(
                f"{path} holds no histogram mapper ({reason}); `train --mapped` writes one."
            ) from error
        mapper.fitted = True
        return mapper

    def _check_fitted(self) -> None:
        if not self.fitted:
            raise CourseError("The histogram mapper has not been fitted yet; call fit(pairs).")

    @staticmethod
    def _features(low: np.ndarray) -> np.ndarray:
        """Return one row for each image, channel and level, from percentiles (N, 3, L)."""
        n, channels, levels = low.shape
        image = np.broadcast_to(low.mean(axis=1)[:, None, None], (n, channels, levels, levels))
        channel = np.broadcast_to(low[:, :, None], (n, channels, levels, levels))
        which = np.broadcast_to(np.arange(channels)[:, None, None], (n, channels, levels, 1))
        level = np.broadcast_to(np.arange(levels)[:, None], (n, channels, levels, 1))
        columns = [image, channel, which, level, low[..., None]]
        return np.concatenate(columns, axis=-1).reshape(n * channels * levels, -1)


def cross_fit(pairs: Pairs, seed: int = 0) -> Tensor:
    """Predict the target percentiles of each pair with a mapper that was not fitted to its scene.

    A network that trains on histogram-mapped images must train on these: predictions for images
    that the regressor was fitted to leak their targets, and are much better than those at test
    time.

    Args:
        pairs: pairs of at least four scenes. Each of four groups of scenes is predicted by a mapper
            that was fitted to the others.
        seed: seed of the mappers.

    Returns:
        (len(pairs), 3, len(Q)), in the order of ``pairs``.

    Raises:
        CourseError: there are fewer than four scenes.
    """
    from sklearn.model_selection import GroupKFold

    scenes = len(set(pairs.scenes))
    if scenes < FOLDS:
        raise CourseError(
            f"Cross-fitting needs pairs of at least {FOLDS} scenes, but these show {scenes}; "
            "choose a data set with more."
        )
    mapper = HistogramMapper(seed=seed)
    low, normal = pair_percentiles(pairs)
    found = np.empty_like(normal)
    for others, fold in GroupKFold(FOLDS).split(low, groups=pairs.scenes):
        mapper.fit_percentiles(low[others], normal[others])
        found[fold] = mapper.predict_percentiles(low[fold])
    return torch.from_numpy(found)


def map_splits(train: Pairs, val: Pairs, seed: int = 0) -> tuple[Pairs, Pairs, HistogramMapper]:
    """Map the low images of two splits, to train and to validate a network on.

    Returns:
        ``train``, mapped without a leak (`cross_fit`); ``val``, mapped by a mapper fitted to all of
        ``train``; and that mapper, which is also the one for new images.

    Raises:
        CourseError: ``train`` has fewer than four scenes.
    """
    mapper = HistogramMapper(seed=seed).fit(train)
    return mapped(train, cross_fit(train, seed=seed)), mapper.map_pairs(val), mapper
