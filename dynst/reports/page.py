"""The report as one self-contained HTML page: the answer in words first, then the evidence to look into."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from dynst.domain import Curve, Layout, Plan
from dynst.domain.stability import Stability

__all__ = ["Page"]


@dataclass(frozen=True, eq=False)
class Page:
    """Everything that a report shows; texts are plain, nothing in them is trusted.

    Attributes
    ----------
    title, headline : str
        Name of the run; the answer in one sentence.
    sentences : tuple of str
        The findings behind the answer, most important first.
    plan, layout : Plan, Layout or None
        The plan of the run and how its sites neighbour each other.
    plans : mapping of str to Plan
        Plans of all planners on the same sites, the run's own among them.
    curves : mapping of str to Curve
        By judge, in words ("linear judge", "network trained afresh"); the one the answer rests on first.
    stability : Stability or None
        What stays of the plan with other seeds and parts of the record.
    training : tuple of dict
        One per training step of the mask, as in ``log.jsonl``: ``step``, ``steps``, ``phase``, ``loss``, ``n_active``,
        ``births``, ``deaths`` (site indices); empty where no network was trained.
    costs : tuple of dict
        Rows of the table of costs: column name to text or number.
    facts, provenance : tuple of (str, str)
        Data card, and how to make the run again: name and text.
    notes : tuple of str
        Caveats that a reader must know.
    """

    title: str
    headline: str
    sentences: tuple[str, ...]
    plan: Plan
    layout: Layout | None = None
    plans: Mapping[str, Plan] = field(default_factory=dict)
    curves: Mapping[str, Curve] = field(default_factory=dict)
    stability: Stability | None = None
    training: tuple[dict[str, object], ...] = ()
    costs: tuple[dict[str, object], ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    provenance: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
