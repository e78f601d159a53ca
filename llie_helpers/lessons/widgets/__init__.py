"""Interactive widgets of the lessons, with static content for pages without a kernel."""

from llie_helpers.lessons.widgets.live import parameter_slider
from llie_helpers.lessons.widgets.prediction import Prediction, predict
from llie_helpers.lessons.widgets.static import before_after, frames_slider
from llie_helpers.lessons.widgets.workshop import workshop

__all__ = ["Prediction", "before_after", "frames_slider", "parameter_slider", "predict", "workshop"]
