"""The forecaster that a run keeps: the one that was judged, and one made of all data where that is asked for."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int
from numpy import ndarray

from dynst.backbones.kept import KeptForecaster
from dynst.domain import Plan
from dynst.domain.split import Split
from dynst.domain.timeline import Timeline
from dynst.evaluation import LinearJudge
from dynst.forecasting.forecaster import Forecaster
from dynst.planners.anomalies import learnt
from dynst.study.prepare import Prepared
from dynst.windows.scaling import Scaling

__all__ = ["judged_forecaster", "refitted_forecaster"]


def judged_forecaster(judge: LinearJudge, prepared: Prepared, plan: Plan) -> Forecaster:
    """The forecaster of a plan as the judge made it, on training time."""
    test = prepared.split.test
    fair = str(test.time[0]) if prepared.split.kind == "time" else None
    return _forecaster(judge, prepared, plan, "training time", fair)


def refitted_forecaster(judge: LinearJudge, prepared: Prepared, plan: Plan) -> Forecaster:
    """The same form fitted to the whole record: for use, as nothing can judge it any more."""
    record, window = prepared.field, prepared.window
    split = Split(record, prepared.split.valid, prepared.split.test, prepared.split.how, prepared.split.kind)
    scaling = Scaling.fit(record, prepared.climatology.calendar)
    whole = LinearJudge(split, window, scaling=scaling, seed=prepared.study.seed)
    whole.adopt(judge)
    return _forecaster(whole, prepared, plan, "the whole record", None)


def _forecaster(judge: LinearJudge, prepared: Prepared, plan: Plan, time: str, fair: str | None) -> Forecaster:
    selected: Int[ndarray, " k"] = plan.selected
    solved, bar = judge.forecaster(selected), judge.choice(len(selected)).bar
    record = prepared.field
    return Forecaster(
        kept=KeptForecaster.of(solved, bar),
        scaling=judge.scaling,
        learnt=learnt(judge.scaling)[np.ix_(selected, judge.data.observed)],
        targets=judge.scaling.share[:, judge.data.predicted] > 0,
        sites=record.sites,
        layout=record.layout,
        selected=selected,
        channels=record.channels,
        timeline=Timeline.of(record),
        history=prepared.window.history,
        made_of={
            "data": record.name,
            "fingerprint": prepared.fingerprint,
            "planner": plan.planner,
            "made_on": time,
            "last": str(record.time[-1]),
            "tested_from": fair,
        },
    )
