"""The sensor mask and everything that changes it. Pure torch: no files, no models, no training."""

from dynst.sparsity.drop_regrow import drop_regrow, regrown
from dynst.sparsity.layouts import moved_layouts, other_layouts, random_layouts
from dynst.sparsity.mask import SensorMask
from dynst.sparsity.morph import morph, unmorph
from dynst.sparsity.saliency import SALIENCIES, Evidence, Saliency
from dynst.sparsity.schedule import SCHEDULES, Phase, Schedule
from dynst.sparsity.state import MaskState, SupportRules

__all__ = [
    "SALIENCIES",
    "SCHEDULES",
    "Evidence",
    "MaskState",
    "Phase",
    "Saliency",
    "Schedule",
    "SensorMask",
    "SupportRules",
    "drop_regrow",
    "morph",
    "moved_layouts",
    "other_layouts",
    "random_layouts",
    "regrown",
    "unmorph",
]
