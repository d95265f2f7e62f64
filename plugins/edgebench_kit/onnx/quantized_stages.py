"""Whether a pipeline of ONNX graphs holds what was quantized."""

from __future__ import annotations

from edgebench import Pipeline, Stage, Usable
from edgebench_kit.onnx import graphs


def refuse_quantized(pipeline: Pipeline) -> Usable:
    """Refuse what is quantized already: a quantizer's `accepts`."""
    quantized = (stage.format == "onnx" and _holds_quantized(stage) for stage in pipeline.stages)
    return f"it is {graphs.QUANTIZED}" if any(quantized) else True


def _holds_quantized(stage: Stage) -> bool:
    import onnx

    if stage.live is None and stage.directory is None:
        return stage.precision.startswith("int8")
    model = stage.live or onnx.load_model(stage.file, load_external_data=False)
    return graphs.is_quantized(model)
