"""What a lesson measured beforehand, for those who lack the data set or the time."""

import json
from pathlib import Path
from typing import Any

# Written by `tools/measure.py`, one file per lesson.
FOLDER = Path(__file__).resolve().parent / "measurements"


def measured(lesson: str) -> dict[str, Any]:
    """Return what lesson ``lesson`` measured: "02_histograms" on LOL v1, "03_mse_cnn" by seed."""
    return json.loads((FOLDER / f"{lesson}.json").read_text(encoding="utf-8"))
