"""`dynst inspect` says what is in the data and what fit would do with them."""

import json


def test_inspect_names_the_planner_that_fit_would_take(waves, dynst_main):
    code, out, _ = dynst_main("inspect", waves)
    assert code == 0
    assert "fit planner" in out
    code, out, _ = dynst_main("inspect", waves, "--json")
    assert code == 0
    assert json.loads(out)["planner"].startswith("dynst_linear (only ")


def test_inspect_names_no_planner_where_fit_would_stop(dynst_main):
    code, out, _ = dynst_main("inspect", "sample:coads_sst", "--json")
    assert code == 0
    assert json.loads(out)["planner"] is None
