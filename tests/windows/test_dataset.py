"""Laws of the batches: the right steps, standardised; reproducible from the generator; memory bounded."""

import gc
import tracemalloc
from itertools import islice

import numpy as np
import pytest
import torch

from dynst.domain import Channel, Field, GridLayout, Sites, Window
from dynst.errors import DataError
from dynst.windows import Scaling, design, fit_starts, snapshots, window_starts
from dynst.windows.dataset import WindowDataset


def make(steps=40, n=3, missing=0.0, channels=None, seed=0):
    rng = np.random.default_rng(seed)
    c = len(channels) if channels else 2
    values = 10 + 3 * rng.standard_normal((steps, n, c))
    values[rng.random(values.shape) < missing] = np.nan
    return Field.of(
        values, Sites(np.arange(float(n)) / 8, np.zeros(n)), GridLayout((1, n), np.arange(n)), channels=channels
    )


WINDOW = Window(3, 2)


@pytest.mark.parametrize("missing", [0.0, 0.3])
def test_a_batch_holds_the_standardised_history_and_future_of_its_windows(missing):
    channels = (Channel("a", predict=False), Channel("b"), Channel("c", observe=False))
    field = make(missing=missing, channels=channels)
    scaling = Scaling.fit(field)
    data = WindowDataset(field, WINDOW, scaling)
    batch = data.batch(np.array([4, 0]))
    values = scaling.apply(field.series.read(0, field.steps))
    for row, start in enumerate((4, 0)):
        for got, mask, part in (
            (batch.inputs, batch.inputs_observed, values[start : start + 3, :, :2]),
            (batch.targets, batch.targets_observed, values[start + 3 : start + 5, :, 1:]),
        ):
            np.testing.assert_allclose(got[row].numpy(), np.nan_to_num(part), rtol=1e-5, atol=1e-6)
            assert (mask is None) == (missing == 0)
            if mask is not None:
                assert (mask[row].numpy() == np.isfinite(part)).all()


@pytest.mark.parametrize("prefetch", [True, False])
def test_batches_are_the_same_for_the_same_generator_and_hold_every_window_once(prefetch):
    data = WindowDataset(make(), WINDOW, Scaling.fit(make()))
    orders = []
    for seed in (1, 1, 2):
        batches = list(data.batches(7, generator=torch.Generator().manual_seed(seed), prefetch=prefetch))
        assert [len(batch) for batch in batches] == [7, 7, 7, 7, 7, 1]
        orders.append(torch.cat([batch.inputs for batch in batches]))
    assert torch.equal(orders[0], orders[1])
    assert not torch.equal(orders[0], orders[2])
    everything = data.batch(np.arange(len(data))).inputs
    assert torch.equal(orders[0].flatten(1).sum(1).sort().values, everything.flatten(1).sum(1).sort().values)


def test_reading_ahead_changes_no_batch_and_overwrites_none():
    data = WindowDataset(make(missing=0.2), WINDOW, Scaling.fit(make()))
    ahead, plain = list(data.batches(5)), list(data.batches(5, prefetch=False))
    for one, two in zip(ahead, plain, strict=True):
        assert torch.equal(one.inputs, two.inputs)
        assert torch.equal(one.targets, two.targets)
    assert len(list(data.batches(5, drop_last=True))) == len(data) // 5


def test_memory_is_handed_out_again_only_when_no_tensor_of_a_batch_is_left():
    data = WindowDataset(make(missing=0.2), WINDOW, Scaling.fit(make()))
    kept = data.batch(np.arange(4)).inputs[1:2]  # a view keeps the memory of its batch
    before = kept.clone()
    others = [data.batch(np.arange(8, 12)) for _ in range(6)]
    assert torch.equal(kept, before)
    assert len({batch.inputs.data_ptr() for batch in others}) == 6
    del kept, others
    gc.collect()
    reused = {data.batch(np.arange(4)).inputs.data_ptr() for _ in range(10)}
    assert len(reused) == 1  # each is gone before the next is read


def test_a_stream_resumes_where_it_stopped():
    data = WindowDataset(make(), WINDOW, Scaling.fit(make()))
    whole = list(islice(data.stream(8, generator=torch.Generator().manual_seed(3)), 12))
    rest = list(islice(data.stream(8, generator=torch.Generator().manual_seed(3), skip=7), 5))
    assert all(len(batch) == 8 for batch in whole)
    assert all(torch.equal(a.inputs, b.inputs) for a, b in zip(whole[7:], rest, strict=True))
    small = next(data.stream(1000, generator=torch.Generator()))
    assert len(small) == len(data)


def test_an_error_while_reading_ahead_reaches_the_caller():
    class Broken:
        shape = (40, 3, 2)

        def read(self, start, stop):
            return np.zeros((stop - start, 3, 2), np.float32)

        def read_into(self, start, out):
            raise DataError("the file is gone")

    whole = make()
    field = Field(Broken(), whole.time, whole.run, whole.sites, whole.layout, whole.channels)
    with pytest.raises(DataError, match="the file is gone"):
        list(WindowDataset(field, WINDOW, Scaling.fit(whole)).batches(4))


def test_a_field_without_a_window_is_refused():
    with pytest.raises(DataError, match="hold no window"):
        WindowDataset(make(steps=4), WINDOW, Scaling.fit(make()))


def test_memory_of_reading_does_not_grow_with_the_record():
    def peak(steps):
        field = make(steps=steps, n=1000)
        data = WindowDataset(field, WINDOW, Scaling.fit(field.between(0, 50)))
        tracemalloc.start()
        try:
            for _ in data.batches(8):
                pass
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert peak(800) < 1.5 * peak(200)  # a batch more or less is alive when the peak is taken


@pytest.mark.parametrize("missing", [0.0, 0.3])
def test_a_design_is_the_batches_with_each_history_as_one_row_per_site(missing):
    field = make(missing=missing)
    scaling = Scaling.fit(field)
    starts = window_starts(field, WINDOW)[::4]
    made = design(field, WINDOW, scaling, starts)
    batch = WindowDataset(field, WINDOW, scaling, starts).batch(np.arange(len(starts)))
    time_major = batch.inputs.permute(0, 2, 1, 3).flatten(2)
    assert (made.inputs == time_major.numpy()).all()
    assert (made.targets == batch.targets.numpy()).all()
    assert (made.observed is None) == (missing == 0)


def test_thinned_designs_stay_below_their_bytes():
    field = make(steps=400, missing=0.1)
    starts = fit_starts(window_starts(field, WINDOW), field, WINDOW, limit=300, max_bytes=20_000)
    made = design(field, WINDOW, Scaling.fit(field), starts)
    assert made.inputs.nbytes + made.targets.nbytes + made.observed.nbytes + made.inputs_observed.nbytes <= 20_000
    assert len(starts) > 100


def test_snapshots_are_standardised_steps_with_missing_values_as_nan():
    field = make(steps=300, missing=0.2)
    scaling = Scaling.fit(field)
    values = snapshots(field, scaling, limit=50)
    assert values.shape == (50, 3, 2)
    every = scaling.apply(field.series.read(0, 300))
    assert all(np.isclose(every, value, atol=1e-5, equal_nan=True).all(axis=(1, 2)).any() for value in values)
    np.testing.assert_array_equal(values, snapshots(field, scaling, limit=50))
