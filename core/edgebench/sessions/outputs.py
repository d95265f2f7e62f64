"""Holding what a session gave against what its stage announces."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from edgebench.parts.errors import CaseFailed
from edgebench.parts.pipeline import Tensors, TensorSpec

UNNAMED = frozenset(("?", "-1", "None", "unknown"))
"""Words that exporters write for a dimension that has no name: two of them need not be equal."""


class WrongOutput(CaseFailed):
    """A session gave something else than its stage announces."""


def check_outputs(
    announced: Sequence[TensorSpec],
    given: Any,
    sizes: Mapping[str, int],
    by: str = "",
) -> None:
    """Hold what a session returned against the tensors that its stage announces.

    Their names, element types, numbers of dimensions and sizes; an open dimension may have any
    size, but the same word has the same size everywhere.

    Args:
        announced: The stage's outputs; `inside` is what the session calls them.
        given: What the session returned.
        sizes: The sizes of open dimensions that the inputs had, by word.
        by: Who announces it, in words, where it is known.

    Raises:
        WrongOutput: It is something else; says what was announced and what came.
    """
    import numpy as np

    if not isinstance(given, Mapping):
        raise WrongOutput(f"it gave a {type(given).__name__}, not tensors by their names")
    known, said = dict(sizes), f"which is announced{by and f' (by {by})'}"
    for spec in announced:
        if spec.inside not in given:
            had = ", ".join(map(repr, given)) or "nothing"
            raise WrongOutput(f"it gave {had} and no {spec.inside!r}, {said}")
        array = given[spec.inside]
        if not isinstance(array, np.ndarray):
            kind = type(array).__name__
            raise WrongOutput(f"it gave {spec.inside!r} as a {kind}, not as an array")
        wrong = array.dtype.name != spec.dtype or not _fits(spec.shape, array.shape, known)
        if wrong:
            raise WrongOutput(
                f"it gave {spec.inside!r} as {array.dtype.name} of shape "
                f"{_write_shape(array.shape)}, not as {spec.dtype} of shape "
                f"{_write_shape(spec.shape, known)}, {said}"
            )


def find_sizes(specs: Iterable[TensorSpec], inputs: Tensors) -> dict[str, int]:
    """Return the sizes of the open dimensions of some inputs, by word.

    A word that stands for two sizes there is no name of either, and left out.
    """
    found: dict[str, set[int]] = {}
    for spec in specs:
        for word, size in zip(spec.shape, inputs[spec.inside].shape, strict=False):
            if isinstance(word, str):
                found.setdefault(word, set()).add(size)
    return {word: sizes.pop() for word, sizes in found.items() if len(sizes) == 1}


def _fits(announced: Sequence[int | str], came: Sequence[int], known: dict[str, int]) -> bool:
    """Say whether a shape is one that was announced; note the sizes of its open dimensions."""
    if len(announced) != len(came):
        return False
    return all(
        size == (known.setdefault(wanted, size) if isinstance(wanted, str) else wanted)
        or wanted in UNNAMED
        for wanted, size in zip(announced, came, strict=True)
    )


def _write_shape(shape: Sequence[int | str], known: Mapping[str, int] | None = None) -> str:
    sized: Mapping[Any, int] = known or {}
    words = (f"{one}={sized[one]}" if one in sized else str(one) for one in shape)
    return f"({', '.join(words)})"
