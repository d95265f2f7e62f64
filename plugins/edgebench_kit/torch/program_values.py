"""What the graph of a program shows of its values, without running it: ranges, precision, size."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING

from edgebench_kit.torch.program_states import VIEWS

if TYPE_CHECKING:
    from edgebench import TensorSpec
    from edgebench_kit.torch.program_files import ProgramFile

SAME = re.compile(rf"{VIEWS.pattern}|torch\.ops\.aten\.(_to_copy|clone|lift_fresh_copy)")
"""Operators that hand on the values that they read first, whatever shape or type they give them."""
QUANTIZED = ("torch.ops.quantized_decomposed.",)
"""How the operators are called that quantize and dequantize."""
FLOATS = {"float64": "f64", "float32": "f32", "bfloat16": "bf16", "float16": "f16"}
"""The names of the types of floats, the widest first."""


def find_index_ranges(
    program: ProgramFile, specs: Sequence[TensorSpec]
) -> dict[str, tuple[float, float]]:
    """Return the ranges of inputs that pick rows of embeddings: from 0 to below the least table's.

    Only a table that is a parameter, and read by an input itself, tells.
    """
    shapes = _list_shapes(program)
    origins = {spec.name: spec.name for spec in specs if not spec.dtype.startswith("float")}
    found: dict[str, float] = {}
    for node in program.graph["nodes"]:
        target = str(node["target"]).rpartition(".")[0]
        read = [one["arg"].get("as_tensor", {}).get("name") for one in node["inputs"]]
        if target == "torch.ops.aten.embedding" and read[0] in shapes and read[1] in origins:
            name = origins[read[1]]
            found[name] = min(found.get(name, float("inf")), float(shapes[read[0]][0]))
        if SAME.fullmatch(target) and read and read[0] in origins:
            written = node["outputs"][0].get("as_tensor", {}).get("name")
            origins[written] = origins[read[0]]
    return {name: (0.0, high) for name, high in found.items() if high > 1}


def _list_shapes(program: ProgramFile) -> dict[str, tuple[int, ...]]:
    """Return the shapes of parameters and the like, by what the graph calls them."""
    kept = {one.name: one.shape for one in (*program.weights, *program.constants)}
    found = {}
    for spec in program.signature["input_specs"]:
        ((kind, said),) = spec.items()
        if (name := said.get(f"{kind}_name")) in kept and kept[name]:
            found[said["arg"]["name"]] = kept[name]
    return found


def is_quantized(program: ProgramFile) -> bool:
    """Say whether a program quantizes, as those of PT2E do."""
    return any(str(node["target"]).startswith(QUANTIZED) for node in program.graph["nodes"])


def find_precision(program: ProgramFile) -> str:
    """Return what a program computes in: int8 where it is quantized, else what most weights are."""
    if is_quantized(program):
        return "int8"
    sizes: Counter[str] = Counter()
    for one in (*program.weights, *program.constants):
        sizes[one.dtype] += prod(one.shape)
    most = max(FLOATS, key=lambda kind: sizes[kind])
    return FLOATS[most if sizes[most] else "float32"]


def count_parameters(program: ProgramFile) -> int:
    """Count the trained values of a program; those that share their bytes count once."""
    parameters = [one for one in program.weights if one.entry["is_param"]]
    return sum({one.file: prod(one.shape) for one in parameters}.values())
