"""The face that authors import: every public name is there, and costs only whoever asks for it."""

from __future__ import annotations

from importlib import import_module

import pytest

import edgebench


@pytest.mark.parametrize(
    "name", ["Model", "Operator", "hookimpl", "Registry", "Case", "RunResults"]
)
def test_a_public_name_is_shown_whether_or_not_it_was_asked_for(name, python):
    assert python(f"import edgebench; print({name!r} in dir(edgebench))").stdout == "True\n"
    assert getattr(edgebench, name) is not None


@pytest.mark.parametrize(
    ("name", "module"),
    [
        ("Registry", "catalogue.registry"),
        ("Case", "cases.case"),
        ("Block", "records.outcome"),
        ("RunResults", "analysis.results"),
    ],
)
def test_what_readers_of_results_use_is_imported_when_it_is_asked_for(name, module, python):
    program = f"""
        import edgebench, sys
        module = 'edgebench.{module}'
        print(module in sys.modules, edgebench.{name} and module in sys.modules)
        """
    assert python(program).stdout.split() == ["False", "True"]
    assert getattr(edgebench, name) is getattr(import_module(f"edgebench.{module}"), name)


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'edgebench' has no attribute 'Modle'"):
        edgebench.Modle  # noqa: B018 (that it is looked up is the test)


def test_a_name_that_goes_warns_for_a_release_and_works_until_then(monkeypatch):
    monkeypatch.setitem(edgebench._RENAMED, "Change", ("Operator", "0.3"))
    said = "edgebench.Change is called edgebench.Operator now, and goes with release 0.3"
    with pytest.warns(DeprecationWarning, match=said) as caught:
        assert edgebench.Change is edgebench.Operator
    assert caught[0].filename == __file__
    assert "Change" not in dir(edgebench)


def test_what_was_renamed_leads_to_what_is_there():
    for new, until in edgebench._RENAMED.values():
        assert getattr(edgebench, new)
        assert until
