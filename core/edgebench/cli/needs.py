"""What an operator needs beyond its defaults' needs, with options that take one of a few values."""

from __future__ import annotations

import typing
from collections.abc import Iterator
from typing import Any, Literal

import attrs

from edgebench.parts.changes import Operator


def list_needs_with(operator: Operator) -> Iterator[dict[str, Any]]:
    """Yield the values of single options with which an operator needs more, and what.

    Of an option that takes any text or number nobody can tell without trying all.
    """
    if not callable(operator.needs):
        return
    defaults: Any = operator.options()
    plain = operator.needed(defaults)
    for name, values in _list_choices(operator.options):
        for value in values:
            if more := _find_needs(operator, defaults, {name: value}) - plain:
                yield {"option": name, "value": value, "needs": sorted(more)}


def _find_needs(operator: Operator, defaults: Any, given: dict[str, Any]) -> frozenset[str]:
    """Return what an operator needs with some options; nothing where they exclude each other."""
    try:
        options = attrs.evolve(defaults, **given)
    except ValueError:
        return frozenset()
    return operator.needed(options)


def _list_choices(options: type) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Yield the options that take one of a few values, and these."""
    try:
        kinds = typing.get_type_hints(options)
    except NameError:  # types that only a checker imports
        return
    for name, kind in kinds.items():
        if kind is bool:
            yield name, (False, True)
        for one in (kind, *typing.get_args(kind)):
            if typing.get_origin(one) is Literal:
                yield name, typing.get_args(one)
