"""Which nodes of a graph may compute in 16-bit floats, and why the others may not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from edgebench_kit.onnx import graphs, scopes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

FLOAT, HALF = 1, 10
LARGEST = 65504.0
"""The largest number that 16 bits hold (IEEE 754 binary16)."""
ROOM = 2.0
"""Values seen on a few inputs may be exceeded on others, so many times over."""
COARSE = 0.01
"""The relative error from which on a single number, such as an epsilon, is another one."""
SUMMING = frozenset(
    [
        *("GroupNormalization", "InstanceNormalization", "LayerNormalization", "LRN"),
        *("LpNormalization", "MeanVarianceNormalization", "RMSNormalization"),
        *("CumSum", "GlobalLpPool", "LpPool", "ReduceL1", "ReduceL2", "ReduceLogSum"),
        *("ReduceLogSumExp", "ReduceProd", "ReduceSum", "ReduceSumSquare"),
    ]
)
"""The operators whose inner sums may exceed 16 bits where neither inputs nor outputs do."""
TYPED = frozenset(
    [
        *("Bernoulli", "Constant", "ConstantOfShape", "EyeLike", "Multinomial", "RandomNormal"),
        *("RandomNormalLike", "RandomUniform", "RandomUniformLike", "BlackmanWindow"),
        *("HammingWindow", "HannWindow", "MelWeightMatrix"),
    ]
)
"""The operators that write the type that an attribute names."""
HEAVY = frozenset(["Conv", "ConvTranspose", "Gemm", "MatMul", "GRU", "LSTM", "RNN"])
WHOLE = frozenset([2, 3, 4, 5, 6, 7, 12, 13])
"""The element types of whole numbers."""


@attrs.frozen(kw_only=True)
class Judge:
    """What is known of a graph before its nodes are judged."""

    kinds: Mapping[str, int]
    """The element types of all tensors, those of bodies among them, whose names differ."""
    constants: Mapping[str, Any]
    extremes: Mapping[str, float]
    """The largest size of each tensor that was watched."""
    exact: frozenset[str]
    """The names of the nodes that compute sizes and places."""
    opset: int
    left: frozenset[str] = frozenset()
    """The names of the nodes that no runtime opened otherwise."""

    @classmethod
    def of(cls, model: Any, extremes: Mapping[str, float], left: frozenset[str]) -> Judge:
        """Find out about a graph whose names are labels and whose shapes are inferred."""
        bodies = list(graphs.walk_bodies(model.graph))
        return cls(
            kinds={
                **{one.name: one.data_type for body in bodies for one in body.initializer},
                **{
                    one.name: one.type.tensor_type.elem_type
                    for body in bodies
                    for one in (*body.value_info, *body.output, *body.input)
                },
            },
            constants={one.name: one for body in bodies for one in body.initializer},
            extremes=extremes,
            exact=frozenset(_find_exact(model.graph, set())),
            opset=graphs.read_opset(model.opset_import, 1),
            left=left,
        )

    def is_float(self, name: str) -> bool:
        """Say whether a tensor has 32-bit floats."""
        return self.kinds.get(name) == FLOAT

    def explain_kept(self, node: Any) -> str:
        """Return why a node that has floats stays in 32 bits; empty if it need not."""
        names = [name for name in (*node.input, *node.output) if name]
        if node.name in self.left:
            return "no runtime opens the graph otherwise"
        if node.domain not in ("", "ai.onnx"):
            return "what it takes is not specified by ONNX"
        if any(scopes.walk_node_bodies(node)) or "Sequence" in node.op_type:
            return "it hands on what it is given"
        if node.op_type in SUMMING:
            return "what it sums up may exceed 16 bits"
        if node.op_type in TYPED or any(not self.kinds.get(name) for name in names):
            return "its type is fixed, or not known"
        if node.name in self.exact or _makes_whole(node):
            return "it computes sizes or places"
        if not any(self.list_halved(node)):
            return "its specification has no 16-bit floats"
        return self._explain_values(names)

    def _explain_values(self, names: Sequence[str]) -> str:
        if any(self.extremes.get(name, 0.0) * ROOM > LARGEST for name in names):
            return "values that were seen are near or beyond what 16 bits hold"
        if any(not _fits(self.constants[name]) for name in names if name in self.constants):
            return "a constant of it is beyond what 16 bits hold"
        return ""

    def list_halved(self, node: Any) -> Iterator[tuple[bool, int]]:
        """Yield the places of a node that may have halves for floats: of an input, and which."""
        import onnx

        try:
            schema = onnx.defs.get_schema(node.op_type, self.opset, "")
        except onnx.defs.SchemaError:
            return
        allowed = {one.type_param_str: one.allowed_type_strs for one in schema.type_constraints}
        for given, formals, names in (
            (True, schema.inputs, node.input),
            (False, schema.outputs, node.output),
        ):
            for at, name in enumerate(names):
                kind = formals[min(at, len(formals) - 1)].type_str
                if self.is_float(name) and "tensor(float16)" in allowed.get(kind, ()):
                    yield given, at


def _makes_whole(node: Any) -> bool:
    """Say whether a node makes whole numbers, or doubles, of floats."""
    return node.op_type == "Cast" and any(one.i in {*WHOLE, 11} for one in node.attribute)


def _fits(tensor: Any) -> bool:
    """Say whether 16 bits hold a constant; infinity they do, and weights may round to nothing."""
    import numpy as np
    import onnx

    if tensor.data_type != FLOAT:
        return True
    values = onnx.numpy_helper.to_array(tensor)
    sizes = np.abs(values[np.isfinite(values)])
    if sizes.size and sizes.max() > LARGEST:
        return False
    if values.size != 1 or not sizes.size or not sizes.max():
        return True
    size = float(sizes.max())
    return abs(float(np.float16(size)) - size) <= COARSE * size


def _find_exact(graph: Any, around: set[str]) -> Iterator[str]:
    """Yield the names of nodes that compute sizes of shapes, or floats that places are made of."""
    varying = around | {one.name for one in graph.input}
    wanted: set[str] = set()
    for node in graph.node:
        reads = {*node.input, *scopes.find_captured(node)}
        if node.op_type not in {"Shape", "Size"} and reads & varying:
            varying.update(node.output)
        else:
            yield node.name
    for node in reversed(graph.node):
        if (_makes_whole(node) or wanted & set(node.output)) and node.op_type not in HEAVY:
            wanted.update(node.input)
            yield node.name
        for body in scopes.walk_node_bodies(node):
            yield from _find_exact(body, varying)
