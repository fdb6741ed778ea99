"""Laws of scores of forecasts: CRPS is its integral, coverage counts by area, what is missing counts nowhere."""

import numpy as np
import pytest
from scipy.special import ndtr

from dynst.config import Study
from dynst.evaluation import hindcast
from dynst.evaluation.hindcast import HindcastTally
from dynst.forecasting.forecaster import Forecaster
from dynst.planners import PLANNERS
from dynst.study.kept import judged_forecaster
from dynst.study.prepare import prepare
from dynst.study.refits import closed_judge


@pytest.fixture(scope="module")
def forecaster() -> Forecaster:
    """Of four sensors on a made record."""
    prepared = prepare(Study(data="synthetic:planted:3", sensors=4, history=2, horizon=2))
    judge = closed_judge("linear", prepared, {})
    plan = PLANNERS["coverage"].plan(prepared.task(), seed=0)
    return judged_forecaster(judge, prepared, plan)


def test_crps_of_a_normal_distribution_is_its_integral():
    grid = np.linspace(-30, 30, 600_001)
    for miss, deviation in ((0.0, 1.0), (2.0, 0.5), (-3.0, 2.0)):
        integral = ((ndtr(grid / deviation) - (grid >= miss)) ** 2).sum() * (grid[1] - grid[0])
        assert hindcast._crps(np.array(abs(miss)), np.array(deviation)) == pytest.approx(integral, rel=1e-3)


def made(forecaster, starts=6, seed=0):
    present = np.arange(10, 10 + starts)
    silent = np.full((starts, forecaster.history, 4, len(forecaster.observed)), np.nan, np.float32)
    block = forecaster.forecast(silent, present)
    noise = np.random.default_rng(seed).standard_normal(block.mean.shape)
    return present, block, (block.mean + 0.5 * noise).astype(np.float32)


def test_without_readings_the_forecast_scores_as_the_climatology(forecaster):
    present, block, truth = made(forecaster)
    tally = HindcastTally(forecaster)
    tally.add(present, block, truth)
    found = tally.result()
    np.testing.assert_allclose(found.forecast.rmse, found.climatology.rmse, rtol=1e-4)
    np.testing.assert_allclose(found.crps[1:], found.usual_crps[1:], rtol=0.35)  # leads have bars of their own
    assert found.starts == len(present)


def test_a_perfect_forecast_has_no_error_and_is_always_inside(forecaster):
    present, block, _ = made(forecaster)
    tally = HindcastTally(forecaster)
    tally.add(present, block, block.mean)
    found = tally.result()
    assert found.forecast.total == 0
    assert (found.coverage == 1).all()


def test_what_is_missing_counts_nowhere_and_parts_add_up(forecaster):
    present, block, truth = made(forecaster)
    truth[2] = np.nan
    truth[:, :, 1] = np.nan
    whole, parts = HindcastTally(forecaster), HindcastTally(forecaster)
    whole.add(present, block, truth)
    for i in range(len(present)):
        one = type(block)(block.mean[[i]], block.deviation, block.half_width, block.pattern[[i]])
        parts.add(present[[i]], one, truth[[i]])
    found, same = whole.result(), parts.result()
    assert found.starts == same.starts == len(present) - 1
    for name in ("coverage", "crps", "usual_crps"):
        np.testing.assert_allclose(getattr(found, name), getattr(same, name), rtol=1e-5)
    np.testing.assert_allclose(found.forecast.rmse, same.forecast.rmse, rtol=1e-5)
    truth[...] = np.nan
    empty = HindcastTally(forecaster)
    empty.add(present, block, truth)
    assert empty.result() is None
