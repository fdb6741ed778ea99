"""Splits by date on the command line, on a winter of pressure: 360 steps of 6 h, 2025-12-01 to 2026-02-28."""

import json
from pathlib import Path

import pytest

import dynst

WINTER = Path(__file__).parents[2] / "data" / "era5_natl_msl.nc"
MONTHS = ("--train-until", "2025-12", "--valid-until", "2026-01-31")
SAID = "by date: training until 2025-12-31, validation until 2026-01-31"


def test_months_end_training_and_validation_in_fit_inspect_and_score(tmp_path, dynst_main, monkeypatch):
    monkeypatch.chdir(tmp_path)
    asked = ("--history", "2", "--horizon", "2", "--sensors", "5", "--compare", "none", "--climatology", "mean")
    code, _, err = dynst_main("fit", "--data", WINTER, *MONTHS, *asked, "--out", "run", "-q")
    assert code == 0, err
    run = dynst.find("run")
    split = run.provenance["facts"]["split"]
    assert split["how"] == SAID
    assert [split[part]["steps"] for part in ("train", "validation", "test")] == [124, 124 - 3, 112 - 3]
    page = (run.path / "report.html").read_text(encoding="utf-8")
    assert SAID in page
    study = dynst.Study.load(run.path / "study.toml")
    assert (study.train_until, study.valid_until) == ("2025-12", "2026-01-31")
    code, out, _ = dynst_main("inspect", WINTER, *MONTHS, "--json")
    assert (code, json.loads(out)["split_how"]) == (0, SAID)
    code, _, err = dynst_main("score", "run", "--add", "0")
    assert code == 0
    assert SAID in " ".join(err.split())


@pytest.mark.parametrize(
    ("dates", "says"),
    [
        (("--train-until", "winter"), '--train-until: "winter" came; a date such as'),
        (("--train-until", "2015", "--valid-until", "2016"), "from 2025-12-01 00:00 to 2026-02-28 18:00"),
        (("--train-until", "2026"), "train_until 2026 leaves no step after it"),
        (("--train-until", "2026-01", "--valid-until", "2025-12"), "does not end after train_until 2026-01"),
        (("--train-until", "2025-12", "--valid-until", "2026-01-01"), "validation holds 4 steps"),
        (("--train-until", "2025-12-01"), "training holds 4 steps"),
        (("--valid-until", "2026-01"), "valid_until needs train_until"),
        (("--train-until", "2025-12", "--split", "run"), "takes no date"),
    ],
)
def test_silly_dates_are_one_line(tmp_path, dynst_main, monkeypatch, dates, says):
    monkeypatch.chdir(tmp_path)
    code, out, err = dynst_main("fit", "-q", "--data", WINTER, *dates)
    assert (code, out) == (2, "")
    assert says in err
    assert len(err.strip().splitlines()) == 1
    assert not (tmp_path / "runs").exists()


def test_a_record_without_dates_has_none_to_be_cut_at(dynst_main):
    code, out, err = dynst_main("fit", "-q", "--data", "synthetic:planted", "--train-until", "2015")
    assert (code, out) == (2, "")
    assert "the record has no dates" in err
