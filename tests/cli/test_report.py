"""`dynst report` writes the page and its Markdown of a run, whole or not at all, and the same each time."""

import csv
import io
import json
import re
import shutil

import numpy as np
import pytest

from dynst.config import Study
from dynst.runs import Run
from dynst.study import fit
from dynst.study.report import write_report

NAME = "waves-dynst-s0.917-1"
FILES = ("report.html", "report.md")
QUICK = {"planner": "coverage", "ladder": (0.5,), "steps": 4, "dim": 8, "stability": False}  # a run of a second


@pytest.fixture
def here(finished, monkeypatch, tmp_path):
    """An empty folder with a copy of the finished run in ``runs/``, but for the report that the fit left there."""
    cwd, _ = finished
    monkeypatch.chdir(tmp_path)
    shutil.copytree(cwd / "runs" / NAME, tmp_path / "runs" / NAME, ignore=shutil.ignore_patterns("report.*"))
    return tmp_path


@pytest.fixture
def folder(here):
    return here / "runs" / NAME


@pytest.fixture
def quick(monkeypatch):
    """A page in no time, for tests of where it goes."""
    monkeypatch.setattr("dynst.study.report.page_html", lambda page: f"<!DOCTYPE html>{page.headline}")


def is_one_line(code, out, err, *, says):
    assert (code, out) == (2, ""), err
    assert says in err
    assert len(err.strip().splitlines()) == 1, err
    assert "Traceback" not in err


def test_the_page_and_its_markdown_go_into_the_run_folder_and_the_headline_is_said(folder, dynst_main):
    code, out, err = dynst_main("report")
    assert (code, err) == (0, "")
    headline, html, text = out.splitlines()
    assert html.startswith(f"runs/{NAME}/report.html")
    assert text.startswith(f"runs/{NAME}/report.md")
    assert headline in (folder / "report.html").read_text()
    assert f"**{headline}**" in (folder / "report.md").read_text().replace("\\", "")
    first = [(folder / file).read_bytes() for file in FILES]
    assert dynst_main("report", folder)[0] == 0
    assert [(folder / file).read_bytes() for file in FILES] == first, "the same run gives the same report"


def test_the_numbers_of_the_markdown_are_those_of_the_curve(folder, quick, dynst_main):
    dynst_main("report")
    text = (folder / "report.md").read_text()
    run = Run(folder)
    for budget in run.curve.budgets:
        for row in run.curve.table(budget):
            assert np.isfinite(row.error)
            assert f" {row.error:.4g} |" in text, (row.planner, budget)
    ours = run.curve.at(4).sel(planner="dynst")
    for name in ("coverage", "uniform_random", "forward"):
        cell = ours.sel(against=name)
        numbers = [float(cell[key]) for key in ("difference", "low", "high")]
        line = "| {:+.1f} % | {:+.1f} to {:+.1f} | {} |".format(*numbers, cell["verdict"].item())
        assert any(line in row for row in text.splitlines() if row.startswith(f"| {name}")), line


def test_the_training_of_the_mask_and_the_study_are_in_it(folder, quick, dynst_main):
    dynst_main("report")
    text = (folder / "report.md").read_text()
    assert "The mask was trained for 24 steps" in text
    assert (folder / "study.toml").read_text().strip() in text


def test_one_json_document(folder, quick, dynst_main):
    code, out, _ = dynst_main("report", "--json")
    found = json.loads(out)
    assert code == 0
    assert found["html"] == f"runs/{NAME}/report.html"
    assert found["markdown"] == f"runs/{NAME}/report.md"
    assert found["headline"] in (folder / "report.html").read_text()


def test_it_can_go_elsewhere_into_a_folder_or_under_a_name(here, folder, quick, dynst_main):
    (here / "out").mkdir()
    assert dynst_main("report", "-o", "out")[0] == 0
    assert dynst_main("report", "-o", "mine.html")[0] == 0
    assert sorted(path.name for path in (here / "out").iterdir()) == list(FILES)
    assert (here / "mine.html").read_bytes() == (here / "out" / "report.html").read_bytes()
    assert (here / "mine.md").is_file()
    assert not (folder / "report.html").exists()


@pytest.mark.parametrize(
    ("out", "says"),
    [
        ("", "names no file"),
        ("none/report.html", "folder that exists"),
        ("report.pdf", "ends in .html"),
        ("none", "folder that exists"),
        ("-", "ends in .html"),
        ("file/report.html", "folder that exists"),
        ("a" * 300 + ".html", "File name too long"),
    ],
)
def test_a_place_that_cannot_be_written_to_is_one_line_and_leaves_nothing(here, quick, dynst_main, out, says):
    (here / "file").write_text("in the way")
    before = sorted(here.rglob("*"))
    is_one_line(*dynst_main("report", "-o", out), says=says)
    assert sorted(here.rglob("*")) == before


def test_a_run_folder_that_cannot_be_written_to_is_one_line_with_the_way_out(folder, quick, dynst_main, monkeypatch):
    import errno
    import os
    from pathlib import Path

    def refused(self, *_, **__):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(self))

    before = sorted(folder.rglob("*"))
    monkeypatch.setattr(Path, "write_bytes", refused)
    is_one_line(*dynst_main("report"), says="Give a file in a folder that exists and is yours")
    assert sorted(folder.rglob("*")) == before


def test_a_full_disk_leaves_the_old_report_and_no_part_of_the_new_one(folder, quick, dynst_main, monkeypatch):
    import errno
    from pathlib import Path

    (folder / "report.html").write_text("old")
    whole = Path.write_bytes

    def full(self, content):
        whole(self, content[:10])
        raise OSError(errno.ENOSPC, "No space left on device", str(self))

    before = sorted(folder.rglob("*"))
    monkeypatch.setattr(Path, "write_bytes", full)
    is_one_line(*dynst_main("report"), says="No space left on device")
    assert sorted(folder.rglob("*")) == before
    assert (folder / "report.html").read_text() == "old"


def test_what_fails_while_the_page_is_made_leaves_nothing(folder, quick, dynst_main, monkeypatch):
    monkeypatch.setattr("dynst.study.report.page_markdown", lambda page: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_report(Run(folder))
    assert not any((folder / file).exists() for file in FILES)


def test_where_there_is_no_run_or_a_stopped_one_the_way_on_is_said(here, folder, dynst_main):
    is_one_line(*dynst_main("report", NAME.replace("waves", "wave")), says=f'Did you mean "{NAME}"')
    folder.rename(folder.with_name(f".{NAME}.partial"))
    is_one_line(*dynst_main("report", NAME), says=f"dynst fit --resume {NAME}")
    is_one_line(*dynst_main("report"), says="Make one with `dynst fit`")
    is_one_line(*dynst_main("report", ""), says="run")


@pytest.mark.parametrize("file", ["curve.nc", "plan.nc", "plans/coverage.nc", "provenance.json"])
def test_a_damaged_file_of_the_run_is_one_line_that_names_it(folder, dynst_main, file):
    (folder / file).write_bytes(b"\x00 not what dynst wrote")
    is_one_line(*dynst_main("report", NAME), says=file)
    assert not (folder / "report.html").exists()


def test_the_plan_of_another_planner_is_exported_under_its_name(here, folder, dynst_main):
    code, out, _ = dynst_main("export-map", NAME, "--planner", "coverage", "--format", "csv")
    assert code == 0
    assert f"{NAME}-coverage.csv: 4 sensors of {NAME}, plan by coverage" in out
    rows = list(csv.DictReader(io.StringIO((here / f"{NAME}-coverage.csv").read_text())))
    assert [int(row["site"]) for row in rows] == Run(folder).plan_by("coverage").selected.tolist()
    assert all(", planner coverage, seed 0," in row["provenance"] for row in rows)
    dynst_main("export-map", NAME, "--planner", "coverage", "-o", "c.geojson")
    assert json.loads((here / "c.geojson").read_text())["dynst"]["planner"] == "coverage"
    is_one_line(*dynst_main("export-map", NAME, "--planner", "coverge"), says='Did you mean "coverage"')


WEATHER = ("<script>alert(1)</script>", '=HYPERLINK("http://evil.example")', "![x](http://evil.example)", "a | b")


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """A run on a record of stations whose names are attacks."""
    cwd = tmp_path_factory.mktemp("hostile")
    names = [*WEATHER, *(f"@SUM({i})" for i in range(8))]
    rng = np.random.default_rng(0)
    walk = np.cumsum(rng.standard_normal((120, 12)), axis=0) * 0.3 + 10
    with (cwd / "weather.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["time", "station", "longitude", "latitude", "<b>temp</b> (degC)"])
        for step in range(120):
            for site, name in enumerate(names):
                stamp = str(np.datetime64("2020-01-01T00") + np.timedelta64(step, "h"))
                writer.writerow([stamp, name, 5 + site % 4, 50 + site // 4, f"{walk[step, site]:.3f}"])
    fit(Study(data=str(cwd / "weather.csv"), sensors=12, out=str(cwd / "bad"), **QUICK | {"compare": "none"}))
    return cwd


def test_the_names_of_the_stations_reach_the_run_as_they_are(hostile):
    assert set(WEATHER) < set(Run(hostile / "bad").plan.sites.name)


def test_hostile_names_are_text_in_the_report(hostile, monkeypatch, dynst_main):
    monkeypatch.chdir(hostile)
    assert dynst_main("report", "bad")[0] == 0
    html, text = ((hostile / "bad" / file).read_text() for file in FILES)
    assert "<script>alert(1)" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert "<b>temp" not in html
    assert not re.search(r"(?<!\\)<|https?://|(?<!\\)!?\[[^\]\\]*\]\(", text[: text.index("```")])
    assert r"\<script\>alert(1)\</script\>" in text
    assert r"a \| b" in text


@pytest.mark.parametrize("form", ["csv", "html", "geojson"])
def test_hostile_names_are_harmless_in_each_export(hostile, monkeypatch, dynst_main, form):
    monkeypatch.chdir(hostile)
    assert dynst_main("export-map", "bad", "-f", form, "-o", f"map.{form}")[0] == 0
    text = (hostile / f"map.{form}").read_text()
    if form == "csv":
        cells = [cell for row in csv.reader(io.StringIO(text)) for cell in row]
        assert not [cell for cell in cells if re.match(r"\s*[=@]|\s*[+-][^\d.]", cell)]
        assert f"'{WEATHER[1]}" in cells
    elif form == "html":
        assert "<script>alert" not in text
        assert "&lt;script&gt;alert(1)" in text
        assert "![x](http" in text, "text is text in a page"
    else:
        names = {feature["properties"]["name"] for feature in json.loads(text)["features"]}
        assert set(WEATHER) < names, "JSON keeps a name as it is: who shows it, escapes it"


def test_no_cell_of_the_curve_can_run_as_a_formula(hostile):
    text = (hostile / "bad" / "curve.csv").read_text()
    cells = [cell for row in csv.reader(io.StringIO(text)) for cell in row]
    assert not [cell for cell in cells if re.match(r"\s*[=@]|\s*[+-][^\d.]", cell)]


def test_a_run_of_a_plan_alone_has_a_report_that_says_that_nothing_was_compared(waves, tmp_path, quick, dynst_main):
    fit(Study(data=str(waves), out=str(tmp_path / "alone"), **QUICK | {"compare": "none"}))
    code, out, err = dynst_main("report", tmp_path / "alone")
    assert (code, err) == (0, "")
    assert "nothing was compared" in out.splitlines()[0]
    assert "dynst compare alone" in (tmp_path / "alone" / "report.md").read_text()
