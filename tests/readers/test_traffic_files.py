"""The files of traffic collections: frames that pandas wrote as HDF5, arrays of times by places by channels."""

import pickle

import h5py
import numpy as np
import pandas as pd
import pytest

from dynst.domain import Frame
from dynst.errors import ConfigError, DataError
from dynst.readers import read
from dynst.readers.base import Hints
from dynst.readers.door import sniff

NAMES = ("773869", "767541", "767542", "717447")
TIMES = pd.date_range("2012-03-01", periods=90, freq="5min")
SPEEDS = np.random.default_rng(7).normal(60, 5, (90, 4))
PLACES = "index,sensor_id,latitude,longitude\n" + "".join(
    f"{i},{name},34.{i},-118.{i}\n" for i, name in enumerate(NAMES)
)


@pytest.fixture
def places(tmp_path):
    (tmp_path / "where").mkdir()
    (tmp_path / "where/graph_sensor_locations.csv").write_text(PLACES)
    return Hints(stations=str(tmp_path / "where/graph_sensor_locations.csv"))


def record(field):
    return field.series.read(0, field.steps)


def notes(field):
    return " | ".join(field.origin.notes)


def objects(group, name, labels):
    """Names as PyTables keeps Python objects: the bytes of a pickle."""
    data = group.create_dataset(name, (1,), h5py.vlen_dtype(np.uint8))
    data[0] = np.frombuffer(pickle.dumps(np.array(labels, object)), np.uint8)


def fixed(store, values=SPEEDS, names=NAMES, kind="bytes", tick="ns"):
    group = store.create_group("df")
    group.attrs.update(pandas_type=b"frame", nblocks=1)
    labels = np.array([int(name) for name in names]) if kind == "numbers" else np.array([n.encode() for n in names])
    for key in ("axis0", "block0_items"):
        if kind == "objects":
            objects(group, key, list(names))
        else:
            group[key] = labels
    group["axis1"] = TIMES.as_unit(tick).to_numpy().astype(np.int64)
    group["axis1"].attrs["kind"] = b"datetime64" if tick == "ns" else f"datetime64[{tick}]".encode()
    group["block0_values"] = values


def blocks(store):
    fixed(store, SPEEDS[:, [2, 0]].astype("f4"), (NAMES[2], NAMES[0]))
    group = store["df"]
    del group["axis0"]
    group["axis0"] = [name.encode() for name in NAMES]
    group.attrs["nblocks"] = 2
    group["block1_items"] = [NAMES[1].encode(), NAMES[3].encode()]
    group["block1_values"] = SPEEDS[:, [1, 3]]


def table(store, apart=False):
    group = store.create_group("speed")
    group.attrs["pandas_type"] = b"frame_table"
    fields = [(name, "f8") for name in NAMES] if apart else [("values_block_0", "f8", (4,))]
    rows = np.zeros(len(TIMES), [("index", "i8"), *fields])
    rows["index"] = TIMES.as_unit("ns").to_numpy().astype(np.int64)
    for j, name in enumerate(NAMES):
        if apart:
            rows[name] = SPEEDS[:, j]
        else:
            rows["values_block_0"][:, j] = SPEEDS[:, j]
    data = group.create_dataset("table", data=rows)
    data.attrs["index_kind"] = b"datetime64"
    for field in fields:
        data.attrs[f"{field[0]}_kind"] = pickle.dumps([field[0]] if apart else list(NAMES), protocol=0)


FORMS = {
    "METR-LA": fixed,
    "PEMS-BAY, whole numbers": lambda store: fixed(store, kind="numbers"),
    "microseconds": lambda store: fixed(store, tick="us"),
    "names as Python objects": lambda store: fixed(store, kind="objects"),
    "turned": lambda store: fixed(store, SPEEDS.T),
    "two blocks": blocks,
    "a table": table,
    "a table with a field a column": lambda store: table(store, apart=True),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_frame_of_pandas_is_a_wide_table(form, tmp_path, places):
    with h5py.File(tmp_path / "speed.h5", "w") as store:
        FORMS[form](store)
    assert sniff(str(tmp_path / "speed.h5")) == "stations"
    field = read(str(tmp_path / "speed.h5"), hints=places)
    assert field.sites.name == NAMES
    assert field.cadence == "5 min"
    assert field.time[0] == np.datetime64("2012-03-01")
    assert np.allclose(record(field)[:, :, 0], SPEEDS)
    assert field.sites.y.tolist() == [34.0, 34.1, 34.2, 34.3]
    assert "exactly 0" not in notes(field)


def test_exact_zeros_are_said_and_kept(tmp_path, places):
    values = SPEEDS.copy()
    values[::9, 0] = 0
    with h5py.File(tmp_path / "speed.h5", "w") as store:
        fixed(store, values)
    field = read(str(tmp_path / "speed.h5"), hints=places)
    assert "2.78% of the values are exactly 0, which often stands for missing" in notes(field)
    assert (record(field) == 0).sum() == 10


def test_nothing_in_a_frame_is_unpickled(tmp_path, places):
    class Trap:
        def __reduce__(self):
            return (open, (str(tmp_path / "sprung"), "w"))

    with h5py.File(tmp_path / "speed.h5", "w") as store:
        table(store)
        store["speed/table"].attrs["values_block_0_kind"] = pickle.dumps([Trap(), *NAMES], protocol=0)
    assert read(str(tmp_path / "speed.h5"), hints=places).sites.name == NAMES
    assert not (tmp_path / "sprung").exists()


def test_a_frame_with_levels_and_a_frame_without_places_are_one_line(tmp_path):
    with h5py.File(tmp_path / "speed.h5", "w") as store:
        fixed(store)
    with pytest.raises(DataError, match=r"speed.h5: the positions of its 4 stations are unknown. Give a table"):
        read(str(tmp_path / "speed.h5"))
    with h5py.File(tmp_path / "speed.h5", "a") as store:
        store["df/axis0_level0"] = store["df/axis0"]
        del store["df/axis0"]
    with pytest.raises(DataError, match=r"the columns of the frame df have several levels. Write one quantity"):
        read(str(tmp_path / "speed.h5"))


# --- arrays of times by places by channels ---------------------------------------------------------------------------

FLOWS = np.random.default_rng(8).normal(100, 9, (120, 30, 3)).astype("f4")
ROAD = "from,to,cost\n" + "".join(f"{i},{(i + 1) % 30},{100 + i}\n" for i in range(30))


@pytest.fixture
def road(tmp_path):
    (tmp_path / "roads").mkdir()
    (tmp_path / "roads/distance.csv").write_text(ROAD)
    return str(tmp_path / "roads/distance.csv")


def saved(path, array, **how):
    if path.suffix == ".npy":
        np.save(path, array)
    elif path.suffix == ".npz":
        (np.savez_compressed if how.get("compressed") else np.savez)(path, data=array)
    else:
        with h5py.File(path, "w") as store:
            store["data"] = array
    return str(path)


@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize("ending", [".npz", ".npy", ".h5"])
def test_few_channels_at_many_places_are_places(ending, compressed, tmp_path, road):
    path = saved(tmp_path / f"PEMS08{ending}", FLOWS, compressed=compressed)
    assert sniff(path) == "stations"
    field = read(path, hints=Hints(graph=road))
    assert [channel.name for channel in field.channels] == ["flow", "occupancy", "speed"]
    assert (len(field.sites), field.steps, field.layout.edge_index.shape[1]) == (30, 120, 60)
    assert np.array_equal(record(field), FLOWS)
    assert field.sites.frame is Frame.SCHEMATIC
    said = notes(field)
    assert "the array is taken for 120 times by 30 places by 3 channels (--layout tpc)" in said
    assert "the lengths of the links of distance.csv become weights" in said


def test_the_letter_p_says_which_axis_has_the_places(tmp_path, road):
    hints = Hints(graph=road, layout="ptc")
    path = saved(tmp_path / "flows.npy", FLOWS.transpose(1, 0, 2))
    assert np.array_equal(record(read(path, hints=hints)), FLOWS)
    path = saved(tmp_path / "flows.npz", FLOWS[:, :, 0], compressed=True)
    field = read(path, hints=Hints(graph=road, layout="tp"))
    assert np.array_equal(record(field)[:, :, 0], FLOWS[:, :, 0])
    assert [channel.name for channel in field.channels] == ["value"]
    assert "--layout" not in notes(field)


def test_links_beside_an_array_are_found_if_they_fit(tmp_path):
    path = saved(tmp_path / "PEMS04.npz", FLOWS)
    with pytest.raises(DataError, match=r"the positions of its 30 stations are unknown"):
        read(path)
    (tmp_path / "distance.csv").write_text(ROAD.replace("\n29,0,", "\n29,99,"))
    with pytest.raises(DataError, match=r"the positions of its 30 stations are unknown"):
        read(path)
    (tmp_path / "distance.csv").write_text(ROAD)
    field = read(path)
    assert "links come from distance.csv beside the data" in notes(field)
    assert field.layout.edge_index.shape[1] == 60


def test_places_without_names_take_those_of_a_table_in_its_order(tmp_path):
    table = pd.DataFrame({"station": [f"D{i:02d}" for i in range(30)], "lat": np.arange(30) / 10, "lon": 4.0})
    table.to_csv(tmp_path / "places.csv", index=False)
    hints = Hints(stations=str(tmp_path / "places.csv"))
    field = read(saved(tmp_path / "flows.npz", FLOWS), hints=hints)
    assert field.sites.name == tuple(table["station"])
    assert field.sites.y.tolist() == (np.arange(30) / 10).tolist()
    assert "the places are taken in the order of places.csv" in notes(field)
    table[:29].to_csv(tmp_path / "places.csv", index=False)
    with pytest.raises(DataError, match=r"holds 30 places without names, and places.csv holds 29 stations"):
        read(saved(tmp_path / "flows.npz", FLOWS), hints=hints)


def test_a_side_car_names_channels_and_times(tmp_path, road):
    path = saved(tmp_path / "flows.npz", FLOWS)
    (tmp_path / "flows.npz.toml").write_text('channels = ["a", "b", "c"]\nstart = "2018-01-01"\ncadence = 300\n')
    field = read(path, hints=Hints(graph=road), observe=["a", "c"], predict=["c"])
    assert [channel.name for channel in field.channels] == ["a", "c"]
    assert np.array_equal(record(field), FLOWS[:, :, [0, 2]])
    assert (field.cadence, field.time[0]) == ("5 min", np.datetime64("2018-01-01"))


@pytest.mark.parametrize("shape", [(120, 12, 3), (20, 300, 3), (300, 7, 2)])
def test_a_shape_that_could_be_either_is_asked_about(shape, tmp_path):
    path = saved(tmp_path / "x.npy", np.ones(shape, "f4"))
    expected = r"x.npy: what the axes of shape .* are is unclear. Say it in letters: --layout tpc .* --layout thw"
    with pytest.raises(ConfigError, match=expected):
        read(path)
    assert len(read(path, hints=Hints(layout="thw")).sites) == shape[1] * shape[2]


@pytest.mark.parametrize(
    ("layout", "expected"),
    [
        ("tpp", r'layout "tpp" is no use: give each of t \(time\) and p \(places\) once'),
        ("tphw", r'layout "tphw" is no use: give each of t \(time\) and p \(places\) once'),
        ("tp", r"flows.npz: data: layout \"tp\" has 2 letters, but the array has 3 axes"),
    ],
)
def test_letters_that_do_not_fit_are_one_line(layout, expected, tmp_path):
    with pytest.raises(ConfigError, match=expected):
        read(saved(tmp_path / "flows.npz", FLOWS), hints=Hints(layout=layout))


def test_pictures_stay_pictures(tmp_path):
    path = saved(tmp_path / "x.npy", np.ones((40, 12, 9), "f4"))
    assert sniff(path) == "frames"
    assert len(read(path).sites) == 108
