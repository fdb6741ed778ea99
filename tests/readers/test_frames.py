"""Stacks of frames: overlap found and undone, axes by letters, bounded memory, nothing leaks."""

import hashlib
import json
import os
import subprocess
import sys

import numpy as np
import pytest

from dynst.domain import Frame, Window
from dynst.errors import ConfigError, DataError
from dynst.readers import Hints, frames, read
from dynst.readers.cache import FileSeries
from dynst.readers.door import sniff
from dynst.windows import split_record
from tests.readers.fire_maker import cut, fire_run, write_fires, write_taxi


def on_sites(run, flip=True):
    """A run `(t, c, h, w)` as a field holds it."""
    run = run[:, :, ::-1] if flip else run
    return run.transpose(0, 2, 3, 1).reshape(len(run), -1, run.shape[1])


def notes(field):
    return " | ".join(field.origin.notes)


@pytest.mark.parametrize("stride", [1, 3, 9])
def test_overlapping_events_become_the_run_they_were_cut_from(tmp_path, stride):
    run = fire_run(37)
    np.save(tmp_path / "a3_fds.npy", cut(run, 10, stride))
    field = read(str(tmp_path / "a3_fds.npy"))
    np.testing.assert_array_equal(field.series.read(0, field.steps), on_sites(run))
    assert len(field.runs) == 1
    assert f"overlap (stride {stride}) and are put together again: 1 run of 37 frames" in notes(field)
    assert [(c.name, c.units) for c in field.channels] == [("temperature", "degC"), ("visibility", "m")]


def test_each_file_is_a_scenario_and_each_event_without_overlap_a_run(tmp_path):
    runs = write_fires(tmp_path, 3, length=10)
    field = read(str(tmp_path))
    assert field.cases == ("a1_fds", "a2_fds", "a3_fds")
    np.testing.assert_array_equal(field.series.read(0, 120), np.concatenate([on_sites(run) for run in runs]))
    np.save(tmp_path / "apart.npy", np.stack([fire_run(12, seed=k) for k in range(3)]))
    field = read(str(tmp_path / "apart.npy"), hints=Hints(layout="etchw"))
    assert field.cases == ("apart run 1", "apart run 2", "apart run 3")
    assert "do not overlap: a run each" in notes(field)


def test_shuffled_and_repeated_events_still_make_one_run(tmp_path):
    run = fire_run(30)
    events = cut(run, 10)
    order = [4, 0, 7, 7, *[i for i in range(21) if i not in (4, 0, 7)]]
    np.save(tmp_path / "a1_fds.npy", events[order])
    field = read(str(tmp_path / "a1_fds.npy"))
    np.testing.assert_array_equal(field.series.read(0, field.steps), on_sites(run))
    assert "not in order" in notes(field)
    assert "repeat another" in notes(field)


def test_quiet_frames_are_no_evidence_of_overlap(tmp_path):
    first, second = fire_run(10, seed=1), fire_run(10, seed=2)
    first[-3:] = second[:3] = 20.0  # one ends as the other begins: in air that nothing moves in
    second[3:] += 1
    np.save(tmp_path / "x.npy", np.stack([first, second]))
    assert len(read(str(tmp_path / "x.npy"), hints=Hints(layout="etchw")).runs) == 2
    run = fire_run(40)
    run[:14] = run[0]  # a fire that starts late: events that are wholly quiet
    np.save(tmp_path / "a1_fds.npy", cut(run, 10))
    field = read(str(tmp_path / "a1_fds.npy"))
    np.testing.assert_array_equal(field.series.read(0, field.steps), on_sites(run))


@pytest.mark.parametrize(("scenarios", "by"), [(6, "run"), (6, "time"), (1, "auto")])
def test_no_frame_of_the_test_part_is_in_the_training_part(tmp_path, scenarios, by):
    write_fires(tmp_path, scenarios, steps=80)
    split = split_record(read(str(tmp_path)), Window(3, 3), by=by)
    parts = [
        {hashlib.sha256(frame.tobytes()).digest() for frame in part.series.read(0, part.steps)}
        for part in (split.train, split.valid, split.test)
    ]
    assert all(parts)
    assert not parts[0] & parts[1] and not parts[0] & parts[2] and not parts[1] & parts[2]  # noqa: PT018
    assert sum(map(len, parts)) == sum(part.steps for part in (split.train, split.valid, split.test))


def test_x_runs_right_and_y_up_from_the_cooler_row(tmp_path):
    write_fires(tmp_path, 1)
    field = read(str(tmp_path / "a1_fds.npy"), hints=Hints(spacing=0.5))
    assert field.sites.frame is Frame.PLANAR
    assert field.sites.unit == "m"
    assert (field.sites.x[1], field.sites.y[0], field.sites.y[-1]) == (0.5, 3.5, 0.0)
    heat = field.series.read(0, 40)[:, :, 0].mean(axis=0).reshape(8, 24).mean(axis=1)
    assert heat[0] > heat[-1]
    assert "the first row is taken for the floor: the other outer row is hotter" in notes(field)
    assert read(str(tmp_path / "a1_fds.npy")).sites.unit == "cells"


@pytest.fixture
def large(monkeypatch):
    """Everything above 4 kB is large."""
    monkeypatch.setattr(frames, "IN_MEMORY_BYTES", 4 << 10)
    monkeypatch.setattr(frames, "_BLOCK", 3 << 10)


@pytest.mark.parametrize("letters", ["tchw", "hwtc", "cthw", "wcth"])
@pytest.mark.parametrize("fortran", [False, True])
def test_a_converted_stack_equals_the_one_in_memory(tmp_path, large, letters, fortran, monkeypatch):
    run = fire_run(23).astype(">f8")
    run[:, :, 2, 3] = np.nan
    run[5, 1, 1, 1] = np.inf
    turned = run.transpose(["tchw".index(letter) for letter in letters])
    np.save(tmp_path / "x.npy", np.asfortranarray(turned) if fortran else np.ascontiguousarray(turned))
    big = read(str(tmp_path / "x.npy"), hints=Hints(layout=letters), cache_dir=tmp_path / "cache")
    assert isinstance(big.series, FileSeries)
    monkeypatch.undo()
    small = read(str(tmp_path / "x.npy"), hints=Hints(layout=letters))
    expected = np.delete(on_sites(run.astype("f4"), flip=False), 2 * 24 + 3, axis=1)
    expected[np.isinf(expected)] = np.nan
    np.testing.assert_array_equal(small.series.read(0, 23), expected)
    np.testing.assert_array_equal(big.series.read(0, 23), expected)
    assert small.origin == big.origin
    assert big.has_missing
    assert len(small.sites) == 8 * 24 - 1


def test_overlap_in_a_large_stack_is_looked_at_more_closely(tmp_path, large):
    run = fire_run(30)
    events = cut(run, 10)
    events[7:, :, 0, 0, 9] += 1  # beside the sampled cells: same at a glance, and yet another run
    np.save(tmp_path / "a1_fds.npy", events)
    field = read(str(tmp_path / "a1_fds.npy"), cache_dir=tmp_path / "cache")
    assert [stop - start for start, stop in field.runs] == [16, 23]


@pytest.mark.parametrize("dtype", ["f2", "i2", "u1", ">i4", "?"])
def test_any_number_type_is_read(tmp_path, dtype):
    values = (np.arange(60 * 12) % 7).reshape(60, 3, 4).astype(dtype)
    np.save(tmp_path / "x.npy", values)
    np.testing.assert_array_equal(read(str(tmp_path / "x.npy")).series.read(0, 60)[:, :, 0], values.reshape(60, 12))


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_an_npz_and_a_side_car_say_what_is_what(tmp_path, save):
    values = np.random.default_rng(0).standard_normal((30, 5, 6, 2)).astype("f4")
    values[3, 0, 0] = -99
    save(tmp_path / "x.npz", u=values, other=np.zeros((4, 4, 4)), few=np.zeros(3))
    with pytest.raises(ConfigError, match=r'x.npz: which array holds the frames.*variable = "u"'):
        read(str(tmp_path / "x.npz"))
    (tmp_path / "x.npz.toml").write_text(
        'variable = "u"\nlayout = "thwc"\nspacing_x = 2\nspacing_y = 3\n'
        'channels = ["vx", "vy"]\nunits = ["m s-1", "m s-1"]\n'
        'step = 60\nstart = 2020-01-01T00:00:00\nfill = -99\nfloor = "first"\n'
    )
    field = read(str(tmp_path / "x.npz"))
    values[3, 0, 0] = np.nan
    np.testing.assert_array_equal(field.series.read(0, 30), values[:, ::-1].reshape(30, 30, 2))
    assert [channel.name for channel in field.channels] == ["vx", "vy"]
    assert field.time[1] == np.datetime64("2020-01-01T00:01")
    assert (field.sites.x.max(), field.sites.y.max(), field.cadence) == (10, 12, "60 s")
    assert read(str(tmp_path / "x.npz"), hints=Hints(spacing=1.0)).sites.x.max() == 5
    assert len(read(str(tmp_path / "x.npz"), observe=["vy"], predict=["vy"]).channels) == 1


def test_taxi_flow_has_dates_and_is_cut_at_gaps(tmp_path):
    rng = np.random.default_rng(0)
    for year, day in ((13, "20130701"), (14, "20140301")):
        dates = [f"{day}{slot:02d}" for slot in [*range(1, 21), *range(25, 49)]]
        write_taxi(tmp_path / f"BJ{year}_M32x32_T30_InOut.h5", dates, rng.integers(0, 900, (44, 2, 6, 6)).astype(float))
    field = read(str(tmp_path / "BJ*_InOut.h5"))
    assert [stop - start for start, stop in field.runs] == [20, 24, 20, 24]
    assert field.time[0] == np.datetime64("2013-07-01T00:00")
    assert field.time[20] == np.datetime64("2013-07-01T12:00")
    assert (field.cadence, field.cases) == ("30 min", ())
    assert [channel.name for channel in field.channels] == ["inflow", "outflow"]
    write_taxi(tmp_path / "odd.h5", ["2013070149"] * 3, np.zeros((3, 2, 4, 4)))
    with pytest.raises(DataError, match="names half hour 49"):
        read(str(tmp_path / "odd.h5"))


def test_windows_in_two_arrays_are_joined_in_time(tmp_path):
    run = fire_run(60, 6, 6)
    events = cut(run, 8)
    train, test = events[:40], events[40:]
    np.savez(
        tmp_path / "dataset.npz", X_train=train[:, :4], Y_train=train[:, 4:], X_test=test[:, :4], Y_test=test[:, 4:]
    )
    field = read(str(tmp_path / "dataset.npz"))
    np.testing.assert_array_equal(field.series.read(0, 60), on_sites(run, flip=False))
    assert "windows overlap across their border" in notes(field)
    for seed, part in enumerate(("train", "val", "test")):
        windows = cut(fire_run(40, 6, 6, seed=seed), 12)
        np.save(tmp_path / f"{part}_input_data_reshaped.npy", windows[:, :6])
        np.save(tmp_path / f"{part}_output_data_reshaped.npy", windows[:, 6:])
    field = read(str(tmp_path / "*_data_reshaped.npy"))
    assert [stop - start for start, stop in field.runs] == [40, 40, 40]
    split = split_record(field, Window(4, 4))
    assert "as its makers list them" in split.how
    assert split.test.steps == 40


def test_a_mesh_or_a_network_is_not_taken_for_frames(tmp_path):
    np.savez(tmp_path / "mesh.npz", coords=np.zeros((5, 2)), triangles=np.zeros((3, 3)))
    np.savez(tmp_path / "stack.npz", u=np.zeros((5, 4, 4)))
    assert not frames.recognises(str(tmp_path / "mesh.npz"), Hints())
    assert not frames.recognises(str(tmp_path), Hints())
    assert sniff(str(tmp_path / "stack.npz")) == "frames"
    assert not frames.recognises(str(tmp_path / "stack.npz"), Hints(graph="x.csv"))


MEASURE = """
import resource, sys
import dynst.readers.frames, dynst.readers
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
field = dynst.readers.read(sys.argv[1])
total = sum(float(block.sum()) for block in field.blocks(8 << 20))
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024, field.steps, len(field.runs))
"""


def test_memory_stays_below_the_bound_however_large_the_stack(tmp_path):
    run = fire_run(1000, 32, 480)
    stack = np.lib.format.open_memmap(tmp_path / "a1_fds.npy", "w+", np.float32, (10, 190, 2, 32, 480))
    for event in range(10):
        stack[event] = run[90 * event : 90 * event + 190]
    stack.flush()
    assert (tmp_path / "a1_fds.npy").stat().st_size > 200e6
    del stack, run
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, str(tmp_path / "a1_fds.npy")],
        env={**os.environ, "DYNST_CACHE": str(tmp_path / "cache")},
        capture_output=True,
        text=True,
        check=True,
    )
    grown, steps, runs = map(float, done.stdout.split())
    assert (steps, runs) == (1000, 1)
    assert grown < 64


@pytest.mark.parametrize("planner", ["dynst", "dynst_linear"])
def test_a_fit_on_fires_ends_in_a_map_without_a_false_place_on_earth(tmp_path, planner):
    write_fires(tmp_path, 4, rows=6, columns=12)
    run = [sys.executable, "-m", "dynst"]
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    out = tmp_path / "run"
    fit = [
        "fit",
        "--data",
        str(tmp_path),
        "--sensors",
        "6",
        "--planner",
        planner,
        "--steps",
        "30",
        "--spacing",
        "0.2",
        "--compare",
        "none",
        "--ladder",
        "",
        "--out",
    ]
    fitted = subprocess.run([*run, *fit, str(out)], env=env, capture_output=True, text=True, check=False)
    assert fitted.returncode == 0, fitted.stderr + fitted.stdout
    mapped = subprocess.run(
        [*run, "export-map", str(out), "--format", "geojson", "--out", str(tmp_path / "plan.geojson")],
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert mapped.returncode == 0, mapped.stderr + mapped.stdout
    plan = json.loads((tmp_path / "plan.geojson").read_text())
    assert plan["crs"]["properties"]["name"] == 'LOCAL_CS["local plane",UNIT["metre",1]]'
    assert len(plan["features"]) == 6
    for feature in plan["features"]:  # metres: cells 0.2 m apart, the floor at 0, the uppermost row first
        row, column = divmod(feature["properties"]["site"], 12)
        assert feature["geometry"]["coordinates"][:2] == pytest.approx([0.2 * column, 0.2 * (5 - row)])
