"""``dynst diff``: what changed from one run to another."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from dynst.cli.completion import run_names

if TYPE_CHECKING:
    from dynst.study.difference import Difference

__all__ = ["diff"]


def diff(
    before: Annotated[
        str, typer.Argument(metavar="RUN1", help="The earlier run: name or folder.", autocompletion=run_names)
    ],
    after: Annotated[str, typer.Argument(metavar="RUN2", help="The later run.", autocompletion=run_names)] = "latest",
    radius: Annotated[
        float | None,
        typer.Option(
            metavar="KM",
            help="Within it a sensor has moved, in km or the plane's unit. Default: a quarter of their spacing.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document instead of text.")] = False,
) -> None:
    """Say what changed from one run to another, such as last year's: sensors, forecast error, options, data."""
    from dynst.cli.console import show_json
    from dynst.runs import find
    from dynst.study.difference import difference

    found = difference(find(before), find(after), radius=radius)
    if as_json:
        show_json(found.to_json())
    else:
        _show(found)


def _show(found: Difference) -> None:
    from dynst.cli.console import say, show_facts
    from dynst.domain.words import distance

    say(found.words())
    rows = [("gone", name) for name in found.gone] + [("new", name) for name in found.new]
    rows += [("moved", f"{one.before} -> {one.after}, {distance(one.by, found.unit)}") for one in found.moved]
    if rows:
        show_facts("", rows)
    say(found.error_words())
    for title, changes in (("Options", found.options), ("Data", found.data)):
        if changes:
            show_facts(f"{title} that differ", [(key, f"{_text(a)} -> {_text(b)}") for key, (a, b) in changes.items()])
        else:
            say(f"{title}: no difference.")


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
