"""Real files, each right or one clear line."""

from importlib.util import find_spec

import numpy as np
import pytest

from dynst.errors import DataError
from dynst.readers import read

ERA5 = "era5_winter/era5_{}_2025-2026_djf_2.5x2.5.zarr"


@pytest.mark.parametrize(("name", "channel", "units"), [("msl", "msl", "Pa"), ("vo850", "vo850", "s-1")])
def test_era5_winter(shared_data, name, channel, units):
    field = read(str(shared_data / ERA5.format(name)))
    assert (field.steps, len(field.sites), field.cadence) == (360, 10512, "6 h")
    assert [(c.name, c.units) for c in field.channels] == [(channel, units)]
    assert field.layout.periodic
    assert field.layout.shape == (73, 144)
    assert not field.has_missing
    assert str(field.time[0]).startswith("2025-12-01T00:00")


def test_the_shipped_sample_is_a_cut_of_era5_winter(shared_data):
    whole, cut = read(str(shared_data / ERA5.format("msl"))), read("sample:era5_natl_msl")
    index = {place: i for i, place in enumerate(zip(whole.sites.x, whole.sites.y, strict=True))}
    same = [index[place] for place in zip(cut.sites.x, cut.sites.y, strict=True)]
    np.testing.assert_allclose(whole.series.read(0, 360)[:, same], cut.series.read(0, 360), rtol=0, atol=1.01)


def test_pacific_sst_has_no_site_on_land(shared_data):
    field = read(str(shared_data / "pacific_sst/pacific_sst_anomaly_1970_2003.nc"))
    assert (field.steps, len(field.sites), field.cadence) == (399, 2261, "1 month")
    assert not field.has_missing
    australia = (field.sites.x > 132) & (field.sites.x < 140) & (field.sites.y > -29) & (field.sites.y < -19)
    assert not australia.any()
    assert field.sites.x[0] == 124.0
    assert (field.sites.x[field.sites.x < 0] <= -70).all()


def test_hourly_british_isles(shared_data):
    field = read(str(shared_data / "era5_uk_t2m/era5-2mt-2019-03-uk.nc"))
    assert (field.steps, field.layout.shape, field.cadence) == (744, (33, 49), "1 h")
    assert [(c.name, c.units) for c in field.channels] == [("t2m", "K")]


def test_arome_wind_is_curvilinear_with_two_channels(shared_data):
    field = read(str(shared_data / "arome_wind/arome_subset_16Nov2015.nc"))
    assert (field.steps, len(field.sites), field.cadence) == (67, 12231, "1 h")
    assert [c.name for c in field.channels] == ["x_wind_10m", "y_wind_10m"]
    assert field.layout.shape == (151, 81)
    # cells of 2.5 km on the projection; the scale there is within a few per cent of true
    assert np.sqrt(field.sites.area.mean()) == pytest.approx(2.5, rel=0.03)
    assert field.layout.fold(field.sites.y)[0].mean() > field.layout.fold(field.sites.y)[-1].mean()


def test_coads_climatology_counts_its_steps(shared_data):
    field = read(str(shared_data / "coads_climatology/coads_climatology.cdf"))
    assert (field.steps, len(field.channels), field.has_missing) == (12, 7, True)
    np.testing.assert_array_equal(field.time, np.arange(12))
    assert field.layout.periodic
    assert any("gives no date" in note for note in field.origin.notes)
    assert {c.units for c in field.channels} == {"degC", "g kg-1", "m s-1", "hPa"}


def test_oisst_climatology(shared_data):
    field = read(str(shared_data / "oisst_climatology/sst.oisst.mon.ltm.1991-2020.nc"))
    assert (field.steps, len(field.sites), field.cadence) == (12, 45153, "1 month")
    assert [(c.name, c.units) for c in field.channels] == [("sst", "degC")]
    assert field.layout.periodic


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("oisst_climatology/lsmask.nc", "no variable varies in time: mask"),
        ("relief/etopo20.cdf", r"longitude repeats: .*\(1080 distinct of 1081 values\). Drop the last column"),
        pytest.param(
            "era5_uk_t2m/era5-2mt-2019-03-uk.grib",
            "needs the package cfgrib: pip install",
            marks=pytest.mark.skipif(find_spec("cfgrib") is not None, reason="GRIB is read where cfgrib is"),
        ),
        ("era5_winter", "It holds zarr stores: give one of"),
    ],
)
def test_what_is_no_grid_in_time_is_refused_in_one_line(shared_data, file, message):
    with pytest.raises(DataError, match=message) as caught:
        read(str(shared_data / file))
    assert "\n" not in str(caught.value)
