"""Scores of every method on the lighting scenes, as `tools/bench.py quality` measured them."""

import json
from pathlib import Path

from llie_helpers.tables import Table

KEPT = Path(__file__).with_name("quality.json")
# Title and format of each score.
COLUMNS = {
    "psnr": ("PSNR (dB)", ".2f"),
    "ssim": ("SSIM", ".3f"),
    "psnr_gt_mean": ("GT-mean PSNR (dB)", ".2f"),
    "ciede2000": ("CIEDE2000", ".2f"),
    "whites": ("whites kept", ".0%"),
    "brightness": ("brightness", "+.0%"),
}

# Method -> kind of light -> score -> value; None where a kind has no whites.
Scores = dict[str, dict[str, dict[str, float | None]]]


def load() -> Scores:
    """Return the kept scores: method, kind of `data.lighting_scenes`, name in `COLUMNS`."""
    return json.loads(KEPT.read_text(encoding="utf-8"))


def table(scores: Scores, kind: str) -> Table:
    """Return the scores of all methods in one kind of light, the highest PSNR first."""
    names = sorted(scores, key=lambda name: scores[name][kind]["psnr"] or 0.0, reverse=True)
    rows = [[name, *(text(scores[name][kind], column) for column in COLUMNS)] for name in names]
    return Table([kind, *(title for title, _ in COLUMNS.values())], rows)


def text(values: dict[str, float | None], column: str) -> str:
    """Return one score as text, "-" if it is None."""
    value = values[column]
    return "-" if value is None else format(value, COLUMNS[column][1])
