"""What a forecast costs at each sparsity: every site, absent sites masked, absent sites removed. One thread, no target.

Run: python benchmarks/cost.py [DATA ...]   default: the default sample and, where $DYNST_TEST_DATA is, Los Angeles
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"

import ctypes
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # the checkout, not an installed dynst

from dynst.config import Study
from dynst.evaluation.cost import forecast_cost
from dynst.readers import DEFAULT_SAMPLE
from dynst.study.measure import measured
from dynst.study.prepare import prepare

SPARSITIES = (0.5, 0.9, 0.97)


def main(*data: str) -> int:
    for source in data or default():
        prepared = prepare(Study(data=source))
        n = len(prepared.field.sites)
        budgets = sorted({max(1, round((1 - sparsity) * n)) for sparsity in SPARSITIES})
        rows = forecast_cost(
            prepared.split.train, prepared.window, budgets, prepared.backbone,
            grown=grown,
        )  # fmt: skip
        what = f"{rows[0]['windows']} windows a pass, {rows[0]['parameters']} parameters"
        print(f"\n{prepared.field.name}: {n} sites, {rows[0]['backbone']}, {what}")
        print(f"  {'form':8} {'sensors':>8} {'sparsity':>9} {'ms':>8} {'x dense':>8} {'peak MB':>8}")
        for row in rows:
            peak = "-" if row["peak_mb"] is None else f"{row['peak_mb']:.1f}"
            print(
                f"  {row['form']:8} {row['sensors']:8} {row['sparsity']:9.3f} {1e3 * row['seconds']:8.2f} "
                f"{row['times_dense']:8.2f} {peak:>8}"
            )
        for note in dict.fromkeys(f"{row['form']}: {row['note']}" for row in rows if row["note"]):
            print(f"  {note}")
    return 0


def grown(forecast: Callable[[], object]) -> float:
    """Megabytes that one forecast takes; what the C library holds in reserve is given back first, so it counts."""
    with suppress(OSError, AttributeError):  # another C library has no such call
        ctypes.CDLL(None).malloc_trim(0)
    return measured(forecast)[1].peak_mb


def default() -> list[str]:
    folder = os.environ.get("DYNST_TEST_DATA")
    return [f"sample:{DEFAULT_SAMPLE}", *([str(Path(folder) / "metr_la_week")] if folder else [])]


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
