"""`dynst forecast`: lines, files and figures; what is wrong is one line and exit code 2, and nothing is written."""

import csv
import json

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import dynst


@pytest.fixture(scope="module")
def planned(waves, tmp_path_factory):
    """A run of six sensors on the waves."""
    out = tmp_path_factory.mktemp("planned") / "run"
    return dynst.fit(str(waves), sensors=6, compare="none", out=str(out))


@pytest.fixture(scope="module")
def table(planned, waves):
    """Readings of its sensors as a frame."""
    field = dynst.read(str(waves))
    values = field.series.read(0, field.steps)[:, planned.plan.selected, 0].astype(float)
    return pd.DataFrame(values, index=pd.Index(field.time, name="time"), columns=list(planned.forecaster.sensors))


@pytest.fixture
def odd(table, tmp_path, waves):
    """The same as a CSV, two sensors silent and one name unknown; the record lies beside it as ``DATA``."""
    (tmp_path / "DATA").symlink_to(waves)
    path = tmp_path / "readings.csv"
    made = table.drop(columns=table.columns[4]).assign(**{table.columns[1]: np.nan, "stranger": 280.0})
    made.to_csv(path)
    return path


def test_it_tells_what_was_read_and_writes_what_xarray_opens(planned, odd, table, dynst_main, tmp_path):
    code, out, _ = dynst_main("forecast", planned.path, "--obs", odd, "-o", tmp_path / "field.nc")
    assert code == 0
    said = " ".join(out.split())
    assert "readings.csv: 4 of 6 sensors of the plan report" in said
    assert f"silent: {table.columns[1]}, {table.columns[4]}" in said or f"{table.columns[4]}" in said
    assert "no sensor of this plan: stranger" in said
    assert "2020-02-09 18:00" in said
    assert "field.nc" in said
    with xr.open_dataset(tmp_path / "field.nc") as made:
        found = planned.forecast(str(odd))
        np.testing.assert_array_equal(made["t2m"].values, found["t2m"].values)
        assert {"t2m", "t2m_sd", "t2m_low", "t2m_high"} == set(made.data_vars)


def test_json_holds_the_figures(planned, waves, dynst_main, tmp_path):
    arguments = ("--from", "2020-02-05", "--to", "2020-02-07", "--truth", waves, "--json", "-o", tmp_path / "a.zarr")
    code, out, _ = dynst_main("forecast", planned.path, "--obs", waves, *arguments)
    assert code == 0
    found = json.loads(out)
    assert found["starts"] == found["compared"] == 12
    assert (found["silent"], found["unknown"]) == ([], [])
    assert {score["lead"] for score in found["scores"]} == set(range(found["leads"] + 1))
    assert all(score["error"] < score["climatology"] for score in found["scores"])
    assert (tmp_path / "a.zarr" / ".zmetadata").is_file()


def test_scores_stand_beside_no_change_and_the_climatology(planned, waves, dynst_main, tmp_path):
    arguments = ("--from", "2020-02-05", "--truth", waves, "-o", tmp_path / "a.nc")
    code, out, _ = dynst_main("forecast", planned.path, "--obs", waves, *arguments)
    assert code == 0
    assert "no change" in out
    assert "in the 90 % interval" in out


def test_a_table_has_a_row_for_each_start_lead_and_site(planned, odd, dynst_main, tmp_path):
    code, _, _ = dynst_main("forecast", planned.path, "--obs", odd, "-o", tmp_path / "a.csv", "--from", "2020-02-09")
    assert code == 0
    with (tmp_path / "a.csv").open() as file:
        rows = list(csv.DictReader(file))
    leads = planned.forecaster.leads + 1
    assert len(rows) == 4 * leads * 48
    assert list(rows[0])[:6] == ["time", "lead (h)", "valid_time", "site", "longitude", "latitude"]
    found = planned.forecast(str(odd))
    last = np.array([float(row["t2m"]) for row in rows[-48:]])
    np.testing.assert_allclose(last, found["t2m"].values[0, -1].ravel(), rtol=1e-6)


def test_geojson_holds_one_lead_of_each_cell(planned, odd, dynst_main, tmp_path):
    code, _, _ = dynst_main("forecast", planned.path, "--obs", odd, "-o", tmp_path / "a.geojson", "--lead", "6h")
    assert code == 0
    made = json.loads((tmp_path / "a.geojson").read_text())
    assert len(made["features"]) == 48
    assert made["features"][0]["geometry"]["type"] == "Polygon"
    assert made["dynst"]["valid_time"] == "2020-02-10 00:00"
    kinds = [feature["properties"]["sensor"] for feature in made["features"]]
    assert (kinds.count("reading"), kinds.count("silent")) == (4, 2)
    found = planned.forecast(str(odd))["t2m"].values[0, 1].ravel()
    values = [feature["properties"]["t2m"] for feature in made["features"]]
    np.testing.assert_allclose(values, found, rtol=1e-6)


@pytest.mark.parametrize("options", [(), ("--truth", "DATA", "--to", "2020-02-07")])
def test_a_map_is_a_picture(planned, odd, dynst_main, options):
    target, data = odd.with_name("a.png"), odd.with_name("DATA")
    code, _, _ = dynst_main(
        "forecast",
        planned.path,
        "--obs",
        odd,
        "-o",
        target,
        *(data if option == "DATA" else option for option in options),
    )
    assert code == 0
    assert target.read_bytes().startswith(b"\x89PNG")


def test_without_a_name_the_file_is_called_after_the_run(planned, odd, dynst_main, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, _ = dynst_main("forecast", planned.path, "--obs", odd)
    assert code == 0
    assert (tmp_path / "run-forecast.nc").is_file()
    assert "run-forecast.nc" in out


def spoil(frame, path, how):
    """Readings that cannot be used."""
    made = {
        "unit": lambda: frame * 100,
        "cadence": lambda: frame.set_axis(frame.index + pd.Timedelta("2h")),
        "strangers": lambda: frame.add_prefix("x"),
        "missing": lambda: frame * np.nan,
        "future": lambda: frame.set_axis(frame.index + pd.Timedelta(days=80_000)),
    }[how]()
    made.to_csv(path)


ONE_LINE = {
    "unit": "another unit",
    "cadence": "off the steps",
    "strangers": "none of its stations",
    "missing": "all missing",
    "future": "100 years",
}


@pytest.mark.parametrize("how", ONE_LINE)
def test_readings_that_cannot_be_used_are_one_line_and_nothing_is_written(how, planned, table, dynst_main, tmp_path):
    spoil(table, tmp_path / "readings.csv", how)
    code, out, err = dynst_main("forecast", planned.path, "--obs", tmp_path / "readings.csv", "-o", tmp_path / "a.nc")
    assert (code, out) == (2, "")
    assert ONE_LINE[how] in err
    assert len(err.strip().splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["readings.csv"]


REQUESTS = {
    "no readings": ((), "--obs"),
    "no such file": (("--obs", "nowhere.csv"), "no such file"),
    "an unknown ending": (("--obs", "ODD", "-o", "a.docx"), "no known format"),
    "a lead that is not forecast": (("--obs", "ODD", "--lead", "90 days"), "not forecast"),
    "a lead that is none": (("--obs", "ODD", "--lead", "soon"), "a number of steps"),
    "an unknown channel": (("--obs", "ODD", "--channel", "msl"), 'channel "msl"'),
    "an unknown sensor": (("--obs", "ODD", "--sensors", "nobody"), 'sensor "nobody"'),
    "no date": (("--obs", "ODD", "--from", "winter"), "a date such as"),
    "a time without readings": (("--obs", "ODD", "--from", "2021"), "no readings from 2021"),
    "a truth of another time": (("--obs", "ODD", "--truth", "LATE"), "no time from"),
    "a truth of other places": (("--obs", "ODD", "--truth", "AWAY"), "none of its stations"),
    "an empty file": (("--obs", "EMPTY"), "empty"),
}


@pytest.mark.parametrize("case", REQUESTS)
def test_a_wrong_request_is_one_line(case, planned, odd, dynst_main, monkeypatch):
    tmp_path = odd.parent
    monkeypatch.chdir(tmp_path)
    data = xr.load_dataset(tmp_path / "DATA").drop_encoding()
    data.assign_coords(time=data["time"] + np.timedelta64(365, "D")).to_netcdf(tmp_path / "LATE")
    data.assign_coords(latitude=data["latitude"] - 90).to_netcdf(tmp_path / "AWAY")
    (tmp_path / "EMPTY.csv").write_text("")
    before = sorted(tmp_path.iterdir())
    options, said = REQUESTS[case]
    names = {"ODD": odd, "LATE": tmp_path / "LATE", "AWAY": tmp_path / "AWAY", "EMPTY": tmp_path / "EMPTY.csv"}
    code, _, err = dynst_main("forecast", planned.path, *(names.get(option, option) for option in options))
    assert code == 2
    assert said in err
    assert len(err.strip().splitlines()) == 1
    assert sorted(tmp_path.iterdir()) == before


def test_a_run_of_an_older_version_says_that_it_keeps_no_forecaster(planned, odd, dynst_main, tmp_path):
    old = tmp_path / "old"
    old.mkdir()
    for file in planned.path.iterdir():
        if file.is_file() and file != planned.files.forecaster:
            (old / file.name).write_bytes(file.read_bytes())
    code, _, err = dynst_main("forecast", old, "--obs", odd, "-o", tmp_path / "a.nc")
    assert code == 2
    assert "there is no forecaster" in err
    assert not (tmp_path / "a.nc").exists()
