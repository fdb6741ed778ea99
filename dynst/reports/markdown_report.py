"""The report as Markdown: what the page shows, in the same order, for a repository, a wiki or a terminal."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from dynst.reports.evidence_tables import budget_rows, curve_rows, figure_rows, lead_rows, region_rows
from dynst.reports.page import Page
from dynst.reports.sensor_table import sensor_rows, stability_rows, worth_is
from dynst.reports.tables import markdown, markdown_text

__all__ = ["page_markdown"]

_SENSORS = 30  # rows of the list of sensors; chosen: the first of them matter most, an export has all


def page_markdown(page: Page) -> str:
    r"""The report as CommonMark with tables, as GitHub and Pandoc read it; every name in it comes out as plain text.

    Examples
    --------
    >>> import numpy as np
    >>> from dynst.domain import Plan, Sites
    >>> plan = Plan(np.array([0]), np.ones(1), 1, Sites(np.zeros(1), np.zeros(1), name=("<b>",)), "by_hand")
    >>> text = page_markdown(Page("lake-1", "One sensor; nothing was compared.", (), plan))
    >>> text.splitlines()[2], text.splitlines()[-1]
    ('**One sensor; nothing was compared.**', '| 1 | \\<b\\> | 0.000 | 0.000 | 1 |')
    """
    parts = [f"# {markdown_text(page.title)}", f"**{markdown_text(page.headline)}**", _list(page.sentences)]
    for heading, blocks in _sections(page):
        filled = [block for block in blocks if block]
        parts += [f"## {heading}", *filled] if filled else []
    return "\n\n".join(part for part in parts if part) + "\n"


def _sections(page: Page) -> Iterator[tuple[str, list[str]]]:
    plan = page.plan
    yield "What to keep in mind", [_list(page.notes)]
    yield f"At {plan.budget} sensors", list(_at_budget(page))
    yield "With more or fewer sensors", list(_over_budgets(page))
    yield "Channels, lead times, regions", list(_in_detail(page))
    yield "Sensors", list(_sensors(page))
    yield "What the rules cost", list(_price(page))
    yield "Stability", list(_stability(page))
    yield "Training", [_training(page)]
    yield "Cost", [_table(page.costs)]
    yield "Data", [_facts(page.facts)]
    yield "How it was made", [_facts(page.provenance)]


def _at_budget(page: Page) -> Iterator[str]:
    for judge, curve in page.curves.items():
        yield (
            f"Error of the forecast of all {len(page.plan.sites)} sites in the test period, "
            f"judged by {markdown_text(judge)}. Negative: the plan's error is lower. "
            "Verdicts are corrected for the number of comparisons (Holm), so a tie can stand beside an interval "
            "without zero."
        )
        yield _table(budget_rows(curve, page.plan.planner, page.plan.budget))


def _over_budgets(page: Page) -> Iterator[str]:
    for judge, curve in page.curves.items():
        if len(curve.budgets) > 1:
            unit = curve.table(curve.budgets[0])[0].units
            error = "Error" if unit == "1" else f"Error in {markdown_text(unit)}"
            yield f"{error} with so many sensors as the columns say, judged by {markdown_text(judge)}."
            yield _table(curve_rows(curve, page.plan.planner))


def _in_detail(page: Page) -> Iterator[str]:
    if not page.curves:
        return
    judge, curve = next(iter(page.curves.items()))
    plan = page.plan
    yield (
        f"At {plan.budget} sensors, judged by {markdown_text(judge)}. "
        "RMSE, MAE and bias are means over sites, weighted by area, and over windows, lead times and seeds; each is "
        "in the unit of its channel."
    )
    yield _table(figure_rows(curve, plan.planner, plan.budget))
    if curve.data.sizes["lead_time"] > 1:
        yield "RMSE by lead time."
        yield _table(lead_rows(curve, plan.planner, plan.budget))
    regions = region_rows(curve, plan.planner, plan.budget)
    if regions:
        yield "RMSE by region."
        yield _table(regions)


def _sensors(page: Page) -> Iterator[str]:
    plan = page.plan
    count = f"The {plan.budget} sensor{'s' if plan.budget > 1 else ''} of the plan"
    first = count if plan.budget <= _SENSORS else f"The first {_SENSORS} of {plan.budget} sensors of the plan"
    yield f"{first}, in the order of building. {markdown_text(worth_is(plan))}."
    yield _table(sensor_rows(plan, limit=_SENSORS))


def _price(page: Page) -> Iterator[str]:
    if page.price is None:
        return
    yield markdown_text(page.price.words())
    yield _table(page.price.table())


def _stability(page: Page) -> Iterator[str]:
    if page.stability is None:
        return
    yield markdown_text(page.stability.words())
    if page.stability.variants:
        yield _table(stability_rows(page.stability, limit=_SENSORS))


def _training(page: Page) -> str:
    losses = [float(str(row["loss"])) for row in page.training if "loss" in row]
    if not losses:
        return ""
    moved = {key: sum(len(_sites(row.get(key))) for row in page.training) for key in ("births", "deaths")}
    return (
        f"The mask was trained for {len(losses)} steps: standardised loss {losses[0]:.3g} at the first and "
        f"{losses[-1]:.3g} at the last; {moved['deaths']} times a site left the mask, {moved['births']} times one "
        "came in."
    )


def _sites(value: object) -> list[object]:
    return list(value) if isinstance(value, list | tuple) else []


def _table(rows: Iterable[Mapping[str, object]]) -> str:
    rows = list(rows)
    return markdown(rows) if rows else ""


def _facts(rows: Iterable[tuple[str, str]]) -> str:
    """Names and texts as a table; a text of several lines below it, as it stands."""
    rows = list(rows)
    short = [{"what": name, "is": text} for name, text in rows if "\n" not in text]
    long = [f"{markdown_text(name)}:\n\n{_verbatim(text)}" for name, text in rows if "\n" in text]
    return "\n\n".join(part for part in (_table(short), *long) if part)


def _verbatim(text: str) -> str:
    """A code block that nothing in `text` can end."""
    ticks = max([2, *(len(run) for run in re.findall("`+", text))]) + 1
    return f"{'`' * ticks}\n{text}\n{'`' * ticks}"


def _list(sentences: Iterable[str]) -> str:
    return "\n".join(f"- {markdown_text(sentence)}" for sentence in sentences)
