"""The parts of an ONNX graph that is cut."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edgebench_kit.onnx.graphs import SEPARATE_WEIGHTS, check_graph

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from edgebench_kit.onnx.cuts import Graph


def split_graph(graph: Graph, *crossings: Sequence[str]) -> tuple[Any, ...]:
    """Return the parts of a graph that is cut where each of *crossings* crosses, all checked.

    Constants go to whichever parts use them, and so does what makes floats again of integers that
    cross. What is the same for all samples, a size, crosses with a row for each of them.
    """
    given: tuple[str, ...] = ()
    parts = []
    for crossing in crossings:
        parts.append(_make_end(graph, given, crossing, lift=True))
        given = tuple(crossing)
    return (*parts, _make_end(graph, given, graph.outputs, lift=False))


def _make_end(graph: Graph, given: Sequence[str], wanted: Sequence[str], *, lift: bool) -> Any:
    """Return the part that makes what is *wanted* and not *given*, checked."""
    rows = graph.name_rows()
    there = {*given, *(one.name for one in graph.model.graph.input)}
    made = [name for name in wanted if name not in there]
    part = _make_part(graph, given, made)
    _lower_sizes(graph, part, {name: rows[name] for name in given if name in rows})
    if lift:
        _lift_sizes(graph, part, {name: rows[name] for name in made if name in rows})
    check_graph(part)
    return part


def _make_part(graph: Graph, given: Sequence[str], wanted: Sequence[str]) -> Any:
    import onnx

    source, numbers = graph.model.graph, graph.find_needed(wanted, given)
    nodes = [source.node[number] for number in numbers]
    # A constant may be an output itself, read by no node.
    read = frozenset(wanted).union(*(graph.reads[number] for number in numbers))
    inputs = [one.name for one in source.input if one.name in read and one.name in graph.varying]
    # What is an end of the part is noted there, and not again among its inner tensors.
    ends = {*inputs, *given, *wanted, *graph.outputs}
    inner = read.union(*(node.output for node in nodes)) - ends
    return onnx.helper.make_model(
        onnx.helper.make_graph(
            nodes,
            source.name,
            [graph.infos[name] for name in dict.fromkeys((*given, *inputs))],
            [graph.infos[name] for name in wanted],
            initializer=[one for one in source.initializer if one.name in read],
            value_info=[info for name, info in graph.infos.items() if name in inner],
            sparse_initializer=[
                one for one in source.sparse_initializer if one.values.name in read
            ],
        ),
        ir_version=max(graph.model.ir_version, SEPARATE_WEIGHTS),
        opset_imports=graph.model.opset_import,
        functions=graph.model.functions,
        producer_name=graph.model.producer_name,
    )


def _lift_sizes(graph: Graph, part: Any, rows: Mapping[str, str]) -> None:
    """Have a part write sizes with a row for each of its samples."""
    import onnx

    ends = {one.name: one for one in part.graph.output}
    source = part.graph.input[0].name if rows else ""
    for name, lifted in rows.items():
        made = [f"{lifted}.{end}" for end in ("shape", "first", "samples", "own", "wanted")]
        shape, first, samples, own, wanted = made
        part.graph.node.extend(
            [
                onnx.helper.make_node("Shape", [source], [shape]),
                onnx.helper.make_node("Gather", [shape, first], [samples], axis=0),
                onnx.helper.make_node("Shape", [name], [own]),
                onnx.helper.make_node("Concat", [samples, own], [wanted], axis=0),
                onnx.helper.make_node("Expand", [name, wanted], [lifted]),
            ]
        )
        part.graph.initializer.append(onnx.helper.make_tensor(first, 7, [1], [0]))
        ends[name].CopyFrom(graph.describe_rows(name, lifted))


def _lower_sizes(graph: Graph, part: Any, rows: Mapping[str, str]) -> None:
    """Have a part read sizes that come with a row for each sample."""
    import onnx

    ends = {one.name: one for one in part.graph.input}
    nodes = []
    for name, lifted in rows.items():
        place = f"{lifted}.place"
        nodes.append(onnx.helper.make_node("Gather", [lifted, place], [name], axis=0))
        part.graph.initializer.append(onnx.helper.make_tensor(place, 7, [], [0]))
        ends[name].CopyFrom(graph.describe_rows(name, lifted))
    if nodes:
        nodes += part.graph.node
        copies = [type(node).FromString(node.SerializeToString()) for node in nodes]
        del part.graph.node[:]
        part.graph.node.extend(copies)
