"""What providers are asked for, and what of it is doubted or refused."""

from __future__ import annotations

import json

import pytest

from edgebench import CaseFailed
from edgebench_kit.onnx.provider_settings import Wish, find_settings, read_options

CPU_FACTS = {"ov_device": "CPU", "OPTIMIZATION_CAPABILITIES": "BF16 WINOGRAD FP32 INT8 BIN"}


def wish(precision="f32", threads=2, **given):
    return Wish(threads=threads, precision=precision, given=given)


def test_options_are_written_in_pairs():
    assert read_options("a=1; b=x=y ;c={'CPU': {'N': '1'}}") == {
        "a": "1",
        "b": "x=y",
        "c": '{"CPU": {"N": "1"}}',
    }


def test_openvino_is_asked_by_its_own_properties():
    given = {"load_config": '{"CPU": {"NUM_STREAMS": "2"}, "GPU": {"X": "1"}}', "other": "1"}
    found = find_settings("OpenVINOExecutionProvider", "cpu", CPU_FACTS, wish("bf16", **given))
    assert json.loads(found.options.pop("load_config")) == {
        "CPU": {
            "INFERENCE_PRECISION_HINT": "bf16",
            "INFERENCE_NUM_THREADS": "2",
            "NUM_STREAMS": "2",
            "PERFORMANCE_HINT": "LATENCY",
            "ENABLE_CPU_PINNING": "NO",
            "DYNAMIC_QUANTIZATION_GROUP_SIZE": "0",
        },
        "GPU": {"X": "1"},
    }
    assert (found.options, found.doubts) == ({"other": "1"}, ())


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (wish("f16"), "OpenVINO's CPU computes in f32, bf16 here, not in f16"),
        (wish(load_config="{'"), "load_config is no JSON"),
        (wish(load_config="[]"), "load_config is no JSON"),
        (
            wish(load_config='{"CPU": {"INFERENCE_PRECISION_HINT": "bf16"}}'),
            "must not set INFERENCE_PRECISION_HINT",
        ),
    ],
)
def test_what_openvino_cannot_do_or_is_asked_twice_is_refused(asked, said):
    with pytest.raises(CaseFailed, match=said):
        find_settings("OpenVINOExecutionProvider", "cpu", CPU_FACTS, asked)


@pytest.mark.parametrize(
    ("provider", "kind", "asked", "options", "doubts"),
    [
        ("CUDAExecutionProvider", "", wish(), {"use_tf32": "0"}, 0),
        ("CUDAExecutionProvider", "", wish(device_id="1"), {"use_tf32": "0", "device_id": "1"}, 0),
        ("TensorrtExecutionProvider", "", wish("f16"), {"trt_fp16_enable": "1"}, 0),
        ("TensorrtExecutionProvider", "", wish(), {}, 1),
        ("WebGpuExecutionProvider", "gpu", wish(), {}, 1),
        ("ggml", "cpu", wish(), {"threads": "2"}, 1),
        ("NewExecutionProvider", "cpu", wish(), {}, 2),
        (
            "OpenVINOExecutionProvider",
            "",
            wish(),
            {"precision": "FP32", "num_of_threads": "2"},
            0,
        ),
    ],
)
def test_what_cannot_be_asked_for_is_doubted(provider, kind, asked, options, doubts):
    found = find_settings(provider, kind, {}, asked)
    assert found.options == options
    assert len(found.doubts) == doubts
    assert all(provider in doubt for doubt in found.doubts)


def test_a_precision_that_nobody_can_be_asked_for_is_refused():
    with pytest.raises(CaseFailed, match="WebGpuExecutionProvider cannot be asked .* in f16"):
        find_settings("WebGpuExecutionProvider", "gpu", {}, wish("f16"))
    with pytest.raises(CaseFailed, match="CUDA.* in bf16: it takes f32"):
        find_settings("CUDAExecutionProvider", "", {}, wish("bf16"))
