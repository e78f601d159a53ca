"""The histogram mapper in tensor operations, of which an ONNX file can be made."""

from typing import Any

import torch
from torch import Tensor, nn

from llie_helpers.images import quantise
from llie_helpers.methods.histogram import HistogramMapper, Q


class TraceableMapper(nn.Module):
    """Map images ``(1, 3, H, W)`` in [0, 1] as ``mapper`` does, and round them to 8 bits.

    All trees are one table of nodes; a leaf is its own child, so that every row of features walks
    down every tree in the same number of steps.
    """

    share: Tensor
    feature: Tensor
    threshold: Tensor
    left: Tensor
    right: Tensor
    roots: Tensor

    def __init__(self, mapper: HistogramMapper) -> None:
        super().__init__()
        model = mapper.as_dict()["learner"]
        self.base = float(model["learner_model_param"]["base_score"])
        self.register_buffer("share", torch.tensor(Q, dtype=torch.float64) / 100)
        trees = model["gradient_booster"]["model"]["trees"]
        self._build_table(trees)

    def _build_table(self, trees: list[dict[str, Any]]) -> None:
        columns: dict[str, list] = {
            name: [] for name in ("feature", "threshold", "left", "right", "roots")
        }
        self.depth = 0
        for tree in trees:
            start = len(columns["left"])
            columns["roots"].append(start)
            columns["feature"] += tree["split_indices"]
            columns["threshold"] += tree["split_conditions"]  # of a leaf, its value
            for name in ("left", "right"):
                children = tree[f"{name}_children"]
                columns[name] += [
                    start + (node if child < 0 else child) for node, child in enumerate(children)
                ]
            depths = [0]
            for parent in tree["parents"][1:]:  # which comes before its children
                depths.append(depths[parent] + 1)
            self.depth = max(self.depth, *depths)
        for name, values in columns.items():
            dtype = torch.float32 if name == "threshold" else torch.int64
            self.register_buffer(name, torch.tensor(values, dtype=dtype))

    def forward(self, image: Tensor) -> Tensor:
        source = self.percentiles(image)
        targets = self.predict(self.features(source)).reshape(source.shape)
        curve = source.double(), targets.clamp(0, 1).sort(dim=-1).values.double()
        return quantise(tone_curve(image, *curve))

    def percentiles(self, image: Tensor) -> Tensor:
        """Return percentiles ``(3, L)``, as `histogram.percentiles` does."""
        levels = (image.clamp(0, 1) * 255).round().long().reshape(3, -1)
        counts = torch.zeros(3, 256, dtype=torch.int64)
        counts = counts.scatter_add(1, levels, torch.ones_like(levels))
        position = self.share * (image.shape[2] * image.shape[3] - 1)
        # The k-th smallest 8-bit value is where the cumulative histogram exceeds k.
        cumulative = counts.cumsum(dim=1).double()[:, None]
        below = position.floor()
        low, high = ((cumulative <= rank[:, None]).sum(dim=2) for rank in (below, position.ceil()))
        return ((low + (position - below) * (high - low)) / 255).float()

    def features(self, source: Tensor) -> Tensor:
        """Return one row for each channel and level, as `HistogramMapper` does."""
        levels = source.shape[1]
        mean = ((source[0] + source[1] + source[2]) / 3).expand(3 * levels, -1)
        channel = source.repeat_interleave(levels, dim=0)
        which = torch.arange(3).repeat_interleave(levels).float()
        level = torch.arange(levels).repeat(3).float()
        return torch.cat([mean, channel, torch.stack([which, level, source.flatten()], 1)], dim=1)

    def predict(self, features: Tensor) -> Tensor:
        """Return the sum of the leaves that each row ``(R, F)`` of features reaches."""
        node = self.roots.expand(len(features), -1)
        for _ in range(self.depth):
            smaller = features.gather(1, self.feature[node]) < self.threshold[node]
            node = torch.where(smaller, self.left[node], self.right[node])
        return self.threshold[node].sum(dim=1) + self.base


def tone_curve(image: Tensor, source: Tensor, targets: Tensor) -> Tensor:
    """Map ``image`` by the curve through (source, target), both ``(3, L)``, float64."""
    same = (source[:, :, None] == source[:, None, :]).double()
    targets = (same * targets[:, None, :]).sum(dim=2) / same.sum(dim=2)
    width = source.diff(dim=1)
    slope = targets.diff(dim=1) / torch.where(width > 0, width, 1)  # 0 where points coincide
    source, targets, slope = (points[None, :, :, None, None] for points in (source, targets, slope))
    pixels = image.double()
    mapped = targets[:, :, 0]
    for i in range(slope.shape[2]):
        start, end = source[:, :, i], source[:, :, i + 1]
        mapped = mapped + slope[:, :, i] * (pixels.maximum(start).minimum(end) - start)
    return mapped.float()
