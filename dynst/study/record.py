"""Whether the data are still those that a run was made of."""

from __future__ import annotations

from collections.abc import Mapping

from dynst.domain import Origin
from dynst.errors import CheckpointError
from dynst.study.event import Event, Listener
from dynst.study.prepare import Prepared

__all__ = ["check_record", "is_of"]

_SAMPLED = (
    "Note: run {run} was begun by a version of dynst that looked at parts of large files only: by these parts the "
    "data are the same."
)


def is_of(fingerprint: object, origin: Origin) -> bool:
    """Whether a fingerprint, of today or of an older run, is of these data.

    Examples
    --------
    >>> today = Origin(fingerprint="f00d", sampled="beef")
    >>> is_of("f00d", today), is_of("beef", today), is_of("cafe", today)
    (True, True, False)
    """
    return fingerprint == origin.fingerprint or (bool(origin.sampled) and fingerprint == origin.sampled)


def check_record(data: object, prepared: Prepared, *, run: str, instead: str, listen: Listener) -> None:
    """Make sure that the data that were read are those of a run.

    Parameters
    ----------
    data : object
        What the provenance of the run knows of its data.
    prepared : Prepared
        What was read now.
    run : str
        Name of the run, for messages.
    instead : str
        What to do if the data are others, after "or".
    listen : callable
        Told how far it was looked.

    Raises
    ------
    CheckpointError
        If the data changed since.
    """
    known = data.get("fingerprint") if isinstance(data, Mapping) else None
    if not is_of(known, prepared.field.origin):
        raise CheckpointError(
            f"{prepared.study.data} changed since run {run} was begun. Put the old data back, or {instead}."
        )
    if known != prepared.fingerprint:
        listen(Event("read", note=_SAMPLED.format(run=run), run=run))
