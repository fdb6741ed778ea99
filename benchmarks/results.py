"""dynst's own evidence on real records, in one command: fits, comparisons, and the page docs/results.md.

    python benchmarks/results.py --data FOLDER --out results [--records NAME,...] [--planners NAME,...] [--networks]

Every record is one run folder below ``--out``, compared by `dynst.study.compare.compare`, whose cells are files: a
study that was stopped goes on with the same command, and several processes may share the work, one record each. The
page is made of these folders alone; ``--page`` makes it again without computing anything.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # the checkout, not an installed dynst

from results_page import DEFAULT_BUDGETS, page

from dynst import runs
from dynst.config import Study
from dynst.errors import CheckpointError, DynstError
from dynst.planners import PLANNERS
from dynst.runs import Run
from dynst.study.compare import compare
from dynst.study.event import Event
from dynst.study.prepare import Prepared, prepare

MANY_SITES, MANY = 500, 50  # a fourth budget where the record has more sites than that
NETWORK_BUDGET = 10
SEEDS = 3


@dataclass(frozen=True)
class Record:
    """A record: where it is (below the data folder, or a sample), and where its licence stands."""

    path: str
    licence: str

    @property
    def shipped(self) -> bool:
        return self.path.startswith("sample:")


RECORDS = {
    "natl_msl": Record("sample:era5_natl_msl", "CC BY 4.0, data/era5_natl_msl.md"),
    "arome_wind": Record("sample:arome_wind", "CC BY 4.0, data/arome_wind.md"),
    "heat_mesh": Record("sample:heat_mesh", "MIT, data/heat_mesh.md"),
    "pacific_sst": Record("pacific_sst/pacific_sst_anomaly_1970_2003.nc", "US government work, R package data"),
    "uk_t2m": Record("era5_uk_t2m/era5-2mt-2019-03-uk.nc", "Copernicus, attribution; pydata/xarray-data"),
    "metr_la": Record("metr_la_week", "positions MIT, speeds without a stated licence; liyaguang/DCRNN"),
    "germany_pm10": Record("germany_pm10/germany_pm10_daily_1998_2009.nc", "EEA AirBase, attribution; R package data"),
    "montevideo_bus": Record("montevideo_bus/montevideo_bus.json", "MIT, city open data; PyTorch Geometric Temporal"),
    "ireland_wind": Record("ireland_wind", "Haslett and Raftery 1989; R package data"),
    "colorado_climate": Record("colorado_climate/colorado_monthly_1895_1997.nc", "US records; R package data"),
    "cylinder_wake": Record("cylinder_wake/cylinder_nektar_wake.mat", "Raissi et al. 2019, repository PINNs"),
    "winter_msl": Record("era5_winter/era5_msl_2025-2026_djf_2.5x2.5.zarr", "CC BY 4.0, Copernicus"),
}
"""The licences of data that do not ship are those that their publishers state; read them before copying a file."""


def work(name: str, record: Record, args: argparse.Namespace) -> None:
    """Fit and compare one record; what is there already is not computed again."""
    place = record.path if record.shipped else str(Path(args.data).expanduser() / record.path)
    folder = args.out / name
    planners = tuple(args.planners.split(",")) if args.planners else tuple(PLANNERS)
    study = Study(data=place, sensors=min(args.budgets), compare="none", out=str(folder))
    prepared = prepare(study)
    if prepared.planner not in planners:  # a trial without the slow ones
        study = study.model_copy(update={"planner": planners[0]})
    source = known(folder) or study
    budgets = fitting(prepared, args.budgets)
    listen = Progress(name)
    run = compare(
        source, budgets=budgets, planners=planners, seeds=args.seeds, judges=("linear",), workers=args.workers,
        listen=listen,
    )  # fmt: skip
    if args.networks and NETWORK_BUDGET in budgets:
        compare(
            str(run.path), budgets=(NETWORK_BUDGET,), planners=planners, seeds=args.seeds, judges=("network",),
            workers=args.workers, listen=listen,
        )  # fmt: skip


def known(folder: Path) -> str | None:
    """The run of a record if it was begun."""
    try:
        return str(runs.find(str(folder)).path)
    except CheckpointError:
        return str(folder) if runs.is_stopped(str(folder)) else None


def fitting(prepared: Prepared, asked: Sequence[int]) -> tuple[int, ...]:
    """The budgets that the record has sites for, and one more where it has many."""
    sites = prepared.field.sites
    budgets = {budget for budget in asked if budget < len(sites.legal)}
    return tuple(sorted(budgets | ({MANY} if len(sites) > MANY_SITES and tuple(asked) == DEFAULT_BUDGETS else set())))


class Progress:
    """One line a cell, with the minutes since the start."""

    def __init__(self, name: str) -> None:
        self.name, self.begin = name, time.perf_counter()

    def __call__(self, event: Event) -> None:
        minutes = (time.perf_counter() - self.begin) / 60
        words = event.note or (event.text if event.stage in ("compare", "plan") else "")
        if words:
            count = f"{event.done}/{event.total} " if event.total else ""
            print(f"{minutes:7.1f} min  {self.name}  {count}{words}", file=sys.stderr, flush=True)


def found(out: Path) -> dict[str, Run]:
    """The records that have been compared, in the order of the table."""
    folders = {name: out / name for name in RECORDS}
    return {name: Run(path) for name, path in folders.items() if (path / "compare" / "curve.nc").is_file()}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--data",
        default=os.environ.get("DYNST_TEST_DATA", ""),
        help="folder of the records that do not ship; default $DYNST_TEST_DATA; without it only shipped ones",
    )
    parser.add_argument("--out", type=Path, default=Path("results"), help="folder of the run folders")
    parser.add_argument("--page-to", type=Path, default=Path(__file__).parents[1] / "docs" / "results.md")
    parser.add_argument("--page", action="store_true", help="only write the page, from the folders that are there")
    parser.add_argument("--records", default=",".join(RECORDS), help="names with commas")
    parser.add_argument("--planners", default="", help="names with commas; default all")
    parser.add_argument("--budgets", type=lambda text: tuple(map(int, text.split(","))), default=DEFAULT_BUDGETS)
    parser.add_argument("--seeds", type=int, default=SEEDS, help="plans of planners that draw lots")
    parser.add_argument("--workers", type=int, default=None, help="processes at a time; default by cores and memory")
    parser.add_argument("--networks", action="store_true", help=f"networks judge too, at {NETWORK_BUDGET} sensors")
    args = parser.parse_args()
    names = args.records.split(",")
    if unknown := [name for name in names if name not in RECORDS]:
        parser.error(f"unknown: {', '.join(unknown)}. Known: {', '.join(RECORDS)}.")
    failed = 0
    for name in [] if args.page else names:
        if not RECORDS[name].shipped and not args.data:
            print(f"{name}: does not ship, and --data is not given: left out", file=sys.stderr)
            continue
        try:
            work(name, RECORDS[name], args)
        except DynstError as reason:
            print(f"{name}: {reason}", file=sys.stderr)
            failed += 1
    licences = {name: record.licence for name, record in RECORDS.items()}
    args.page_to.write_text(page(found(args.out), licences), encoding="utf-8")
    print(args.page_to)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
