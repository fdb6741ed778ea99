"""What a study tells whoever watches it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

__all__ = ["Event", "Listener", "nobody"]


@dataclass(frozen=True)
class Event:
    """Something worth showing while a study runs.

    Attributes
    ----------
    stage : str
        ``read``, ``plan``, ``polish``, ``baselines``, ``judge``, ``refit``, ``stability`` or ``write``.
    text : str
        What is being done, in words.
    done, total : int
        Parts of the stage that are done, of how many (0: not known).
    loss, sparsity, swaps : float, float, int, or None
        After a training step: standardised error of the batch, share of the sites without a sensor now, and sites
        exchanged at the last update.
    note : str
        Something that happened and that the user should know; such an event carries no progress.
    facts : dict or None
        What was found in the data and decided from it; likewise.
    run : str
        Name under which the study resumes if it is stopped now; empty while there is nothing to resume.
    board : dict or None
        Of a comparison, by planner and budget: scores that are done and all, for each judge.
    """

    stage: str
    text: str = ""
    done: int = 0
    total: int = 0
    loss: float | None = None
    sparsity: float | None = None
    swaps: int | None = None
    note: str = ""
    facts: dict[str, Any] | None = None
    run: str = ""
    board: dict[tuple[str, int], dict[str, tuple[int, int]]] | None = None


Listener = Callable[[Event], None]


def nobody(event: Event) -> None:
    """Listens to nothing."""
