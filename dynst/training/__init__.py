"""Learning a forecast and a mask together: a loop that owns time and nothing else."""

from dynst.training.build import build_forecaster
from dynst.training.checkpoint import Saver, restore_training, save_training
from dynst.training.first_mask import dense_mask
from dynst.training.forecaster import MaskedForecaster
from dynst.training.loop import StepRecord, evaluate, train
from dynst.training.losses import sample_mse, weighted_mse
from dynst.training.polish import Polish, agreement, polish, refine
from dynst.training.recipe import PRECISIONS, Recipe
from dynst.training.state import TrainingState, seeded
from dynst.training.what_if import WhatIf

__all__ = [
    "PRECISIONS",
    "MaskedForecaster",
    "Polish",
    "Recipe",
    "Saver",
    "StepRecord",
    "TrainingState",
    "WhatIf",
    "agreement",
    "build_forecaster",
    "dense_mask",
    "evaluate",
    "polish",
    "refine",
    "restore_training",
    "sample_mse",
    "save_training",
    "seeded",
    "train",
    "weighted_mse",
]
