"""Laws of the scaling: streaming equals numpy, test data are never seen, memory is bounded."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynst.domain import Channel, Clock, Field, GridLayout, Sites, Window
from dynst.errors import DataError
from dynst.windows import Scaling, scaling, split_by_time


def field_of(values, **options):
    n = values.shape[1]
    return Field.of(values, Sites(np.arange(float(n)) / 8, np.zeros(n)), GridLayout((1, n), np.arange(n)), **options)


def streamed(values, steps_per_block, monkeypatch):
    monkeypatch.setattr(scaling, "_BLOCK_BYTES", 4 * values[0].size * steps_per_block)
    return Scaling.fit(field_of(values))


@settings(max_examples=30, deadline=None)
@given(
    steps=st.integers(2, 40),
    per_block=st.integers(1, 11),
    missing=st.sampled_from([0.0, 0.4]),
    offset=st.sampled_from([0.0, 1e5]),
    seed=st.integers(0, 99),
)
def test_streaming_in_any_blocks_equals_numpy_on_the_whole(steps, per_block, missing, offset, seed):
    rng = np.random.default_rng(seed)
    values = (offset + rng.standard_normal((steps, 5, 2))).astype(np.float32)
    values[rng.random(values.shape) < missing] = np.nan
    values[:2, 0] = offset + np.array([[1.0, 1.0], [2.0, 3.0]])  # every channel varies somewhere
    with pytest.MonkeyPatch.context() as patch:
        fitted = streamed(values, per_block, patch)
    exact = np.where(np.isfinite(values), values, np.nan).astype(np.float64)
    count = np.isfinite(exact).sum(axis=0)
    mean = np.nansum(exact, axis=0) / np.maximum(count, 1)
    square = np.nansum((exact - mean) ** 2, axis=0)
    tolerance = 2e-7 * max(offset, 1)  # half a unit in the last place of a float32 near the offset
    np.testing.assert_allclose(fitted.mean[count > 0], mean[count > 0], atol=tolerance, rtol=2e-7)
    np.testing.assert_allclose(fitted.std, np.sqrt(square.sum(axis=0) / count.sum(axis=0)), rtol=1e-6)
    np.testing.assert_allclose(fitted.site_std, np.sqrt(square / np.maximum(count, 1)), rtol=1e-6, atol=1e-9)


def test_the_scaler_is_blind_to_validation_and_test_data(rng):
    values = rng.standard_normal((100, 3, 1))
    other = values.copy()
    window = Window(2, 2)
    train = split_by_time(field_of(values), window).train.steps
    other[train:] = 1e6 * rng.standard_normal(other[train:].shape)
    one, two = (Scaling.fit(split_by_time(field_of(v), window).train) for v in (values, other))
    assert (one.mean == two.mean).all()
    assert (one.std == two.std).all()


def test_undo_is_the_inverse_of_apply(rng):
    field = field_of(280 + 5 * rng.standard_normal((50, 4, 2)))
    fitted, values = Scaling.fit(field), field.series.read(0, 50)
    np.testing.assert_allclose(fitted.undo(fitted.apply(values)), values, rtol=1e-6)
    standard = fitted.apply(values)
    np.testing.assert_allclose(standard.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose((standard**2).mean(axis=(0, 1)), 1, rtol=1e-5)


def test_a_site_without_training_values_has_the_mean_of_its_channel(rng):
    values = 280 + rng.standard_normal((30, 4, 1))
    values[:, 2] = np.nan
    fitted = Scaling.fit(field_of(values))
    np.testing.assert_allclose(fitted.mean[2], np.nanmean(values), rtol=1e-6)
    assert fitted.site_std[2] == 0


def test_a_channel_that_never_varies_is_named(rng):
    values = np.concatenate([rng.standard_normal((30, 3, 1)), np.full((30, 3, 1), 0.1)], axis=-1)
    with pytest.raises(DataError, match='"relief" never varies'):
        Scaling.fit(field_of(values, channels=(Channel("wind"), Channel("relief"))))


def test_a_channel_without_values_is_named(rng):
    values = rng.standard_normal((30, 3, 1))
    values[:20] = np.nan
    with pytest.raises(DataError, match='"wind" has no value'):
        Scaling.fit(field_of(values, channels=(Channel("wind"),)).between(0, 20))


def test_memory_does_not_grow_with_the_record():
    class Endless:
        """A record of any length whose blocks are made when they are read."""

        def __init__(self, steps):
            self.shape = (steps, 500, 1)

        def read(self, start, stop):
            return np.random.default_rng(start).standard_normal((stop - start, 500, 1), np.float32)

        def read_into(self, start, out):
            out[...] = self.read(start, start + len(out))

    def peak(steps):
        small = field_of(np.zeros((2, 500, 1)))
        field = replace(small, series=Endless(steps), time=np.arange(steps), run=np.zeros(steps, int), clock=Clock())
        tracemalloc.start()
        try:
            Scaling.fit(field)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    short, long = peak(9_000), peak(36_000)  # 18 and 72 MB: one block, and more than four
    assert long < 1.2 * short
    assert long < 70e6
