"""What students drag, choose and compare; everything also says something without a kernel."""

from .live import parameter_slider
from .prediction import Prediction, predict
from .static import before_after, frames_slider
from .workshop import workshop

__all__ = ["Prediction", "before_after", "frames_slider", "parameter_slider", "predict", "workshop"]
