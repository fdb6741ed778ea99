"""Plans to Curve: every plan judged by a fresh forecaster, the same way for all planners."""

from dynst.evaluation.bootstrap import Interval
from dynst.evaluation.linear_judge import LinearJudge
from dynst.evaluation.ridge_judge import RidgeJudge
from dynst.evaluation.score import ErrorTally, Score
from dynst.evaluation.sums import ErrorSums
from dynst.evaluation.sweep import LADDER, judge_ladder, ladder, summary
from dynst.evaluation.verdict import Answer, Knee, answer, verdict

__all__ = [
    "LADDER",
    "Answer",
    "ErrorSums",
    "ErrorTally",
    "Interval",
    "Knee",
    "LinearJudge",
    "RidgeJudge",
    "Score",
    "answer",
    "judge_ladder",
    "ladder",
    "summary",
    "verdict",
]
