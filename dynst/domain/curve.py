"""Curve: forecast error by planner, sparsity, lead time, channel and seed, in the channel's unit."""

from __future__ import annotations

import csv
import io
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from dynst.domain.cards import card, table
from dynst.domain.spreadsheet import harmless
from dynst.errors import DataError

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["FRAMES", "RANDOM", "Curve", "CurveRow"]

FRAMES = ("floor", "ceiling", "persistence", "climatology")
"""What errors are read against: the forecaster with no sensor and with one at every site, no change, and the mean."""

RANDOM = "uniform_random"
"""The planner whose mean plan every other plan is compared with."""

_DIMS = ("planner", "sparsity", "lead_time", "channel", "seed")

_BESIDE = ("acc", "rmse_at_sensors", "rmse_away")  # of each lead time, channel and seed, as the errors are

_MEANING = {
    "difference": {"long_name": "RMSE relative to that of `against`", "units": "%"},
    "low": {"long_name": "lower bound of the 95 % interval of `difference`, for this one comparison", "units": "%"},
    "high": {"long_name": "upper bound of the 95 % interval of `difference`, for this one comparison", "units": "%"},
    "p": {"long_name": "probability of such a difference between equals, after Holm's correction", "units": "1"},
    "verdict": {"long_name": "better or worse where p < 0.05, else tie"},
}


@dataclass(frozen=True)
class CurveRow:
    """One planner, or one frame, at one budget.

    Parameters
    ----------
    planner : str
        Name of the planner or of the frame.
    budget : int
        Number of sensors.
    error : float
        RMSE over all lead times and channels, mean over seeds: in the channel's unit if there is one channel, else
        in training standard deviations. NaN if it could not be had; then `reason` says why.
    units : str
        Unit of `error`.
    per_channel : dict
        RMSE over all lead times for each channel, in its unit, mean over seeds.
    spread : float
        Standard deviation of `error` over seeds; 0 for one seed.
    seeds : int
        Number of seeds, for uniform random the number of draws.
    vs_random : tuple of float, or None
        Difference of `error` to the mean of the random plans in %, and its 95 % interval; below zero is better.
    verdict : str
        ``better``, ``tie`` or ``worse`` than the mean of the random plans; empty where that was not judged.
    reason : str
        Why there is no error; empty if there is one.
    """

    planner: str
    budget: int
    error: float
    units: str
    per_channel: dict[str, float]
    spread: float
    seeds: int
    vs_random: tuple[float, float, float] | None
    verdict: str
    reason: str

    @property
    def is_frame(self) -> bool:
        """Whether this is a frame (floor, ceiling, persistence, climatology) and not a plan."""
        return self.planner in FRAMES


@dataclass(frozen=True, eq=False)
class _Judged:
    """What the tables of a curve are made of, as plain arrays: a label costs 30 times what a number does."""

    rmse: Float[ndarray, "planner sparsity lead_time channel seed"]
    total: Float[ndarray, "planner sparsity seed"]
    reason: ndarray  # (planner, sparsity), of str
    random: dict[str, ndarray] | None  # against random plans: difference, low, high, verdict (planner, sparsity)

    def by_channel(self, i: int, j: int) -> Float[ndarray, "channel seed"]:
        """RMSE over all lead times; NaN where none was judged."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # the mean of nothing is NaN, which is meant
            mean: ndarray = np.nanmean(self.rmse[i, j] ** 2, axis=0) ** 0.5
        return mean

    def versus_random(self, i: int, j: int) -> tuple[tuple[float, float, float] | None, str]:
        """Difference to random plans in % with its interval, if there is one, and the verdict."""
        if self.random is None:
            return None, ""
        change, low, high = (float(self.random[name][i, j]) for name in ("difference", "low", "high"))
        return (change, low, high) if np.isfinite(change) else None, str(self.random["verdict"][i, j])


@dataclass(frozen=True, eq=False)
class Curve:
    """Errors of all planners over a ladder of sparsities; a missing combination is NaN and has a reason.

    Parameters
    ----------
    data : xr.Dataset
        ``rmse``, ``mae``, ``bias`` over (planner, sparsity, lead_time, channel, seed) in the channel's unit;
        ``total`` (planner, sparsity, seed), the RMSE over lead times and channels in training standard deviations;
        ``reason`` (planner, sparsity); and, where plans were compared, ``difference``, ``low``, ``high``, ``p`` and
        ``verdict`` (planner, against, sparsity): RMSE relative to that of `against` in %, with its 95 % interval, the
        probability of such a difference between equals, corrected for the number of comparisons, and the word for it.
        Where they were computed: ``acc``, the uncentred anomaly correlation, and ``rmse_at_sensors``, ``rmse_away``
        over the dimensions of ``rmse``; ``rmse_region`` (planner, sparsity, region, channel, seed), all lead times
        together; ``window_error`` (planner, sparsity, window), the
        mean squared error of each test window in squared training sd, mean over seeds, and ``run`` (window);
        ``valid_total``, of networks the RMSE on validation windows in training sd; ``plan_seconds``,
        ``judge_seconds``, ``plan_peak_mb`` (planner, sparsity, seed). ``mae`` is NaN where errors came from inner
        products alone. The attribute ``unobserved`` names channels without any observed test target at some lead time:
        ``total`` leaves these out. The attribute ``climatology`` says what the climatology follows beside the mean.
        Coordinates: ``budget`` (sparsity), ``units`` (channel); lead times count steps from 1.

    Examples
    --------
    >>> values = np.full((2, 1, 1, 1, 1), 3.0)
    >>> curve = Curve.of({"rmse": values, "mae": values, "bias": values}, planners=["coverage", "floor"], budgets=[5],
    ...     n=10, channels=["t2m"], units=["K"], total=np.full((2, 1, 1), 0.5))
    >>> curve
    Curve(1 planners and 1 frames, budgets 5, 1 lead time, t2m)
    >>> [(row.planner, row.error, row.units) for row in curve.table(5)]
    [('coverage', 3.0, 'K'), ('floor', 3.0, 'K')]
    """

    data: xr.Dataset

    def __post_init__(self) -> None:
        for name in ("rmse", "mae", "bias"):
            if name not in self.data or self.data[name].dims != _DIMS:
                raise DataError(f'a curve needs "{name}" over {", ".join(_DIMS)}.')
        for name in ("total", "reason", "budget", "units"):
            if name not in self.data.variables:
                raise DataError(f'a curve needs "{name}".')

    @classmethod
    def of(
        cls,
        errors: dict[str, ndarray],
        *,
        planners: Sequence[str],
        budgets: Sequence[int],
        n: int,
        channels: Sequence[str],
        units: Sequence[str],
        total: ndarray,
        reason: ndarray | None = None,
        comparison: dict[str, ndarray] | None = None,
        against: Sequence[str] = (),
        extra: Mapping[str, tuple[tuple[str, ...], ndarray]] | None = None,
        regions: Sequence[str] = (),
        attrs: dict[str, str] | None = None,
    ) -> Curve:
        """A curve from plain arrays, in the order of the dimensions named in the class; `extra` names its own."""
        shape = errors["rmse"].shape
        empty = np.full(shape[:2], "", object)
        import xarray as xr  # noqa: PLC0415  # with pandas 0.6 s: only what is written or read needs it

        data = xr.Dataset(
            {name: (_DIMS, values) for name, values in errors.items()},
            coords={
                "planner": np.array(list(planners), object),
                "sparsity": 1.0 - np.array(budgets) / n,
                "budget": ("sparsity", np.array(budgets, np.int64), {"long_name": "number of sensors"}),
                "lead_time": ("lead_time", np.arange(1, shape[2] + 1), {"long_name": "lead time in steps"}),
                "channel": np.array(list(channels), object),
                "units": ("channel", np.array(list(units), object)),
                "seed": np.arange(shape[4]),
            },
            attrs={"title": "dynst error curve", **(attrs or {})},
        )
        data["total"] = (("planner", "sparsity", "seed"), total, {"units": "training standard deviations"})
        data["reason"] = (("planner", "sparsity"), empty if reason is None else reason.astype(object))
        if regions:
            data = data.assign_coords(region=np.array(list(regions), object))
        for name, variable in (extra or {}).items():
            data[name] = variable
        if comparison:
            data = data.assign_coords(against=np.array(list(against), object))
            for name, values in comparison.items():
                data[name] = (("planner", "against", "sparsity"), values, _MEANING.get(name, {}))
        return cls(data)

    def _repr_html_(self) -> str:
        """What a notebook shows: the error of every planner by number of sensors."""
        budgets = sorted(self.budgets)
        found = {(row.planner, budget): row for budget in budgets for row in self.table(budget)}
        units = next(iter(found.values())).units
        rows = [(name, *(found[name, budget].error for budget in budgets)) for name in self.planners]
        facts = [
            ("error", f"RMSE{'' if units in ('', '1') else f' ({units})'}"),
            ("channels", ", ".join(self.channels)),
        ]
        return card("Curve: error by number of sensors", facts, table(("planner", *map(str, budgets)), rows))

    def __repr__(self) -> str:
        frames = [name for name in self.planners if name in FRAMES]
        leads = self.data.sizes["lead_time"]
        return (
            f"Curve({len(self.planners) - len(frames)} planners and {len(frames)} frames, "
            f"budgets {', '.join(map(str, self.budgets))}, {leads} lead time{'s' if leads != 1 else ''}, "
            f"{', '.join(self.channels)})"
        )

    @property
    def planners(self) -> tuple[str, ...]:
        """Names of planners and frames."""
        return tuple(str(name) for name in self.data["planner"].values)

    @property
    def budgets(self) -> tuple[int, ...]:
        """Number of sensors at each sparsity."""
        return tuple(int(budget) for budget in self.data["budget"].values)

    @property
    def channels(self) -> tuple[str, ...]:
        """Names of the forecast channels."""
        return tuple(str(name) for name in self.data["channel"].values)

    @property
    def cadence(self) -> str:
        """Time between two steps, like ``6 h``; empty where nobody wrote it down."""
        return str(self.data.attrs.get("cadence", ""))

    @property
    def test_runs(self) -> int | None:
        """How many experiments the test windows are of; None where they are of one record."""
        return len(np.unique(self.data["run"].values)) if "run" in self.data else None

    @property
    def units(self) -> tuple[str, ...]:
        """Unit of each channel."""
        return tuple(str(unit) for unit in self.data["units"].values)

    @property
    def climatology(self) -> str:
        """What the climatology of the frames follows: ``mean``, or parts of the calendar such as ``year + day``."""
        return str(self.data.attrs.get("climatology", "mean"))

    def at(self, budget: int) -> xr.Dataset:
        """The curve at one budget.

        Raises
        ------
        DataError
            If the curve was not judged there.
        """
        return self.data.isel(sparsity=self._place(budget))

    def table(self, budget: int) -> list[CurveRow]:
        """All planners and frames at one budget, least error first, what could not be judged last."""
        return list(self._tables[self._place(budget)])

    def _place(self, budget: int) -> int:
        if budget not in self.budgets:
            raise DataError(
                f"the curve has no budget {budget}; it has {', '.join(map(str, self.budgets))}. Judge it there first."
            )
        return self.budgets.index(budget)

    @cached_property
    def _tables(self) -> tuple[list[CurveRow], ...]:
        """The table of each budget: a report asks for the same ones dozens of times."""
        tables = ([self._row(i, j) for i in range(len(self.planners))] for j in range(len(self.budgets)))
        return tuple(sorted(rows, key=lambda row: (np.isnan(row.error), row.error)) for rows in tables)

    @cached_property
    def _judged(self) -> _Judged:
        data, total = self.data, self.data["total"].transpose("planner", "sparsity", "seed")
        reason = data["reason"].transpose("planner", "sparsity")
        random = None
        if "difference" in data and RANDOM in data["against"].values:
            here = data[["difference", "low", "high", "verdict"]].sel(against=RANDOM)
            random = {str(name): values.transpose("planner", "sparsity").values for name, values in here.items()}
        return _Judged(data["rmse"].values, total.values, reason.values, random)

    def _row(self, i: int, j: int) -> CurveRow:
        """The row of the planner and the budget in these places."""
        judged, several = self._judged, len(self.channels) > 1
        by_channel = judged.by_channel(i, j)
        errors = judged.total[i, j] if several else by_channel[0]
        errors = errors[np.isfinite(errors)]
        means = [float(row[np.isfinite(row)].mean()) if np.isfinite(row).any() else np.nan for row in by_channel]
        versus, verdict = judged.versus_random(i, j)
        return CurveRow(
            planner=self.planners[i],
            budget=self.budgets[j],
            error=float(errors.mean()) if len(errors) else np.nan,
            units="standard deviations" if several else self.units[0],
            per_channel=dict(zip(self.channels, means, strict=True)),
            spread=float(errors.std(ddof=1)) if len(errors) > 1 else 0.0,
            seeds=len(errors),
            vs_random=versus,
            verdict=verdict,
            reason=str(judged.reason[i, j]),
        )

    def compared(self, planner: str, against: str, budget: int) -> tuple[float, float, float, str] | None:
        """Difference of the error of `planner` to another's in %, its 95 % interval, verdict; None if not compared."""
        if "difference" not in self.data or planner == against or planner not in self.planners:
            return None
        if against not in self.data["against"].values:
            return None
        cell = self.at(budget).sel(planner=planner, against=against)
        change, low, high = (float(cell[key]) for key in ("difference", "low", "high"))
        return (change, low, high, str(cell["verdict"].item())) if np.isfinite(change) else None

    def to_csv(self) -> str:
        """The whole curve as CSV text, one line per value; a missing combination has one line with its reason.

        Columns ``acc``, ``rmse_at_sensors`` and ``rmse_away`` stand behind the errors where the curve has them.
        """
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        figures = ["rmse", "mae", "bias", *(name for name in _BESIDE if name in self.data)]
        place_of = ("planner", "sparsity", "budget", "lead_time", "channel", "units", "seed")
        header = (*place_of, *figures, "reason")
        writer.writerow(header)
        data = self.data
        errors = [data[name].values for name in figures]
        leads, shares = data["lead_time"].values.tolist(), data["sparsity"].values.tolist()
        for i, planner in enumerate(self.planners):
            for j, budget in enumerate(self.budgets):
                place = (harmless(planner), f"{shares[j]:.6g}", budget)
                known = np.argwhere(np.isfinite(errors[0][i, j]))
                for lead, channel, seed in known.tolist():
                    name, unit = harmless(self.channels[channel]), harmless(self.units[channel])
                    values = [float(error[i, j, lead, channel, seed]) for error in errors]
                    numbers = [f"{value:.9g}" if np.isfinite(value) else "" for value in values]
                    writer.writerow((*place, int(leads[lead]), name, unit, seed, *numbers, ""))
                if not len(known):
                    writer.writerow((*place, *[""] * (4 + len(figures)), harmless(str(data["reason"].values[i, j]))))
        return text.getvalue()

    def to_dataset(self) -> xr.Dataset:
        """The curve as a labelled dataset, ready for netCDF, from which `from_dataset` makes the same curve again."""
        return self.data.copy()

    @classmethod
    def from_dataset(cls, data: xr.Dataset) -> Curve:
        """The curve that `to_dataset` described.

        Raises
        ------
        DataError
            If the dataset is no curve.
        """
        return cls(data)
