"""A file that is written at once: whole or not at all, and where it is said."""

from __future__ import annotations

import os

import pytest

from edgebench.store.roots import write_at_once


def test_what_a_planted_link_leads_to_is_left_as_it_is(tmp_path):
    victim = tmp_path / "victim.txt"
    victim.write_text("precious")
    folder = tmp_path / "folder"
    folder.mkdir()
    for name in (f".a.toml.{os.getpid()}", "b.toml", "c.toml"):
        (folder / name).symlink_to(victim)
    write_at_once(folder / "a.toml", "new")
    write_at_once(folder / "b.toml", "new")
    with pytest.raises(FileExistsError):
        write_at_once(folder / "c.toml", "new", over=False)
    assert victim.read_text() == "precious"
    assert [(folder / name).read_text() for name in ("a.toml", "b.toml")] == ["new", "new"]


@pytest.mark.parametrize("over", [True, False])
def test_what_cannot_be_written_leaves_nothing(tmp_path, over):
    with pytest.raises(UnicodeEncodeError):
        write_at_once(tmp_path / "a.toml", "whole \ud800", over=over)
    assert list(tmp_path.iterdir()) == []
    write_at_once(tmp_path / "a.toml", "whole", over=over)
    plain = tmp_path / "plain"
    plain.touch()
    assert [one.name for one in tmp_path.iterdir() if one != plain] == ["a.toml"]
    assert (tmp_path / "a.toml").stat().st_mode == plain.stat().st_mode
