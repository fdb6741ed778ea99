"""The report as one self-contained HTML page: the answer in words first, then the evidence to look into."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from dynst.domain import Curve, Layout, Plan
from dynst.domain.curve import FRAMES, RANDOM
from dynst.domain.plain import visible
from dynst.domain.price import PriceOfRules
from dynst.domain.stability import GRADES, KINDS, Stability
from dynst.domain.words import UNCLEAR, distance, span, vague
from dynst.reports.embedded import json_for_script, script_hash, vega
from dynst.reports.evidence_tables import budget_rows, curve_rows, figure_rows, lead_rows, region_rows
from dynst.reports.page_figures import (
    curve_figures,
    lead_figures,
    map_figure,
    reach,
    stability_figure,
    training_figures,
    verdict_figures,
    whole_curve,
)
from dynst.reports.sensor_table import sensor_rows, stability_rows, worth_is

__all__ = ["Page", "decision", "page_html"]

_FOLDER = Path(__file__).parent
_SIGNED = re.compile(r"[+-][\d-]")  # "+1.2 %", "-3.0 to +1.0", "+- 2 %"
_SENSORS = 200  # rows of the list of sensors; chosen: more belong in an export


@dataclass(frozen=True, eq=False)
class Page:
    """Everything that a report shows; texts are plain, nothing in them is trusted.

    Attributes
    ----------
    title, headline : str
        What the plan is of; the answer in one sentence.
    sentences : tuple of str
        The findings behind the answer, most important first.
    plan, layout : Plan, Layout or None
        The plan of the run and how its sites neighbour each other.
    plans : mapping of str to Plan
        Plans of all planners on the same sites, the run's own among them.
    curves : mapping of str to Curve
        By judge, in words ("the space-time forecaster"); the one the answer rests on first.
    stability : Stability or None
        What stays of the plan with other seeds and parts of the record.
    price : PriceOfRules or None
        What each rule of deployment costs.
    training : tuple of dict
        One per training step of the mask, as in ``log.jsonl``: ``step``, ``steps``, ``phase``, ``loss``, ``n_active``,
        ``births``, ``deaths`` (site indices); empty where no network was trained.
    costs : tuple of dict
        Rows of the table of costs: column name to text or number.
    facts, provenance : tuple of (str, str)
        Data card, and how to make the run again: name and text.
    notes : tuple of str
        Caveats that a reader must know.
    run : str
        Name of the run; empty where there is none.
    """

    title: str
    headline: str
    sentences: tuple[str, ...]
    plan: Plan
    layout: Layout | None = None
    plans: Mapping[str, Plan] = field(default_factory=dict)
    curves: Mapping[str, Curve] = field(default_factory=dict)
    stability: Stability | None = None
    price: PriceOfRules | None = None
    training: tuple[dict[str, object], ...] = ()
    costs: tuple[dict[str, object], ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    provenance: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    run: str = ""


def page_html(page: Page) -> str:
    """The report as one HTML page, which needs no network and may reach none.

    Every text of `page` comes out as text: the template escapes it, JSON cannot end its script element, and the
    page's own security policy runs the two scripts named by their hash and no other.

    Parameters
    ----------
    page : Page
        What to show. Whatever it lacks (other planners, training, regions ...) has no section.

    Returns
    -------
    str
        HTML in UTF-8; the same page gives the same text.

    Examples
    --------
    >>> import numpy as np
    >>> from dynst.domain import Sites
    >>> plan = Plan(np.array([0]), np.ones(1), 1, Sites(np.zeros(2), np.arange(2.0), name=("<b>", "c")), "by_hand")
    >>> text = page_html(Page("lake", "One sensor; nothing was compared.", (), plan))
    >>> "<b>" in text, "&lt;b&gt;" in text, "http-equiv" in text
    (False, True, True)
    """
    plan, curves = page.plan, page.curves
    first = next(iter(curves.values()), None)
    budgets = () if first is None else tuple(sorted(first.budgets, reverse=True))
    plans = {plan.planner: plan} | {name: other for name, other in page.plans.items() if name != plan.planner}
    most = reach(plan, budgets)
    scripts = vega(), (_FOLDER / "page.js").read_text(encoding="utf-8")
    return _template().render(
        page=page,
        plan=plan,
        decision=decision(plan, first),
        tiles=_tiles(page, first),
        curves=list(curve_figures(curves, plan.planner, plan.budget)),
        curve_tables=[
            (judge, curve_rows(curve, plan.planner), whole_curve(judge, curve, plan.budget, i))
            for i, (judge, curve) in enumerate(curves.items())
        ],
        budget_tables=[(judge, budget_rows(curve, plan.planner, plan.budget)) for judge, curve in curves.items()],
        verdicts=list(verdict_figures(curves, plan.planner, plan.budget)),
        map=map_figure(plan, page.layout, plans, budgets),
        planners=list(plans),
        ladder=[budget for budget in budgets if budget <= most],
        most=most,
        linked=json_for_script(_linked(plans, first, most)),
        sensors=sensor_rows(plan, limit=_SENSORS),
        worth=worth_is(plan),
        overlaps=_overlaps(plan, plans),
        figures=[] if first is None else figure_rows(first, plan.planner, plan.budget),
        leads=[] if first is None else list(lead_figures(first, plan.planner, plan.budget)),
        lead_table=[] if first is None else lead_rows(first, plan.planner, plan.budget),
        regions=[] if first is None else region_rows(first, plan.planner, plan.budget),
        places="" if page.stability is None else page.stability.places(),
        training=list(training_figures(page.training, plan)),
        stability=None if page.stability is None else _stability(page.stability, page.layout),
        css=Markup((_FOLDER / "page.css").read_text(encoding="utf-8")),
        scripts=[Markup(script) for script in scripts],
        policy=" ".join(map(script_hash, scripts)),
        number=_number,
        is_number=_is_number,
    )


def _shown(value: object) -> object:
    """What the template is about to show; our own scripts and styles are not touched."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


@lru_cache(maxsize=1)
def _template() -> Template:
    rooms = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        finalize=_shown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return rooms.get_template("page.html.j2")


def _tiles(page: Page, curve: Curve | None) -> list[tuple[str, str, str]]:
    """The figures that a reader looks for first: value, what it is, remark."""
    plan = page.plan
    tiles = [(f"{plan.budget:,} of {len(plan.sites):,}", "sites carry a sensor", f"sparsity {plan.sparsity:.4g}")]
    rows = {row.planner: row for row in curve.table(plan.budget)} if curve and plan.budget in curve.budgets else {}
    ours = rows.get(plan.planner)
    if curve is None or ours is None or not math.isfinite(ours.error):
        return [*tiles, *_firmness(page.stability)]
    unit = "" if ours.units in ("", "1") else f" {ours.units}"
    tiles.append((f"{ours.error:.4g}{unit}", "error of the forecast", f"RMSE by {next(iter(page.curves))}, test time"))
    versus = curve.compared(plan.planner, RANDOM, plan.budget)
    if versus is not None and vague(*versus[1:3]):
        tiles.append(("?", "against random plans", UNCLEAR))
    elif versus is not None:
        change, low, high, word = versus
        interval = f"95 % interval {_number(span(low, high))}: {word}"
        tiles.append((_number(f"{change:+.1f} %"), "against random plans", interval))
    cells = [curve.compared(plan.planner, name, plan.budget) for name in curve.planners if name not in FRAMES]
    words = [found[3] for found in cells if found is not None and not vague(*found[1:3])]
    if words:
        counts = [f"{said} {words.count(word)}" for word, said in _SAID.items() if word in words]
        tiles.append((f"{words.count('better')} of {len(words)}", "planners beaten", ", ".join(counts)))
    return [*tiles, *_firmness(page.stability)]


def decision(plan: Plan, curve: Curve | None) -> str:
    """What to build and what it brings, without the name of a method; only the first part where nothing was judged.

    Examples
    --------
    >>> import numpy as np
    >>> from dynst.domain import Sites
    >>> plan = Plan(np.array([1, 0]), np.ones(2), 2, Sites(np.arange(3.0), np.zeros(3)), "by_hand")
    >>> decision(plan, None)
    'Build these 2 places.'
    """
    old, new = len(plan.sites.fixed), plan.budget - len(plan.sites.fixed)
    places = "this place" if new == 1 else f"these {new:,} places"
    stand = "the station that stands" if old == 1 else f"the {old:,} stations that stand"
    build = f"Build {places}, beside {stand}." if old else f"Build {places}."
    rows = {row.planner: row for row in curve.table(plan.budget)} if curve and plan.budget in curve.budgets else {}
    ours, every, none = (rows.get(name) for name in (plan.planner, "ceiling", "floor"))
    if ours is None or every is None or none is None:
        return build
    if not all(math.isfinite(row.error) for row in (ours, every, none)):
        return build
    unit = "" if ours.units in ("", "1") else f" {ours.units}"
    return (
        f"{build} The forecast is then off by {ours.error:.3g}{unit} on average; with a sensor everywhere by "
        f"{every.error:.3g}; with none by {none.error:.3g}."
    )


def _firmness(stability: Stability | None) -> list[tuple[str, str, str]]:
    """How many places must stay and how many are flexible; nothing where nothing could be varied."""
    if stability is None or not stability.variants:
        return []
    always, usually, free = (stability.grade.count(grade) for grade in GRADES)
    near = f" within {distance(stability.radius, stability.radius_unit)}" if stability.radius else ""
    said = f"{usually} usually stay{near}, whatever part of the record is left out"
    return [(f"{always} must, {free} flexible", "places that stay, and that may move", said)]


_SAID = {"better": "better than", "tie": "tied with", "worse": "worse than"}


def _stability(stability: Stability, layout: Layout | None) -> dict[str, object]:
    """Map, words and tables of what stays of the plan."""
    share = [(kind, stability.overlap(kind), stability.near_overlap(kind)) for kind in KINDS]
    overlaps: list[dict[str, object]] = [
        {"plans of other": kind, "same sites": _percent(exact), "same places": _percent(near)}
        for kind, exact, near in share
        if math.isfinite(near)
    ]
    exact, near = stability.chance
    overlaps += [{"plans of other": "random plans", "same sites": _percent(exact), "same places": _percent(near)}]
    return {
        "words": stability.words(),
        "figure": stability_figure(stability, layout),
        "overlaps": overlaps if len(overlaps) > 1 else [],
        "rows": stability_rows(stability, limit=_SENSORS),
    }


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if math.isfinite(share) else ""


def _linked(plans: Mapping[str, Plan], curve: Curve | None, most: int) -> dict[str, object]:
    """What the script of the page needs to tell, as the slider moves, what is on the map."""
    errors: dict[str, dict[str, str]] = {}
    for budget in () if curve is None else curve.budgets:
        for row in curve.table(budget) if curve is not None else ():
            if math.isfinite(row.error):
                unit = "" if row.units in ("", "1") else f" {row.units}"
                errors.setdefault(str(budget), {})[row.planner] = f"{row.error:.4g}{unit}"
    return {
        "sites": len(next(iter(plans.values())).sites),
        "ranked": {name: min(most, len(plan.order)) for name, plan in plans.items()},
        "budgets": [] if curve is None else sorted(curve.budgets),
        "errors": errors,
    }


def _overlaps(plan: Plan, plans: Mapping[str, Plan]) -> list[dict[str, object]]:
    """How many sensors each other plan shares with this one, most first."""
    rows: list[dict[str, object]] = [
        {"planner": name, "sensors in common": int((plan.active & other.active).sum()), "overlap": plan.overlap(other)}
        for name, other in plans.items()
        if name != plan.planner
    ]
    return sorted(rows, key=lambda row: (-float(str(row["overlap"])), str(row["planner"])))


def _number(value: object) -> str:
    """A cell as text: four significant digits, a dash where there is nothing."""
    if value is None or value == "" or (isinstance(value, float) and not math.isfinite(value)):
        return "\N{EN DASH}"
    if isinstance(value, float):
        return f"{value:.4g}".replace("-", "\N{MINUS SIGN}")
    if isinstance(value, str) and _SIGNED.match(value):
        return value.replace("+-", "\N{PLUS-MINUS SIGN}").replace("-", "\N{MINUS SIGN}")
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _is_number(rows: Iterable[Mapping[str, object]], column: str) -> bool:
    """Whether a column is set to the right."""
    return any(bool(isinstance(value := row.get(column), int | float) or _SIGNED.match(str(value))) for row in rows)
