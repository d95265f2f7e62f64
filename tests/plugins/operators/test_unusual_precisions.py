"""Graphs that nobody here made go through the quantizers that need no ranges: the same answers.

Or a reason that is true of them.
"""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from edgebench import ChainError
from edgebench_kit.onnx import graphs
from edgebench_plugins.backends import onnxruntime, openvino
from edgebench_plugins.operators import dynamic_quantization, fp16

from .test_unusual_graphs import check
from .unusual_graphs import KINDS, UNTROUBLED

BACKENDS = [
    (onnxruntime, onnxruntime.OnnxruntimeOptions()),
    (openvino, openvino.OpenvinoOptions()),
]
OPERATORS = {
    "with convolutions": (
        dynamic_quantization,
        dynamic_quantization.DynamicQuantizationOptions(convolutions=True),
    ),
    "fp16": (fp16, fp16.Fp16Options()),
}
WITHOUT_PRODUCTS = {
    kind
    for kind, make in KINDS.items()
    if not {"MatMul", "Gemm", "Conv"}.intersection(
        node.op_type
        for owner in (make().pipeline().stages[0].live,)
        for body in (*graphs.walk_bodies(owner.graph), *owner.functions)
        for node in body.node
    )
}


@pytest.mark.parametrize("operator", OPERATORS.values(), ids=OPERATORS)
@pytest.mark.parametrize("kind", KINDS)
def test_it_gives_the_same_answers(kind, operator, context):
    module, options = operator
    made = KINDS[kind]()
    pipeline, samples = made.pipeline(), made.draw(12)
    here = context(options, calibration=samples)
    try:
        done = module.apply(pipeline, here)
    except ChainError as error:
        assert "nothing in it can be quantized" in str(error)
        assert kind in WITHOUT_PRODUCTS
        return
    assert not any("against floats" in doubt for doubt in here.doubts)
    (stage,) = done.stages
    onnx.checker.check_model(stage.live, full_check=True)
    assert stage.precision.startswith(("int8", "f16"))
    right = UNTROUBLED.get(kind, KINDS[kind])().pipeline()
    wanted = [here.run(right, sample) for sample in samples[:4]]
    for backend, said in BACKENDS:
        there = context(backend=backend, runtime=said)
        got = [there.run(done, sample) for sample in samples[:4]]
        check(wanted, got)
        assert all(np.isfinite(array).all() for one in got for array in one.values())
