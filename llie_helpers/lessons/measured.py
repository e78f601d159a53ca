"""What a lesson measures on LOL v1, for those who run it without the data set."""

import json
from pathlib import Path
from typing import Any

# Written by `tools/measure.py`, one file per lesson.
FOLDER = Path(__file__).resolve().parent / "measurements"


def measured(lesson: str) -> dict[str, Any]:
    """Return what lesson ``lesson``, such as "02_histograms", measured on LOL v1."""
    return json.loads((FOLDER / f"{lesson}.json").read_text(encoding="utf-8"))
