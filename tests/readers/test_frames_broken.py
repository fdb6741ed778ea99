"""Stacks that cannot be read: one line each, and nothing is unpickled."""

import numpy as np
import pytest

from dynst.errors import ConfigError, DataError
from dynst.readers import Hints, frames, read


def test_damaged_and_foreign_files_are_one_clear_line(tmp_path):
    np.save(tmp_path / "whole.npy", np.zeros((30, 4, 4)))
    content = (tmp_path / "whole.npy").read_bytes()
    (tmp_path / "cut.npy").write_bytes(content[:-9])
    (tmp_path / "header.npy").write_bytes(content[:40])
    (tmp_path / "empty.npy").write_bytes(b"")
    (tmp_path / "text.npz").write_text("a,b,c,d,e,f,g")
    (tmp_path / "bad.npz").write_bytes(b"PK\x03\x04 and no more")
    (tmp_path / "bad.h5").write_bytes(b"\x89HDF\r\n\x1a\n and no more")
    np.save(tmp_path / "objects.npy", np.array([[["a"]], [[{}]]], dtype=object), allow_pickle=True)
    np.savez(tmp_path / "objects.npz", u=np.array([[["a"]], [[{}]]], dtype=object))
    np.save(tmp_path / "complex.npy", np.zeros((3, 3, 3), complex))
    np.save(tmp_path / "flat.npy", np.zeros((3, 3)))
    np.save(tmp_path / "none.npy", np.full((30, 4, 4), np.nan))
    np.save(tmp_path / "zero.npy", np.zeros((0, 4, 4)))
    for name, message in {
        "cut.npy": r"cut.npy: the file is not whole: 3959 of 3968 bytes",
        "header.npy": r"header.npy: the header of the array is damaged",
        "empty.npy": r"empty.npy: the file is empty",
        "text.npz": r"text.npz: neither a NumPy array nor HDF5",
        "bad.npz": r"bad.npz: the archive is damaged",
        "bad.h5": r"bad.h5: cannot be opened as HDF5",
        "objects.npy": r"holds Python objects, which are never unpickled",
        "objects.npz": r"holds Python objects, which are never unpickled",
        "complex.npy": r"no array of numbers with three or more axes .*complex128",
        "flat.npy": r"no array of numbers with three or more axes .*\(3, 3\)",
        "none.npy": r"none has no value at any time and place",
        "zero.npy": r"shape \(0, 4, 4\) holds no value",
        "absent.npy": r"no such file",
        "*.hdf5": r"no such file",
    }.items():
        with pytest.raises(DataError, match=message) as caught:
            read(str(tmp_path / name))
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("hints", "message"),
    [
        (Hints(), r"what the 4 axes of shape \(9, 8, 7, 6\) are is unclear.*--layout tchw"),
        (Hints(layout="tchx"), r'layout "tchx" is no use'),
        (Hints(layout="thh"), r'layout "thh" is no use'),
        (Hints(layout="thw"), r"has 3 letters, but the array has 4 axes"),
        (Hints(layout="tchw", spacing=-1.0), r"spacing must be a length above 0"),
        (Hints(layout="tchw", sites=9), r"sites is no option of frame data"),
    ],
)
def test_axes_that_do_not_fit_are_said_with_the_shape(tmp_path, hints, message):
    np.save(tmp_path / "x.npy", np.zeros((9, 8, 7, 6)))
    with pytest.raises((ConfigError, DataError), match=message):
        frames.read(str(tmp_path / "x.npy"), hints=hints)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("layuot = 'thw'", r'x.npy.toml: key "layuot" is unknown. Did you mean "layout"'),
        ("spacing = 0", r"spacing = 0.* is no use: expected a number above 0"),
        ("channels = 'a'", r"expected a list of texts"),
        ("floor = 'up'", r'expected "first" or "last"'),
        ("start = 'soon'", r"expected a date"),
        ("channels = ['a', 'b']", r"1 channels, but the side-car names 2 channels"),
        ("= 3", r"x.npy.toml: cannot be read as TOML"),
    ],
)
def test_a_side_car_with_a_slip_is_refused(tmp_path, text, message):
    np.save(tmp_path / "x.npy", np.ones((9, 4, 4)))
    (tmp_path / "x.npy.toml").write_text(text)
    with pytest.raises(ConfigError, match=message) as caught:
        read(str(tmp_path / "x.npy"))
    assert "\n" not in str(caught.value)
