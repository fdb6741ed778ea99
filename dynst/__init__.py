"""dynst: which places must be measured so that the forecast of the whole field stays good.

The public names, loaded when first used, so that ``import dynst`` and ``dynst --help`` cost nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dynst.config import Study
    from dynst.domain import Channel, Curve, Field, GridLayout, Plan, Sites, Window
    from dynst.domain.stability import Stability
    from dynst.errors import BudgetError, CheckpointError, ConfigError, DataError, DynstError
    from dynst.evaluation import Answer, answer
    from dynst.evaluation.review import NetworkReview
    from dynst.export import load_plan, save_plan
    from dynst.planners import PLANNERS
    from dynst.planners.base import Task
    from dynst.readers import inspect, read
    from dynst.reports.curve_chart import curve_chart
    from dynst.reports.explore import budget_map, comparison_map, verdict_chart
    from dynst.reports.map_chart import importance_map
    from dynst.reports.stability_chart import stability_map
    from dynst.runs import Run, find
    from dynst.study import fit, resume
    from dynst.study.compare import compare
    from dynst.study.report import report
    from dynst.study.score import score, write_review

__all__ = [
    "PLANNERS",
    "Answer",
    "BudgetError",
    "Channel",
    "CheckpointError",
    "ConfigError",
    "Curve",
    "DataError",
    "DynstError",
    "Field",
    "GridLayout",
    "NetworkReview",
    "Plan",
    "Run",
    "Sites",
    "Stability",
    "Study",
    "Task",
    "Window",
    "answer",
    "budget_map",
    "compare",
    "comparison_map",
    "curve_chart",
    "find",
    "fit",
    "importance_map",
    "inspect",
    "load_plan",
    "read",
    "report",
    "resume",
    "save_plan",
    "score",
    "stability_map",
    "verdict_chart",
    "write_review",
]

_HOMES = {
    "dynst.config": ("Study",),
    "dynst.domain": ("Channel", "Curve", "Field", "GridLayout", "Plan", "Sites", "Window"),
    "dynst.domain.stability": ("Stability",),
    "dynst.errors": ("BudgetError", "CheckpointError", "ConfigError", "DataError", "DynstError"),
    "dynst.evaluation": ("Answer", "answer"),
    "dynst.evaluation.review": ("NetworkReview",),
    "dynst.export": ("load_plan", "save_plan"),
    "dynst.planners": ("PLANNERS",),
    "dynst.planners.base": ("Task",),
    "dynst.readers": ("inspect", "read"),
    "dynst.reports.curve_chart": ("curve_chart",),
    "dynst.reports.explore": ("budget_map", "comparison_map", "verdict_chart"),
    "dynst.reports.map_chart": ("importance_map",),
    "dynst.reports.stability_chart": ("stability_map",),
    "dynst.runs": ("Run", "find"),
    "dynst.study": ("fit", "resume"),
    "dynst.study.compare": ("compare",),
    "dynst.study.report": ("report",),
    "dynst.study.score": ("score", "write_review"),
}


def __getattr__(name: str) -> object:
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(home), name)
    raise AttributeError(f"module 'dynst' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
