"""Where and with what it runs: tiers, links, hosts, backends; and what lays results out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

import attrs

from edgebench.parts.part import (
    NoOptions,
    Part,
    Usable,
    is_callable,
    is_number,
    options_class,
    texts,
)
from edgebench.parts.pipeline import Stage, Tensors, as_tuple


@attrs.frozen(kw_only=True)
class Quantization:
    """What kind of quantized graph a backend runs fast; quantizers that name `target` follow it."""

    activation: str = attrs.field(
        default="uint8", validator=attrs.validators.in_(["uint8", "int8"])
    )
    symmetric_activation: bool = False
    weight: str = attrs.field(default="int8", validator=attrs.validators.in_(["uint8", "int8"]))
    per_channel: bool = True


@attrs.frozen(kw_only=True)
class Link:
    """The network between two tiers, the same both ways."""

    between: tuple[str, str] = attrs.field(converter=as_tuple)
    rate: float = attrs.field(validator=[is_number, attrs.validators.gt(0)])
    """Payload goodput in bit/s."""
    delay: float = attrs.field(default=0.0, validator=[is_number, attrs.validators.ge(0)])
    """Added one-way delay in seconds."""
    price_per_gb: float | None = None
    """What 10^9 bytes over it cost, in the currency of all prices; None where nobody states it."""
    source: str = ""
    """Where the figures come from."""

    def joins(self, one: str, other: str) -> bool:
        """Say whether this is the link between the two tiers, in either direction."""
        return {one, other} == set(self.between)


@attrs.frozen
class Placement:
    """Which tiers run the pieces, in order; written `mobile-edge`."""

    tiers: tuple[str, ...] = attrs.field(converter=as_tuple, validator=attrs.validators.min_len(1))

    def __str__(self) -> str:
        """Return how it is written."""
        return "-".join(self.tiers)


@attrs.frozen(kw_only=True)
class Tier(Part):
    """A class of machine: facts only."""

    cpus: int = attrs.field(validator=[is_number, attrs.validators.ge(1)])
    memory: int = attrs.field(validator=[is_number, attrs.validators.gt(0)])
    """Bytes."""
    accelerator: str = ""
    speed: float | None = attrs.field(
        default=None, validator=attrs.validators.optional([is_number, attrs.validators.gt(0)])
    )
    """That of one of its threads over one thread of this machine; None where nobody states it."""
    threads: int = attrs.field(default=1, validator=[is_number, attrs.validators.ge(1)])
    """How many its stages may use."""
    source: str = ""
    """Where the facts come from."""


@attrs.frozen(kw_only=True)
class HostFacts:
    """What a host says of itself when a backend is asked whether it is usable there."""

    tier: str
    cpus: int
    memory: int
    """Bytes."""
    accelerator: str = ""
    system: str = ""
    architecture: str = ""


class Session(Protocol):
    """A stage loaded by a backend, ready to run; one on another machine has the same face.

    It may have a method `profile(inputs: Tensors, runs: int) -> Mapping[str, float]`: it runs the
    stage on a batch as `run` does, so many times after a warm-up of its own, and returns by node
    the median of the seconds that one run takes. Nodes are named as in the stage's file; what a
    node runs within itself counts as its own, what a runtime adds counts with a neighbour. A
    runtime that is told to take times when it opens a stage opens another session for it, of the
    same file with the same options and threads; `run` must not become slower for it. Without the
    method, operators are told that the backend gives no times by node.

    It may have a method `explain() -> Sequence[str]`, asked once, when it was scored: what it sees
    in how it runs the stage that may make it slower than expected, a clause each (`3 of 21
    products run in floats: fc`). A report tells it where a result surprises.

    It may have a method `doubts() -> Sequence[str]`, asked once, when it was scored: what makes its
    figures other than what was asked for, a clause each (`its threads are limited by processor
    affinity, not by the runtime`). Each is a doubt of the result, and always shown.

    It may have a method `assignment() -> Mapping[str, Sequence[str]]`, asked then too, for a
    runtime that shares a stage out: by the name of what runs them within it (an execution provider,
    a delegate) the nodes that each got, what was asked for first, if with none. A node is named as
    people find it in the stage's file, with its type in brackets where that helps (`conv1 (Conv)`).
    The result keeps it by stage, and nodes that are not with the first are a doubt that names some.
    """

    def run(self, inputs: Tensors) -> Tensors:
        """Run the stage on a batch; names are those in the stage's file (`TensorSpec.inside`)."""
        ...


@attrs.frozen(kw_only=True)
class Backend(Part):
    """A runtime: the whole contract of a vendor is this record and `Session`."""

    open: Callable[[Stage, str, int, Any], AbstractContextManager[Session]] = attrs.field(
        validator=is_callable
    )
    """`open(stage, device, threads, options)`: load a stage for a device, on so many threads."""
    formats: tuple[str, ...] = attrs.field(default=(), converter=texts)
    """The formats it opens, the preferred first."""
    devices: Callable[[], Sequence[str]] = attrs.field(
        default=lambda: ("cpu",), validator=is_callable
    )
    """The devices of the machine it is called on, the default first."""
    usable: Callable[[HostFacts, str], Usable] = attrs.field(
        default=lambda *_: True, validator=is_callable
    )
    """Whether it runs on such a host and device, or why not; asked in a process of its own."""
    compile: Callable[[Stage, str, int, Any, Path], Stage] | None = None
    """`compile(stage, device, threads, options, directory)`: make, once and on the host, a stage
    whose files lie in *directory* and which `open` takes; timed as `compile`."""
    program: Callable[[Stage, str, int, Any, Path], str] | None = None
    """`program(stage, device, threads, options, directory)`: return Python that opens a stage as
    `open` does, without edgebench. It defines `open_stage(directory)`, which gives a function from
    the stage's inputs to its outputs, both by the names in its file. *directory* holds a copy of
    the stage's files; others may be written there, and what is not needed removed. None for a
    backend whose cases cannot be exported."""
    options: type = attrs.field(default=NoOptions, validator=options_class)
    loads: bool = True
    """Whether it loads the stage that it is given. One that runs what others have loaded elsewhere,
    a server's, holds no model for another: it is never chosen by itself, what it gave is not kept
    for later runs, and it is held against another runtime as the case is, operators included."""
    quantization: Quantization = Quantization()
    precision: Callable[[Any], str] = attrs.field(default=lambda _: "f32", validator=is_callable)
    """From its options to the precision in which it computes what a stage keeps as `f32`."""
    versions: Callable[[], Mapping[str, str]] = attrs.field(default=dict, validator=is_callable)
    """The versions of what it runs with, by name; may import the framework. Asked on the host. A
    backend that compiles also names there, under names of its own, what else its engines depend on:
    the chip and its driver. What was compiled is found again only while all of it is the same, and
    the backend's code too."""


class Running(Protocol):
    """A process on a host.

    It may have a method `explain_kill() -> str`: asked when something killed it, it says what for,
    as far as the fabric knows (`its tier's memory limit of 150 MiB was reached`).
    """

    @property
    def pid(self) -> int:
        """Its process id on this machine, which the controller waits on and kills."""
        ...

    @property
    def log(self) -> Path:
        """The file that holds what it printed."""
        ...


class Host(Protocol):
    """One running machine of a tier: the same face for a process, a container, a device."""

    @property
    def tier(self) -> Tier:
        """The tier whose machine it is."""
        ...

    @property
    def threads(self) -> int:
        """How many threads its stages may use."""
        ...

    @property
    def slowdown(self) -> float:
        """How many times slower than this machine it pretends to be: 1 for none. Emulated."""
        ...

    @property
    def paced(self) -> bool:
        """Whether the ends of its links must pace them in user space."""
        ...

    @property
    def enforced(self) -> Mapping[str, str]:
        """How `cpu`, `memory`, `bandwidth` and `delay` are enforced, in words for a report."""
        ...

    def facts(self) -> HostFacts:
        """Say what this host is."""
        ...

    def put(self, directory: Path) -> Path:
        """Bring an artifact to the host, and return where it lies there."""
        ...

    def spawn(self, argv: Sequence[str], env: Mapping[str, str], log: Path) -> Running:
        """Start a process on the host, in a process group of its own."""
        ...


@attrs.frozen(kw_only=True)
class Fabric(Part):
    """What makes tiers and links real."""

    open: Callable[[Sequence[Tier], Sequence[Link]], AbstractContextManager[Mapping[str, Host]]] = (
        attrs.field(validator=is_callable)
    )
    """From the tiers of a route, in order, and the links between them to running hosts by tier.
    Where it is left, what was spawned on them and still runs is ended."""
    usable: Callable[[], Usable] = attrs.field(default=lambda: True, validator=is_callable)
    """Whether it works on this machine, or why not; asked before a run."""
    enforces: Mapping[str, str] = attrs.field(factory=dict)
    """How it enforces `cpu`, `memory`, `bandwidth` and `delay`, for people."""


@attrs.frozen(kw_only=True)
class Reporter(Part):
    """A way to lay out the results of a run."""

    render: Callable[..., Any] = attrs.field(validator=is_callable)
    """From a `RunResults` to what is printed, or written to a file: a text, bytes where a format is
    no text, or something that rich lays out."""
    shows: tuple[str, ...] = attrs.field(default=(), converter=texts)
    """What else it lays out where that is asked for: `operators` (what each did, `RunResults`'
    `by_operator`), `questions` (what studies asked). `report` refuses to ask others for it."""


@attrs.frozen(kw_only=True)
class Importer(Part):
    """A reader of results that another program measured."""

    claims: Callable[[Path], bool] = attrs.field(validator=is_callable)
    """Whether a file or a directory holds what it reads; asked of whatever a user names."""
    read: Callable[[Path], Iterable[Any]] = attrs.field(validator=is_callable)
    """From a file or directory that it claims to an `Imported` for each case. What is not as it
    must be raises an `EdgebenchError` with the file and the line."""
