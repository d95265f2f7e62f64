"""Anybody's graph, brought to what static quantization reads, and back to its own names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from edgebench import CaseFailed, Tensors
from edgebench_kit.onnx import graph_files, graphs, half_floats, quantizable, scopes
from edgebench_kit.onnx.scopes import Labels
from edgebench_kit.onnx.sessions import make_options, shorten_reason

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

OPSET = 13
"""The first operator set in which weights may have a step for each channel."""


@attrs.frozen(kw_only=True)
class PlainGraph:
    """A graph in 32-bit floats, written as the quantizer can take it, its names labels."""

    original: Path
    """The graph as it was given, but for its names, its weights beside it."""
    names: Labels
    """What the names in it are labels of: runtimes make up names too, and open no graph in which
    they meet such a one."""
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
        names = Labels.replace_names(light.graph)
        original, ready = directory / graph_files.FILE, directory / "ready.onnx"
        original.write_bytes(light.SerializeToString())
        folded = _fold(_write_modern(light, directory))
        onnx.shape_inference.infer_shapes_path(folded, ready)
        return cls(
            original=original,
            names=names,
            path=ready,
            labels=_prepare(ready, names),
            halves=half_floats.find_half_ends(model),
        )

    def read_inputs(self, inputs: Tensors) -> Tensors:
        """Return inputs of the original as the plain graph takes them."""
        labels = self.labels.ends
        return {
            labels[name]: array.astype("float32") if name in self.halves else array
            for name, array in inputs.items()
            if name in labels
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


def _write_modern(light: Any, directory: Path) -> Path:
    """Write a graph without functions and 16-bit floats, in an operator set for int8.

    Its weights, which lie in the directory, are loaded where they change.
    """
    if light.functions:
        from onnx.inliner import inline_local_functions

        light = inline_local_functions(light)
    if half_floats.holds_halves(light) or _is_old(light):
        whole = graph_files.load_weights(light, directory)
        if half_floats.holds_halves(whole):
            whole = half_floats.widen_halves(whole)
        if _is_old(whole):
            whole = _raise_opset(whole)
        light = graph_files.move_weights(whole, directory / "modern.data")
    path = directory / "modern.onnx"
    path.write_bytes(light.SerializeToString())
    return path


def _is_old(model: Any) -> bool:
    weights = {one.name for one in model.graph.initializer}
    return (
        graphs.read_opset(model.opset_import, OPSET) < OPSET
        or model.ir_version < graphs.SEPARATE_WEIGHTS
        or any(one.name in weights for one in model.graph.input)
    )


def _raise_opset(model: Any) -> Any:
    import onnx

    try:
        return graphs.raise_opset(model, OPSET)
    except (RuntimeError, onnx.version_converter.ConvertError) as error:
        version = graphs.read_opset(model.opset_import, OPSET)
        raise CaseFailed(
            f"the graph's operator set {version} cannot be brought to {OPSET}, which int8 "
            f"needs: {str(error).strip().splitlines()[0]}"
        ) from error


def _fold(plain: Path) -> Path:
    """Let the runtime write what it makes of a graph on any machine, the weights beside it.

    The quantizer's own preparation does the same, and loads all weights twice meanwhile.
    """
    import onnxruntime

    folded = plain.with_name("folded.onnx")
    options = make_options()
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
    return folded


def _prepare(ready: Path, names: Labels) -> Labels:
    import onnx

    model = onnx.load_model(ready, load_external_data=False)
    names.restore_names(model.graph)
    labels = Labels.replace_names(model.graph)
    quantizable.prepare_graph(model, labels, ready.parent)
    graphs.note_infos(model)  # those of what was added
    ready.write_bytes(model.SerializeToString())
    return labels
