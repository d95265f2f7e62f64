"""Samples for models that come as files, drawn at random, no two alike.

The payload of a sample is one array for each input, under its name, in numpy's `.npz` form; the
batch is not among their dimensions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import prod
from typing import TYPE_CHECKING, Any

import attrs

from edgebench import DataError, Sample, TensorSpec, to_npz

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgebench_kit.onnx.written_options import Range

DRAWN = {"test": 256, "calibration": 64, "validation": 16}
"""How many random samples each split has at most."""
FEWEST = 21
"""Different inputs below which the smallest split would be empty."""
MANY = 2**40
"""Different inputs from which on two draws alike are not to be expected: there are 336 draws, so
one in 20 million times."""
SAME = frozenset(("Identity", "Cast", "Reshape", "Squeeze", "Unsqueeze", "Flatten", "Transpose"))
"""Operators that hand on the values that they read first, whatever shape or type they give them."""


@attrs.frozen
class Drawing:
    """The random samples of a model, with the ranges of their values."""

    specs: tuple[TensorSpec, ...]
    ranges: Mapping[str, Range]
    """By input; those without are 0 or 1 for whole numbers, all of a type of 8 bits, and standard
    normal for floats."""

    def draw_split(self, split: str, seed: int) -> Iterator[Sample]:
        """Yield the samples of a split, each with the answer 0; none is in two splits."""
        import numpy as np

        if split not in DRAWN:
            return
        if (count := self.count_inputs()) < MANY:
            numbers = self._draw_numbers(count, seed)[split]
            drawn = (self._write_out(number) for number in numbers)
        else:
            stream = np.random.default_rng([seed, list(DRAWN).index(split)])
            drawn = (self._draw(stream) for _ in range(DRAWN[split]))
        for arrays in drawn:
            yield to_npz(arrays), 0

    def count_inputs(self) -> int:
        """Return how many different inputs there are, `MANY` at most."""
        count = 1
        for spec in self.specs:
            low, high = self._ends(spec)
            size = prod(map(int, spec.shape[1:]))
            if size and _is_float(spec):
                return MANY
            # The power of a picture has more digits than there is patience for.
            count = MANY if size > 40 and high - low > 1 else count * int(high - low) ** size
            if count >= MANY:
                return MANY
        return count

    def check(self, path: object) -> None:
        """See that there are inputs enough for every split.

        Raises:
            DataError: There are not.
        """
        if (count := self.count_inputs()) < FEWEST:
            told = ", ".join(
                "{} {:g}:{:g}".format(spec.name, *self._ends(spec)) for spec in self.specs
            )
            raise DataError(
                f"{path} has {count} different inputs in all ({told}), too few to draw from; give "
                "requests of your own, --input-data FILE.npz, or, where an input takes more values "
                "than these, its range="
            )

    def _ends(self, spec: TensorSpec) -> Range:
        import numpy as np

        kind = np.dtype(spec.dtype)
        if spec.name in self.ranges:
            return self.ranges[spec.name]
        if kind.kind in "iu" and kind.itemsize == 1:
            return float(np.iinfo(kind).min), float(np.iinfo(kind).max) + 1
        return 0.0, 2.0

    def _draw_numbers(self, count: int, seed: int) -> dict[str, list[int]]:
        """Return the numbers of the inputs of each split, of *count* that are numbered."""
        import numpy as np

        wanted = sum(DRAWN.values())
        share = min(1.0, count / wanted)
        drawn = np.random.default_rng(seed).choice(count, min(count, wanted), replace=False)
        found, start = {}, 0
        for split in reversed(DRAWN):
            # The last takes what is left.
            end = None if split == "test" else start + int(DRAWN[split] * share)
            found[split] = drawn[start:end].tolist()
            start = end or 0
        return found

    def _write_out(self, number: int) -> dict[str, NDArray[Any]]:
        """Return the input of a number: its digits are the values."""
        import numpy as np

        arrays = {}
        for spec in self.specs:
            low, high = map(int, self._ends(spec))
            shape = tuple(map(int, spec.shape[1:]))
            digits = []
            for _ in range(prod(shape)):
                number, digit = divmod(number, high - low)
                digits.append(low + digit)
            arrays[spec.name] = np.array(digits).astype(spec.dtype).reshape(shape)
        return arrays

    def _draw(self, stream: Any) -> dict[str, NDArray[Any]]:
        return {spec.name: self._draw_values(stream, spec) for spec in self.specs}

    def _draw_values(self, stream: Any, spec: TensorSpec) -> NDArray[Any]:
        import numpy as np

        shape = tuple(int(size) for size in spec.shape[1:])
        low, high = self._ends(spec)
        if not _is_float(spec):
            return np.asarray(stream.integers(int(low), int(high), shape, dtype=spec.dtype))
        if spec.name in self.ranges:
            return np.asarray(stream.uniform(low, high, shape)).astype(spec.dtype)
        return np.asarray(stream.standard_normal(shape)).astype(spec.dtype)


def _is_float(spec: TensorSpec) -> bool:
    return spec.dtype.startswith("float")


def find_ranges(model: Any, specs: Sequence[TensorSpec]) -> dict[str, Range]:
    """Return the ranges of inputs that pick rows of tables: from 0 to below the smallest table's.

    Only a table that is a constant of the graph, and read by an input itself, tells.
    """
    rows = _count_rows(model)
    origins = {spec.name: spec.name for spec in specs if not _is_float(spec)}
    found: dict[str, float] = {}
    for node in model.graph.node:
        for table, picked, axis in _list_picks(node):
            name, dims = origins.get(picked), rows.get(table)
            if name is not None and dims and -len(dims) <= axis < len(dims):
                found[name] = min(found.get(name, float("inf")), float(dims[axis]))
        if node.op_type in SAME and node.input and node.input[0] in origins:
            origins[node.output[0]] = origins[node.input[0]]
    widest = {spec.name: _limit(spec) for spec in specs}
    return {name: (0.0, min(high, widest[name])) for name, high in found.items() if high > 1}


def _list_picks(node: Any) -> list[tuple[str, str, int]]:
    """Return the tables that a node picks rows of: table, what picks, and along which axis."""
    if node.op_type in {"Gather", "GatherElements"}:
        axis = next((one.i for one in node.attribute if one.name == "axis"), 0)
        return [(node.input[0], node.input[1], axis)]
    if node.op_type == "EmbedLayerNormalization":  # of ONNX Runtime: words and segments
        return [(node.input[2], node.input[0], 0), (node.input[4], node.input[1], 0)]
    return []


def _count_rows(model: Any) -> dict[str, tuple[int, ...]]:
    """Return the dimensions of each constant, those that are cast or made floats of among them."""
    rows = {one.name: tuple(one.dims) for one in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "Constant" and (value := _find_value(node)):
            rows[node.output[0]] = tuple(value.dims)
        elif node.op_type in {"Identity", "Cast", "DequantizeLinear"} and node.input[0] in rows:
            rows[node.output[0]] = rows[node.input[0]]
    return rows


def _find_value(node: Any) -> Any:
    return next((one.t for one in node.attribute if one.name == "value"), None)


def _limit(spec: TensorSpec) -> float:
    """Return what all values of a type of whole numbers lie below."""
    import numpy as np

    kind = np.dtype(spec.dtype)
    return 2.0 if kind.kind == "b" else float(np.iinfo(kind).max) + 1 if kind.kind != "f" else 0.0


def check_range(spec: TensorSpec, ends: Range) -> None:
    """See that an input's type holds the values of a range.

    Raises:
        DataError: It does not.
    """
    import numpy as np

    kind = np.dtype(spec.dtype)
    if np.issubdtype(kind, np.floating):
        return
    low, high = (0, 2) if kind == np.bool_ else (np.iinfo(kind).min, np.iinfo(kind).max + 1)
    if any(end != int(end) for end in ends) or not low <= ends[0] < ends[1] <= high:
        raise DataError(
            f"range: input {spec.name!r} is {spec.dtype} and takes whole numbers from {low} to "
            f"below {high}, not {ends[0]:g}:{ends[1]:g}"
        )
