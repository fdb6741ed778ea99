"""The report of a run on the disk: one page that works with the network off, and the same as Markdown."""

from __future__ import annotations

import os
from pathlib import Path

from dynst.errors import ConfigError
from dynst.export.base import replace_whole
from dynst.reports.markdown_report import page_markdown
from dynst.reports.page import Page, page_html
from dynst.run_layout import RunLayout
from dynst.runs import Run
from dynst.study.page import page_of

__all__ = ["page_of", "report", "save_page", "write_report"]


def write_report(run: Run, out: Path | None = None) -> tuple[Path, Path]:
    """Write ``report.html``, which works with the network off, and ``report.md``; the same run gives the same bytes.

    Parameters
    ----------
    run : Run
        A complete run.
    out : Path or None
        The page (``.html``; the Markdown goes beside it), or a folder for both; the run folder if left out.

    Returns
    -------
    tuple of Path
        The page and the Markdown.

    Raises
    ------
    CheckpointError
        If a file of the run folder is damaged.
    ConfigError
        If nothing can be written there; nothing is left half written.
    """
    return save_page(page_of(run), run.path if out is None else out)


def save_page(page: Page, out: Path) -> tuple[Path, Path]:
    """Write a page and its Markdown; see `write_report`."""
    folder = os.path.isdir(out)  # noqa: PTH112  # Path's raises if the name is too long
    html = RunLayout(out).page if folder else out
    if html.suffix.lower() not in (".html", ".htm"):
        raise ConfigError(f"{out} is no page and no folder. Give a name that ends in .html, or a folder that exists.")
    texts = {html: page_html(page), html.with_suffix(".md"): page_markdown(page)}
    for path, text in texts.items():  # both are made before any is written
        replace_whole(path, text.encode(), follow=not folder)  # a link in a run leads nowhere of ours
    return html, html.with_suffix(".md")


report = write_report
"""The public name, `dynst.report`, beside `dynst.fit` and `dynst.compare`."""
