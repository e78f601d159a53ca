"""Training: recipes, and `fit`, which runs them with Lightning."""

from llie_helpers.training.fitting import Snapshot, TrainingRun, fit
from llie_helpers.training.history import History, load_history
from llie_helpers.training.recipe import Recipe, load_recipe

__all__ = ["History", "Recipe", "Snapshot", "TrainingRun", "fit", "load_history", "load_recipe"]
