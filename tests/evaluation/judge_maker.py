"""Small records with a judge on each, for the tests of closed-form judges."""

import numpy as np

from dynst.domain import Channel, Field, GridLayout, Sites, Window
from dynst.evaluation import LinearJudge, RidgeJudge
from dynst.evaluation.regions import default_regions
from dynst.windows import split_by_run, split_by_time

WINDOW = Window(2, 3)
JUDGES = {"linear": LinearJudge, "ridge": RidgeJudge}


def field_of(values, **options):
    """A row of sites of unequal areas."""
    n = values.shape[1]
    sites = Sites(np.arange(float(n)) / 2, np.linspace(40, 60, n), area=np.linspace(1, 2, n))
    return Field.of(values, sites, GridLayout((1, n), np.arange(n)), **options)


def waves(steps=300, n=8, c=1, noise=0.3, seed=0):
    """A wave that every site sees, each in another phase, with noise of its own."""
    rng = np.random.default_rng(seed)
    t = np.arange(steps)[:, None, None]
    phase = np.arange(n)[:, None] + 2 * np.arange(c)
    return 10 + 4 * np.sin(t / 4 + phase) + noise * rng.standard_normal((steps, n, c))


def judge_of(values, window=WINDOW, judge="linear", **options):
    """A judge on a record that is split by time."""
    return JUDGES[judge](split_by_time(field_of(values), window), window, **options)


def first_of_test(judge):
    """First step of the test block in the record."""
    return judge.split.train.steps + judge.split.valid.steps + 2 * judge.window.embargo


def judge_of_case(judge="linear", *, steps=240, n=24, c=1, runs=1, window=WINDOW, missing=0.0, **options):
    """A judge on a record of many kinds, with regions."""
    values = waves(steps, n, c, seed=3) * 10.0 ** np.arange(c)
    values[np.random.default_rng(1).random(values.shape) < missing] = np.nan
    channels = tuple(Channel(f"v{i}") for i in range(c))
    run = np.repeat(np.arange(runs), steps // runs)
    cases = tuple(f"case {i}" for i in range(runs)) if runs > 1 else ()
    field = field_of(values, channels=channels, run=run, cases=cases)
    split = split_by_run(field, window) if runs > 1 else split_by_time(field, window)
    return JUDGES[judge](split, window, regions=default_regions(field.sites), **options)


def assert_same(one, other, rtol=1e-4):  # products are float32, and one noise is 1e-8
    """Two scores are the same to rounding."""
    np.testing.assert_allclose(one.per_window, other.per_window, rtol=rtol, atol=1e-7)
    assert list(one.regions) == list(other.regions)
    pairs = [(one.sums, other.sums), (one.at_sensors, other.at_sensors), (one.away, other.away)]
    pairs += [(one.regions[name], other.regions[name]) for name in one.regions]
    for mine, theirs in pairs:
        scale = np.sqrt(theirs.square * theirs.weight).max()  # of sums of signed errors, which may cancel to nothing
        for name in ("square", "absolute", "weight", "product", "truth"):
            np.testing.assert_allclose(getattr(mine, name), getattr(theirs, name), rtol=rtol, atol=rtol * 1e-2 * scale)
        np.testing.assert_allclose(mine.signed, theirs.signed, rtol=rtol, atol=rtol * scale)
