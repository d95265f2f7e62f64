"""Asking a server of the Open Inference Protocol (KServe v2) over HTTP.

https://github.com/kserve/open-inference-protocol, and Triton's extension for tensors as bytes.
"""

from __future__ import annotations

import json
import os
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

import attrs

from edgebench import CaseFailed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

BINARY = "binary_tensor_data"
"""How a server announces the extension that lets tensors travel as bytes."""
JSON_LENGTH = "Inference-Header-Content-Length"
SUCCESS = range(200, 300)
"""The status of what HTTP calls a success."""
LARGEST = 2**30
"""Bytes of an answer that are read."""
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
            raise CaseFailed(f"{place} answers no JSON object{quote(reply.body)}")
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
            body = response.read(LARGEST + 1)
            if len(body) > LARGEST:
                raise HTTPException(f"its answer has more than {LARGEST // 2**20} MiB")
            if (coding := response.headers["Content-Encoding"] or "identity") != "identity":
                raise HTTPException(f"its answer is compressed ({coding}), which nobody asked for")
            length = response.headers[JSON_LENGTH] or str(len(body))
            if not length.isdecimal() or int(length) > len(body):
                raise HTTPException(f"its answer has {length!r} for {JSON_LENGTH}")
            return _Reply(
                status=f"{response.status} {response.reason}".strip(),
                good=response.status in SUCCESS,
                body=body,
                json_bytes=int(length),
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


def _read_header(variable: str) -> Mapping[str, str]:
    if not variable:
        return {}
    name, colon, value = os.environ.get(variable, "").partition(":")
    if not name.strip() or not colon or any(sign in name + value for sign in "\r\n"):
        raise CaseFailed(f"the variable {variable} must hold the header to send, as NAME: VALUE")
    return {name.strip(): value.strip()}


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
        return quote(answer.get("error") or answer.get("detail") or answer)
    if said.lstrip().startswith(b"<"):
        return ""  # a page for people
    lines = said.decode(errors="replace").splitlines()
    # Of a traceback the lines count that say what was raised.
    raised = (
        [one for one in lines[1:] if one[:1].strip()] if "Traceback" in said[:9].decode() else lines
    )
    return quote("; ".join(raised))


def quote(said: Any) -> str:
    """Return what a server said to stand behind a sentence; nothing if that is nothing."""
    text = shorten(said.decode(errors="replace") if isinstance(said, bytes) else str(said))
    return f": {text}" if text else ""


def shorten(text: str) -> str:
    """Return a text in one line, and the beginning of one that is long."""
    line = " ".join(text.split())
    return line if len(line) <= LONGEST else f"{line[:LONGEST]}..."
