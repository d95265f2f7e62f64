"""How providers are asked for a precision and for threads, and options as users write them.

What each takes is documented by its vendor, and no two take the same. What is not known here cannot
be asked for, and that is a doubt.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import attrs

from edgebench import CaseFailed
from edgebench_kit.onnx.provider_devices import name_provider

Options = dict[str, str]
PRECISIONS: Mapping[str, Mapping[str, Options]] = {
    # https://onnxruntime.ai/docs/execution-providers/CUDA-ExecutionProvider.html
    "cuda": {"f32": {"use_tf32": "0"}},
    # https://onnxruntime.ai/docs/execution-providers/TensorRT-ExecutionProvider.html
    "tensorrt": {"f16": {"trt_fp16_enable": "1"}, "bf16": {"trt_bf16_enable": "1"}},
    # https://onnxruntime.ai/docs/execution-providers/QNN-ExecutionProvider.html
    "qnn": {
        "f32": {"enable_htp_fp16_precision": "0"},
        "f16": {"enable_htp_fp16_precision": "1"},
    },
}
"""By provider and precision, the options that ask for it."""
THREADS: Mapping[str, str] = {
    "dnnl": "num_of_threads",
    "ggml": "threads",
    "xnnpack": "intra_op_num_threads",
}
"""By provider on processors, the option that says how many threads it may use."""
CONFIG = "load_config"
"""The option of OpenVINO's provider that holds its properties by device, in JSON."""
LATENCY = {
    "PERFORMANCE_HINT": "LATENCY",
    "NUM_STREAMS": "1",
    "ENABLE_CPU_PINNING": "NO",
    "DYNAMIC_QUANTIZATION_GROUP_SIZE": "0",
}
"""What OpenVINO is asked for on processors unless a user gives other: one request at a time, that
the host says which processors are its own, and that what weights in integers are multiplied with
stays in floats."""
NAMES = {"f32": "FP32", "bf16": "BF16", "f16": "FP16"}
"""What OpenVINO calls precisions among a device's capabilities."""


@attrs.frozen(kw_only=True)
class Wish:
    """What a user wants of a provider."""

    threads: int
    precision: str
    given: Mapping[str, str]
    """Options of the provider, as `read_options` returns them."""


@attrs.frozen
class Settings:
    """The options of a provider, and what cannot be asked of it."""

    options: Options
    doubts: tuple[str, ...] = ()


def read_options(text: str) -> Options:
    """Read `key=value;key=value`; JSON may have single quotes, as option values hold no others.

    Raises:
        ValueError: A part has no key, no value, or a key that another has.
    """
    options: Options = {}
    for part in filter(None, map(str.strip, text.split(";"))):
        key, equals, value = (one.strip() for one in part.partition("="))
        if not (key and equals and value):
            raise ValueError(f"provider_options holds key=value;key=value, not {part!r}")
        if key in options:
            raise ValueError(f"provider_options gives {key} twice")
        is_json = value.startswith("{") and '"' not in value
        options[key] = value.replace("'", '"') if is_json else value
    return options


def find_settings(provider: str, kind: str, facts: Mapping[str, str], wish: Wish) -> Settings:
    """Return the options that ask a provider for what a user wants, and what they cannot ask.

    Args:
        provider: Its whole name.
        kind: What it runs on: `cpu`, `gpu`, `npu`; empty where that is not known.
        facts: What its device says of itself; empty for a provider of the runtime's own.
        wish: What is wanted. What a user gives stands, unless it is what is asked for here.

    Raises:
        CaseFailed: The provider cannot compute in the precision, or what a user gives sets what the
            backend's own options set.
    """
    name = name_provider(provider).partition(".")[0]
    if name == "openvino":
        if device := facts.get("ov_meta_device") or facts.get("ov_device"):
            return _ask_openvino(device, kind, facts, wish)
        asked = {"precision": NAMES[wish.precision], "num_of_threads": str(wish.threads)}
        return Settings(_join(asked, wish.given))
    doubts = []
    known = PRECISIONS.get(name, {})
    asked = dict(known.get(wish.precision, {}))
    if not asked and wish.precision != "f32":
        has = f": it takes {' or '.join(known)}" if known else ""
        raise CaseFailed(f"{provider} cannot be asked to compute in {wish.precision}{has}")
    if not asked:
        doubts.append(f"{provider} cannot be asked to compute in f32, and may take less")
    if name in THREADS:
        asked[THREADS[name]] = str(wish.threads)
    elif kind == "cpu":
        doubts.append(f"{provider} cannot be asked for {wish.threads} threads, and may use others")
    return Settings(_join(asked, wish.given), tuple(doubts))


def _ask_openvino(device: str, kind: str, facts: Mapping[str, str], wish: Wish) -> Settings:
    """Ask by the properties of OpenVINO itself, which the provider takes as JSON by device."""
    can = facts.get("OPTIMIZATION_CAPABILITIES", "").split()
    if can and NAMES[wish.precision] not in can:
        has = ", ".join(one for one, called in NAMES.items() if called in can)
        raise CaseFailed(f"OpenVINO's {device} computes in {has} here, not in {wish.precision}")
    asked = {"INFERENCE_PRECISION_HINT": wish.precision}
    usual = LATENCY if device == "CPU" else {}
    if kind == "cpu":
        asked["INFERENCE_NUM_THREADS"] = str(wish.threads)
    given = dict(wish.given)
    try:
        config: dict[str, Any] = json.loads(given.pop(CONFIG, "{}"))
        own = dict(config.get(device, {}))
    except (ValueError, TypeError, AttributeError) as error:
        raise CaseFailed(f"{CONFIG} is no JSON of properties by device: {error}") from error
    return Settings(given | {CONFIG: json.dumps(config | {device: usual | _join(asked, own)})})


def _join(asked: Mapping[str, str], given: Mapping[str, Any]) -> dict[str, Any]:
    if both := sorted(asked.keys() & given.keys()):
        raise CaseFailed(
            f"provider_options must not set {both[0]}, which precision and threads of the run set"
        )
    return {**asked, **given}
