"""Learning a forecast and a mask together: a loop that owns time and nothing else."""

from dynst.training.checkpoint import restore_training, save_training
from dynst.training.forecaster import MaskedForecaster
from dynst.training.loop import StepRecord, evaluate, train
from dynst.training.losses import sample_mse, weighted_mse
from dynst.training.recipe import PRECISIONS, Recipe
from dynst.training.state import TrainingState
from dynst.training.what_if import WhatIf

__all__ = [
    "PRECISIONS",
    "MaskedForecaster",
    "Recipe",
    "StepRecord",
    "TrainingState",
    "WhatIf",
    "evaluate",
    "restore_training",
    "sample_mse",
    "save_training",
    "train",
    "weighted_mse",
]
