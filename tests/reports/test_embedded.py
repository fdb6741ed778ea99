"""The script of the charts: bundled once, kept, and made again where it cannot be kept."""

import pytest

from dynst.reports import embedded


@pytest.fixture(autouse=True)
def fresh():
    embedded.vega.cache_clear()
    yield
    embedded.vega.cache_clear()


def test_the_script_is_bundled_once_and_then_read(tmp_path, monkeypatch):
    monkeypatch.setenv("DYNST_CACHE", str(tmp_path / "cache"))
    first = embedded.vega()
    kept = list((tmp_path / "cache").iterdir())
    assert [path.suffix for path in kept] == [".js"]
    embedded.vega.cache_clear()
    monkeypatch.setattr(embedded, "_bundled", lambda: pytest.fail("it was bundled again"))
    assert embedded.vega() == first
    assert "dynstDraw" in first
    assert "</script" not in first.lower()


def test_a_cache_that_cannot_be_written_costs_time_alone(tmp_path, monkeypatch):
    blocked = tmp_path / "file"
    blocked.write_text("no folder")
    monkeypatch.setenv("DYNST_CACHE", str(blocked))
    assert "dynstDraw" in embedded.vega()
    assert blocked.read_text() == "no folder"
