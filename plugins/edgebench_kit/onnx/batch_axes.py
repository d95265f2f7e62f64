"""Which axis of each input and output of a graph is the batch: found, or asked for.

Of an input its dimensions tell. Of an output it is found by two sizes of the batch: by what the
shapes are then inferred to be or, where they cannot be, by running the graph.
"""

from __future__ import annotations

import re
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from edgebench import DataError
from edgebench_kit.onnx import graph_files
from edgebench_kit.onnx.graphs import drop_weights, list_dimensions
from edgebench_kit.onnx.sessions import open_session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from numpy.typing import NDArray

BATCH_SIZES = (2, 3)
"""The sizes that are tried."""
NAMED_BATCH = re.compile(r"n|b|bs|.*batch.*", re.IGNORECASE)
"""What exporters call the dimension of the batch."""

Shape = list["int | None"]
"""The sizes of a tensor, None for one that is not known."""
Shapes = dict[str, "Shape | None"]
"""Shapes by tensor, None where not even the number of dimensions is known."""


@attrs.frozen(kw_only=True)
class OutputAxis:
    """Where an output has its batch."""

    axis: int | None
    """The axis; None for an output without one."""
    shape: tuple[int | None, ...]
    """Its sizes for the smaller batch."""
    dtype: str = ""
    """The type of its values, empty where that was not asked for."""


def find_input_axis(info: Any, path: Path, words: Iterable[str]) -> int:
    """Return the axis of an input that is the batch.

    It is the first if that is open or 1, else the one that goes by one of *words*, which the first
    axes of the other inputs go by.

    Raises:
        DataError: It has none, or its dimensions do not tell.
    """
    dims, words = list_dimensions(info), set(words)
    if not dims:
        raise DataError(
            f"{path}: input {info.name!r} has no dimension for the batch; give its value if that "
            f'is always the same: fix="{info.name}=16000"; or say batch-axis="{info.name}=none" '
            "for one sample a request"
        )
    shared = [axis for axis, size in enumerate(dims) if axis and size in words]
    if len(shared) == 1 and dims[0] not in words:
        return shared[0]
    named = [axis for axis, size in enumerate(dims) if _is_named_batch(size)]
    if isinstance(dims[0], str) and named and 0 not in named:
        raise DataError(
            f"{path}: which axis of input {info.name!r} is the batch, {dims[0]!r} or "
            f'{dims[named[0]]!r}? Say batch-axis="{info.name}={named[0]}" or '
            f'batch-axis="{info.name}=0"'
        )
    if isinstance(dims[0], int) and dims[0] != 1:
        raise DataError(
            f"{path}: input {info.name!r} takes {dims[0]} samples at a time; its first dimension "
            f'must be open, or 1; if another axis is the batch, say batch-axis="{info.name}=1", or '
            f'none; if it is fed an output of the request before, state="{info.name}=OUTPUT"; if '
            f'it is always the same, fix="{info.name}=0"'
        )
    return 0


def _is_named_batch(size: int | str) -> bool:
    return isinstance(size, str) and bool(NAMED_BATCH.fullmatch(size))


def list_batch_words(infos: Iterable[Any]) -> list[str]:
    """Return what the open first dimensions of inputs are called."""
    firsts = [list_dimensions(info)[:1] for info in infos]
    return [size for first in firsts for size in first if isinstance(size, str)]


def find_output_axes(
    model: Any, path: Path, axes: Mapping[str, int | None], whole: Callable[[], Any]
) -> dict[str, OutputAxis | None]:
    """Return where each output of a graph has its batch, None where nothing tells.

    Args:
        model: The graph, with or without weights that lie elsewhere.
        path: Its file, which its weights lie beside.
        axes: The axes of the batch of its inputs; None for one without.
        whole: Gives the graph with all weights; asked for only if it has to be run.
    """
    if not _is_open(model, axes):
        shapes = _infer_shapes(model, axes, 1)
        return {info.name: _of_one(info, shapes.get(info.name)) for info in model.graph.output}
    small, large = (_infer_shapes(model, axes, size) for size in BATCH_SIZES)
    found = {
        info.name: _compare(small.get(info.name), large.get(info.name))
        for info in model.graph.output
    }
    if None in found.values():
        run = _run_for_axes(whole(), path, axes)
        found = {name: one or run.get(name) for name, one in found.items()}
    return found


def _is_open(model: Any, axes: Mapping[str, int | None]) -> bool:
    """Say whether a graph takes other than one sample."""
    sizes = [
        None if axis is None else list_dimensions(info)[axis]
        for info in model.graph.input
        if info.name in axes
        for axis in [axes[info.name]]
    ]
    return bool(sizes) and all(isinstance(size, str) for size in sizes)


def _of_one(info: Any, shape: Shape | None) -> OutputAxis | None:
    """Return where the output of a graph for one sample has its batch: an axis of one.

    Its first if that is one, else its only one. Without one, all of it is that sample's.
    """
    if shape is None:
        if not info.type.tensor_type.HasField("shape"):
            return None
        shape = [size if isinstance(size, int) else None for size in list_dimensions(info)]
    lone = [axis for axis, size in enumerate(shape) if size == 1]
    only = lone[0] if len(lone) == 1 or lone[:1] == [0] else None
    return OutputAxis(axis=only, shape=tuple(shape))


def _compare(small: Shape | None, large: Shape | None) -> OutputAxis | None:
    """Return which axis is as large as the batch for both sizes; None if that is not known."""
    if small is None or large is None or len(small) != len(large):
        return None
    pairs = list(zip(small, large, strict=True))
    grown = [axis for axis, pair in enumerate(pairs) if pair == BATCH_SIZES]
    if len(grown) > 1 or (not grown and any(None in pair for pair in pairs)):
        return None
    return OutputAxis(axis=grown[0] if grown else None, shape=tuple(small))


def _infer_shapes(model: Any, axes: Mapping[str, int | None], batch: int) -> Shapes:
    """Return what the shapes of the outputs are inferred to be for a size of the batch."""
    import onnx

    light = drop_weights(model)
    if light is model:
        light = type(model).FromString(model.SerializeToString())
    del light.graph.value_info[:]
    for info in light.graph.output:
        info.type.tensor_type.ClearField("shape")
    for info in light.graph.input:
        if (axis := axes.get(info.name)) is not None:
            info.type.tensor_type.shape.dim[axis].dim_value = batch
    try:
        inferred = onnx.shape_inference.infer_shapes(light, data_prop=True).graph
    except (RuntimeError, ValueError):
        return {}
    known = {one.name: list(one.dims) for one in inferred.initializer}
    return {info.name: known.get(info.name) or _read_shape(info) for info in inferred.output}


def _read_shape(info: Any) -> Shape | None:
    kind = info.type.tensor_type
    if not kind.HasField("shape"):
        return None
    return [dim.dim_value if dim.HasField("dim_value") else None for dim in kind.shape.dim]


def _run_for_axes(
    model: Any, path: Path, axes: Mapping[str, int | None]
) -> dict[str, OutputAxis | None]:
    """Run a graph for both sizes, on zeros and on random numbers; empty if it does not run.

    An axis that is as large as the batch by chance, of what is detected in zeros, is not so twice.
    """
    tries = []
    with tempfile.TemporaryDirectory(prefix="edgebench-") as scratch:
        try:
            run = _open(model, Path(scratch))
            for drawn in (False, True):
                small, large = (
                    run(_make_inputs(model, axes, size, drawn=drawn)) for size in BATCH_SIZES
                )
                tries.append({name: _compare(small[name], large[name]) for name in small})
        except Exception:  # noqa: BLE001 (whatever a runtime says of made-up inputs: then it is asked)
            return {}
    zeros, random = tries
    return {
        name: one if one and other and one.axis == other.axis else _varies(one, other)
        for name, one in zeros.items()
        for other in [random[name]]
    }


def _varies(one: OutputAxis | None, other: OutputAxis | None) -> OutputAxis | None:
    """Return what is known of an output of which two tries say different things.

    Where one of them finds no batch, rows follow from what the inputs hold.
    """
    lacking = [each for each in (one, other) if each is not None and each.axis is None]
    return lacking[0] if lacking and one and other else None


def _open(model: Any, scratch: Path) -> Callable[[Mapping[str, NDArray[Any]]], Shapes]:
    """Return what runs a graph and gives the shapes of its outputs."""
    names = [info.name for info in model.graph.output]
    if find_spec("onnxruntime"):
        call = open_session(scratch / graph_files.write_graph(model, scratch)[0]).run
    else:
        from onnx.reference import ReferenceEvaluator

        call = ReferenceEvaluator(model).run

    def run(inputs: Mapping[str, NDArray[Any]]) -> Shapes:
        outputs = call(None, dict(inputs))
        return {name: list(one.shape) for name, one in zip(names, outputs, strict=True)}

    return run


def _make_inputs(
    model: Any, axes: Mapping[str, int | None], batch: int, *, drawn: bool
) -> dict[str, NDArray[Any]]:
    import numpy as np
    import onnx

    random, made = np.random.default_rng(0), {}
    weights = {one.name for one in model.graph.initializer}
    for info in model.graph.input:
        if info.name in weights:
            continue
        dtype = onnx.helper.tensor_dtype_to_np_dtype(info.type.tensor_type.elem_type)
        shape = [size if isinstance(size, int) else batch for size in list_dimensions(info)]
        if (axis := axes.get(info.name)) is not None:
            shape[axis] = batch
        array = random.standard_normal(shape) if drawn else np.zeros(shape)
        made[info.name] = array.astype(dtype) if dtype.kind == "f" else (array > 0).astype(dtype)
    return made


def ask_for_axes(path: Path, names: Sequence[str]) -> str:
    """Return the sentence that asks for the axes of the batch of outputs."""
    said = " ".join(f"{name}=0" for name in names)
    more = ", and of others," if len(names) > 1 else ""
    return (
        f"{path}: which axis of output {names[0]!r}{more} is the batch could not be found; say: "
        f'batch-axis="{said}", or =none for one sample a request'
    )
