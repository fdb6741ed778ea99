"""Laws of a field's parts: any nesting of `between` and `pick` reads what one index would."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynst.domain import Covariate, Field, GridLayout, MakersSplit, Origin, Sites
from dynst.errors import DataError
from dynst.study.prepare import describe


def field_of(lengths, **options):
    """Values that name their step; runs of these lengths."""
    steps = sum(lengths)
    values = np.arange(steps, dtype=float)[:, None, None] + np.array([[0.0], [0.5]])
    run = np.repeat(np.arange(len(lengths)), lengths)
    sites = Sites(np.array([0.0, 1.0]), np.zeros(2))
    options.setdefault("cases", tuple(f"r{i}" for i in range(len(lengths))))
    return Field.of(values, sites, GridLayout((1, 2), np.arange(2)), run=run, time=np.arange(steps), **options)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_any_nesting_of_parts_reads_as_one_index_into_the_whole(data):
    field = field_of(data.draw(st.lists(st.integers(1, 6), min_size=1, max_size=6)))
    index, run = np.arange(field.steps), field.run
    for _ in range(data.draw(st.integers(1, 4))):
        if data.draw(st.booleans()) and field.runs:
            numbers = data.draw(st.lists(st.integers(0, len(field.runs) - 1), min_size=1))
            keep = np.isin(run, np.unique(run)[numbers])
            field, index, run = field.pick(numbers), index[keep], run[keep]
        else:
            start = data.draw(st.integers(0, field.steps))
            stop = data.draw(st.integers(start, field.steps))
            field, index, run = field.between(start, stop), index[start:stop], run[start:stop]
    assert field.steps == len(index)
    assert field.time.tolist() == index.tolist()
    assert field.run.tolist() == run.tolist()
    assert field.cases == tuple(f"r{i}" for i in np.unique(run))
    start = data.draw(st.integers(0, field.steps))
    stop = data.draw(st.integers(start, field.steps))
    assert field.series.read(start, stop)[:, 0, 0].tolist() == index[start:stop].tolist()
    out = np.full((stop - start, 2, 1), np.nan, np.float32)
    field.series.read_into(start, out)
    assert out[:, 1, 0].tolist() == (index[start:stop] + 0.5).tolist()
    assert [v for block in field.blocks(16) for v in block[:, 0, 0].tolist()] == index.tolist()


def test_reading_beyond_the_end_of_a_part_does_not_reach_into_the_next():
    field = field_of([3, 3, 3])
    assert field.pick([0, 2]).series.read(4, 99)[:, 0, 0].tolist() == [7.0, 8.0]
    assert field.between(0, 3).series.read(1, 99)[:, 0, 0].tolist() == [1.0, 2.0]
    assert field.pick([1]).between(1, 2).series.read(0, 99)[:, 0, 0].tolist() == [4.0]


def test_the_order_and_number_of_times_a_run_is_named_do_not_matter():
    field = field_of([2, 3, 4])
    assert field.pick([2, 0, 2]).time.tolist() == field.pick([0, 2]).time.tolist() == [0, 1, 5, 6, 7, 8]
    assert field.pick([]).steps == 0
    assert field.pick([]).runs == []


@pytest.mark.parametrize("cases", [("a",), ("a", "b", "c", "d")])
def test_as_many_names_of_cases_as_runs(cases):
    with pytest.raises(DataError, match=rf"2 runs needs as many names of cases; {len(cases)} came"):
        field_of([2, 2], cases=cases)


@pytest.mark.parametrize("values", [np.array([1.0, np.nan]), np.array([1.0, np.inf]), np.ones(3)])
def test_a_covariate_has_a_finite_value_at_each_site(values):
    field = field_of([4])
    with pytest.raises(DataError, match='covariate "height" needs one finite value for each of the 2 sites'):
        Field(
            field.series,
            field.time,
            field.run,
            field.sites,
            field.layout,
            field.channels,
            covariates=(Covariate("height", values, "m"),),
        )


def test_parts_of_a_field_keep_its_origin_and_nothing_can_change_it():
    origin = Origin("lake.nc", "gridded", "0123", notes=("made",), makers_split=MakersSplit(("r0",), ("r1",), ("r2",)))
    field = replace(field_of([3, 3, 3]), origin=origin)
    assert field.between(1, 5).origin == field.pick([0, 2]).origin == origin
    assert isinstance(hash(field.origin), int)  # nothing in it is a list or a dict


def test_a_field_made_in_python_has_an_empty_origin():
    field = field_of([40], cases=())
    assert field.origin == Origin()
    assert (describe(field)["notes"], describe(field)["fingerprint"]) == ([], "")
