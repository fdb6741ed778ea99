"""How the mask was trained: sites that came and went, how many were active, and the loss."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt

from dynst.domain import Plan
from dynst.reports.curve_chart import STYLE

__all__ = ["Life", "active_chart", "lives", "lives_chart", "loss_chart", "swap_chart"]

Steps = Sequence[Mapping[str, Any]]
"""Lines of ``log.jsonl``, one per step: ``step``, ``phase``, ``loss``, ``n_active``, ``births``, ``deaths``."""

_WIDTH = 620
_ROWS = 48  # sites whose lives are drawn: the sensors by rank, then those that left last; chosen: what fits a page
_POINTS = 800  # of the line of the loss at most; chosen: more than there are pixels
_BORN, _DIED = "#0072b2", "#d55e00"
"""Blue and vermilion of the colour-blind safe palette of Okabe and Ito (2008)."""


@dataclass(frozen=True)
class Life:
    """A site's time in the mask, from one training step to another.

    Attributes
    ----------
    site : int
        Index of the site.
    start, stop : int
        Training steps; the mask holds the site from the one until the other.
    stayed : bool
        Whether it was still in the mask when training ended.
    """

    site: int
    start: int
    stop: int
    stayed: bool


def lives(training: Steps, plan: Plan) -> list[Life]:
    """When each site was in the mask, in order of start; a site that left and came back has several lives.

    A site without a birth or death in the log was there all the time if every site was active at first; else it is
    counted if it is a sensor of the plan.

    Examples
    --------
    >>> import numpy as np
    >>> from dynst.domain import Sites
    >>> plan = Plan(np.array([1]), np.ones(1), 1, Sites(np.arange(3.0), np.zeros(3)), "dynst")
    >>> log = [{"step": 0, "n_active": 3, "births": [], "deaths": []},
    ...        {"step": 1, "n_active": 1, "births": [], "deaths": [0, 1]},
    ...        {"step": 2, "n_active": 1, "births": [1], "deaths": [2]},
    ...        {"step": 3, "n_active": 1, "births": [], "deaths": []}]
    >>> [(life.site, life.start, life.stop, life.stayed) for life in lives(log, plan)]
    [(0, 0, 1, False), (1, 0, 1, False), (2, 0, 2, False), (1, 2, 3, True)]
    """
    if not training:
        return []
    begin, finish = int(training[0]["step"]), int(training[-1]["step"])
    since = dict.fromkeys(_first(training, plan), begin)
    found = []
    for row in training:
        step = int(row["step"])
        found += [Life(site, since.pop(site, begin), step, stayed=False) for site in _sites(row, "deaths")]
        since |= dict.fromkeys(_sites(row, "births"), step)
    found += [Life(site, start, finish, stayed=True) for site, start in since.items()]
    return sorted(found, key=lambda life: (life.start, life.stop, life.site))


def lives_chart(training: Steps, plan: Plan) -> alt.LayerChart:
    """A bar for each time a site was in the mask: the plan's sensors by rank, then the sites that left last."""
    every = lives(training, plan)
    shown = _shown(every, plan)
    rows = [
        {
            "row": shown.index(life.site),
            "name": plan.sites.name[life.site],
            "start": life.start,
            "stop": life.stop,
            "end": "still in the mask" if life.stayed else "left the mask",
            "kind": _KINDS[0] if plan.active[life.site] else _KINDS[1],
        }
        for life in every
        if life.site in shown
    ]
    axis = alt.Axis(labelLimit=120, domain=False, ticks=False, grid=False)
    bars = (
        alt.Chart(alt.InlineData(values=rows))
        .mark_bar(height=9, cornerRadius=2)
        .encode(
            x=_step("start:Q"),
            x2="stop:Q",
            y=alt.Y("name:N", title=None, sort=alt.EncodingSortField("row", op="min"), axis=axis),
            color=alt.Color("kind:N", scale=alt.Scale(domain=list(_KINDS), range=[_BORN, "#b9bcc2"]), legend=_BELOW),
            tooltip=["name:N", "start:Q", "stop:Q", "end:N", "kind:N"],
        )
    )
    hidden = len({life.site for life in every}) - len(shown)
    kept = len({life.site for life in every if life.stayed} & set(plan.selected.tolist()))
    words = [
        "A bar lasts while the site is in the mask",
        f"{kept:,} of the {plan.budget:,} sensors of the plan were in the mask when training ended; steps after "
        "it, such as exact swaps, chose the others"
        if kept < plan.budget
        else "The plan is the mask at the end of training",
    ]
    words += [f"{hidden:,} sites that left earlier are not drawn"] if hidden > 0 else []
    return _finished([bars], "When sites came and went", words, alt.Step(13))


def active_chart(training: Steps) -> alt.LayerChart:
    """How many sites the mask holds after each training step."""
    counts = [int(row["n_active"]) for row in training]
    most, least, last = max(counts), min(counts), len(counts) - 1
    rows = [
        {"step": int(row["step"]), "active": counts[i], "phase": str(row.get("phase", ""))}
        for i, row in enumerate(training)
        if i in (0, last) or counts[i] != counts[i - 1]
    ]
    scale = alt.Scale(type="log", nice=False, padding=8) if most > 8 * least > 0 else alt.Scale(zero=True)
    line = (
        alt.Chart(alt.InlineData(values=rows))
        .mark_line(interpolate="step-after", strokeWidth=2, color=_BORN)
        .encode(
            x=_step("step:Q"),
            y=alt.Y("active:Q", title="active sites", scale=scale, axis=alt.Axis(format=",d", tickCount=5)),
            tooltip=["step:Q", "active:Q", "phase:N"],
        )
    )
    return _finished([line], "Active sites", [f"From {counts[0]:,} to {counts[-1]:,} sites"], 170)


def swap_chart(training: Steps) -> alt.LayerChart:
    """Births upwards and deaths downwards at each update of the mask, on a scale that shows one and a thousand."""
    rows = [
        {"step": int(row["step"]), "sites": sign * len(_sites(row, key)), "kind": key, "count": len(_sites(row, key))}
        for row in training
        for key, sign in (("births", 1), ("deaths", -1))
        if _sites(row, key)
    ]
    colours = alt.Scale(domain=["births", "deaths"], range=[_BORN, _DIED])
    last = int(training[-1]["step"]) if training else 1
    axis = alt.Axis(
        labelExpr="format(abs(datum.value), ',')", values=[sign * 10**i for i in range(6) for sign in (1, -1)] + [0]
    )
    bars = (
        alt.Chart(alt.InlineData(values=rows))
        .mark_bar(width=5)
        .encode(
            x=_step("step:Q", last),
            y=alt.Y("sites:Q", title="sites", scale=alt.Scale(type="symlog", constant=1), axis=axis),
            color=alt.Color("kind:N", scale=colours, legend=_BELOW),
            tooltip=["step:Q", "kind:N", "count:Q"],
        )
    )
    swaps = sum(len(_sites(row, "births")) for row in training)
    words = [f"{len({row['step'] for row in rows}):,} updates of the mask, {swaps:,} births"]
    return _finished([bars], "Births and deaths", words, 170)


def loss_chart(training: Steps) -> alt.LayerChart:
    """Loss of each training batch, and the error on validation time where it was measured."""
    every = math.ceil(len(training) / _POINTS)
    chunks = [training[i : i + every] for i in range(0, len(training), every)]
    rows: list[dict[str, object]] = [
        {
            "step": int(chunk[0]["step"]),
            "loss": math.fsum(float(row["loss"]) for row in chunk) / len(chunk),
            "kind": "training batch",
        }
        for chunk in chunks
    ]
    rows += [
        {"step": int(row["step"]), "loss": float(row["valid_error"]), "kind": "validation"}
        for row in training
        if row.get("valid_error") is not None
    ]
    colours = alt.Scale(domain=["training batch", "validation"], range=["#8a8f98", _BORN])
    shared: dict[str, Any] = {
        "x": _step("step:Q"),
        "y": alt.Y("loss:Q", title="loss (standardised)", scale=alt.Scale(zero=False, padding=6)),
        "color": alt.Color("kind:N", scale=colours, legend=_BELOW),
    }
    base = alt.Chart(alt.InlineData(values=rows))
    line = base.mark_line(strokeWidth=1.4).encode(**shared)
    dots = (
        base.transform_filter("datum.kind == 'validation'")
        .mark_circle(size=40, opacity=1)
        .encode(tooltip=["step:Q", alt.Tooltip("loss:Q", format=".4g")], **shared)
    )
    words = ["Of standardised values" + (f"; each point is the mean of {every} steps" if every > 1 else "")]
    validated = any(row["kind"] == "validation" for row in rows)
    return _finished([line, dots] if validated else [line], "Loss", words, 170)


_KINDS = ("sensor of the plan", "not in the plan")
_BELOW = alt.Legend(title=None, orient="bottom", symbolOpacity=1)


def _step(field: str, last: int | None = None) -> alt.X:
    scale = alt.Scale(nice=False) if last is None else alt.Scale(domain=[0, last], nice=False)
    return alt.X(field, title="training step", scale=scale, axis=alt.Axis(grid=False, tickMinStep=1, format=",d"))


def _finished(layers: list[alt.Chart], title: str, words: list[str], height: int | alt.Step) -> alt.LayerChart:
    said = alt.TitleParams(title, subtitle=words, **STYLE)
    chart: alt.LayerChart = (
        alt.layer(*layers)
        .properties(width=_WIDTH, height=height, title=said)
        .configure_axis(labelColor="#444", titleColor="#444", gridColor="#eceae6", domainColor="#8a8f98")
        .configure_view(stroke=None)
    )
    return chart


def _sites(row: Mapping[str, Any], key: str) -> list[int]:
    return [int(site) for site in row.get(key) or ()]


def _first(training: Steps, plan: Plan) -> set[int]:
    """Sites in the mask before the first change."""
    born: set[int] = set()
    died_first: set[int] = set()
    for row in training:
        died_first |= set(_sites(row, "deaths")) - born
        born |= set(_sites(row, "births"))
    every = set(plan.sites.legal.tolist())
    quiet = every - born - died_first  # neither born nor dead
    at_first = int(training[0]["n_active"]) + len(_sites(training[0], "deaths")) - len(_sites(training[0], "births"))
    return died_first | (quiet if at_first >= len(every) else quiet & set(plan.selected.tolist()))


def _shown(every: list[Life], plan: Plan) -> list[int]:
    """Sites worth a row: sensors of the plan by rank, then the others, the last to leave first."""
    end = {life.site: (life.stop, life.stayed) for life in sorted(every, key=lambda life: (life.stop, life.stayed))}
    chosen = [site for site in plan.selected.tolist() if site in end]
    others = sorted(set(end) - set(chosen), key=lambda site: (*(-int(part) for part in end[site]), site))
    return [*chosen, *others][:_ROWS]
