"""The inputs and outputs of an ONNX file that somebody else made: sized, fixed, described.

Nothing here needs the weights, unless an output has to be looked at while the graph runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from edgebench import DataError, State, TensorSpec
from edgebench_kit.onnx import batch_axes
from edgebench_kit.onnx.batch_first import put_batch_first
from edgebench_kit.onnx.fixed_inputs import fix_inputs
from edgebench_kit.onnx.graphs import list_dimensions, read_dtype
from edgebench_kit.onnx.open_sizes import check_sizes, list_inputs, offer_names, set_sizes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from edgebench_kit.onnx.batch_axes import OutputAxis


@attrs.frozen(kw_only=True)
class Said:
    """What a user says of a file that it does not say of itself."""

    sizes: Mapping[str, int] = attrs.field(factory=dict)
    """Sizes of open dimensions, by what they are called or by input and axis (`x.2`)."""
    fixed: Mapping[str, Sequence[float]] = attrs.field(factory=dict)
    """By input, its value in every request."""
    states: Mapping[str, str] = attrs.field(factory=dict)
    """By input, the output of the request before that it is fed."""
    axes: Mapping[str, int | None] = attrs.field(factory=dict)
    """By input or output, the axis of the batch; None for one without."""


@attrs.frozen(kw_only=True)
class Settled:
    """What a file's graph became once its inputs were."""

    changed: bool
    """Whether its graph is another than the file's."""
    axes: Mapping[str, int | None]
    """By input, states among them, the axis of the batch."""


def settle_inputs(model: Any, path: Path, said: Said) -> Settled:
    """Set open dimensions, make constants of what is fixed, and find each input's batch.

    Raises:
        DataError: What was said does not fit the graph, or something has to be said.
    """
    _check_names(model, path, said)
    changed = set_sizes(model, path, said.sizes) | fix_inputs(model, path, said.fixed)
    infos = list_inputs(model)
    if not [one for one in infos if one.name not in said.states]:
        raise DataError(f"{path} has no inputs, so there is nothing to request of it")
    for info in infos:
        _check_kind(info, path, "input")
    words = batch_axes.list_batch_words(one for one in infos if one.name not in said.states)
    axes = {info.name: _find_axis(info, path, said, words) for info in infos}
    check_sizes(infos, path, axes)
    return Settled(changed=changed, axes=axes)


def _find_axis(info: Any, path: Path, said: Said, words: Sequence[str]) -> int | None:
    """Return the axis of the batch of an input; of a state, its open dimension if it has one."""
    dims = list_dimensions(info)
    if info.name in said.axes:
        axis = said.axes[info.name]
        if axis is not None and axis >= len(dims):
            raise DataError(f"batch-axis: input {info.name!r} of {path} has {len(dims)} dimensions")
        if axis is not None and isinstance(dims[axis], int) and dims[axis] != 1:
            raise DataError(
                f"batch-axis: axis {axis} of input {info.name!r} of {path} is of {dims[axis]}, not "
                "open or 1"
            )
        return axis
    if info.name in said.states:
        # Those that are called as a batch is; else the one that is left.
        found = [axis for axis, size in enumerate(dims) if isinstance(size, str)]
        return next((axis for axis in found if dims[axis] in words), found[0] if found else None)
    return batch_axes.find_input_axis(info, path, words)


def settle_outputs(
    model: Any, path: Path, said: Said, settled: Settled, whole: Callable[[], Any]
) -> dict[str, OutputAxis]:
    """Find the batch of each output that is no state, in order.

    *whole* gives the graph with its weights, its inputs settled; it is asked for only where it has
    to be run.

    Raises:
        DataError: An axis has to be said, or the graph writes nothing that can be sent.
    """
    states = set(said.states.values())
    infos = [info for info in model.graph.output if info.name not in states]
    if not infos:
        raise DataError(f"{path} has no outputs" + " but states" * bool(states))
    for info in infos:
        _check_kind(info, path, "output")
    found = batch_axes.find_output_axes(model, path, settled.axes, whole)
    answers = {info.name: _settle_output(info, path, said, found[info.name]) for info in infos}
    if lost := [name for name, one in answers.items() if one is None]:
        raise DataError(batch_axes.ask_for_axes(path, lost))
    return {name: one for name, one in answers.items() if one is not None}


def _settle_output(
    info: Any, path: Path, said: Said, found: OutputAxis | None
) -> OutputAxis | None:
    """Return where an output has its batch, as it was said or found."""
    kind = info.type.tensor_type
    declared = tuple(s if isinstance(s, int) else None for s in list_dimensions(info))
    shape = found.shape if found else declared if kind.HasField("shape") else None
    if shape is not None and kind.HasField("shape") and len(declared) != len(shape):
        raise DataError(
            f"{path} notes {len(declared)} dimensions of its output {info.name!r}, which has "
            f"{len(shape)}; export it again, or take the note out"
        )
    if info.name not in said.axes:
        return found
    axis = said.axes[info.name]
    if shape is None or (axis is not None and axis >= len(shape)):
        told = "unknown" if shape is None else len(shape)
        raise DataError(f"batch-axis: output {info.name!r} of {path} has {told} dimensions")
    return batch_axes.OutputAxis(axis=axis, shape=shape)


def turn_ends(model: Any, said: Said, settled: Settled, outputs: Mapping[str, OutputAxis]) -> bool:
    """Put the batch first at each end of a graph; return whether that changed any."""
    noted = _note_shapes(model, outputs)
    return put_batch_first(model, _list_axes(said, settled, outputs)) or noted


def takes_one(model: Any, said: Said, settled: Settled, outputs: Mapping[str, OutputAxis]) -> bool:
    """Say whether a request is of one sample: where an end has no batch, or it is 1 at an input.

    The graph stays as open as it was: a runtime may compute another way what is fixed.
    """
    axes, infos = _list_axes(said, settled, outputs), {one.name: one for one in model.graph.input}
    sizes = [
        list_dimensions(infos[name])[axis]
        for name, axis in axes.items()
        if name in infos and axis is not None
    ]
    return 1 in sizes or None in axes.values()


def _list_axes(
    said: Said, settled: Settled, outputs: Mapping[str, OutputAxis]
) -> dict[str, int | None]:
    """Return the axis of the batch of each end but the states."""
    inputs = {name: axis for name, axis in settled.axes.items() if name not in said.states}
    return {**inputs, **{name: one.axis for name, one in outputs.items()}}


def _note_shapes(model: Any, outputs: Mapping[str, OutputAxis]) -> bool:
    """Note the shapes that were found of outputs of which the graph notes none."""
    changed = False
    for info in model.graph.output:
        kind, found = info.type.tensor_type, outputs.get(info.name)
        if found is not None and not kind.HasField("shape"):
            kind.shape.SetInParent()
            for axis, size in enumerate(found.shape):
                dim = kind.shape.dim.add()
                if size is not None and axis != found.axis:
                    dim.dim_value = size
            changed = True
    return changed


def _check_names(model: Any, path: Path, said: Said) -> None:
    """See that no end stands twice, and that what was said is of ends that are there."""
    inputs = [one.name for one in list_inputs(model)]
    outputs = [one.name for one in model.graph.output]
    for side, names in (("input", inputs), ("output", outputs)):
        if twice := [name for name in names if names.count(name) > 1]:
            raise DataError(
                f"{path} has the {side} {twice[0]!r} twice; export it with one of them left out"
            )
    known = [
        ("fix", [*said.fixed], inputs, "input"),
        ("state", [*said.states], inputs, "input"),
        ("state", [*said.states.values()], outputs, "output"),
        ("batch-axis", [*said.axes], [*inputs, *outputs], "input or output"),
    ]
    for option, wanted, there, side in known:
        if lost := [name for name in wanted if name not in there]:
            offered = offer_names(lost[0], there)
            raise DataError(f"{option}: {path} has no {side} {lost[0]!r}{offered}")
    if both := set(said.fixed) & set(said.states):
        raise DataError(f"{min(both)!r} is either fixed or a state of {path}; leave one out")


def describe_inputs(model: Any, said: Said, *, one: bool) -> tuple[TensorSpec, ...]:
    """Describe what a request gives to a graph whose ends were turned: *one* sample, or a batch."""
    infos = [info for info in list_inputs(model) if info.name not in said.states]
    return tuple(_describe(info, 1 if one else "batch") for info in infos)


def describe_outputs(model: Any, said: Said, *, one: bool) -> tuple[TensorSpec, ...]:
    """Describe what a graph whose ends were turned answers: *one* sample's, or a batch's."""
    states = set(said.states.values())
    infos = [info for info in model.graph.output if info.name not in states]
    return tuple(_describe(info, 1 if one else "batch") for info in infos)


def describe_states(model: Any, said: Said) -> tuple[State, ...]:
    """Describe what a graph is fed of what it wrote for the request before."""
    infos = {info.name: info for info in model.graph.input}
    return tuple(
        State(read=_describe(infos[read]), written=written) for read, written in said.states.items()
    )


def _describe(info: Any, batch: int | str | None = None) -> TensorSpec:
    """Describe a tensor, with another first dimension where one is given."""
    shape = list_dimensions(info)
    if batch is not None:
        shape[0] = batch
    return TensorSpec(name=info.name, dtype=read_dtype(info), shape=shape)


def _check_kind(info: Any, path: Path, side: str) -> None:
    """See that an input or output is a tensor of numbers that can be sent."""
    import onnx

    kind = info.type.tensor_type
    if info.type.WhichOneof("value") != "tensor_type":
        found = str(info.type.WhichOneof("value")).removesuffix("_type").replace("_", " ")
        raise DataError(f"{path}: {side} {info.name!r} is of the kind {found}, not a tensor")
    try:
        TensorSpec(name=info.name, dtype=read_dtype(info), shape=())
    except (KeyError, ValueError) as error:
        name = onnx.TensorProto.DataType.Name(kind.elem_type).lower()
        raise DataError(
            f"{path}: {side} {info.name!r} holds {name}, which cannot be sent"
        ) from error
