"""Digests of what a user gives: of what files hold, and of how a directory is listed."""

from __future__ import annotations

import os

import pytest

from edgebench.parts.errors import ChainError, DataError
from edgebench.store.digests import content_digest, listing_digest


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "folder"
    (place / "below").mkdir(parents=True)
    (place / "a.bin").write_bytes(b"one")
    (place / "below" / "b.bin").write_bytes(b"two")
    return place


def test_the_digest_of_a_directory_is_that_of_what_its_files_hold(folder):
    first = content_digest(folder)
    os.utime(folder / "a.bin", ns=(1, 1))
    assert content_digest(folder) == first
    (folder / "below" / "b.bin").write_bytes(b"twi")
    second = content_digest(folder)
    (folder / "below" / "b.bin").rename(folder / "below" / "c.bin")
    assert len({first, second, content_digest(folder)}) == 3


def test_the_digest_of_what_is_not_there_is_a_mistake(folder):
    with pytest.raises(ChainError, match="no file or directory is called '.*nowhere'"):
        content_digest(folder / "nowhere")


def test_a_listing_changes_with_names_sizes_and_times(folder):
    found = [listing_digest(folder)]
    os.utime(folder / "a.bin", ns=(1, 1))
    found.append(listing_digest(folder))
    (folder / "a.bin").write_bytes(b"longer")
    os.utime(folder / "a.bin", ns=(1, 1))
    found.append(listing_digest(folder))
    (folder / "a.bin").rename(folder / "z.bin")
    found.append(listing_digest(folder))
    assert len(set(found)) == 4
    assert listing_digest(folder) == found[-1]


def test_a_listing_changes_with_a_file_of_the_same_size_and_time(folder):
    before, found = (folder / "a.bin").stat(), listing_digest(folder)
    (folder / "a.bin").write_bytes((folder / "a.bin").read_bytes()[::-1])
    os.utime(folder / "a.bin", ns=(before.st_atime_ns, before.st_mtime_ns))
    after = (folder / "a.bin").stat()
    assert (after.st_size, after.st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    assert listing_digest(folder) != found


def test_a_listing_stays_while_a_run_writes_beside_the_data(folder):
    found = listing_digest(folder)
    for name in ("edgebench.db", "edgebench.db-wal", "edgebench.toml"):
        (folder / name).write_bytes(b"written")
    assert listing_digest(folder) == found


def test_what_lies_behind_a_link_to_a_directory_is_listed(folder, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    (folder / "linked").symlink_to(other)
    empty = listing_digest(folder)
    (other / "c.bin").write_bytes(b"three")
    assert listing_digest(folder) != empty


def test_a_link_in_a_circle_or_to_nothing_stops_nobody(folder):
    (folder / "below" / "up").symlink_to(folder)
    (folder / "nothing").symlink_to(folder / "gone")
    assert listing_digest(folder) == listing_digest(folder)
    with pytest.raises(DataError, match="nothing cannot be read: No such file or directory"):
        content_digest(folder)


def test_the_listing_of_one_file_is_what_it_holds(folder):
    assert listing_digest(folder / "a.bin") == content_digest(folder / "a.bin")
