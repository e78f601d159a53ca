"""Score methods on the lighting scenes, and write the scores into the package and the README."""

import json
from statistics import fmean

import torch
from marked import README, between_marks, rewrite

from llie_helpers.data.lighting_scenes import KINDS, lighting_scenes
from llie_helpers.data.pairs import Pairs
from llie_helpers.files import atomic_path
from llie_helpers.images import quantise
from llie_helpers.lessons.quality import KEPT, Scores, text
from llie_helpers.methods import Method, create_method
from llie_helpers.methods.classical import METHODS
from llie_helpers.metrics import ciede2000, match_gt_mean, psnr, ssim
from llie_helpers.models import list_models, shipped

MARKS = ("<!-- quality, written by `python tools/bench.py quality` -->", "<!-- end of quality -->")
# Equal images, whose PSNR is infinite, count as this many dB.
HIGHEST_PSNR = 60.0
WHITE = 250 / 255
# Pixels; a share of fewer whites says nothing.
FEWEST_WHITES = 100
# Columns of the README's table; the package's file has all.
SHOWN = {
    "dark": ("psnr", "ssim", "ciede2000"),
    "backlit": ("psnr", "ssim", "ciede2000"),
    "full": ("psnr", "whites", "brightness"),
}
TITLES = {"psnr": "PSNR (dB)", "ssim": "SSIM", "ciede2000": "CIEDE2000",
          "whites": "whites kept", "brightness": "brightness"}  # fmt: skip


def every_method() -> dict[str, Method]:
    """Return all classical methods, and all networks with all weights but the miniatures."""
    networks = {
        f"{name} {weights}": create_method(name, weights)
        for name in list_models()
        for weights in shipped(name)
        if weights != "embedded"
    }
    return {name: create_method(name) for name in METHODS} | networks


def score(method: Method) -> dict[str, dict[str, float | None]]:
    """Return the scores of a method in each kind of light."""
    return {kind: score_pairs(method, pairs) for kind, pairs in lighting_scenes().items()}


def score_pairs(method: Method, pairs: Pairs) -> dict[str, float | None]:
    """Return means over pairs, and over all pixels that are white the share that stays so.

    CIEDE2000 is measured after GT-mean. ``brightness`` is the mean of the output over that of
    the target, less 1.
    """
    rows = []
    whites = torch.zeros(2)
    for pair in pairs:
        enhanced = quantise(method(pair.low))
        matched = match_gt_mean(enhanced, pair.normal)
        whites += count_whites(pair.low, enhanced)
        rows.append(
            {
                "psnr": min(HIGHEST_PSNR, psnr(enhanced, pair.normal).item()),
                "ssim": ssim(enhanced, pair.normal).item(),
                "psnr_gt_mean": min(HIGHEST_PSNR, psnr(matched, pair.normal).item()),
                "ciede2000": ciede2000(matched, pair.normal).item(),
                "brightness": (enhanced.mean() / pair.normal.mean()).item() - 1,
            }
        )
    means = {name: round(fmean(row[name] for row in rows), 4) for name in rows[0]}
    kept, of = whites.tolist()
    return means | {"whites": round(kept / of, 4) if of >= FEWEST_WHITES else None}


def count_whites(low: torch.Tensor, enhanced: torch.Tensor) -> torch.Tensor:
    """Return how many pixels have at least 250 of 255 in all channels: in both images, in low."""
    white, still = ((image >= WHITE - 1e-6).all(dim=0) for image in (low, enhanced))
    return torch.stack([(white & still).sum(), white.sum()])


def keep(scores: Scores) -> None:
    """Write the scores into the package, for lesson 08, and into the README."""
    with atomic_path(KEPT) as temporary:
        temporary.write_text(json.dumps(scores, indent=1) + "\n", encoding="utf-8")
    rewrite(README, lambda readme: between_marks(readme, MARKS, markdown(scores)))


def markdown(scores: Scores) -> str:
    """Return the README's table, the best in the dark first."""
    header = ["method", *(f"{kind}: {TITLES[name]}" for kind in KINDS for name in SHOWN[kind])]
    rows = [
        [f"`{method}`", *(text(values[kind], name) for kind in KINDS for name in SHOWN[kind])]
        for method, values in sorted(scores.items(), key=lambda item: -item[1]["dark"]["psnr"])
    ]
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"
