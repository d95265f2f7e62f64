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
