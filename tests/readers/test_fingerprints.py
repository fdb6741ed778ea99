"""A fingerprint sees every byte of every file, and looks again only at files that changed."""

import os
import time

import pytest

from dynst.readers import fingerprints
from dynst.readers.fingerprints import marks_of


@pytest.fixture
def large(tmp_path, monkeypatch):
    """A file above the size that is hashed at each start, written a while ago."""
    monkeypatch.setenv("DYNST_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "large.bin"
    path.write_bytes(os.urandom(20 << 20))
    monkeypatch.setattr(fingerprints, "_SETTLED", -1.0)
    return path


def change(path, at):
    """One byte; size and time of last change stay what they were."""
    stat = path.stat()
    with path.open("r+b") as file:
        file.seek(at)
        byte = file.read(1)
        file.seek(at)
        file.write(bytes([byte[0] ^ 1]))
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def test_one_byte_anywhere_in_a_large_file_is_seen(large):
    before = marks_of([large])
    change(large, 3 << 20)
    after = marks_of([large])
    assert before.sampled == after.sampled, "the rule of older runs looks elsewhere"
    assert before.fingerprint != after.fingerprint
    assert before.version != after.version


def test_one_byte_of_any_member_of_a_store_is_seen(tmp_path):
    members = [tmp_path / f"c{i:03}" for i in range(200)]
    for member in members:
        member.write_bytes(b"chunk")
    before = marks_of(members, tmp_path)
    change(members[1], 0)
    after = marks_of(members, tmp_path)
    assert before.sampled == after.sampled
    assert before.fingerprint != after.fingerprint


def test_a_large_file_that_did_not_change_is_not_read_again(large, monkeypatch):
    before = marks_of([large])
    monkeypatch.setattr(fingerprints, "_hashed", lambda *_: pytest.fail("it was read again"))
    assert marks_of([large]) == before


def test_a_file_that_has_just_changed_is_looked_at_again(large, monkeypatch):
    monkeypatch.setattr(fingerprints, "_SETTLED", 60.0)
    before = marks_of([large])
    assert not list((large.parent / "cache").rglob("*.json"))
    assert marks_of([large]) == before


def test_a_touch_changes_the_version_alone(large):
    before = marks_of([large])
    os.utime(large, (time.time() - 100, time.time() - 100))
    after = marks_of([large])
    assert before.fingerprint == after.fingerprint
    assert before.version != after.version


def test_a_cache_that_cannot_be_written_or_was_damaged_costs_time_only(large, monkeypatch):
    before = marks_of([large])
    (kept,) = (large.parent / "cache").rglob("*.json")
    kept.write_text("[]")
    assert marks_of([large]) == before
    monkeypatch.setenv("DYNST_CACHE", str(large / "no folder"))
    assert marks_of([large]) == before
