"""The closed-form forecaster on real records: against no change, the calendar, and ridge regression on the mean.

Three rolling origins; forms are chosen on folds of the time before each test block, as in a fit. Needs the larger real
data (DYNST_TEST_DATA); records that are not there are left out. One thread.

python benchmarks/forecaster.py [ceiling] [plans] [bars] [--records NAME ...]
"""

import argparse
import os

os.environ["OMP_NUM_THREADS"] = "1"

import sys
import time
from pathlib import Path

import numpy as np
from scipy.special import erf

sys.path.insert(0, str(Path(__file__).parents[1]))  # the checkout, not an installed dynst

from dynst.config import Study
from dynst.domain.split import before_test, rolling_origins, split_record
from dynst.errors import DynstError
from dynst.evaluation import LinearJudge, RidgeJudge
from dynst.readers import read
from dynst.readers.base import Hints
from dynst.study.prepare import choose
from dynst.windows import Scaling
from dynst.windows.choice import choose_climatology

DATA = Path(os.environ.get("DYNST_TEST_DATA", "data"))
STATIONS = str(DATA / "ireland_wind/stations.csv")
RECORDS = {  # path, options of the reader, cycle in steps
    "ERA5 sample": ("sample:era5_natl_msl", {}, None),
    "ERA5 winter": (DATA / "era5_winter/era5_msl_2025-2026_djf_2.5x2.5.zarr", {}, None),
    "Pacific SST": (DATA / "pacific_sst/pacific_sst_anomaly_1970_2003.nc", {}, None),
    "British Isles": (DATA / "era5_uk_t2m/era5-2mt-2019-03-uk.nc", {}, None),
    "AROME wind": (DATA / "arome_wind/arome_subset_16Nov2015.nc", {}, None),
    "Los Angeles": (DATA / "metr_la_week", {}, 288),
    "Montevideo": (DATA / "montevideo_bus/montevideo_bus.json", {}, 24),
    "PM10": (DATA / "germany_pm10/germany_pm10_daily_1998_2009.nc", {}, None),
    "Ireland": (DATA / "ireland_wind/daily_wind_knots_1961_1978.csv", {"hints": Hints(stations=STATIONS)}, None),
    "Colorado": (
        DATA / "colorado_climate/colorado_monthly_1895_1997.nc",
        {"observe": ("tmax",), "predict": ("tmax",)},
        None,
    ),
    "heat mesh": (DATA / "heat_mesh/unsteady_heat_10cases.npz", {}, None),
    "tunnel fire": (DATA / "tunnel_fire", {}, None),
}
ORIGINS = (0.5, 0.65, 0.8)
BUDGETS, PLANS = (5, 20, 60), 10


def judges(field, window, split, cycle):
    """The default judge with the climatology that the folds choose, and ridge regression on the mean."""
    known = before_test(field, window, split) if len(field.cases) > 2 else field.between(0, _known_steps(split))
    calendar = choose_climatology(known, cycle=cycle).calendar
    mean = Scaling.fit(split.train)
    linear = LinearJudge(split, window, scaling=Scaling.fit(split.train, calendar))
    return linear, RidgeJudge(split, window, scaling=mean), mean


def _known_steps(split):
    return split.train.steps + split.valid.steps


def in_unit(score, scaling, split):
    """RMSE by lead and channel in standard deviations from the mean."""
    return score.rmse / scaling.std[split.train.predicted]


def total(errors):
    return float(np.sqrt(np.nanmean(errors**2)))


def splits(field, window):
    """The splits by their origin; the one split of experiments."""
    if len(field.cases) > 2:
        return {"runs": split_record(field, window)}
    made = {}
    for origin in ORIGINS:
        try:
            made[str(origin)] = rolling_origins(field, window, origins=(origin,), valid=0.08, test=0.08)[0]
        except DynstError as error:
            print(f"  origin {origin}: {error}")
    return made


def ceiling(name, field, window, cycle):
    """A sensor at every site against climatology and persistence, default split."""
    split = split_record(field, window)
    linear, _, mean = judges(field, window, split, cycle)
    begun = time.process_time()
    every, usual, same = (
        in_unit(score, mean, split) for score in (linear.ceiling(), linear.climatology(), linear.persistence())
    )
    spent = time.process_time() - begun
    first = [total(errors[:1]) for errors in (every, usual, same)]
    whole = [total(errors) for errors in (every, usual, same)]
    fine = all(values[0] <= min(values[1:]) * (1 + 1e-6) for values in (first, whole))
    print(
        f"{name:14s} every site {whole[0]:.4f}, climatology {whole[1]:.4f}, persistence {whole[2]:.4f}; "
        f"first lead {first[0]:.4f}, {first[1]:.4f}, {first[2]:.4f}; {'ok' if fine else 'MISSED'}; {spent:.0f} s",
        flush=True,
    )


def plans(name, field, window, cycle):
    """The same random plans under the default judge and under ridge regression on the mean."""
    logs = {k: [] for k in BUDGETS if k <= len(field.sites)}
    begun = time.process_time()
    for split in splits(field, window).values():
        linear, ridge, mean = judges(field, window, split, cycle)
        for k, values in logs.items():
            rng = np.random.default_rng(k)
            drawn = [rng.choice(len(field.sites), k, replace=False) for _ in range(PLANS)]
            new = np.mean([total(in_unit(score, mean, split)) for score in linear.scores(drawn)])
            old = np.mean([total(in_unit(score, mean, split)) for score in ridge.scores(drawn)])
            values.append(np.log(new / old))
    changes = {k: 100 * np.expm1(np.mean(values)) for k, values in logs.items()}
    words = ", ".join(f"{k}: {change:+.1f} % ({_each(logs[k])})" for k, change in changes.items())
    print(f"{name:14s} {words}; {time.process_time() - begun:.0f} s", flush=True)
    return changes


def _each(logs):
    return " ".join(f"{100 * np.expm1(value):+.0f}" for value in logs)


def bars(name, field, window, cycle, k=20):
    """Share of test values inside the 90 % interval, and CRPS against the climatology's, at 20 sensors."""
    held, crps, usual = [], [], []
    for split in splits(field, window).values():
        linear, _, _ = judges(field, window, split, cycle)
        size = min(k, max(1, len(field.sites) // 2))
        rng, data = np.random.default_rng(k), linear.data
        windows, bar = data.windows("test"), linear.choice(size).bar
        for _ in range(3):
            plan = np.sort(rng.choice(len(field.sites), size, replace=False))
            forecaster = linear.forecaster(plan)
            expected = forecaster.deviation()
            truth = windows.truth(slice(None), data.predicted)
            error = forecaster.forecast(windows.readings(plan, data.observed))[:, 1:] - truth
            weight = np.broadcast_to(field.sites.weight[:, None], error.shape)
            known = np.isfinite(error)
            inside = np.abs(error) <= bar.half_width(expected)[1:]
            held.append(float((inside * weight)[known].sum() / weight[known].sum()))
            deviation = np.broadcast_to(bar.deviation(expected)[1:], error.shape)
            crps.append(float((gaussian_crps(error, deviation) * weight)[known].sum() / weight[known].sum()))
            spread = np.sqrt(data.anomalies.variance).reshape(len(field.sites), -1) + np.zeros(error.shape)
            usual.append(float((gaussian_crps(truth, spread) * weight)[known].sum() / weight[known].sum()))
    low, high = 100 * min(held), 100 * max(held)
    better = 100 * (np.mean(crps) / np.mean(usual) - 1)
    print(
        f"{name:14s} {100 * np.mean(held):.1f} % inside ({low:.1f} to {high:.1f}), CRPS {better:+.1f} % to climatology",
        flush=True,
    )
    return 100 * np.mean(held)


def gaussian_crps(error, deviation):
    """Continuous ranked probability score of a normal forecast (Gneiting and Raftery 2007)."""
    deviation = np.maximum(deviation, 1e-6)
    z = error / deviation
    density = np.exp(-np.square(z) / 2) / np.sqrt(2 * np.pi)
    return deviation * (z * erf(z / np.sqrt(2)) + 2 * density - 1 / np.sqrt(np.pi))


STUDIES = {"ceiling": ceiling, "plans": plans, "bars": bars}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("studies", nargs="*", default=list(STUDIES))
    parser.add_argument("--records", nargs="*", default=list(RECORDS))
    given = parser.parse_args()
    for study in given.studies:
        print(f"{study}: {STUDIES[study].__doc__}")
        found = []
        for name in given.records:
            path, options, cycle = RECORDS[name]
            if str(path).startswith("sample:") or Path(path).exists():
                field = read(str(path), **options)
                window = choose(Study(cycle=cycle), field).window
                found.append(STUDIES[study](name, field, window, cycle))
        _summary(study, found)


def _summary(study, found):
    if study == "plans":
        for k in BUDGETS:
            changes = [np.log1p(record[k] / 100) for record in found if k in record]
            print(f"mean at {k}: {100 * np.expm1(np.mean(changes)):+.1f} % over {len(changes)} records")
    if study == "bars":
        print(f"mean inside: {np.mean(found):.1f} %")


if __name__ == "__main__":
    sys.exit(main())
