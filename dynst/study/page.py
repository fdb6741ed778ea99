"""Everything in a run folder, put together for a report; the data are not read again."""

from __future__ import annotations

from dynst.domain import GridLayout, Layout, Plan
from dynst.domain.curve import FRAMES, RANDOM
from dynst.domain.judges import JUDGES
from dynst.errors import CheckpointError
from dynst.reports.page import Page
from dynst.run_layout import NAMES
from dynst.runs import Run
from dynst.study.answers import Evidence, answer_of, evidence_of
from dynst.study.caveats import caveats
from dynst.study.facts import data_card
from dynst.study.log import read_log
from dynst.study.report_rows import cost_rows, provenance_rows, training_rows

__all__ = ["page_of"]


def page_of(run: Run) -> Page:
    """All that a report shows, from the run folder alone.

    Parameters
    ----------
    run : Run
        A complete run; of a folder of an older form, or of a plan that was not compared, there is less to show.

    Raises
    ------
    CheckpointError
        If a file of the folder is damaged; the message names it.
    """
    plan, provenance = run.plan, run.provenance
    evidence = evidence_of(run)
    headline, sentences = _answer(run, plan, evidence)
    log = read_log(run.files.log)
    curves = {JUDGES[judge].words: curve for judge, curve in evidence.curves.items()}
    return Page(
        title=_title(run, plan),
        run=run.name,
        headline=headline,
        sentences=sentences,
        plan=plan,
        layout=run.layout,
        plans=_plans(run, plan),
        curves=curves,
        stability=run.stability,
        price=run.price,
        training=training_rows(log),
        costs=cost_rows(log, curves, plan.budget),
        facts=_data_card(provenance.get("facts"), run.layout),
        provenance=provenance_rows(run.name, provenance, plan, _study(run)),
        notes=tuple(caveats(plan, evidence.curves, provenance)),
    )


def _title(run: Run, plan: Plan) -> str:
    """What was planned, by the name of the data."""
    data = run.provenance.get("data")
    name = data.get("name") if isinstance(data, dict) else None
    places = "place" if plan.budget == 1 else "places"
    return f"{name or run.name}: {plan.budget} {places} to measure"


def _answer(run: Run, plan: Plan, evidence: Evidence) -> tuple[str, tuple[str, ...]]:
    """The headline and the sentences behind it, the last of which says what they rest on."""
    found = answer_of(run, evidence)
    if found is None:
        return _nothing_compared(run, plan, evidence)
    return found.headline, (*found.sentences, _rests_on(plan, evidence))


def _nothing_compared(run: Run, plan: Plan, evidence: Evidence) -> tuple[str, tuple[str, ...]]:
    headline = f"{plan.planner} chose {plan.budget} of {len(plan.sites)} sites; nothing was compared with this plan."
    judged = "" if evidence.curves else " and no forecast was judged"
    return headline, (
        f"No other planner's plan was judged beside it{judged}: whether it is better than sensors at random places is "
        f"not known.",
        f"To find out, run: dynst compare {run.name}",
    )


def _rests_on(plan: Plan, evidence: Evidence) -> str:
    judge, curve = next(iter(evidence.curves.items()))
    rows = {row.planner: row for row in curve.table(plan.budget)}
    seeds = {row.seeds for name, row in rows.items() if name not in (*FRAMES, RANDOM) and row.seeds}
    several = " to ".join(map(str, sorted({min(seeds, default=1), max(seeds, default=1)})))
    draws = rows[RANDOM].seeds if RANDOM in rows else 0
    random = f" and {draws} random plans" if draws > 1 else ""
    cut = "one ranking of each planner, cut short or extended to other numbers of sensors"
    how = "every planner planned anew for each number of sensors" if evidence.anew else cut
    time = curve.data.attrs.get("planned_on")
    made = f" Plans are made on {time}." if time else ""
    return (
        f"The answer rests on {JUDGES[judge].words} on the test period, which no planner has seen: {how}; "
        f"{several} seed{'s' if several != '1' else ''} of each planner{random}.{made}"
    )


def _plans(run: Run, plan: Plan) -> dict[str, Plan]:
    """Plans of all planners at the budget, the run's own first; those of the comparison where the fit made none."""
    found = {name: plan if name == plan.planner else run.plan_by(name) for name in run.planners}
    same = plan.sites.fingerprint
    return {name: other for name, other in found.items() if other.sites.fingerprint == same}


def _data_card(facts: object, layout: Layout | None) -> tuple[tuple[str, str], ...]:
    if not isinstance(facts, dict):
        return ()
    try:
        known = {"on_grid": isinstance(layout, GridLayout)} | facts["data"]  # runs of an older form do not tell it
        return tuple(data_card(facts | {"data": known}))
    except (KeyError, TypeError, AttributeError):
        return (("data", f"described in {NAMES.provenance} in a form that this version of dynst does not know"),)


def _study(run: Run) -> str:
    try:
        return run.files.study.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise CheckpointError(f"{run.files.study} cannot be read ({error}). Make the run again.") from error
