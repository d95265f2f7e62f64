"""Records as JSON documents, and back: what crosses processes and what is kept is written so."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from cattrs import Converter

T = TypeVar("T")


def to_document(record: Any) -> Any:
    """Return a record, or whatever holds records, as values that JSON has.

    Fields stand under their own names, paths as texts; `from_document` makes an equal record.
    """
    return _converter().unstructure(record)


def from_document(kind: Callable[..., T], document: Any) -> T:
    """Make a record of a class from what `to_document` returned.

    A field that the document does not have keeps its default; one that the class does not have is
    left out, so that a document of a newer version can be read.

    Raises:
        Exception: The document is not one of such a record; cattrs says where.
    """
    made: T = _converter().structure(document, kind)  # type: ignore[arg-type]
    return made


@functools.cache
def _converter() -> Converter:
    # Imported here because a process that reads no document need not load it.
    from cattrs import Converter

    converter = Converter()
    converter.register_unstructure_hook(Path, str)
    converter.register_structure_hook(Path, lambda value, _: Path(value))
    return converter
