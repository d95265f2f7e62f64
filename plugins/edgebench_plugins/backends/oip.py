"""The backend `oip`: a server of the Open Inference Protocol (KServe v2), asked over HTTP.

The protocol has no word for a graph that is sent along, so what runs is what somebody loaded there.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal
from urllib.parse import SplitResult, quote, urlsplit

import attrs

from edgebench import Backend, CaseFailed, Session, Stage, Tensors, hookimpl
from edgebench_kit.servers.open_inference import BINARY, Server, shorten
from edgebench_kit.servers.open_tensors import check_tensors, read_answer, write_request

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


def _is_address(parts: SplitResult) -> bool:
    try:
        return bool(parts.scheme in ("http", "https") and parts.hostname and parts.port)
    except ValueError:
        return False  # no number, or one beyond all ports


@attrs.frozen(kw_only=True)
class OipOptions:
    """Which server is asked, and how."""

    url: str = ""
    """Where it listens, `http://HOST:PORT`, with a path where `/v2` is below one; or https. It and
    the model have to be said."""
    model: str = ""
    """What the server calls the model."""
    version: str = ""
    """Which version of it; the server chooses if empty."""
    binary: Literal["auto", "yes", "no"] = "auto"
    """Whether tensors travel as bytes and not as JSON text; `auto`: where the server announces it.
    Some can and do not say so."""
    precision: Literal["", "f32", "bf16", "f16"] = ""
    """What it computes floats in, which only who runs it can say; if empty, f32 is taken on
    trust."""
    timeout: float = attrs.field(default=30.0, validator=attrs.validators.gt(0))
    """Seconds after which a server that sends nothing has failed."""
    header: str = ""
    """The environment variable that holds a header to send, such as `Authorization: Bearer ...`."""

    def __attrs_post_init__(self) -> None:
        """Refuse a server without a model, the reverse, and what is the address of none."""
        if bool(self.url) != bool(self.model):
            raise ValueError("a server is told by both, url=http://HOST:PORT and model=NAME")
        parts = urlsplit(self.url)
        if self.url and not _is_address(parts):
            raise ValueError(f"url must be http://HOST:PORT, not {self.url!r}")
        if parts.username or parts.password is not None:
            raise ValueError("url must hold no password, as results keep it: see the option header")
        if parts.query or parts.fragment:
            raise ValueError(f"url must end with the port or a path, not as {self.url!r} does")


@attrs.frozen
class OipSession:
    """What a server holds, asked as a stage."""

    server: Server
    stage: Stage
    options: OipOptions
    path: str
    binary: bool
    name: str
    """What the server calls itself, with its version."""
    told: bool
    """Whether it told the tensors of the model."""

    def run(self, inputs: Tensors) -> Tensors:
        """Send a batch to the server, and return what it gives.

        Raises:
            CaseFailed: It gives nothing, or what cannot be read.
        """
        body, headers = write_request(
            {spec.inside: inputs[spec.inside] for spec in self.stage.inputs},
            [spec.inside for spec in self.stage.outputs],
            binary=self.binary,
        )
        answer, raw = self.server.ask(f"{self.path}/infer", body, headers)
        outputs, binary = read_answer(answer, raw)
        if self.options.binary == "yes" and not binary:
            raise CaseFailed(f"{self.name} answers in JSON text, and binary=yes asks for bytes")
        return outputs

    def doubts(self) -> Sequence[str]:
        """Say what of the figures is the server's, and how tensors travelled."""
        how = "bytes" if self.binary else "JSON text, which both sides spend time on"
        held = f"{self.options.model!r}, which others loaded there"
        unknown = "its device, threads, memory and load time are not known here"
        found = [
            f"{self.name} at {self.options.url} ran {held}: {unknown}",
            f"inference includes the way to that server and back, where tensors travel as {how}",
            "no tier's speed is emulated for what a server computes",
        ]
        if not self.options.precision:
            found.append(
                "f32 is taken on trust, as only who runs the server knows: see the option precision"
            )
        if not self.told:
            found.append(
                f"the server does not tell the tensors of {self.options.model!r}, so they were not "
                "held against the stage's"
            )
        if self.server.reopened:
            found.append(f"the server closed the connection {self.server.reopened} times meanwhile")
        return found


@contextmanager
def open_session(stage: Stage, device: str, threads: int, options: OipOptions) -> Iterator[Session]:
    """Connect to the server, and hold what it tells of the model against the stage.

    Raises:
        CaseFailed: It is not there, or has not the model, or has another one.
    """
    if not options.url:
        raise CaseFailed("oip is told of no server: oip(url=http://HOST:PORT,model=NAME)")
    version = f"/versions/{quote(options.version, safe='')}" if options.version else ""
    path = f"/v2/models/{quote(options.model, safe='')}{version}"
    where = f"the model {options.model!r} at {options.url}"
    with Server.connect(options.url, timeout=options.timeout, header=options.header) as server:
        itself, _ = server.ask("/v2")
        model, _ = server.ask(path)
        server.ask(f"{path}/ready")
        told = [
            check_tensors(where, "reads", stage.inputs, model.get("inputs")),
            check_tensors(where, "writes", stage.outputs, model.get("outputs")),
        ]
        announced = BINARY in (itself.get("extensions") or ())
        yield OipSession(
            server,
            stage,
            options,
            path,
            binary={"yes": True, "no": False}.get(options.binary, announced),
            name=shorten(f"{itself.get('name') or 'a server'} {itself.get('version') or ''}"),
            told=all(told),
        )


@hookimpl
def edgebench_backends() -> Iterator[Backend]:
    """Offer servers of the Open Inference Protocol."""
    yield Backend(
        name="oip",
        summary="A server of the Open Inference Protocol (Triton, KServe, MLServer, OpenVINO's).",
        open=open_session,
        formats=["onnx"],
        devices=lambda: ("server",),
        options=OipOptions,
        precision=lambda options: str(options.precision or "f32"),
        loads=False,
    )
