"""Helpers of the lessons: set-up, ledger, baselines, exercises and widgets."""

from llie_helpers.lessons.baseline import (
    Baselines,
    baselines,
    smoothed,
    tune_gamma,
    tune_smoothing,
)
from llie_helpers.lessons.lesson import Lesson, begin, use_drive
from llie_helpers.lessons.measured import measured
from llie_helpers.lessons.recordings import recorded
from llie_helpers.lessons.strip import strip

__all__ = [
    "Baselines",
    "Lesson",
    "baselines",
    "begin",
    "measured",
    "recorded",
    "smoothed",
    "strip",
    "tune_gamma",
    "tune_smoothing",
    "use_drive",
]
