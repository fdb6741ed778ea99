"""``dynst init``: a commented study file from what is in the data."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, Any

import typer

from dynst.cli.flags import READING, filled_by
from dynst.run_layout import NAMES

__all__ = ["init"]


@filled_by(READING)
def init(
    data: Annotated[str, typer.Argument(metavar="DATA", help="File, glob, folder, URL, or sample:NAME.")],
    *,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="Study file to write.")] = NAMES.study,
    sensors: Annotated[
        int | None, typer.Option(metavar="K", help="How many sensors. Default: 20, at most a tenth of the sites.")
    ] = None,
    **asked: Any,
) -> None:
    """Write a study file: what fit would choose from the data, each choice with a line, rules and the rest to fill in.

    An existing file is not overwritten.
    """
    from dynst.cli.console import Watcher, say
    from dynst.config import Study
    from dynst.study.prepare import prepare
    from dynst.study.start import check_free, write_study

    check_free(out)
    given = {name: value for name, value in asked.items() if value not in (None, [])}
    study = Study.load(None, {"data": data, "sensors": sensors} | given)
    with Watcher(quiet=True) as watcher:
        prepared = prepare(study, listen=watcher)
    write_study(prepared, out)
    say(f"{out}: look through it, then: dynst fit {shlex.quote(str(out))}")
