"""Sorting things into groups."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

T = TypeVar("T")
Key = TypeVar("Key")


def group_by(things: Iterable[T], key: Callable[[T], Key]) -> dict[Key, list[T]]:
    """Return things by what *key* says of each; groups and things stay in order."""
    found: dict[Key, list[T]] = {}
    for thing in things:
        found.setdefault(key(thing), []).append(thing)
    return found
