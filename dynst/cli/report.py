"""``dynst report``: the answer and the evidence of a run as one page and as Markdown."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dynst.cli.completion import run_names
from dynst.run_layout import NAMES

__all__ = ["report"]


def report(
    run: Annotated[
        str, typer.Argument(metavar="RUN", help="Name or folder of a run.", autocompletion=run_names)
    ] = "latest",
    out: Annotated[
        str | None,
        typer.Option(
            "--out", "-o", metavar="FILE", help=f"Page to write, .html, or a folder. Default: {NAMES.page} in RUN."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document instead of lines.")] = False,
) -> None:
    """Write what a run found as a page that needs no network, report.html, and as text, report.md."""
    from dynst.cli.console import say, show_json
    from dynst.errors import ConfigError
    from dynst.runs import find
    from dynst.study.report import page_of, save_page

    if out is not None and not out.strip():
        raise ConfigError("-o names no file. Give a name that ends in .html, a folder, or leave it out.")
    source = find(run)
    page = page_of(source)
    html, text = save_page(page, Path(out) if out is not None else source.path)
    if as_json:
        paths = {"html": str(html), "markdown": str(text)}
        show_json({"run": str(source.path), "headline": page.headline, "sentences": list(page.sentences), **paths})
        return
    say(page.headline)
    say(f"{html}: open it in a browser; it needs no network")
    say(f"{text}: the same as text")
