"""What a planner is given, what it must return, and how a partial ranking is completed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeVar, cast

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from dynst.backbones.spacetime import Form
from dynst.domain import Field, Layout, Plan, Role, Sites, Window
from dynst.domain.calendar import MEAN, Calendar
from dynst.domain.room import Room, in_turn
from dynst.domain.split import window_starts
from dynst.errors import DataError, PlannerSkipped
from dynst.planners.anomalies import training_anomalies
from dynst.planners.expected_error import ExpectedError
from dynst.planners.farthest import farthest_in_room, farthest_point, graph_alone, hop_gaps
from dynst.windows.design import snapshots
from dynst.windows.gaps import GapModel
from dynst.windows.scaling import Scaling
from dynst.windows.time_modes import LONG, TimeModes

__all__ = [
    "RANKED_BEYOND",
    "Planner",
    "PlannerSkipped",
    "Task",
    "complete_ranking",
    "finish_plan",
    "planning_form",
    "ranking_in_turn",
]

RANKED_BEYOND = 500
"""Sites that are ranked beyond the plan, at most, where sensors keep a distance."""

_SNAPSHOTS = 1000  # snapshots for the statistical baselines
_BYTES = 384 << 20  # snapshots take no more

_KERNEL = 0.25  # share of the kernel of distance in the covariance that plans are made on,
_MEMORY, _FADED = 0.25, 160  # and of the common memory: at most, and from how many steps of a record on it is none,
_NOISE = 0.1  # and the noise of its sensors (docs/method.md)

_T = TypeVar("_T")


@dataclass(frozen=True, eq=False)
class Task:
    """What a planner may know: training and validation data, the window, the scaling, and the budget.

    The test field is no part of it, so no planner can look at it.

    Parameters
    ----------
    train, valid : Field
        Data to plan on, and data for choices inside a planner that trains a network. All others read `train` alone,
        which may hold the validation block: when all else is chosen, a plan is made on both.
    window : Window
        History and horizon of the forecast.
    scaling : Scaling
        Climatology and deviations of the training field.
    budget : int
        Number of sensors.
    learn_on : Field or None
        What networks are fitted to: a part of `train` that leaves the validation block out; `train` if left out.
    cache : dict
        Matrices already made, shared by all budgets of one task.

    Raises
    ------
    BudgetError
        If no plan of `budget` sensors exists on these sites.
    """

    train: Field
    valid: Field
    window: Window
    scaling: Scaling
    budget: int
    learn_on: Field | None = None
    cache: dict[str, Any] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        self.sites.check_budget(self.budget)

    @classmethod
    def make(cls, train: Field, valid: Field, window: Window, budget: int, climatology: Calendar = MEAN) -> Task:
        """A task whose scaling is fitted on the training field, with a climatology of that calendar."""
        return cls(train, valid, window, Scaling.fit(train, climatology), budget)

    def with_budget(self, budget: int) -> Task:
        """The same task for another number of sensors; what was computed is shared."""
        return replace(self, budget=budget)

    def once(self, key: str, make: Callable[[], _T]) -> _T:
        """The value of `make()`, computed at the first call and kept for all budgets of this task."""
        if key not in self.cache:
            self.cache[key] = make()
        return cast(_T, self.cache[key])

    def room(self) -> Room:
        """No sensor yet, and room for all of them."""
        return Room(self.sites, budget=self.budget)

    @property
    def learning(self) -> Field:
        """The block that networks are fitted to."""
        return self.train if self.learn_on is None else self.learn_on

    @property
    def sites(self) -> Sites:
        """The sites of the field."""
        return self.train.sites

    @property
    def weight(self) -> Float[ndarray, " n"]:
        """Area weights of the sites, with mean 1."""
        return self.sites.weight

    @property
    def train_snapshots(self) -> Float[ndarray, "s n c"]:
        """At most 1000 standardised training snapshots, thinned at random; gaps hold what `GapModel` expects."""
        return self._snapshots[0]

    @property
    def train_known(self) -> Bool[ndarray, "s n c"] | None:
        """Which values of `train_snapshots` are measured; None when the field misses none."""
        return self._snapshots[1]

    @property
    def gaps(self) -> GapModel | None:
        """What missing values probably were, from the training block; None when the field misses none."""
        if not self.train.has_missing:
            return None
        return self.once("gaps", lambda: GapModel.fit(self.train, self.scaling))

    @property
    def reporting(self) -> Float[ndarray, " n"]:
        """Share of the observed channels and training steps that each site reports: what its sensor is there for."""
        share: ndarray = self.scaling.share[:, self.train.observed].mean(axis=1, dtype=float)
        return share

    @property
    def _snapshots(self) -> tuple[Float[ndarray, "s n c"], Bool[ndarray, "s n c"] | None]:
        def make() -> tuple[ndarray, ndarray | None]:
            _, n, c = self.train.series.shape
            values = snapshots(self.train, self.scaling, limit=max(2, min(_SNAPSHOTS, _BYTES // (4 * n * c))))
            if self.gaps is None:
                return values, None
            known = np.isfinite(values)
            for row in range(len(values)):
                np.copyto(values[row], self.gaps.expected(values[row : row + 1])[0], where=~known[row])
            return values, known

        return self.once("snapshots", make)

    @property
    def time_modes(self) -> TimeModes | None:
        """Patterns in time that stand for a history of more than 12 steps and its future; None for a shorter one."""
        if self.window.history <= LONG:
            return None
        starts = window_starts(self.train, self.window)
        return self.once("time_modes", lambda: TimeModes.fit(self.train, self.window, self.scaling, starts))

    @property
    def expected_error(self) -> ExpectedError:
        """What a set of sensors is expected to leave of the error of the forecast.

        Raises
        ------
        DataError
            If no window holds a measured target: all of them would be guesses.
        """

        def make() -> ExpectedError:
            if not _measures_targets(self.train, self.window):
                raise DataError(
                    "no window of the time to plan on holds a value of the forecast channels: nothing can be "
                    "planned. Forecast another channel (--predict), or give a longer record."
                )
            record = training_anomalies(self.train, self.scaling, self.window, gaps=self.gaps)
            return ExpectedError(
                record,
                planning_form(len(record.values), placed=record.points is not None),
                history=self.window.history,
                horizon=self.window.prediction,
                filters=None if self.time_modes is None else self.time_modes.history,
                reporting=self.reporting if self.train.has_missing else None,
            )

        return self.once("expected_error", make)


def _measures_targets(field: Field, window: Window) -> bool:
    """Whether some window has a measured value after its history."""
    if not field.has_missing:
        return True
    known = [np.isfinite(block[..., field.predicted]).any(axis=(1, 2)) for block in field.blocks()]
    ahead = np.arange(window.history, window.length)
    return bool(np.concatenate(known)[window_starts(field, window)[:, None] + ahead].any())


def planning_form(steps: int, *, placed: bool) -> Form:
    """Form of the covariance that plans are made on; the form that forecasts a record best plans no better.

    Parameters
    ----------
    steps : int
        Of the record. The shorter it is, the more its lags follow what all sites share.
    placed : bool
        Whether distances are known; without them what all sites share takes the place of the kernel.

    Examples
    --------
    >>> planning_form(400, placed=True).memory, planning_form(80, placed=True).memory
    (0.0, 0.125)
    """
    if not placed:
        return Form(memory=_MEMORY, noise=_NOISE)
    return Form(memory=_MEMORY * max(0.0, 1.0 - steps / _FADED), kernel=_KERNEL, noise=_NOISE)


class Planner(Protocol):
    """Ranks all legal sites, fixed ones first; the first `task.budget` are the plan.

    The same task and seed give the same plan, bit for bit. Ties go to the lower site index.
    """

    def plan(self, task: Task, *, seed: int, **told: Any) -> Plan:
        """The ranking and its budget; a planner with options is told them as `options`.

        Raises
        ------
        PlannerSkipped
            If the planner cannot run on this task.
        """


def complete_ranking(
    sites: Sites, chosen: Int[ndarray, " k"], layout: Layout | None = None, *, room: Room | None = None
) -> Int[ndarray, " m"]:
    """The legal sites: fixed ones first, then `chosen` in its order, then the rest by farthest point.

    Where nobody knows the positions, far is what takes many edges of the `layout`, as in coverage. Where sensors keep
    a distance, the ranking ends when no other site keeps it, or 500 sites beyond the plan.

    Parameters
    ----------
    sites, layout
        Of the record.
    chosen : Int[ndarray, "k"]
        Sites that a planner chose.
    room : Room or None
        The room that the planner chose them in: it knows how to complete the plan.

    Examples
    --------
    >>> sites = Sites(np.array([0.0, 1.0, 2.0, 3.0]), np.zeros(4), role=np.array([0, 1, 0, 2]))
    >>> complete_ranking(sites, np.array([2])).tolist()  # 1 is fixed, 3 is forbidden
    [1, 2, 0]
    """
    fixed = sites.fixed
    chosen = np.asarray(chosen, np.int64)
    head = np.concatenate([fixed, chosen[~np.isin(chosen, fixed)]])
    if sites.spacing is not None:
        room = _holding(head, room or Room(sites))
        return np.concatenate([head, farthest_in_room(room, layout, _ranked(room) - len(head))[0]])
    graph = graph_alone(sites, layout)
    if graph is not None:
        head = hop_gaps(sites, graph, head)[0]
    rest = farthest_point(sites, head, len(sites.legal) - len(head))
    return np.concatenate([head, rest])


def ranking_in_turn(task: Task, order: Int[ndarray, " m"]) -> Int[ndarray, " k"]:
    """Legal sites in an order that looks at no other sensor, as far as a distance between sensors lets them in."""
    if task.sites.spacing is None:
        return order
    fixed = task.sites.fixed
    room = _holding(fixed, task.room())
    return np.concatenate([fixed, in_turn(order, room, _ranked(room) - len(fixed))])


def _holding(head: Int[ndarray, " k"], room: Room) -> Room:
    """The room with these sensors in it."""
    for site in np.setdiff1d(head, room.chosen).tolist():
        room.add(site)
    return room


def _ranked(room: Room) -> int:
    """Sites that are ranked where sensors keep a distance."""
    return max(room.budget or 0, len(room.chosen)) + RANKED_BEYOND


def finish_plan(
    task: Task,
    chosen: Int[ndarray, " k"],
    importance: Float[ndarray, " n"],
    *,
    planner: str,
    importance_is: str,
    seed: int,
    provenance: dict[str, object] | None = None,
    room: Room | None = None,
    valued: bool = False,
) -> Plan:
    """A plan that ranks all legal sites, from the sites a planner chose and the importance of every site.

    Parameters
    ----------
    task : Task
        What was planned.
    chosen : Int[ndarray, "k"]
        Sites in the order of choice; fixed ones are moved to the front, what is missing is filled by farthest point.
    importance : Float[ndarray, "n"]
        Value of each site, in the order of the sites.
    planner, importance_is, seed, provenance
        What the plan says of itself, see `Plan`.
    room : Room or None
        The room that the sites were chosen in, if the planner chose them one by one.
    valued : bool
        Whether importance is the loss if a sensor goes, and elsewhere the gain of a further one.
    """
    order = complete_ranking(task.sites, chosen, task.train.layout, room=room or task.room())
    silent = int((task.scaling.share.sum(axis=1) == 0).sum())
    facts: dict[str, object] = {"sites_silent_in_training": silent} if silent else {}
    spacing = task.sites.spacing
    worth = None
    if spacing is not None:
        worth = np.where(task.sites.role == Role.FORBIDDEN, np.nan, importance)
        facts["min_distance"] = {"least": spacing.least, "unit": spacing.unit}
    return Plan(
        order=order,
        importance=importance[order],
        budget=task.budget,
        sites=task.sites,
        planner=planner,
        importance_is=importance_is,
        provenance={"seed": seed, "ranked_by_method": len(chosen)} | facts | (provenance or {}),
        worth=worth,
        valued_at=task.budget if valued else None,
    )
