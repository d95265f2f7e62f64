from __future__ import annotations

import sys

from edgebench.parts.places import Backend
from edgebench.parts.subjects import Model
from edgebench.prepare import extensions
from edgebench.prepare.makers import identify_maker


def test_what_is_named_after_a_runtime_extends_it(tmp_path, monkeypatch):
    for name in (
        "chip-1.0",
        "chip_ep_fast-2.0",
        "chip.other-3.0",
        "chipper-4.0",
        "another_chip-5.0",
    ):
        (tmp_path / f"{name}.dist-info").mkdir()
    later = tmp_path / "later"
    (later / "chip_ep_fast-1.9.dist-info").mkdir(parents=True)
    monkeypatch.setattr(sys, "path", [str(tmp_path), str(later), str(tmp_path / "nowhere")])
    extensions._list.cache_clear()
    found = extensions._list("chip")
    extensions._list.cache_clear()
    assert found == (("chip.other", "3.0"), ("chip_ep_fast", "2.0"))


def test_a_backend_is_extended_by_what_is_named_after_its_requirements(monkeypatch):
    from edgebench.catalogue.plugins import PluginSource
    from edgebench.catalogue.registry import Registry

    plugins = PluginSource(registry=Registry.read().paths).load()
    monkeypatch.setattr(extensions, "_list", lambda module: ((f"{module}-fast", "1"),))
    assert extensions.find_extensions(plugins, "torch") == {"torch-fast": "1"}


def test_what_extends_a_runtime_is_part_of_every_key_of_its_backend(toy_plugins, monkeypatch):
    """Of scores, of profiles, and of what operators make with it; not of other parts' keys."""
    monkeypatch.setattr(extensions, "_list", lambda module: ())
    known = identify_maker(toy_plugins, Backend, "torch")
    assert "extended" not in known
    monkeypatch.setattr(extensions, "_list", lambda module: ((f"{module}-fast", "1"),))
    one = identify_maker(toy_plugins, Backend, "torch")
    assert one == {**known, "extended": {"torch-fast": "1"}}
    monkeypatch.setattr(extensions, "_list", lambda module: ((f"{module}-fast", "2"),))
    assert identify_maker(toy_plugins, Backend, "torch") != one
    assert "extended" not in identify_maker(toy_plugins, Model, "vgg")
