"""Anybody's graph, brought to what static quantization reads, and back to its own names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from edgebench import CaseFailed, Tensors
from edgebench_kit.onnx import graph_files, graphs, half_floats, quantizable, scopes
from edgebench_kit.onnx.scopes import Labels
from edgebench_kit.onnx.sessions import shorten_reason

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

OPSET = 13
"""The first operator set in which weights may have a step for each channel."""


@attrs.frozen(kw_only=True)
class PlainGraph:
    """A graph in 32-bit floats, written as the quantizer can take it, its names labels."""

    original: Path
    """The graph as it was given, its weights beside it."""
    path: Path
    """The graph that computes the same, to be quantized."""
    labels: Labels
    halves: Mapping[str, int]
    """The ends that have 16-bit floats in the original, by name, with their element types."""

    @classmethod
    def make(cls, model: Any, directory: Path) -> PlainGraph:
        """Write a graph into an empty directory: as it is, and made plain.

        Raises:
            CaseFailed: It has an operator set or an operator that keeps it from being quantized.
        """
        import onnx

        light = graph_files.move_weights(model, directory / graph_files.WEIGHTS)
        original, folded = directory / graph_files.FILE, directory / "folded.onnx"
        original.write_bytes(light.SerializeToString())
        halves = half_floats.find_half_ends(model)
        _fold(_write_modern(model, light, directory), folded)
        ready = directory / "ready.onnx"
        onnx.shape_inference.infer_shapes_path(folded, ready)
        labels = _prepare(ready)
        return cls(original=original, path=ready, labels=labels, halves=halves)

    def read_inputs(self, inputs: Tensors) -> Tensors:
        """Return inputs of the original as the plain graph takes them."""
        import onnx

        graph = onnx.load_model(self.path, load_external_data=False).graph
        names = {self.labels.meanings[one.name]: one.name for one in graph.input}
        return {
            names[name]: array.astype("float32") if name in self.halves else array
            for name, array in inputs.items()
            if name in names
        }

    def restore(self, model: Any) -> Any:
        """Give a graph that was made of the plain one the names, ends and order of the original.

        Raises:
            onnx.checker.ValidationError: It is no graph of ONNX.
        """
        self.labels.restore_names(model.graph)
        half_floats.narrow_ends(model, self.halves)
        scopes.sort_nodes(model.graph)
        used = {node.domain for graph in graphs.walk_bodies(model.graph) for node in graph.node} | {
            ""
        }
        kept = [entry for entry in model.opset_import if entry.domain in used]
        del model.opset_import[:]
        model.opset_import.extend(kept)
        model.ClearField("metadata_props")
        graphs.note_infos(model)
        graphs.check_graph(model, shapes=False)
        return model


def _write_modern(model: Any, light: Any, directory: Path) -> Path:
    """Write the graph without functions and 16-bit floats, in an operator set for int8.

    *light* is the graph as it refers to the weights that lie in the directory already.
    """
    modern = model
    if model.functions:
        import onnx

        modern = graph_files.load_weights(onnx.inliner.inline_local_functions(light), directory)
    if half_floats.holds_halves(modern):
        modern = half_floats.widen_halves(modern)
    if _is_old(modern):
        modern = _raise_opset(modern)
    if modern is not model:
        light = graph_files.move_weights(modern, directory / "modern.data")
    path = directory / "modern.onnx"
    path.write_bytes(light.SerializeToString())
    return path


def _is_old(model: Any) -> bool:
    versions = {one.domain: one.version for one in model.opset_import}
    weights = {one.name for one in model.graph.initializer}
    return (
        versions.get("", OPSET) < OPSET
        or model.ir_version < graphs.SEPARATE_WEIGHTS
        or any(one.name in weights for one in model.graph.input)
    )


def _raise_opset(model: Any) -> Any:
    import onnx

    try:
        return graphs.raise_opset(model, OPSET)
    except (RuntimeError, onnx.version_converter.ConvertError) as error:
        version = next(one.version for one in model.opset_import if not one.domain)
        raise CaseFailed(
            f"the graph's operator set {version} cannot be brought to {OPSET}, which int8 "
            f"needs: {str(error).strip().splitlines()[0]}"
        ) from error


def _fold(plain: Path, folded: Path) -> None:
    """Let the runtime write what it makes of a graph on any machine, the weights beside it.

    The quantizer's own preparation does the same, and loads all weights twice meanwhile.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.optimized_model_filepath = str(folded)
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.add_session_config_entry(
        "session.optimized_model_external_initializers_file_name", "folded.data"
    )
    # It runs nothing, so its kernels need no copies of the weights laid out for them.
    options.add_session_config_entry("session.disable_prepacking", "1")
    try:
        onnxruntime.InferenceSession(plain, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise CaseFailed(
            f"onnxruntime, which quantizes, does not open the graph: {shorten_reason(error)}"
        ) from error


def _prepare(ready: Path) -> Labels:
    import onnx

    model = onnx.load_model(ready, load_external_data=False)
    labels = Labels.replace_names(model.graph)
    quantizable.prepare_graph(model, labels, ready.parent)
    graphs.note_infos(model)  # those of what was added
    ready.write_bytes(model.SerializeToString())
    return labels
