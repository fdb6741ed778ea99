"""Plans to Curve: every plan judged by a fresh forecaster, the same way for all planners."""

from dynst.evaluation.bootstrap import Interval, verdict
from dynst.evaluation.linear_judge import LinearJudge
from dynst.evaluation.refit import refit
from dynst.evaluation.score import ErrorTally, Score
from dynst.evaluation.sums import ErrorSums
from dynst.evaluation.sweep import LADDER, judge_ladder, ladder, summary

__all__ = [
    "LADDER",
    "ErrorSums",
    "ErrorTally",
    "Interval",
    "LinearJudge",
    "Score",
    "judge_ladder",
    "ladder",
    "refit",
    "summary",
    "verdict",
]
