"""One graph, quantized by ONNX Runtime's quantizer, opened and run before it is taken.

The quantizer is called upon itself, not through `quantize_static`, which calibrates, writes and
reads everything once more, and cannot write where the working directory holds a file of a name.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

import attrs

from edgebench import CaseFailed, Quantization
from edgebench_kit.onnx import graph_files, quantizable, scopes
from edgebench_kit.onnx.scopes import LABEL, Labels
from edgebench_kit.onnx.sessions import open_session, shorten_reason
from edgebench_kit.onnx.silence import keep_silent

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from edgebench import Tensors

RETRIES = 12
"""How often a graph that does not open is quantized again, each time with more left in floats."""
MOVING = (
    *("Transpose", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Slice", "Split", "Gather"),
    *("Concat", "Pad", "Resize", "MaxPool", "AveragePool", "Where"),
)
"""The operators that are left in floats first: they only move values, so that it costs little."""


@attrs.frozen(kw_only=True)
class Quantizer:
    """What is needed to quantize one graph, again and again where it has to be."""

    path: Path
    """The graph in floats, prepared, its names labels; its weights beside it."""
    labels: Labels
    ranges: Any
    """The ranges of its activations, as the quantizer takes them."""
    target: Quantization
    feed: Tensors
    """One input that the result must take, by label."""

    def quantize(self) -> tuple[Any, str]:
        """Return a graph that opens and runs, and what was left in floats for it, and why.

        Raises:
            CaseFailed: There is none, whatever is left in floats.
        """
        try:
            return self._attempt(frozenset()), ""
        except Exception as error:  # the quantizer's own, and every runtime's
            reason = self.labels.explain(shorten_reason(error))
            for left in islice(filter(None, self._suspects(str(error))), RETRIES):
                try:
                    return self._attempt(left), f"{self._name_nodes(left)} ({reason})"
                except Exception:  # noqa: BLE001, S112 (the first one is told)
                    continue
            raise CaseFailed(
                f"no runtime opens what the quantizer makes of the graph: {reason}"
            ) from error

    def _name_nodes(self, nodes: frozenset[str]) -> str:
        return ", ".join(sorted(map(self.labels.explain, nodes)))

    def _attempt(self, excluded: frozenset[str]) -> Any:
        model = graph_files.read_graph(self.path)
        left = self._find_lacking(model) | excluded
        quantizable.split_constants(model, self.labels, left)
        made = _insert_pairs(model, self.ranges, self.target, left)
        scopes.sort_nodes(made.graph)
        directory = self.path.parent / "attempt"
        directory.mkdir(exist_ok=True)
        path = directory / graph_files.FILE
        light = graph_files.move_weights(made, directory / graph_files.WEIGHTS)
        # The weights in floats, which are removed, take their memory as long as their graph lives.
        del model, made
        path.write_bytes(light.SerializeToString())
        open_session(path).run(None, dict(self.feed))
        return graph_files.load_weights(light, directory)

    def _find_lacking(self, model: Any) -> frozenset[str]:
        """Return the nodes with a tensor of floats whose range is not known, as of an empty one."""
        constants = {one.name for one in model.graph.initializer}
        kinds = {
            one.name: one.type.tensor_type.elem_type
            for one in (*model.graph.value_info, *model.graph.input, *model.graph.output)
        }
        known = constants | set(self.ranges) | {name for name, kind in kinds.items() if kind != 1}
        return frozenset(
            node.name
            for node in model.graph.node
            if {name for name in (*node.input, *node.output) if name} - known
        )

    def _suspects(self, said: str) -> Iterator[frozenset[str]]:
        """Yield sets of nodes to leave in floats: those that an error names, then kind by kind."""
        import onnx

        nodes = onnx.load_model(self.path, load_external_data=False).graph.node
        named = set(LABEL.findall(said))
        yield frozenset(
            node.name for node in nodes if named & {node.name, *node.input, *node.output}
        )
        for kind in dict.fromkeys((*MOVING, *(node.op_type for node in nodes))):
            yield frozenset(node.name for node in nodes if node.op_type == kind)


def _insert_pairs(model: Any, ranges: Any, target: Quantization, left: frozenset[str]) -> Any:
    """Return what the quantizer makes of a graph, which it changes."""
    from onnxruntime.quantization import QuantType
    from onnxruntime.quantization.calibrate import TensorsData
    from onnxruntime.quantization.qdq_quantizer import QDQQuantizer
    from onnxruntime.quantization.registry import QDQRegistry, QLinearOpsRegistry

    kinds = {"uint8": QuantType.QUInt8, "int8": QuantType.QInt8}
    # Told that shapes are inferred, it does not write the graph out to infer them.
    model.metadata_props.add(key="onnx.infer", value="onnxruntime.quant")
    single: dict[str, list[dict[str, Any]]] = {
        name: [{}] for name in quantizable.find_single_steps(model)
    }
    with keep_silent():
        quantizer = QDQQuantizer(
            model,
            target.per_channel,
            False,
            kinds[target.weight],
            kinds[target.activation],
            TensorsData(ranges.calibration_method, dict(ranges.items())),  # it changes them
            [],
            left,
            {*QLinearOpsRegistry, *QDQRegistry},
            {
                "ActivationSymmetric": target.symmetric_activation,
                "TensorQuantOverrides": single if target.per_channel else {},
            },
        )
        return quantizer.quantize_model()
