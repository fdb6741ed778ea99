"""The field as leading modes, as the statistical planners see it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from dynst.domain.modes import inner_products, leading_modes
from dynst.planners.base import Task

__all__ = ["RANK", "ModalField", "modal_field", "useful_picks"]

RANK = 100  # modes kept; benchmarks/planners.py times all planners at this rank
_ROUNDING = 1e-4  # amplitude relative to the first mode below which a mode is rounding of float32 values
_REACH = 5  # picks beyond 5 per mode follow nothing but rounding: farthest point ranks the rest
_OPERATIONS = 1e9  # of picks that nobody asked for, at `n c r` each; chosen: below a second


@dataclass(frozen=True, eq=False)
class ModalField:
    """What a sensor of each site sees of the leading modes of the area-weighted field.

    Parameters
    ----------
    view : Float[ndarray, "n c r"]
        Root mean square contribution of each mode to each observed channel of each site, signed, not area-weighted.
    noise : Float[ndarray, "n c"]
        Variance of those channels outside the modes, with a floor of 1e-3 of the mean variance. A site that reports
        in a share q of the time has sqrt(q) of its view, and the rest of it is noise: to a linear estimate that
        reads 0 when the sensor is silent, that is what its readings are.
    amplitude : Float[ndarray, "r"]
        Root mean square amplitude of each mode in the area-weighted field of all channels.
    """

    view: Float[ndarray, "n c r"]
    noise: Float[ndarray, "n c"]
    amplitude: Float[ndarray, " r"]

    @property
    def rank(self) -> int:
        """Number of modes."""
        return len(self.amplitude)


def modal_field(task: Task, *, rank: int = RANK) -> ModalField:
    """The leading modes of the training snapshots, all channels together, each site weighted by its area.

    The modes are those of the area-weighted field, because errors are; a sensor measures the field itself, so its
    view is divided by the weight again. Modes are exact, as planners see at most 1000 snapshots: they belong to the
    task, not to a planner's seed.
    """

    def make() -> ModalField:
        snapshots, observed = task.train_snapshots, task.train.observed
        s, n, c = snapshots.shape
        root = np.sqrt(np.maximum(task.weight, 1e-6 * task.weight.max()))
        flat, weight = snapshots.reshape(s, n * c), np.repeat(root, c)
        products = task.once("modal_products", lambda: inner_products(flat, weight=weight))
        modes = leading_modes(flat, rank, weight=weight, products=products)
        real = int((modes.amplitude > _ROUNDING * modes.amplitude[:1]).sum())
        patterns = modes.patterns[:, :real].reshape(n, c, real)[:, observed] / root[:, None, None]
        amplitude = modes.amplitude[:real]
        view = patterns * amplitude
        if task.train_known is None:
            power = np.einsum("snc,snc->nc", snapshots, snapshots, dtype=float)[:, observed] / s
        else:  # filled gaps vary less than values do
            power = ((task.scaling.site_std / task.scaling.std).astype(float) ** 2)[:, observed]
        noise = np.maximum(power - (view**2).sum(axis=2), 1e-3 * max(float(power.mean()), 1e-12))
        if task.train_known is not None:
            share = task.scaling.share[:, observed].astype(float)
            noise += (1 - share) * (view**2).sum(axis=2)
            view *= np.sqrt(share)[:, :, None]
        return ModalField(view, noise, amplitude)

    return task.once(f"modal_field {rank}", make)


def useful_picks(task: Task, field: ModalField) -> int:
    """How many sites, fixed ones among them, a search over the modes ranks; farthest point ranks the rest.

    At most 5 per mode, and those beyond the budget, which serve other numbers of sensors, only while they are cheap:
    operations are counted, no clock is read.
    """
    n, c, r = field.view.shape
    cheap = int(_OPERATIONS / max(1, n * c * r))
    useful: int = min(_REACH * r, max(task.budget, cheap)) + len(task.sites.fixed)
    return min(len(task.sites.legal), useful)
