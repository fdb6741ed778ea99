"""Windows and snapshots as plain arrays, thinned to fit in memory: what closed-form methods read."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from dynst.domain import Field, Window
from dynst.domain.split import thin
from dynst.windows.gaps import GapModel
from dynst.windows.reader import WindowReader
from dynst.windows.scaling import Scaling
from dynst.windows.time_modes import TimeModes, known_share

__all__ = ["Design", "design", "fit_starts", "snapshots"]


@dataclass(frozen=True, eq=False)
class Design:
    """Windows as regressors and regressands, standardised; a missing value is 0 (or filled) and not observed.

    Parameters
    ----------
    inputs : Float[ndarray, "m n f"]
        The stream-morphed history of each site, time-major: ``f = t * c_in``.
    targets : Float[ndarray, "m p n c_out"]
        The future at every site.
    observed : Bool[ndarray, "m p n c_out"] or None
        Which targets are measured; None when the field misses none.
    inputs_observed : Bool[ndarray, "m n f"] or None
        Which inputs are.
    starts : Int[ndarray, "m"]
        First step of each window.

    With `TimeModes` the steps of inputs and targets are their patterns in time, and a value counts as observed if at
    least half of what its pattern reads is.
    """

    inputs: Float[ndarray, "m n f"]
    targets: Float[ndarray, "m p n c_out"]
    observed: Bool[ndarray, "m p n c_out"] | None
    starts: Int[ndarray, " m"]
    inputs_observed: Bool[ndarray, "m n f"] | None = None

    def __len__(self) -> int:
        return len(self.starts)

    def __repr__(self) -> str:
        return f"Design({self.inputs.shape} -> {self.targets.shape})"


def design(
    field: Field,
    window: Window,
    scaling: Scaling,
    starts: Int[ndarray, " m"],
    *,
    gaps: GapModel | None = None,
    modes: TimeModes | None = None,
    whole_targets: bool = False,
) -> Design:
    """The windows that start at the given steps, as float32 arrays.

    With `gaps` a target that nobody measured is what the model expects of it, given all that is known at its step,
    and windows without any measured target are left out: a forecaster learns from them, where 0 would teach it to
    say 0. Inputs are never filled here: a sensor is worth what it reports. With `modes` histories and, unless
    `whole_targets`, futures are brought to their patterns in time.
    """
    if modes is not None:
        return _few_numbers(field, window, scaling, starts, modes, gaps=gaps, whole_targets=whole_targets)
    n, (t, p) = field.series.shape[1], (window.history, window.prediction)
    c_in, c_out = len(field.observed), len(field.predicted)
    inputs = np.empty((len(starts), n, t * c_in), np.float32)
    targets = np.empty((len(starts), p, n, c_out), np.float32)
    observed = np.empty(targets.shape, bool) if field.has_missing else None
    inputs_observed = np.empty(inputs.shape, bool) if field.has_missing else None
    reader, history = WindowReader(field, window, scaling), np.empty((t, n, c_in), np.float32)
    seen = np.empty(history.shape, bool) if field.has_missing else None
    for row, start in enumerate(starts):
        reader.read(int(start), history, targets[row], seen, None if observed is None else observed[row])
        inputs[row] = history.transpose(1, 0, 2).reshape(n, t * c_in)
        if inputs_observed is not None and seen is not None and observed is not None:
            inputs_observed[row] = seen.transpose(1, 0, 2).reshape(n, t * c_in)
            if gaps is not None:
                np.copyto(targets[row], gaps.expected(reader.future)[..., field.predicted], where=~observed[row])
    made = Design(inputs, targets, observed, np.asarray(starts), inputs_observed)
    if gaps is None or observed is None:
        return made
    return _with_targets(made, np.asarray(observed.any(axis=(1, 2, 3))))


def fit_starts(
    starts: Int[ndarray, " m"],
    field: Field,
    window: Window,
    *,
    limit: int,
    max_bytes: int,
    seed: int = 0,
    modes: TimeModes | None = None,
    whole_targets: bool = False,
) -> Int[ndarray, " k"]:
    """At most `limit` of the starts, thinned so that their `design` stays below `max_bytes`; at least one."""
    n = field.series.shape[1]
    t, p = window.history, window.prediction
    if modes is not None:
        t, p = modes.history.shape[1], p if whole_targets else modes.future.shape[1]
    values = t * len(field.observed) + p * len(field.predicted)
    each = n * (5 if field.has_missing else 4) * values
    return thin(starts, max(1, min(limit, max_bytes // each)), seed=seed)


def snapshots(
    field: Field, scaling: Scaling, *, limit: int = 1000, seed: int = 0, max_bytes: int = 200 << 20
) -> Float[ndarray, "s n c"]:
    """Standardised fields at single steps, all channels; one random step from each of `limit` equal bins.

    Missing values are NaN. Fewer steps are taken if `limit` of them exceed `max_bytes`.
    """
    n, c = field.series.shape[1:]
    steps = thin(np.arange(field.steps), max(2, min(limit, max_bytes // (4 * n * c))), seed=seed)
    return scaling.anomalies_at(field, steps)


def _few_numbers(
    field: Field,
    window: Window,
    scaling: Scaling,
    starts: Int[ndarray, " m"],
    modes: TimeModes,
    *,
    gaps: GapModel | None,
    whole_targets: bool,
) -> Design:
    """`design` window by window, so that no more than one is ever held in all its steps."""
    n, (t, c, c_out) = field.series.shape[1], (window.history, len(field.observed), len(field.predicted))
    q, steps = modes.history.shape[1], window.prediction if whole_targets else modes.future.shape[1]
    inputs = np.empty((len(starts), n, q * c), np.float32)
    targets = np.empty((len(starts), steps, n, c_out), np.float32)
    observed = np.empty(targets.shape, bool) if field.has_missing else None
    inputs_observed = np.empty(inputs.shape, bool) if field.has_missing else None
    keep: Bool[ndarray, " m"] = np.zeros(len(starts), bool)

    def by_step(values: ndarray) -> ndarray:
        return values.reshape(n, t, c).transpose(1, 0, 2)

    def by_site(values: ndarray) -> ndarray:
        return values.transpose(1, 0, 2).reshape(n, q * c)

    for row, start in enumerate(starts):
        one = design(field, window, scaling, np.array([start]), gaps=gaps)
        if not len(one):
            continue
        keep[row] = True
        inputs[row] = by_site(modes.of_history(by_step(one.inputs[0])))
        targets[row] = one.targets[0] if whole_targets else modes.of_future(one.targets[0])
        if observed is not None and one.observed is not None:
            observed[row] = one.observed[0] if whole_targets else known_share(modes.future, one.observed[0])
        if inputs_observed is not None and one.inputs_observed is not None:
            inputs_observed[row] = by_site(known_share(modes.history, by_step(one.inputs_observed[0])))
    return _with_targets(Design(inputs, targets, observed, np.asarray(starts), inputs_observed), keep)


def _with_targets(made: Design, keep: Bool[ndarray, " m"]) -> Design:
    if keep.all():
        return made
    some = [None if a is None else a[keep] for a in (made.observed, made.inputs_observed)]
    return Design(made.inputs[keep], made.targets[keep], some[0], made.starts[keep], some[1])
