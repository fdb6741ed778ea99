"""Pages full of names that try to be more than text, and one with everything a page can show."""

import numpy as np
import pytest

from dynst.domain import Curve, GridLayout, Plan, Sites
from dynst.domain.curve import FRAMES
from dynst.domain.stability import Stability, Variant
from dynst.reports.page import Page

EVIL = (
    "<script>window.__xss = alert(1)</script>",
    '"><img src=x onerror="window.__xss = alert(1)">',
    "</script><script>window.__xss = alert(1)</script><!--",
    "'); window.__xss = alert(1); ('",
    "{{ 7 * 7 }}\u2028\\",
)
"""Names of stations, channels, units, paths and planners, as a hostile file would choose them."""


def curve_of(planners, *, channels=("msl",), units=("Pa",), budgets=(20, 10, 5), n=40, seeds=3, regions=(), extra=None):
    """A judged curve: the first planner is 1 % of its error better than each later one, and less so for the last."""
    names = [*planners, *FRAMES]
    grid = np.ix_(range(len(names)), range(len(budgets)), range(3), range(len(channels)), range(seeds))
    values = (100 + grid[0] + 5.0 * grid[1] + 2.0 * grid[2] + 0.1 * grid[4]) * (1 + grid[3])
    k = len(planners)
    shape = (len(names), len(names), len(budgets))
    change = np.full(shape, np.nan)
    change[:k, :k] = (np.arange(k)[:, None] - np.arange(k)[None, :])[..., None]
    change[range(k), range(k)] = np.nan
    word = np.where(np.isnan(change), "", np.where(change < -1, "better", np.where(change > 1, "worse", "tie")))
    return Curve.of(
        {"rmse": values, "mae": 0.8 * values, "bias": 0.1 * values},
        planners=names,
        budgets=list(budgets),
        n=n,
        channels=list(channels),
        units=list(units),
        total=values[:, :, 0, 0] / 100,
        comparison={"difference": change, "low": change - 0.5, "high": change + 0.5, "verdict": word.astype(object)},
        against=names,
        regions=regions,
        extra=extra,
    )


@pytest.fixture(scope="session")
def evil():
    """The names."""
    return EVIL


@pytest.fixture(scope="session")
def evil_page():
    """Everything a page can show, with a hostile text wherever a file has a say."""
    lat, lon = np.meshgrid(np.linspace(50, 45, 5), np.linspace(-30, -16, 8), indexing="ij")
    names = EVIL + tuple(f"s{i}" for i in range(40 - len(EVIL)))
    sites = Sites(lon.ravel(), lat.ravel(), name=names)
    planners = ["dynst", "uniform_random", EVIL[3]]
    plans = {
        name: Plan(np.roll(np.arange(40), i), np.linspace(2, 1, 40), 10, sites, name, EVIL[1], {"data": EVIL[2]})
        for i, name in enumerate(planners)
    }
    wide = np.full((7, 3, 2, 2, 3), 90.0)
    curve = curve_of(
        planners,
        channels=EVIL[:2],
        units=(EVIL[2], "K"),
        regions=(EVIL[0], "south"),
        extra={
            "rmse_region": (("planner", "sparsity", "region", "channel", "seed"), wide),
            "acc": (("planner", "sparsity", "lead_time", "channel", "seed"), np.full((7, 3, 3, 2, 3), 0.75)),
        },
    )
    others = np.zeros((2, 40), bool)
    others[:, :10] = True
    log = [{"step": i, "steps": 4, "phase": EVIL[0], "loss": 1.0 / (1 + i), "n_active": 40} for i in range(2)]
    log += [{"step": i, "steps": 4, "phase": "drop-regrow", "loss": 0.4, "n_active": 10} for i in (2, 3)]
    log[2] |= {"deaths": list(range(10, 40)), "births": []}
    return Page(
        title=EVIL[1],
        headline=EVIL[0],
        sentences=EVIL,
        plan=plans["dynst"],
        layout=GridLayout((5, 8), np.arange(40)),
        plans=plans,
        curves={"linear judge": curve, EVIL[4]: curve_of(planners, budgets=(10,))},
        stability=Stability("dynst", sites, np.arange(10), (Variant("seeds", EVIL[0]), Variant.seed(2)), others, 0.0),
        training=tuple(log),
        costs=({"planner": EVIL[0], EVIL[1]: 1.5},),
        facts=((EVIL[0], EVIL[1]), ("path", '/data/it\'s "here".nc')),
        provenance=(("study.toml", f"{EVIL[0]}\n{EVIL[2]}"),),
        notes=EVIL,
    )


@pytest.fixture(scope="session")
def plain_page():
    """A plan of three sites that nothing is known about."""
    sites = Sites(np.arange(3.0), np.zeros(3))
    plan = Plan(np.array([1, 0, 2]), np.array([3.0, 2.0, 1.0]), 2, sites, "by_hand")
    return Page("pond-1", "2 of 3 sites; nothing was compared.", (), plan)
