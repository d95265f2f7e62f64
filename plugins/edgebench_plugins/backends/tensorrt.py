"""The backend `tensorrt`: TensorRT 10 and 11, in the precision that the graph itself has."""

from __future__ import annotations

from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from edgebench import (
    Backend,
    CaseFailed,
    HostFacts,
    Quantization,
    Session,
    Stage,
    Tensors,
    Usable,
    hookimpl,
)
from edgebench_kit.cuda import buffers, devices
from edgebench_kit.onnx import tensorrt_engines, tensorrt_networks, written_options
from edgebench_kit.stages.devices import require_device, say_missing

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from edgebench_kit.onnx.tensorrt_engines import Engine
    from edgebench_kit.onnx.tensorrt_networks import Range

FILE = "engine.plan"
HIGHEST_EFFORT = 5


def _check_sizes(_: object, __: object, text: str) -> None:
    written_options.size_ranges(text)


def _check_place(_: object, __: object, text: str) -> None:
    if text and not Path(text).is_absolute():
        raise ValueError(f"timing_cache must be a path from the root, not {text!r}")


@attrs.frozen(kw_only=True)
class TensorrtOptions:
    """How TensorRT is asked to work."""

    min_batch: int = attrs.field(default=1, validator=attrs.validators.ge(1))
    """The smallest batch that the engine takes."""
    opt_batch: int = attrs.field(default=1, validator=attrs.validators.ge(1))
    """The batch for which kernels are chosen: the one that requests will have."""
    max_batch: int = attrs.field(default=32, validator=attrs.validators.ge(1))
    """The largest batch that the engine takes."""
    sizes: str = attrs.field(default="", validator=_check_sizes)
    """The other sizes that inputs leave open, least, usual and greatest: `length=1:64:128`."""
    tf32: bool = False
    """Whether what is multiplied in f32 may be rounded to 10 bits. Unasked TensorRT would."""
    effort: int = attrs.field(
        default=3,
        validator=[attrs.validators.ge(0), attrs.validators.le(HIGHEST_EFFORT)],
    )
    """How long kernels are looked for, from 0 to 5 (`builder_optimization_level`)."""
    timing_cache: str = attrs.field(default="", validator=_check_place)
    """A file in which is kept how long kernels took, to build faster and with the same ones."""

    def __attrs_post_init__(self) -> None:
        """Refuse batches that are out of order."""
        if not self.min_batch <= self.opt_batch <= self.max_batch:
            raise ValueError(
                "min_batch, opt_batch and max_batch must rise, not be "
                f"{self.min_batch}, {self.opt_batch} and {self.max_batch}"
            )

    def list_ranges(self, stage: Stage) -> Mapping[str, Range]:
        """Return by word how far the open sizes of a stage's inputs go.

        Raises:
            CaseFailed: A size is given that no input leaves open.
        """
        words = {word for spec in stage.inputs for word in spec.shape if isinstance(word, str)}
        batch = words & {spec.shape[0] for spec in stage.inputs if spec.shape}
        given = written_options.size_ranges(self.sizes)
        if idle := sorted(given.keys() - (words - batch)):
            left = ", ".join(sorted(words - batch)) or "none beside the batch"
            raise CaseFailed(f"tensorrt: sizes gives {idle[0]!r}, and open are: {left}")
        if not batch and (said := self._list_batches()):
            raise CaseFailed(f"tensorrt: {said[0]} is given, and no input leaves its batch open")
        return {**given, **dict.fromkeys(batch, (self.min_batch, self.opt_batch, self.max_batch))}

    def _list_batches(self) -> Sequence[str]:
        """Return the batches that are not the usual ones, as they are written."""
        usual = attrs.fields(type(self))
        names = ("min_batch", "opt_batch", "max_batch")
        given = {name: getattr(self, name) for name in names}
        return [f"{n}={size}" for n, size in given.items() if size != getattr(usual, n).default]


def compile_stage(
    stage: Stage, device: str, threads: int, options: TensorrtOptions, directory: Path
) -> Stage:
    """Build an engine of a stage's graph, for the GPU of this host.

    Raises:
        CaseFailed: TensorRT builds none, or not as it is asked for.
    """
    building = tensorrt_engines.Building(
        ranges=options.list_ranges(stage),
        tf32=options.tf32,
        effort=options.effort,
        timing_cache=Path(options.timing_cache) if options.timing_cache else None,
    )
    with buffers.open_buffers(device):  # the GPU for which it builds is that of the thread
        (directory / FILE).write_bytes(tensorrt_engines.build_engine(stage, building))
    return attrs.evolve(stage, directory=directory, files=[FILE])


@attrs.define
class TensorrtSession:
    """An engine, loaded, with room for its tensors."""

    engine: Engine
    room: buffers.Buffers
    inputs: Sequence[str]
    outputs: Mapping[str, str]
    """By name the element types of what it gives."""
    kinds: Mapping[str, str]
    """By name the element types of what it reads."""
    bound: tuple[tuple[int, ...], ...] = attrs.field(default=(), init=False)
    """The shapes of the inputs for which it is bound."""
    unusual: dict[tuple[int, int], None] = attrs.field(factory=dict, init=False)
    """The batches that came, each behind the one for which kernels were chosen."""

    def run(self, inputs: Tensors) -> Tensors:
        """Run the engine on a batch: copy there, compute, copy back, and wait for it.

        Raises:
            CaseFailed: The batch is beyond what the engine was built for, or the GPU failed.
        """
        self.room.choose_device()
        shapes = tuple(inputs[name].shape for name in self.inputs)
        if shapes != self.bound:
            self._bind(dict(zip(self.inputs, shapes, strict=True)))
            self.bound = shapes
        for name in self.inputs:
            self.room.send(name, inputs[name])
        if not self.engine.context.execute_async_v3(self.room.handle):
            raise CaseFailed(f"tensorrt does not run the engine: {self.engine.log.explain()}")
        for name in self.outputs:
            self.room.fetch(name)
        self.room.wait()
        return {name: self.room.take(name) for name in self.outputs}

    def doubts(self) -> Sequence[str]:
        """Say where kernels were chosen for another batch than came."""
        return [
            f"tensorrt chose its kernels for a batch of {usual}, and ran one of {came}: say "
            f"opt_batch={came}"
            for usual, came in self.unusual
        ]

    def _bind(self, shapes: Mapping[str, tuple[int, ...]]) -> None:
        """Make room for inputs of these shapes and what comes of them, and say where it is."""
        self.bound = ()
        context = self.engine.context
        for name, shape in shapes.items():
            built = self.engine.find_shapes(name)
            if misfit := tensorrt_networks.explain_misfit(name, shape, built):
                raise CaseFailed(f"tensorrt: {misfit}")
            if shape[:1] != built[1][:1]:
                self.unusual[built[1][0], shape[0]] = None
            if not context.set_input_shape(name, shape):
                raise CaseFailed(f"tensorrt refuses {name!r} of shape {shape}")
            self._place(name, shape, self.kinds[name])
        for name, kind in self.outputs.items():
            shape = tuple(context.get_tensor_shape(name))
            if min(shape, default=0) < 0:
                raise CaseFailed(
                    f"how large the output {name!r} is follows from values, not from sizes, for "
                    "which this backend has no room"
                )
            self._place(name, shape, kind)

    def _place(self, name: str, shape: tuple[int, ...], kind: str) -> None:
        address = self.room.reserve(name, shape, kind)
        if not self.engine.context.set_tensor_address(name, address):
            raise CaseFailed(f"tensorrt takes no address for {name!r}")


@contextmanager
def open_session(
    stage: Stage, device: str, threads: int, options: TensorrtOptions
) -> Iterator[Session]:
    """Load the engine that was built of a stage.

    Raises:
        CaseFailed: The device is not there, or does not run the engine.
    """
    require_device("tensorrt", device, list_devices())
    with buffers.open_buffers(device) as room:
        engine = tensorrt_engines.load_engine(stage.file)
        try:
            yield _make_session(stage, engine, room)
        finally:
            engine.release()


def _make_session(stage: Stage, engine: Engine, room: buffers.Buffers) -> TensorrtSession:
    kinds, gives = engine.list_tensors(inputs=True), engine.list_tensors(inputs=False)
    # An input that nothing reads is none of the engine's.
    inputs = [spec.inside for spec in stage.inputs if spec.inside in kinds]
    outputs = {spec.inside: gives[spec.inside] for spec in stage.outputs}
    return TensorrtSession(engine, room, inputs, outputs, kinds)


def list_devices() -> Sequence[str]:
    """List the GPUs of this machine."""
    if not find_spec("tensorrt") or not devices.is_installed():
        return ()
    return devices.list_devices()


def usable(facts: HostFacts, device: str) -> Usable:
    """Say whether TensorRT is here, can be loaded, and has the device."""
    if not find_spec("tensorrt"):
        return "tensorrt is not installed"
    if not devices.is_installed():
        return "cuda-bindings is not installed"
    found = devices.list_devices()
    if not found:
        return f"no CUDA device here: {devices.explain_none()}"
    try:
        major = tensorrt_networks.read_major()
    except (ImportError, OSError) as error:
        return f"tensorrt cannot be loaded: {error}"
    if major < tensorrt_networks.OLDEST:
        return f"TensorRT {major} is too old: {tensorrt_networks.OLDEST} or newer is needed"
    return device in found or say_missing(device, found)


def versions() -> Mapping[str, str]:
    """Return the version of TensorRT, and what an engine is good for: GPUs and driver."""
    import tensorrt

    return {"tensorrt": str(tensorrt.__version__), **devices.describe_devices()}


def precision(options: TensorrtOptions) -> str:
    """Return what it computes floats in."""
    return "tf32" if options.tf32 else "f32"


@hookimpl
def edgebench_backends() -> Iterator[Backend]:
    """Offer TensorRT."""
    yield Backend(
        name="tensorrt",
        summary="TensorRT 10 and 11: graphs on NVIDIA's GPUs. Never run on a GPU so far.",
        open=open_session,
        formats=["onnx"],
        devices=list_devices,
        usable=usable,
        compile=compile_stage,
        options=TensorrtOptions,
        # What it fuses to kernels of int8 is signed and around zero.
        quantization=Quantization(
            activation="int8", symmetric_activation=True, weight="int8", per_channel=True
        ),
        precision=precision,
        versions=versions,
    )
