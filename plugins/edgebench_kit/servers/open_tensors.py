"""Tensors as the Open Inference Protocol (KServe v2) has them: in requests, answers and metadata.

https://github.com/kserve/open-inference-protocol, and Triton's extension for tensors as bytes.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from edgebench import CaseFailed, Tensors, TensorSpec
from edgebench_kit.servers.open_inference import JSON_LENGTH, quote, shorten

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

TYPES = {
    "BOOL": "bool", "FP16": "float16", "FP32": "float32", "FP64": "float64",
    **{f"{sign.upper()}INT{n}": f"{sign}int{n}" for sign in ("", "u") for n in (8, 16, 32, 64)},
}  # fmt: skip
"""By what the protocol calls an element type, numpy's name. It has others, and stages do not."""


def check_tensors(where: str, verb: str, specs: Sequence[TensorSpec], told: Any) -> bool:
    """Hold what a server tells of tensors against those of a stage; say whether it tells any.

    Raises:
        CaseFailed: They have other names, types or shapes.
    """
    if not told:
        return False
    try:
        theirs = {one["name"]: (str(one["datatype"]), list(map(int, one["shape"]))) for one in told}
    except (KeyError, TypeError, ValueError) as error:
        raise CaseFailed(f"{where} {verb} what is no list of tensors{quote(told)}") from error
    ours = {spec.inside: (_name_type(spec.dtype), list(spec.shape)) for spec in specs}
    if set(theirs) != set(ours):
        raise CaseFailed(
            f"{where} {verb} {', '.join(map(str, theirs))}, and the stage {', '.join(ours)}: "
            "it is another model"
        )
    for name, (kind, shape) in ours.items():
        if theirs[name][0] != kind or not _fits(theirs[name][1], shape):
            raise CaseFailed(
                f"{where} {verb} {name!r} as {_write(*theirs[name])}, and the stage as "
                f"{_write(kind, shape)}: it is another model"
            )
    return True


def write_request(
    inputs: Tensors, outputs: Sequence[str], *, binary: bool
) -> tuple[bytes, Mapping[str, str]]:
    """Return the body of a request for an inference, and its headers.

    Args:
        inputs: What is sent, by name.
        outputs: The names of what is asked for.
        binary: Whether tensors go and shall come as bytes and not as JSON text.

    Raises:
        CaseFailed: There is a number that JSON has no word for.
    """
    raw = [array.tobytes() for array in inputs.values()] if binary else []
    tensors = [
        {"name": name, "shape": array.shape, "datatype": _name_type(array.dtype.name)}
        | (
            {"parameters": {"binary_data_size": array.nbytes}}
            if binary
            else {"data": array.ravel().tolist()}
        )
        for name, array in inputs.items()
    ]
    wanted = [{"name": name, "parameters": {"binary_data": binary}} for name in outputs]
    try:
        # Without an id some servers fail to answer.
        text = json.dumps({"id": "0", "inputs": tensors, "outputs": wanted}, allow_nan=False)
    except ValueError as error:
        raise CaseFailed(
            "an input holds NaN or infinity, for which JSON has no word: the server must take bytes"
        ) from error
    head = text.encode()
    if not binary:
        return head, {"Content-Type": "application/json"}
    headers = {"Content-Type": "application/octet-stream", JSON_LENGTH: str(len(head))}
    return b"".join([head, *raw]), headers


def read_answer(answer: Mapping[str, Any], raw: bytes) -> tuple[dict[str, NDArray[Any]], bool]:
    """Return the tensors of an answer by name, and whether all of them came as bytes.

    Raises:
        CaseFailed: It is not what the protocol says.
    """
    outputs, binary = {}, True
    try:
        for one in answer["outputs"]:
            size = (one.get("parameters") or {}).get("binary_data_size")
            binary, given = (False, one["data"]) if size is None else (binary, raw[:size])
            raw = raw[size or 0 :]
            outputs[one["name"]] = _read_tensor(given, one["datatype"], one["shape"])
    except KeyError as error:
        raise CaseFailed(f"the server's answer lacks {error}{quote(answer)}") from error
    except (ValueError, TypeError, AttributeError, OverflowError) as error:
        raise CaseFailed(f"the server's answer cannot be read: {shorten(str(error))}") from error
    return outputs, binary


def _read_tensor(given: Any, kind: str, shape: Sequence[int]) -> NDArray[Any]:
    import numpy as np

    if kind not in TYPES:
        raise ValueError(f"an output is {kind}, which no stage has")
    if isinstance(given, bytes):
        # A copy, which may be written to as what other runtimes give.
        array = np.frombuffer(bytearray(given), TYPES[kind])
    else:
        # Whatever is no number numpy would make one of: of "1.5", of true, of "false" a true.
        if np.asarray(given).dtype.kind not in ("biufO" if kind == "BOOL" else "iufO"):
            raise ValueError(f"an output of {kind} holds what are no such values")
        array = np.asarray(given, TYPES[kind])
        # Some write NaN and infinity so; numpy would take both for NaN.
        if array.dtype.kind == "f" and np.isnan(array).any() and None in np.ravel(given):
            raise ValueError("an output holds null, which is no number")
    if any(side < 0 for side in shape) or array.size != math.prod(shape):
        raise ValueError(f"an output has {array.size} values and the shape {list(shape)}")
    return array.reshape(shape)


def _name_type(dtype: str) -> str:
    return next(kind for kind, name in TYPES.items() if name == dtype)


def _fits(theirs: Sequence[int], ours: Sequence[int | str]) -> bool:
    """Say whether shapes may be the same; a dimension is open as a word, or below zero."""
    return len(theirs) == len(ours) and all(
        isinstance(our, str) or their < 0 or their == our
        for their, our in zip(theirs, ours, strict=True)
    )


def _write(kind: str, shape: Sequence[Any]) -> str:
    return f"{kind} ({', '.join(map(str, shape))})"
