"""Asking a server of the Open Inference Protocol (KServe v2) over HTTP, with tensors as arrays.

https://github.com/kserve/open-inference-protocol, and Triton's extension for tensors as bytes.
"""

from __future__ import annotations

import json
import math
import os
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

import attrs

from edgebench import CaseFailed, Tensors, TensorSpec

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

TYPES = {
    "BOOL": "bool", "FP16": "float16", "FP32": "float32", "FP64": "float64",
    **{f"{sign.upper()}INT{n}": f"{sign}int{n}" for sign in ("", "u") for n in (8, 16, 32, 64)},
}  # fmt: skip
"""By what the protocol calls an element type, numpy's name. It has others, and stages do not."""
BINARY = "binary_tensor_data"
"""How a server announces the extension that lets tensors travel as bytes."""
JSON_LENGTH = "Inference-Header-Content-Length"
SUCCESS = range(200, 300)
"""The status of what HTTP calls a success."""
LONGEST = 200
"""Characters of a server's words that are repeated."""


@attrs.frozen(kw_only=True)
class _Reply:
    """What a server answered."""

    status: str
    good: bool
    body: bytes
    json_bytes: int
    """How much of the body is JSON; tensors follow."""


@attrs.define(eq=False)
class Server:
    """A connection to a server, kept from one request to the next. No proxy is asked, ever."""

    url: str
    """`http://HOST:PORT`, or https, with a path where `/v2` is below one."""
    timeout: float
    """Seconds after which a server that sends nothing has failed."""
    headers: Mapping[str, str]
    connection: HTTPConnection
    reopened: int = 0
    """How often the server had closed it before a request."""

    @classmethod
    @contextmanager
    def connect(cls, url: str, *, timeout: float, header: str = "") -> Iterator[Self]:
        """Give a connection that opens with the first request, and close it at the end.

        Args:
            url: Where the server listens.
            timeout: Seconds after which a server that sends nothing has failed.
            header: The environment variable that holds a header to send; none if empty.

        Raises:
            CaseFailed: The header is not there.
        """
        parts = urlsplit(url)
        kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        connection = kind(str(parts.hostname), parts.port, timeout=timeout)
        try:
            yield cls(url.rstrip("/"), timeout, _read_header(header), connection)
        finally:
            connection.close()

    def ask(
        self, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> tuple[dict[str, Any], bytes]:
        """Send a request; return the JSON object of the answer, and the bytes that follow it.

        Args:
            path: What is asked for, from `/v2` on.
            body: What is posted; None for a request that only reads.
            headers: Those beside the connection's own.

        Raises:
            CaseFailed: No answer came, or one that is an error or no JSON object.
        """
        place, given = self.url + path, {**self.headers, **(headers or {})}
        try:
            reply = self._exchange(urlsplit(place).path, body, given)
        except (OSError, HTTPException) as error:
            self.connection.close()
            raise CaseFailed(self._explain(place, error)) from error
        if not reply.good:
            raise CaseFailed(f"{place} answers {reply.status}{_quote_error(reply.body)}")
        # Whether a model is ready some say with an empty body.
        answer = _read_json(reply.body[: reply.json_bytes] or b"{}")
        if not isinstance(answer, dict):
            raise CaseFailed(f"{place} answers no JSON object{_quote(reply.body)}")
        return answer, reply.body[reply.json_bytes :]

    def _exchange(self, path: str, body: bytes | None, headers: Mapping[str, str]) -> _Reply:
        kept = self.connection.sock is not None
        try:
            return self._exchange_once(path, body, headers)
        except (ConnectionResetError, BrokenPipeError):
            # Servers close what was idle for seconds, as while a case was being prepared.
            if not kept:
                raise
            self.connection.close()
            self.reopened += 1
            return self._exchange_once(path, body, headers)

    def _exchange_once(self, path: str, body: bytes | None, headers: Mapping[str, str]) -> _Reply:
        self.connection.request("GET" if body is None else "POST", path, body, dict(headers))
        with self.connection.getresponse() as response:
            body, length = response.read(), response.headers[JSON_LENGTH] or ""
            return _Reply(
                status=f"{response.status} {response.reason}".strip(),
                good=response.status in SUCCESS,
                body=body,
                json_bytes=int(length) if length.isdecimal() else len(body),
            )

    def _explain(self, place: str, error: OSError | HTTPException) -> str:
        """Say in one line why no answer came."""
        if isinstance(error, TimeoutError):
            return f"{place} sends no answer for {self.timeout:g} s"
        if isinstance(error, ConnectionRefusedError):
            return f"no server listens at {self.url}: start it, or name another"
        if isinstance(error, ConnectionError):
            return f"{place} closes the connection and does not answer"
        why = getattr(error, "strerror", None) or str(error) or type(error).__name__
        return f"{place} cannot be asked: {shorten(str(why))}"


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
        raise CaseFailed(f"{where} {verb} what is no list of tensors{_quote(told)}") from error
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
        raise CaseFailed(f"the server's answer lacks {error}{_quote(answer)}") from error
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
        array = np.asarray(given, TYPES[kind])
        # Some write NaN and infinity so; numpy would take both for NaN.
        if array.dtype.kind == "f" and np.isnan(array).any() and None in np.ravel(given):
            raise ValueError("an output holds null, which is no number")
    if any(side < 0 for side in shape) or array.size != math.prod(shape):
        raise ValueError(f"an output has {array.size} values and the shape {list(shape)}")
    return array.reshape(shape)


def _read_header(variable: str) -> Mapping[str, str]:
    if not variable:
        return {}
    name, colon, value = os.environ.get(variable, "").partition(":")
    if not name.strip() or not colon or any(sign in name + value for sign in "\r\n"):
        raise CaseFailed(f"the variable {variable} must hold the header to send, as NAME: VALUE")
    return {name.strip(): value.strip()}


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


def _read_json(said: bytes) -> Any:
    """Return what a text in JSON says; None if it is none."""
    try:
        return json.loads(said)
    except ValueError:
        return None


def _quote_error(said: bytes) -> str:
    """Return what a server says of an error, as its JSON has it or its lines do."""
    answer = _read_json(said)
    if isinstance(answer, dict):
        return _quote(answer.get("error") or answer.get("detail") or answer)
    if said.lstrip().startswith(b"<"):
        return ""  # a page for people
    lines = said.decode(errors="replace").splitlines()
    # Of a traceback the lines count that say what was raised.
    raised = (
        [one for one in lines[1:] if one[:1].strip()] if "Traceback" in said[:9].decode() else lines
    )
    return _quote("; ".join(raised))


def _quote(said: Any) -> str:
    text = shorten(said.decode(errors="replace") if isinstance(said, bytes) else str(said))
    return f": {text}" if text else ""


def shorten(text: str) -> str:
    """Return a text in one line, and the beginning of one that is long."""
    line = " ".join(text.split())
    return line if len(line) <= LONGEST else f"{line[:LONGEST]}..."
