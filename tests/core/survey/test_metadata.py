"""Which distribution brings a package is told whatever lies beside it."""

import sys
from importlib.metadata import packages_distributions

import pytest

from edgebench.survey.metadata import map_packages


def test_a_package_has_the_distributions_that_it_has():
    known = packages_distributions()
    found = map_packages()
    assert {name: set(found[name]) for name in known if name.isidentifier()} == {
        name: set(brought) for name, brought in known.items() if name.isidentifier()
    }


@pytest.mark.parametrize(
    ("name", "text"),
    [("METADATA", b"\xb5\xff"), ("METADATA", b""), ("RECORD", b"\xff"), ("RECORD", b"a\0b\n")],
)
def test_one_that_cannot_be_read_hides_no_other(tmp_path, monkeypatch, name, text):
    for each in ("bad", "fine"):
        place = tmp_path / f"{each}-1.0.dist-info"
        place.mkdir()
        (place / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {each}\nVersion: 1.0\n")
        (place / "RECORD").write_text(f"{each}_module.py,,\n{each}_package/__init__.py,,\n")
    (tmp_path / "bad-1.0.dist-info" / name).write_bytes(text)
    for each in ("bad_module.py", "fine_module.py"):
        (tmp_path / each).touch()
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    assert map_packages()["fine_module"] == ["fine"]
    assert map_packages()["fine_package"] == ["fine"]
