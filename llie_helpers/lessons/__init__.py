"""What the notebooks share: the start of a lesson, its results, exercises and widgets."""

from llie_helpers.lessons.lesson import Lesson, begin, use_drive

__all__ = ["Lesson", "begin", "use_drive"]
