"""``dynst inspect``: what is in the data, and what `dynst fit` would do with them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from dynst.cli.flags import READING, filled_by

if TYPE_CHECKING:
    from dynst.config import Study
    from dynst.readers import Inspection

__all__ = ["inspect"]


@filled_by(READING)
def inspect(
    data: Annotated[
        str, typer.Argument(metavar="DATA", help="File, glob, folder, URL, or sample:NAME. sample: alone lists them.")
    ],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document instead of a table.")] = False,
    **asked: Any,
) -> None:
    """Show what is in the data: variables, units, sites, graph, cadence, gaps, missing values; what fit would do."""
    from dynst.cli.console import show_facts, show_json

    if data == "sample:":
        _samples(as_json=as_json)
        return
    from dynst.config import Study
    from dynst.readers import inspect as look
    from dynst.study.facts import rule_rows
    from dynst.windows.choice import climatology_words

    study = Study.load(None, {"data": data} | {name: value for name, value in asked.items() if value not in (None, [])})
    found = look(
        data,
        observe=study.observe or None,
        predict=study.predict or None,
        hints=study.hints,
        split=study.split,
        until=study.until,
    )
    usual, rules = None, {}
    if found.record is not None:
        from dynst.study.prepare import choose
        from dynst.study.rules import rules_of

        rules = dict(rules_of(study, found.record).facts)
        choices = choose(study, found.record)
        found, usual = found.cut(found.record, choices.window, choices.split), choices.climatology.facts()
    planner, why, backbone = _planner(study, found)
    if as_json:
        named = None if planner is None else f"{planner} ({why})"
        show_json(
            found.as_dict() | {"planner": named, "backbone": backbone, "climatology": usual, "rules": rules or None}
        )
        return
    rows = found.rows() + rule_rows(rules)
    if planner is not None:
        words = climatology_words(usual) if usual else "fit chooses: the record is too large to read for a look"
        rows.append(("climatology", words))
        rows.append(("fit planner", f"{planner} ({why}){f', backbone {backbone}' if backbone else ''}"))
    show_facts(found.name, rows)


def _planner(study: Study, found: Inspection) -> tuple[str | None, str, str | None]:
    """Who would plan, why, and the network that it would train; no name where a fit would stop."""
    from dynst.backbones import backbone_on
    from dynst.planners import row_of

    if found.problem:
        return None, "", None
    name, why = study.chosen_planner()
    return name, why, backbone_on(grid=found.graph is None) if row_of(name).trains else None


def _samples(*, as_json: bool) -> None:
    from dynst.cli.console import show_facts, show_json
    from dynst.readers import DEFAULT_SAMPLE, list_samples

    samples = {f"sample:{name}": about for name, about in list_samples().items()}
    if as_json:
        show_json(samples)
    else:
        show_facts("Samples that ship with dynst", samples.items())
        show_facts("", [("default", f"sample:{DEFAULT_SAMPLE}")])
