"""The cuts of a pipeline at tensors that somebody names."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import TYPE_CHECKING

from edgebench import ChainError
from edgebench_kit.onnx.crossings import MOST_TENSORS
from edgebench_kit.onnx.hindrances import explain_obstacle, list_names
from edgebench_kit.onnx.pipeline_cuts import Place

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from edgebench_kit.onnx.cut_lists import CutFinder
    from edgebench_kit.onnx.pipeline_cuts import PipelineCuts

OFFERED = 12
"""The most places that are offered instead of one that is not there."""


def split_cuts(text: str) -> list[str]:
    """Return the parts of a text that name a cut each: they are joined by `;`, but in a quote."""
    parts = re.findall(r"(?:'[^']*'|[^;])+", text)
    return [part.strip() for part in parts if part.strip()]


def _split_names(text: str) -> list[str]:
    """Return the tensors that a text names: joined by `+` or blanks, but in single quotes."""
    return [quoted or plain for quoted, plain in re.findall(r"'([^']+)'|([^+\s]+)", text)]


def join_names(names: Iterable[str]) -> str:
    """Write the tensors of a cut as they are read: quoted where a name would be read apart."""
    return "+".join(f"'{one}'" if re.search(r"[;+\s]|@\d+$", one) else one for one in names)


def name_places(cuts: PipelineCuts, places: Iterable[Place]) -> str:
    """Write places as the text that `find_named` finds them by."""
    return ";".join(_name_place(cuts, place) for place in places)


def write_option(cuts: PipelineCuts, place: Place, operator: str) -> str:
    """Write an operator whose option `tensor` names a place; empty where a name has a quote."""
    text = _name_place(cuts, place)
    return "" if '"' in text else f'{operator}(tensor="{text}")'


def _name_place(cuts: PipelineCuts, place: Place) -> str:
    text = join_names(place.cut.names)
    several = place.inside and len(list(_list_holders(cuts, place.cut.names))) > 1
    return f"{text}@{place.stage}" if several else text


def find_named(cuts: PipelineCuts, text: str) -> list[Place]:
    """Return the places of the cuts that a text names: tensors joined by `+`, cuts by `;`.

    A name that holds one of these or a blank stands in single quotes, as converters from other
    frameworks write them (`'Relu;BiasAdd'`).
    Where several stages have tensors of these names, `@` and the number of a stage follow them.

    Raises:
        ChainError: A tensor is not there or in several stages, the tensors do not separate the
            graph, or the cuts do not lie one behind the other.
    """
    places = [_find_one(cuts, part) for part in split_cuts(text)]
    if not cuts.is_rising(places):
        raise ChainError(f"nothing lies between the cuts {text!r}, in this order")
    return places


def _find_one(cuts: PipelineCuts, text: str) -> Place:
    for finder in cuts.finders:
        if text in finder.names or text in finder.graph.infos:
            return _find_place(cuts, [text])
    named = re.fullmatch(r"(.+)@(\d+)", text)
    joined, stage = (named[1], int(named[2])) if named else (text, None)
    return _find_place(cuts, _split_names(joined), stage)


def _find_place(cuts: PipelineCuts, names: Sequence[str], stage: int | None = None) -> Place:
    if stage is None and (between := cuts.find_between(names)) is not None:
        return between
    found = [one for one in _list_holders(cuts, names) if stage is None or one[0] == stage]
    if not found:
        raise ChainError(_explain_unknown(cuts, names, stage))
    if len(found) > 1:
        written, numbers = join_names(names), [str(number) for number, _ in found]
        raise ChainError(
            f"stages {list_names(numbers)} each have {written!r}; "
            f'tensor="{written}@{numbers[0]}" means that of stage {numbers[0]}'
        )
    ((number, own),) = found
    cut, crossing = cuts.finders[number].find(own)
    if cut is None:
        raise ChainError(_explain(cuts.finders[number], own, crossing))
    return Place(stage=number, cut=cuts.widen(cut, number), inside=True, costs=())


def _list_holders(cuts: PipelineCuts, names: Sequence[str]) -> Iterator[tuple[int, list[str]]]:
    """Yield the numbers of the stages that have all these tensors, and what each calls them."""
    for number, finder in enumerate(cuts.finders):
        inside = {spec.name: spec.inside for spec in cuts.pipeline.stages[number].outputs}
        # As tables of cuts show sizes: with a row for each sample.
        inside.update({rows: name for name, rows in finder.graph.name_rows().items()})
        own = [name if name in finder.graph.infos else inside.get(name, name) for name in names]
        if all(name in finder.names for name in own):
            yield number, own


def _explain(finder: CutFinder, names: Sequence[str], crossing: Sequence[str]) -> str:
    """Say why a graph cannot be cut at tensors that it has, and where it can be instead."""
    others = [name for name in crossing if name not in names]
    lacking = [name for name in names if name not in crossing]
    written = "+".join(names)
    if len(names) == 1 and (not others or lacking):
        return f"the graph cannot be cut at {written!r}: {explain_obstacle(finder.graph, names[0])}"
    if lacking and not others:
        return f"the graph cannot be cut at {written!r}: {list_names(lacking)} does not cross there"
    offer = ""
    if len(crossing) <= MOST_TENSORS and finder.find(crossing)[0] is not None:
        offer = f'; tensor="{join_names(crossing)}" cuts there'
    said = f"{list_names(others)} would have to cross too{offer}"
    return f"the graph cannot be cut at {written!r}: {said}"


def _explain_unknown(cuts: PipelineCuts, names: Sequence[str], stage: int | None) -> str:
    held = [str(number) for number, _ in _list_holders(cuts, names)]
    if held:
        several = len(held) > 1
        said = f"stage{'s' * several} {list_names(held)} {'have' if several else 'has'} it"
        return f"stage {stage} has no {'+'.join(names)!r}; {said}"
    found = [
        name
        for graph in cuts.graphs
        for name in names
        if name in graph.varying or name in graph.constants
    ]
    if lost := [name for name in names if name not in found]:
        return f"no tensor is called {lost[0]!r}; {_offer(cuts, lost[0])}"
    return f"the graph cannot be cut at {found[0]!r}: {_explain_left_out(cuts, found[0])}"


def _offer(cuts: PipelineCuts, name: str) -> str:
    """Say where a pipeline can be cut instead, and in how many places beside those."""
    found = cuts.rank(lambda *_: [])
    if not found.places:
        return "and no single one separates the graph"
    places = sorted(found.places, key=lambda one: (len(one.cut.names), one.stage, one.cut.nodes))
    known = [_name_place(cuts, one) for one in places]
    alone = [one.cut.names[0] for one in places if len(one.cut.names) == 1]
    close = get_close_matches(name, alone, n=3, cutoff=0.4)
    near = [join_names([one]) for one in close] or known[:OFFERED]
    others = found.total - len(near)
    count = f"{'more than ' * found.more}{others:,} other{'s' * (others != 1)}"
    lists = f", and {count}; `edgebench plan --cuts MODEL` lists them all" * (others > 0)
    return f"it can be cut at {', '.join(near)}{lists}"


def _explain_left_out(cuts: PipelineCuts, name: str) -> str:
    """Say why a tensor of a graph is none that a cut may lie at."""
    for finder in cuts.finders:
        if name in finder.restored:
            return (
                f"either part makes it again of {finder.restored[name][1]!r}, which is what crosses"
            )
    graph = next(one for one in cuts.graphs if name in one.varying or name in one.constants)
    return explain_obstacle(graph, name)
