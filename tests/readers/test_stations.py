"""Real station networks, sensor graphs and a fire test: shapes, names, places, gaps."""

import numpy as np
import pytest

from dynst.domain import Frame, GraphLayout
from dynst.errors import ConfigError
from dynst.readers import inspect, read
from dynst.readers.base import Hints
from dynst.readers.door import sniff


def values(field):
    return field.series.read(0, field.steps)


def notes(field):
    return " | ".join(field.origin.notes)


def inside(field, west, east, south, north):
    assert field.sites.frame is Frame.GEOGRAPHIC
    return bool(((field.sites.x > west) & (field.sites.x < east)).all()) and bool(
        ((field.sites.y > south) & (field.sites.y < north)).all()
    )


def test_traffic_speeds_have_no_times_but_a_given_graph(shared_data):
    folder = shared_data / "metr_la_week"
    hints = Hints(stations=str(folder / "graph_sensor_locations.csv"), graph=str(folder / "los_adj.csv"))
    field = read(str(folder / "los_speed.csv"), hints=hints)
    assert field.series.shape == (2016, 207, 1)
    assert field.sites.name[:2] == ("773869", "767541")
    assert inside(field, -118.6, -118.1, 34.0, 34.3)
    assert not field.has_missing
    assert field.layout.words == "given graph"
    assert field.layout.weighted
    weights = np.loadtxt(folder / "los_adj.csv", delimiter=",")
    assert field.layout.edge_index.shape[1] == np.count_nonzero(weights) - np.count_nonzero(np.diag(weights))
    i, j = field.layout.edge_index[:, 7]
    assert field.layout.edge_weight[7] == weights[i, j]
    assert "steps are counted by number" in notes(field)
    assert "column sensor_id" in notes(field)


@pytest.mark.parametrize("folder", ["metr_la_week", "ireland_wind", "tunnel_fire"])
def test_positions_and_links_beside_the_data_are_found(shared_data, folder):
    field = read(str(shared_data / folder))
    assert {"metr_la_week": 207, "ireland_wind": 12, "tunnel_fire": 196}[folder] == len(field.sites)
    assert "beside the data" in notes(field)
    assert (field.layout.words == "given graph") == (folder == "metr_la_week")


def test_bus_stops_in_metres_are_never_given_degrees(shared_data):
    field = read(str(shared_data / "montevideo_bus" / "montevideo_bus.json"))
    assert field.series.shape == (744, 675, 1)
    assert field.sites.frame is Frame.PLANAR
    assert field.sites.unit == "m"
    assert field.sites.longitude is None
    assert field.sites.x.min() > 500_000
    assert "are no degrees and are taken as metres" in notes(field)


def test_lengths_of_links_become_weights_that_fall_with_distance(shared_data):
    field = read(str(shared_data / "montevideo_bus" / "montevideo_bus.json"))
    sender, receiver = field.layout.edge_index
    apart = np.linalg.norm(field.sites.points[sender] - field.sites.points[receiver], axis=1)
    assert np.corrcoef(apart, np.log(field.layout.edge_weight))[0, 1] < -0.7
    assert "become weights exp(" in notes(field)
    assert field.layout.edge_weight.max() <= 1


def test_german_air_is_half_missing_and_keeps_steps_at_which_few_report(shared_data):
    (path,) = (shared_data / "germany_pm10").glob("*.nc")
    field = read(str(path))
    assert field.series.shape == (4383, 70, 1)
    assert field.channels[0].units == "ug m-3"
    assert inside(field, 5.5, 15.5, 47, 55.2)
    assert 0.51 < np.isnan(values(field)).mean() < 0.52
    assert f"{np.isnan(values(field)).mean():.2%} of the values at the sites are missing" in field.origin.notes
    assert len(field.runs) == 1
    assert field.cadence == "1 day"
    assert field.sites.name[0] == "DESH001"
    assert field.layout.words == "8 nearest neighbours"
    assert field.layout.parts == 1


def test_irish_winds_find_their_stations_by_code(shared_data):
    folder = shared_data / "ireland_wind"
    hints = Hints(stations=str(folder / "stations.csv"))
    field = read(str(folder / "daily_wind_knots_1961_1978.csv"), hints=hints)
    assert field.series.shape == (6574, 12, 1)
    assert inside(field, -11, -5, 51, 56)
    valentia = field.sites.name.index("VAL")
    assert (field.sites.x[valentia], field.sites.y[valentia]) == (-10.25, 51.93333)
    assert values(field)[0, valentia, 0] == np.float32(14.96)
    assert field.time[0] == np.datetime64("1961-01-01")
    assert not field.covariates
    assert "not used: mean_wind_m_s" in notes(field)


def test_colorado_has_heights_beside_three_quantities_mostly_missing(shared_data):
    (path,) = (shared_data / "colorado_climate").glob("*.nc")
    field = read(str(path))
    assert field.series.shape == (1236, 376, 3)
    assert [(channel.name, channel.units) for channel in field.channels] == [
        ("tmin", "degC"),
        ("tmax", "degC"),
        ("precip", "cm"),
    ]
    assert inside(field, -110, -100, 36, 42)
    assert field.sites.name[0] == "028468"
    (height,) = field.covariates
    assert (height.name, height.units) == ("height", "m")
    assert 811 <= height.values.min() < height.values.max() <= 3538
    share = np.isnan(values(field)).mean(axis=(0, 1))
    assert np.allclose(share, [0.62, 0.62, 0.59], atol=0.01)
    assert field.cadence == "1 month"
    assert len(read(str(path), observe=["tmin"], predict=["tmin"]).channels) == 1


def test_canadian_cities_stand_before_their_times_and_offer_too_many_variables(shared_data):
    (path,) = (shared_data / "canada_cities").glob("*.nc")
    with pytest.raises(ConfigError, match=r"offers 24 channels: .* --observe evspsblpot"):
        read(str(path))
    field = read(str(path), observe=["tas", "psl"], predict=["tas"])
    assert field.series.shape == (1461, 5, 2)
    assert field.sites.name == ("Halifax", "Montréal", "Iqaluit", "Saskatoon", "Victoria")
    assert inside(field, -130, -60, 40, 65)
    assert [(channel.name, channel.observe, channel.predict) for channel in field.channels] == [
        ("psl", True, False),
        ("tas", True, True),
    ]


def test_counties_without_positions_are_drawn(shared_data):
    field = read(str(shared_data / "hungary_chickenpox" / "chickenpox.json"))
    assert field.series.shape == (521, 20, 1)
    assert field.sites.frame is Frame.SCHEMATIC
    assert field.sites.name[:2] == ("BACS", "BARANYA")
    assert "20 self loops dropped" in notes(field)
    assert "are a drawing of the graph" in notes(field)
    assert field.layout.parts == 1


@pytest.mark.parametrize("pattern", ["", "?P501.csv"])
def test_devices_of_a_fire_are_sites_of_one_quantity_each(shared_data, pattern):
    folder = shared_data / "tunnel_fire"
    field = read(f"{folder}/{pattern}", hints=Hints(stations=str(folder / "sensor_positions.csv")))
    assert field.series.shape == (85, 196, 2)
    assert [(channel.name, channel.units) for channel in field.channels] == [
        ("temperature", "degC"),
        ("velocity", "m s-1"),
    ]
    measured = ~np.isnan(values(field))
    assert (measured.any(axis=0).sum(axis=1) == 1).all()
    assert measured.all(axis=0).sum() == 196
    assert measured.any(axis=0)[:, 0].sum() == 118
    assert field.sites.frame is Frame.PLANAR
    site = field.sites.name.index("TIWC202G temperature")
    assert (field.sites.x[site], field.sites.y[site]) == (833.6, 4.1)
    assert "TIWC202G velocity" in field.sites.name
    assert field.cadence == "30 s"
    assert len(field.runs) == 1
    assert "put on even ones, 30 s apart and at most 3 s away; 1 step" in notes(field)
    assert ("HRR501.csv is left aside" in notes(field)) == (not pattern)


def test_devices_of_one_file_keep_their_plain_names(shared_data):
    folder = shared_data / "tunnel_fire"
    field = read(str(folder / "VP501.csv"), hints=Hints(stations=str(folder / "sensor_positions.csv")))
    assert field.series.shape == (85, 78, 1)
    assert field.sites.name[0] == "TIWC202G"
    rows = np.genfromtxt(folder / "VP501.csv", delimiter=",", skip_header=2)
    assert np.array_equal(values(field)[0, :, 0], rows[0, 1:].astype("f4"))
    assert np.array_equal(values(field)[1:, :, 0], rows[2:, 1:].astype("f4"))  # 6.5 s is farther from an even time


def test_inspection_speaks_of_stations(shared_data):
    (path,) = (shared_data / "germany_pm10").glob("*.nc")
    found = inspect(str(path))
    assert found.reader == "stations"
    assert (found.sites, found.grid) == (70, "8 nearest neighbours")
    assert found.missing_share == pytest.approx(0.514, abs=0.001)


def test_grids_are_left_to_their_own_reader(shared_data):
    for path in ("pacific_sst/pacific_sst_anomaly_1970_2003.nc", "arome_wind/arome_subset_16Nov2015.nc", "era5_winter"):
        assert sniff(str(shared_data / path)) == "gridded"
    assert not isinstance(read("synthetic:planted").layout, GraphLayout)
