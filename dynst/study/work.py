"""fit: a plan, judged beside every baseline, in a complete run folder; stopped at any moment, it resumes."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dynst import runs
from dynst.config import Study
from dynst.domain import RANDOM, Plan, Rules
from dynst.domain.judges import DEFAULT, JUDGES, SECOND
from dynst.domain.stability import Variant
from dynst.errors import BudgetError, CheckpointError, ConfigError, DataError, DynstError
from dynst.evaluation import LADDER, LinearJudge, judge_ladder, ladder
from dynst.evaluation.price import price_of_rules
from dynst.export import load_plan, save_plan, write_netcdf
from dynst.forecasting.store import save_forecaster
from dynst.planners import PLANNERS, row_of
from dynst.planners.base import PlannerSkipped, Task
from dynst.runs import Draft, Run, whole
from dynst.study.caveats import plan_notes
from dynst.study.cell import Cell
from dynst.study.cells import Matrix, Store
from dynst.study.event import Event, Listener, nobody
from dynst.study.given import Source, asked
from dynst.study.judged import judged, save_curve
from dynst.study.kept import judged_forecaster, refitted_forecaster
from dynst.study.log import Log, read_log
from dynst.study.measure import Cost, measured
from dynst.study.prepare import PLANNED_ON, Prepared, prepare
from dynst.study.price import RelaxedPlans, relaxed_plans
from dynst.study.provenance import provenance, versions
from dynst.study.record import check_record
from dynst.study.refits import closed_judge, regions_of_study
from dynst.study.rules import roles_of
from dynst.study.stability import stability_of, worthwhile

if TYPE_CHECKING:
    from dynst.training.loop import StepRecord

__all__ = ["as_trained", "fit", "resume"]


def fit(source: Source, *, rules: Rules | None = None, listen: Listener = nobody, **options: object) -> Run:
    """Plan the sensors, judge the plan beside every baseline, and leave a complete run folder.

    Parameters
    ----------
    source : Study, Field, str, Path, xr.Dataset, xr.DataArray or pd.DataFrame
        What to do; or a study file, or the data alone. Of data that no file holds the run keeps the plans, figures
        and reports, but not the values: it cannot be resumed, compared or scored later.
    rules : Rules or None
        Rules of deployment on the sites of such a field. For data in files the study names files of rules.
    listen : callable
        Called with every `Event`.
    options
        Fields of `Study` and options of its planner, such as ``sensors=20``. With a table of pandas, `stations` may be
        a table too.

    Returns
    -------
    Run
        The folder, with `plan` and `curve`.

    Raises
    ------
    DynstError
        One line on what the user can mend. A run stopped by anything else can be resumed.
    """
    study, record = asked(source, options)
    if study.out is not None:
        runs.check_out(Path(study.out))
    if study.device == "cuda":
        _device(study.device)  # refuses a GPU that is not there, before data are read
    if rules is not None and record is None:
        raise ConfigError("rules: they belong to a field made in Python. For data in files name files: existing=...")
    prepared = prepare(study, record, rules=rules, listen=listen)
    with runs.claim(prepared.base, out=Path(study.out) if study.out is not None else None) as draft:
        listen(Event("read", prepared.field.name, run=draft.name))
        try:
            with whole(draft.files.study) as part:
                part.write_text(prepared.resolved().toml() + "\n", encoding="utf-8")
            return _made(prepared, draft, listen)
        except (DataError, ConfigError, BudgetError, PlannerSkipped):  # asked for the impossible: nothing to resume
            draft.discard()
            raise


def resume(name: str, *, listen: Listener = nobody) -> Run:
    """Continue a stopped run (name, path, or ``latest``) to the result it would have had.

    Of a complete run the report is made, if it is missing.

    Raises
    ------
    CheckpointError
        If there is no such run, another process is at it, or the data changed since.
    """
    draft = runs.reopen(name)
    if isinstance(draft, Run):
        return draft if draft.files.reported else _reported(draft, draft.name, listen)
    with draft:
        if not draft.files.study.is_file():
            draft.discard()
            raise CheckpointError(f"run {draft.name} was stopped before it began. Start it again with `dynst fit`.")
        prepared = prepare(Study.load(draft.files.study), listen=listen)
        return _made(prepared, draft, listen)


def _made(prepared: Prepared, draft: Draft, listen: Listener) -> Run:
    with Log(draft.files.log) as log:
        _Work(prepared, draft, log, listen).run()
    return _reported(draft.finish(), draft.name, listen)


def _reported(run: Run, name: str, listen: Listener) -> Run:
    """The complete run with its report; `name` is what the user calls it."""
    listen(Event("write", "report", run=name))
    from dynst.study.report import write_report  # noqa: PLC0415  # charts load altair: only now, when all is computed

    try:
        write_report(run)
    except (DynstError, OSError) as error:  # the run is complete without it
        listen(Event("write", note=f"The report could not be written: {error} Try: dynst report {name}"))
    return run


class _Work:
    """The stages of a study over one draft folder; a stage whose file exists is not done again."""

    def __init__(self, prepared: Prepared, draft: Draft, log: Log, listen: Listener) -> None:
        self.prepared, self.draft, self.log, self.listen = prepared, draft, log, listen
        self.study, self.files = prepared.study, draft.files
        notes: list[str] = []
        self.regions = regions_of_study(prepared, notes)  # refused, if they are, before hours of planning
        self.provenance = self._begin()
        self.swaps = 0
        self.relaxed: RelaxedPlans | None = None
        for note in notes:
            listen(Event("read", note=note))

    def run(self) -> None:
        """All stages; afterwards the folder is complete."""
        task = self.prepared.task()
        plan = self._chosen(task)
        plans, skipped = self._baselines(task) if self.study.compare != "none" else ({}, {})
        self.relaxed = self._relaxed(task, plan)
        self._judge(task, {self.prepared.planner: [plan]} | as_trained(plan) | plans, skipped)
        self._stability(task, plan)
        self._say("write", self.draft.name)
        self._save(plan, self.files.plan)
        self._write_json(self.files.provenance, self.provenance | {"skipped": skipped, "finished": _now()})

    def _begin(self) -> dict[str, Any]:
        """What is known at the start; on resume what was known then, if the data are still the same."""
        path = self.files.provenance
        if path.is_file():
            before = runs.provenance_of(self.draft.path)
            again = "start again with `dynst fit`"
            check_record(before.get("data"), self.prepared, run=self.draft.name, instead=again, listen=self.listen)
            if roles_of(before.get("facts")) != roles_of(self.prepared.facts()):
                raise CheckpointError(
                    f"the files of rules changed since run {self.draft.name} was stopped. Put the old ones back, or "
                    f"{again}."
                )
            if any(before.get(key) != value for key, value in versions().items()):
                note = "This run was begun with other versions of dynst or its libraries: the plan may differ."
                self.listen(Event("read", note=note, run=self.draft.name))
            return before | {"resumed": [*before.get("resumed", []), _now()]}
        data = {"path": self.study.data, "name": self.prepared.field.name}
        data |= {"fingerprint": self.prepared.fingerprint}
        facts = provenance(seed=self.study.seed, device=self._device(), data=data)
        facts |= {"started": _now(), "facts": self.prepared.facts()}
        self._write_json(path, facts)
        return facts

    def _device(self) -> str:
        """Where the networks of this study are trained; the solved forecaster computes on the CPU."""
        trained = row_of(self.prepared.planner).trains or self.study.compare == "full"
        return _device(self.study.device) if trained else "cpu"

    def _chosen(self, task: Task) -> Plan:
        """The plan of the study's own planner."""
        name = self.prepared.planner
        self._say("plan", name)
        plan = self._once(name, task)
        for note in plan_notes(plan):
            self.listen(Event("plan", note=str(note), run=self.draft.name))
        return plan

    def _baselines(self, task: Task) -> tuple[dict[str, list[Plan]], dict[str, str]]:
        """Plans of the other planners, and why some of them cannot run here."""
        names = _rivals(self.prepared.planner, self.study.compare)
        plans: dict[str, list[Plan]] = {}
        skipped: dict[str, str] = {}
        for done, name in enumerate(names):
            self._say("baselines", name, done, len(names))
            try:
                plans[name] = [self._once(name, task)]
            except PlannerSkipped as reason:
                skipped[name] = str(reason)
                self.listen(Event("baselines", note=f"{name} was skipped: {reason}", run=self.draft.name))
        random = PLANNERS[RANDOM]
        more = range(self.study.seed + 1, self.study.seed + random.draws)
        plans.setdefault(RANDOM, []).extend(random.plan(task, seed=seed) for seed in more)
        return plans, skipped

    def _relaxed(self, task: Task, plan: Plan) -> RelaxedPlans | None:
        """Plans without each rule, if there are rules and plans are compared."""
        if self.study.compare == "none" or self.files.price.is_file():
            return None
        return relaxed_plans(self.prepared, task, plan, keep=self.files, listen=self._heard)

    def _heard(self, event: Event) -> None:
        self.listen(replace(event, run=self.draft.name))

    def _once(self, name: str, task: Task) -> Plan:
        """The plan that a planner makes, or made before this run was stopped."""
        path = self.files.plan_by(name)
        if path.is_file():
            return load_plan(path)[0]
        row, options, live = PLANNERS[name], self.study.planner_options(name), self._live(name)
        plan, cost = measured(lambda: row.plan(task, seed=self.study.seed, live=live, **options))
        self.log.write({"planner": name, **cost.to_dict()})
        self._save(plan, path)
        return plan

    def _live(self, name: str) -> dict[str, Any]:
        """Whom a resumable planner tells its steps, and where it keeps its checkpoint."""
        if not row_of(name).resumable:
            return {}
        return {"listen": self._step, "checkpoint": self.files.checkpoint}

    def _save(self, plan: Plan, path: Path) -> None:
        with whole(path) as part:
            save_plan(plan, self.prepared.field.layout, part)

    def _judge(self, task: Task, plans: dict[str, list[Plan]], skipped: dict[str, str]) -> None:
        """All plans over the ladder by the first judge; at the budget by the second and, if asked for, networks."""
        task.cache.clear()  # the planners' matrices: the judge needs the memory for its own
        sparsities = LADDER if self.study.ladder is None else self.study.ladder
        reach = len(plans[self.prepared.planner][0].order)  # a distance between sensors may end the ranking early
        budgets = ladder(task.sites, budget=task.budget, sparsities=sparsities)
        budgets = tuple(budget for budget in budgets if budget <= reach)
        self._judge_by(DEFAULT, task, plans, budgets, skipped)
        if self.study.compare == "none":
            return
        self._judge_by(SECOND, task, plans, (task.budget,), skipped)
        if self.study.compare == "full":
            self._networks((*plans, *(name for name in skipped if name not in plans)))

    def _judge_by(
        self, name: str, task: Task, plans: dict[str, list[Plan]], budgets: tuple[int, ...], skipped: dict[str, str]
    ) -> None:
        """The curve of a judge in closed form, unless it was made before this run was stopped."""
        path = self.files.curve(JUDGES[name])
        if path.is_file():
            return
        self._say("judge", "")
        judge = closed_judge(name, self.prepared, self.regions)

        def progress(what: str, done: int, total: int) -> None:
            self._say("judge", what, done, total)

        curve = judge_ladder(
            plans,
            judge,
            budgets,
            gaps=skipped,
            costs=self._costs(),
            question=self.prepared.question,
            climatology=self.prepared.climatology.calendar.words,
            planned_on=PLANNED_ON,
            progress=progress,
        )
        if name == DEFAULT and self.relaxed is not None:
            made = self.relaxed
            price = price_of_rules(judge, made.selected, made.without, planner=made.planner, reasons=made.reasons)
            self._write_json(self.files.price, price.to_json())
        if isinstance(judge, LinearJudge):
            self._keep_forecaster(judge, plans[self.prepared.planner][0])
        save_curve(curve, self.files, name)
        if facts := judge.facts():
            self._write_json(self.files.judge_facts(JUDGES[name]), facts)

    def _keep_forecaster(self, judge: LinearJudge, plan: Plan) -> None:
        """The forecaster that was judged, and the same form fitted to all data if that was asked for."""
        with whole(self.files.forecaster) as part:
            save_forecaster(judged_forecaster(judge, self.prepared, plan), part)
        if self.study.refit_all:
            with whole(self.files.refitted) as part:
                save_forecaster(refitted_forecaster(judge, self.prepared, plan), part)

    def _costs(self) -> dict[str, dict[tuple[str, int], list[float]]]:
        """What each plan cost, at the budget that it was made for."""
        lines = [line for line in read_log(self.files.log) if "planner" in line]
        spent = {(str(line["planner"]), self.prepared.budget): Cost.of(line) for line in lines}
        return {
            "plan_seconds": {place: [cost.seconds] for place, cost in spent.items()},
            "plan_peak_mb": {place: [cost.peak_mb] for place, cost in spent.items()},
        }

    def _networks(self, planners: tuple[str, ...]) -> None:
        """The curve of networks trained afresh: the cells of a comparison at the budget alone."""
        path = self.files.curve(JUDGES["network"])
        if path.is_file():
            return
        study = self.study
        matrix = Matrix(planners, (self.prepared.budget,), ("network",), seeds=study.seeds, first=study.seed)
        found = judged(
            self.prepared, self.draft.path, matrix, workers=study.workers, name=self.draft.name, listen=self.listen
        )
        save_curve(found["network"], self.files, "network")

    def _stability(self, task: Task, plan: Plan) -> None:
        """What stays of the plan with other seeds and parts of the record, if asked for or cheap."""
        path, asked, study = self.files.stability, self.study.stability, self.study
        cheap = study.compare != "none" and worthwhile(self.prepared)
        if path.is_file() or not (cheap if asked is None else asked):
            return
        store, more = Store(self.files.comparison, None), range(study.seed + 1, study.seed + study.seeds)
        made = {seed: store.plan(Cell(plan.planner, plan.budget, seed)) for seed in more}
        found = stability_of(
            self.prepared,
            task,
            plan,
            seeds=study.seeds,
            options=self.study.planner_options(plan.planner),
            known={Variant.seed(seed): cell[0] for seed, cell in made.items() if isinstance(cell, tuple)},
            keep=self.files,
            listen=self.listen,
        )
        with whole(path) as part:
            write_netcdf(found.to_dataset(), part)

    def _step(self, record: StepRecord) -> None:
        self.log.write(asdict(record))
        if record.births or record.deaths:
            self.swaps = len(record.births)
        sparsity = 1 - record.n_active / len(self.prepared.field.sites)
        event = Event("plan", record.phase, record.step + 1, record.steps, run=self.draft.name)
        self.listen(replace(event, loss=record.loss, sparsity=sparsity, swaps=self.swaps))
        if record.step + 1 == record.steps:
            self._say("polish", "what-ifs on the trained network, then exact swaps")

    def _say(self, stage: str, text: str, done: int = 0, total: int = 0) -> None:
        self.listen(Event(stage, text, done, total, run=self.draft.name))

    def _write_json(self, path: Path, content: object) -> None:
        with whole(path) as part:
            part.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def as_trained(plan: Plan) -> dict[str, list[Plan]]:
    """The sensors that the network itself had chosen, before exact swaps, as a rival of its own; none if they are all.

    Its other sites stand in the order of the plan; there are none where sensors keep a distance.
    """
    own = plan.provenance.get("as_trained")
    if not isinstance(own, list) or set(own) == set(plan.selected.tolist()):
        return {}
    first = plan.order[np.isin(plan.order, own)]
    first = np.append(first, np.setdiff1d(own, first)).astype(np.int64)
    rest = plan.order[~np.isin(plan.order, own)]
    if "min_distance" in plan.provenance:  # they may stand too near to the network's own
        rest = rest[:0]
    order = np.append(first, rest)
    name = f"{plan.planner}_as_trained"
    worth = np.nan_to_num(plan.importance_map[order])
    return {name: [replace(plan, order=order, importance=worth, planner=name, valued_at=None)]}


def _rivals(own: str, compare: str) -> list[str]:
    """Who plans beside the study's own planner: under ``quick`` nobody who trains a network."""
    full = compare == "full"
    return [name for name, row in PLANNERS.items() if name != own and not (row.resumable if full else row.trains)]


def _device(asked: str) -> str:
    """The device that networks are trained on.

    Raises
    ------
    ConfigError
        If it is not there.
    """
    from dynst.training import Recipe  # noqa: PLC0415  # loads torch: only networks need it

    return Recipe(device=asked).device


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
