"""How pictures and texts become the inputs of an ONNX file, as its graph shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from edgebench_kit.onnx.drawn_samples import find_ranges
from edgebench_kit.onnx.graphs import describe_tensor, list_dimensions
from edgebench_kit.onnx.open_sizes import list_inputs
from edgebench_kit.own_files.requests import Prepared, prepare_requests, propose_sizes

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from edgebench import TensorSpec
    from edgebench_kit.onnx.foreign_ends import Said
    from edgebench_kit.own_files.sources import Source


def add_sizes(model: Any, said: Said, source: Source) -> Said:
    """Return what was said with the sizes that a recipe gives open dimensions of a picture.

    What was said of a dimension goes before it. The graph is not changed.
    """
    if not source:
        return said
    infos = [one for one in list_inputs(model) if one.name not in {*said.states, *said.fixed}]
    specs = [spec for spec in map(describe_tensor, infos) if spec is not None]
    if len(specs) != len(infos) or any(said.axes.get(info.name, 0) != 0 for info in infos):
        return said
    called = {
        f"{info.name}.{axis}": size
        for info in infos
        for axis, size in enumerate(list_dimensions(info))
    }
    proposed = {
        name: size
        for name, size in propose_sizes(source, specs).items()
        if not {name, called[name]} & set(said.sizes)
    }
    return attrs.evolve(said, sizes={**proposed, **said.sizes})


def prepare_file(model: Any, specs: Sequence[TensorSpec], source: Source, path: Path) -> Prepared:
    """Return how requests become the inputs *specs* of a graph, the batch first in each.

    Raises:
        DataError: Somebody said what it is to be, and it does not fit.
    """
    rows = {name: int(end) for name, (_, end) in find_ranges(model, specs).items()}
    return prepare_requests(source, specs, rows, path)
