"""Who judges a plan: one row for each judge, read by the study, the command line and all words."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["DEFAULT", "JUDGES", "SECOND", "JudgeInfo"]


@dataclass(frozen=True)
class JudgeInfo:
    """One judge.

    Attributes
    ----------
    name : str
        As one types it: ``--judges linear``.
    words : str
        What it is called in a sentence.
    file : str
        Name of its curve in a run folder, without suffix.
    closed_form : bool
        Whether it is solved and not trained: then it draws no lots, and it is cheap.
    """

    name: str
    words: str
    file: str
    closed_form: bool


_ROWS = (
    JudgeInfo("linear", "the space-time forecaster", "curve", closed_form=True),
    JudgeInfo("ridge", "a ridge regression", "curve_ridge", closed_form=True),
    JudgeInfo("network", "a network trained afresh for each plan", "curve_refit", closed_form=False),
)

JUDGES = {row.name: row for row in _ROWS}
"""All judges by name; the one that an answer rests on first."""

DEFAULT, SECOND = "linear", "ridge"
"""Who judges the whole ladder of a fit, and who gives a second opinion at the plan's own budget."""
