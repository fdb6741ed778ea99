"""Records larger than memory: one conversion, the same values, never half an entry."""

import tracemalloc

import numpy as np
import pytest
import xarray as xr

from dynst.errors import DataError
from dynst.readers import gridded, read, survey
from dynst.readers.cache import FileSeries


@pytest.fixture
def small_limits(monkeypatch):
    """Everything above 4 kB is large, so the road of large records is walked by small ones."""
    monkeypatch.setattr(gridded, "IN_MEMORY_BYTES", 4 << 10)
    monkeypatch.setattr(survey, "_SLAB_BYTES", 3 << 10)
    monkeypatch.setattr(survey, "_CHUNK_BYTES", 8 << 10)


def record(path, *, chunks=None, holes=False, steps=60, shape=(8, 12)):
    values = np.random.default_rng(0).standard_normal((steps, *shape)).astype("f4")
    if holes:
        values[:, :2, 3:5] = np.nan
        values[: steps // 2, 5] = np.nan
        values[9, 6, 6] = np.nan
    data = xr.Dataset(
        {"a": (("time", "lat", "lon"), values), "b": (("time", "lat", "lon"), 2 * values)},
        {
            "time": np.datetime64("2020-01-01", "ns") + np.arange(steps) * np.timedelta64(1, "h"),
            "lat": np.linspace(-50, 50, shape[0]),
            "lon": np.linspace(0, 33, shape[1]),
        },
    )
    encoding = {name: {"chunksizes": chunks, "zlib": True} for name in "ab"} if chunks else {}
    data.to_netcdf(path, encoding=encoding)
    return str(path)


@pytest.mark.parametrize("holes", [False, True])
@pytest.mark.parametrize("chunks", [None, (1, 8, 12), (7, 8, 12), (60, 2, 3), (60, 8, 12)])
def test_a_converted_record_equals_the_one_in_memory(tmp_path, small_limits, monkeypatch, chunks, holes):
    path = record(tmp_path / "x.nc", chunks=chunks, holes=holes)
    large = read(path, cache_dir=tmp_path / "cache")
    assert isinstance(large.series, FileSeries)
    monkeypatch.setattr(gridded, "IN_MEMORY_BYTES", 64 << 20)
    small = read(path)
    np.testing.assert_array_equal(large.series.read(0, 60), small.series.read(0, 60))
    np.testing.assert_array_equal(large.layout.cell, small.layout.cell)
    assert large.has_missing is small.has_missing is holes
    assert large.origin.notes == small.origin.notes
    buffer = np.empty((5, *large.series.shape[1:]), np.float32)
    large.series.read_into(11, buffer)
    np.testing.assert_array_equal(buffer, small.series.read(11, 16))


def test_the_second_read_converts_nothing(tmp_path, small_limits, monkeypatch):
    path = record(tmp_path / "x.nc")
    first = read(path, cache_dir=tmp_path / "cache")
    monkeypatch.setattr(survey.Survey, "slabs", lambda *args, **kwargs: pytest.fail("values were read again"))
    again = read(path, cache_dir=tmp_path / "cache")
    np.testing.assert_array_equal(first.series.read(0, 60), again.series.read(0, 60))
    assert first.origin == again.origin


def test_a_changed_file_is_converted_again(tmp_path, small_limits):
    path = record(tmp_path / "x.nc")
    read(path, cache_dir=tmp_path / "cache")
    record(tmp_path / "x.nc", holes=True)
    assert read(path, cache_dir=tmp_path / "cache").has_missing


def test_a_broken_conversion_leaves_nothing_under_a_final_name(tmp_path, small_limits, monkeypatch):
    path = record(tmp_path / "x.nc")
    whole = survey.Survey.slabs

    def interrupted(self, *args, **kwargs):
        for count, slab in enumerate(whole(self, *args, **kwargs)):
            if count == 3:
                raise KeyboardInterrupt
            yield slab

    monkeypatch.setattr(survey.Survey, "slabs", interrupted)
    with pytest.raises(KeyboardInterrupt):
        read(path, cache_dir=tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []
    monkeypatch.setattr(survey.Survey, "slabs", whole)
    assert read(path, cache_dir=tmp_path / "cache").steps == 60


def test_what_a_killed_conversion_left_is_swept_up(tmp_path, small_limits):
    path = record(tmp_path / "x.nc")
    read(path, cache_dir=tmp_path / "cache")
    entry = next((tmp_path / "cache").iterdir())
    dead = entry.rename(entry.with_name(f"{entry.name}.partial-999999999"))
    read(path, cache_dir=tmp_path / "cache")
    assert not dead.exists()
    assert entry.exists()


def test_a_cut_cache_file_is_named_with_its_remedy(tmp_path):
    (tmp_path / "values.f32").write_bytes(b"1234")
    with pytest.raises(DataError, match=r"damaged. Delete this folder"):
        FileSeries(tmp_path / "values.f32", (10, 2, 1))


def test_conversion_needs_a_few_slabs_of_memory_whatever_the_size(tmp_path, monkeypatch):
    monkeypatch.setattr(gridded, "IN_MEMORY_BYTES", 1 << 20)
    monkeypatch.setattr(survey, "_SLAB_BYTES", 1 << 20)
    peaks = []
    for steps in (1000, 4000):
        path = record(tmp_path / f"{steps}.nc", steps=steps, shape=(32, 32))
        tracemalloc.start()
        read(path, cache_dir=tmp_path / "cache")
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 8 << 20  # the record is 33 MB
    assert peaks[1] < 1.2 * peaks[0] + (1 << 20)


def test_the_environment_chooses_the_folder(tmp_path, small_limits, monkeypatch):
    monkeypatch.setenv("DYNST_CACHE", str(tmp_path / "elsewhere"))
    read(record(tmp_path / "x.nc"))
    assert len(list((tmp_path / "elsewhere").iterdir())) == 1


def test_a_folder_that_cannot_be_written_is_one_clear_line(tmp_path, small_limits):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match=r"cannot be converted into .* DYNST_CACHE"):
        read(record(tmp_path / "x.nc"), cache_dir=tmp_path / "file")


def test_a_store_with_longitude_first_is_read_in_whole_chunks(tmp_path, small_limits, monkeypatch):
    import zarr

    data = xr.open_dataset(record(tmp_path / "x.nc")).load().transpose("time", "lon", "lat")
    data.to_zarr(tmp_path / "x.zarr", zarr_format=2, consolidated=True)

    def by_points(*args, **kwargs):
        pytest.fail("single points were read")

    monkeypatch.setattr(zarr.Array, "get_coordinate_selection", by_points)
    one, other = (read(str(tmp_path / name), cache_dir=tmp_path / "cache") for name in ("x.zarr", "x.nc"))
    np.testing.assert_array_equal(one.series.read(0, 60), other.series.read(0, 60))
