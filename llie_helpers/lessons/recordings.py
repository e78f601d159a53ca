"""The histories of long trainings, which a lesson draws below the student's minute."""

from llie_helpers.models.weights import SHIPPED
from llie_helpers.training import History, load_history


def recorded(name: str) -> History | None:
    """Return the recorded history of shipped weights ("unet_lol_v1") or of a run ("unet_1").

    If there is none yet, return None.

    Raises:
        CourseError: the record is damaged.
    """
    for path in (SHIPPED / f"{name}.history.json", SHIPPED / "recordings" / f"{name}.json"):
        if path.is_file():
            return load_history(path)
    return None
