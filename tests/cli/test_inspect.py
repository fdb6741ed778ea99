"""`dynst inspect` says what is in the data and what fit would do with them."""

import json


def test_inspect_names_the_planner_that_fit_would_take(waves, dynst_main):
    code, out, _ = dynst_main("inspect", waves)
    assert code == 0
    assert "fit planner" in out
    code, out, _ = dynst_main("inspect", waves, "--json")
    assert code == 0
    assert json.loads(out)["planner"] == "dynst_linear (the default)"


def test_inspect_names_no_planner_where_fit_would_stop(dynst_main):
    code, out, _ = dynst_main("inspect", "sample:coads_sst", "--json")
    assert code == 0
    assert json.loads(out)["planner"] is None


def test_inspect_of_stations_tells_graph_and_split_and_is_complete_as_json(tmp_path, dynst_main):
    lines = ["time,a,b,c", *(f"2001-01-01 {h:02d}:{m:02d},{h},{m},{h + m}" for h in range(24) for m in (0, 30))]
    (tmp_path / "wind.csv").write_text("\n".join(lines))
    (tmp_path / "places.csv").write_text("station,longitude,latitude\na,1,50\nb,2,51\nc,3,50\n")
    options = ("inspect", tmp_path / "wind.csv", "--stations", tmp_path / "places.csv")
    code, out, _ = dynst_main(*options)
    assert code == 0
    assert "2 nearest neighbours" in out
    assert "in time order" in out
    code, out, _ = dynst_main(*options, "--json")
    found = json.loads(out)
    assert (code, found["graph"]["edges"], found["graph"]["parts"], found["unit"]) == (0, 6, 1, "degrees")
    assert found["planner"].startswith("dynst_linear")
    assert found["backbone"] is None


def test_a_silly_split_is_one_line(waves, dynst_main):
    code, out, err = dynst_main("inspect", waves, "--split", "rum")
    assert (code, out) == (2, "")
    assert 'Did you mean "run"' in err
    assert len(err.strip().splitlines()) == 1
