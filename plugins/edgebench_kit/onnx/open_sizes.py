"""The open dimensions of an ONNX file that somebody else made, given sizes by name or by place."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from edgebench import DataError
from edgebench_kit.onnx.graphs import list_dimensions

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path


def list_inputs(model: Any) -> list[Any]:
    """Return the inputs that are not weights; older files list these among them."""
    weights = {one.name for one in model.graph.initializer}
    weights.update(one.values.name for one in model.graph.sparse_initializer)
    return [one for one in model.graph.input if one.name not in weights]


def set_sizes(model: Any, path: Path, wanted: Mapping[str, int]) -> bool:
    """Set open dimensions wherever they stand; return whether that changed the graph.

    One that is written as 0 or -1 is opened, since a runtime may take the 0 for its size.

    Raises:
        DataError: The graph has no such dimension, or it is given two sizes.
    """
    words, places = _match_sizes(model, path, wanted)
    changed = False
    for info in (*model.graph.input, *model.graph.output):
        for axis, (dim, size) in enumerate(
            zip(info.type.tensor_type.shape.dim, list_dimensions(info), strict=True)
        ):
            number = places.get((info.name, axis), words.get(size))
            if number is not None and isinstance(size, str):
                dim.dim_value, changed = number, True
            elif dim.HasField("dim_value") and dim.dim_value <= 0:
                dim.ClearField("dim_value")
                changed = True
    if changed:
        # What was noted of the tensors between held for the open dimensions.
        del model.graph.value_info[:]
    return changed


def _match_sizes(
    model: Any, path: Path, wanted: Mapping[str, int]
) -> tuple[dict[int | str, int], dict[tuple[str, int], int]]:
    """Return the sizes by what the graph calls the dimensions, and by input and axis.

    An axis that is named stands for all that are called as it is, unless another of these is
    given another size: then each is given its own.
    """
    called = {
        f"{info.name}.{axis}": ((info.name, axis), size)
        for info in list_inputs(model)
        for axis, size in enumerate(list_dimensions(info))
        if isinstance(size, str)
    }
    known = {word for _, word in called.values()}
    words: dict[int | str, int] = {name: size for name, size in wanted.items() if name in known}
    places: dict[tuple[str, int], int] = {}
    by_word: dict[str, set[int]] = {}
    for name, size in wanted.items():
        if name in known:
            continue
        if name not in called:
            raise DataError(f"{path} has no open dimension {name!r}{offer_names(name, known)}")
        place, word = called[name]
        places[place] = size
        by_word.setdefault(word, set()).add(size)
    for word, numbers in by_word.items():
        if word in words and numbers != {words[word]}:
            raise DataError(f"{path}: dims gives the dimension {word!r} two sizes")
        if len(numbers) == 1:
            words[word] = min(numbers)
    return words, places


def offer_names(name: str, known: Iterable[str]) -> str:
    """Return the end of a sentence that offers the nearest known name, or all of them."""
    names = sorted(set(known))
    if near := get_close_matches(name, names, n=1, cutoff=0.5):
        return f"; did you mean {near[0]!r}?"
    return f"; there are {', '.join(names)}" if names else "; all are numbers"


def check_sizes(infos: Iterable[Any], path: Path, axes: Mapping[str, int | None]) -> None:
    """See that each dimension but the batch is a number.

    Raises:
        DataError: One is not; with what to write.
    """
    lacking = [
        (info.name, size, _call(info, axis, axes[info.name]))
        for info in infos
        for axis, size in enumerate(list_dimensions(info))
        if isinstance(size, str) and axis != axes[info.name]
    ]
    if lacking:
        name, word, _ = lacking[0]
        example = " ".join(f"{each}=128" for each in dict.fromkeys(call for *_, call in lacking))
        raise DataError(
            f"{path}: the dimension {word!r} of input {name!r} has no number; give one: "
            f"--model '{path}(dims=\"{example}\")'"
        )


def _call(info: Any, axis: int, batch: int | None) -> str:
    """Return what to call a dimension by: its place, where its word is also the batch's."""
    dims = list_dimensions(info)
    shared = batch is not None and dims[batch] == dims[axis]
    return f"{info.name}.{axis}" if shared else str(dims[axis])
