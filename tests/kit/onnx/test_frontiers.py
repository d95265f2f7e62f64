"""The dynamic program against a search through all sets of nodes."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from edgebench_kit.onnx.dependences import Dependences, Tensor
from edgebench_kit.onnx.frontiers import Frontiers

MOST = 4


def search(graph):
    """Return the frontiers of at most four tensors of all sets closed under predecessors."""
    found = set()
    for inside in range(1, 2**graph.nodes - 1):
        there = [one.writer < 0 or bool(inside >> one.writer & 1) for one in graph.tensors]
        read = [{inside >> reader & 1 for reader in one.readers} for one in graph.tensors]
        if any(1 in sides and not here for here, sides in zip(there, read, strict=True)):
            continue
        frontier = frozenset(
            number
            for number, one in enumerate(graph.tensors)
            if there[number] and (one.kept or 0 in read[number])
        )
        if len(frontier) <= MOST and not any(graph.tensors[one].barred for one in frontier):
            found.add(frontier)
    return found


@st.composite
def graphs(draw):
    """Draw a graph in which all lead to an end: unread tensors are read after the last node."""
    given_tensors = draw(st.integers(1, 3))
    writers, readers = [-1] * given_tensors, [set() for _ in range(given_tensors)]
    nodes = draw(st.integers(2, 9))
    for node in range(nodes):
        reach = draw(st.sampled_from([2, 4, 20]))
        for _ in range(draw(st.integers(1, 3))):
            back = draw(st.integers(1, min(reach, len(writers))))
            readers[-back].add(node)
        for _ in range(draw(st.sampled_from([1, 1, 1, 2]))):
            writers.append(node)
            readers.append(set())
    rare = st.integers(0, 19).map(lambda number: number == 0)
    tensors = [
        Tensor(
            writer=writer,
            readers=frozenset(read),
            kept=(not read and writer >= 0) or draw(rare),
            barred=draw(rare),
        )
        for writer, read in zip(writers, readers, strict=True)
    ]
    return Dependences(nodes, tensors)


@settings(max_examples=300)
@given(graphs())
def test_as_many_are_counted_and_walked_as_there_are(graph):
    wanted = search(graph)
    frontiers = Frontiers(graph, MOST)
    walked = list(frontiers.walk())
    assert len(walked) == len(wanted)
    assert set(map(frozenset, walked)) == wanted
    widths = [len(one) for one in walked]
    assert widths == sorted(widths)
    assert frontiers.count() == tuple(widths.count(width) for width in range(MOST + 1))


def line_up(chains, length):
    """Return chains side by side, from one tensor into one node."""
    tensors, ends = [Tensor(writer=-1, readers=frozenset(range(0, chains * length, length)))], []
    last = chains * length
    for chain in range(chains):
        for place in range(length):
            node = chain * length + place
            reader = node + 1 if place < length - 1 else last
            tensors.append(Tensor(writer=node, readers=frozenset([reader])))
        ends.append(node)
    tensors.append(Tensor(writer=last, readers=frozenset(), kept=True))
    return Dependences(last + 1, tensors)


def test_parallel_chains_are_counted_without_being_listed():
    """Where not all are cut, what they start from crosses; where none is, there is no cut."""
    frontiers = Frontiers(line_up(3, 200), MOST)
    assert frontiers.count() == (0, 0, 3 * 200, 3 * 200**2 + 200**3, 0)
    assert frontiers.complete


def test_thousands_of_nodes_in_a_row_are_no_matter():
    nodes = 4000
    tensors = [
        Tensor(writer=at - 1, readers=frozenset([at] if at < nodes else []), kept=at == nodes)
        for at in range(nodes + 1)
    ]
    frontiers = Frontiers(Dependences(nodes, tensors), MOST)
    assert frontiers.count() == (0, nodes - 1, 0, 0, 0)


def test_beyond_the_effort_a_count_is_a_lower_bound(monkeypatch):
    graph = line_up(4, 30)
    whole = sum(Frontiers(graph, MOST).count())
    monkeypatch.setattr("edgebench_kit.onnx.frontiers.EFFORT", 150)
    short = Frontiers(graph, MOST)
    assert sum(short.count()) < whole
    assert not short.complete
