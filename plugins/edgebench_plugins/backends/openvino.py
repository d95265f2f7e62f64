"""The backend `openvino`: OpenVINO for latency, in the precision that it is asked for."""

from __future__ import annotations

from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal, Self

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
from edgebench_kit.onnx import openvino_models, openvino_times
from edgebench_kit.onnx.openvino_errors import find_reason
from edgebench_kit.onnx.openvino_properties import AUTO, Asked
from edgebench_kit.stages.devices import say_missing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path


PRECISION = "INFERENCE_PRECISION_HINT"
THREADS = "INFERENCE_NUM_THREADS"
CORES = {"any": "ANY_CORE", "performance": "PCORE_ONLY", "efficient": "ECORE_ONLY"}
"""By which cores are meant, what it calls them."""
WARM_UP = 3
"""Runs whose times are not counted."""


@attrs.frozen(kw_only=True)
class OpenvinoOptions:
    """How OpenVINO is asked to work."""

    precision: Literal["f32", "bf16", "f16"] = "f32"
    """What it computes floats in. Unasked it would take bf16 where the processor has it."""
    hint: Literal["latency", "throughput"] = "latency"
    """What it prepares for: one request as fast as can be, or many at once."""
    streams: int = attrs.field(default=0, validator=attrs.validators.ge(0))
    """How many requests it can run at once, each with its share of the threads; 0 is one for
    latency, and its own choice for throughput."""
    fallback: str = ""
    """The devices that take the nodes which the device cannot run, in order, such as `cpu`, or
    `gpu.1-cpu` (its HETERO)."""
    dynamic_quantization: int = attrs.field(default=0, validator=attrs.validators.ge(0))
    """How many activations share a scale where weights are compressed and activations are made
    integers as they come; 0 leaves them floats. Unasked it would take 32."""
    cores: Literal["any", "performance", "efficient"] = "any"
    """Which cores of a processor that has two kinds."""


@attrs.frozen
class OpenvinoSession:
    """A graph, compiled."""

    request: Any
    tensor: Any
    inputs: list[tuple[str, Any]]
    outputs: list[tuple[str, Any]]
    stage: Stage
    compile: Callable[[Mapping[str, Any]], Any]
    """Compiles the graph again, with properties beside those that it was asked for."""
    place: Callable[[], Mapping[str, str]]
    """Tells by the runtime's names of nodes which device each is on, where there are several."""
    fewer: int = 0
    """How many threads it uses, where these are fewer than it was given."""

    @classmethod
    def of(
        cls,
        stage: Stage,
        compile_graph: Callable[[Mapping[str, Any]], Any],
        place: Callable[[], Mapping[str, str]],
        properties: Mapping[str, Any],
    ) -> Self:
        """Compile a graph, and make ready what runs it."""
        import openvino

        compiled = compile_graph(properties)
        return cls(
            compiled.create_infer_request(),
            openvino.Tensor,
            [(spec.inside, compiled.input(spec.inside)) for spec in stage.inputs],
            [(spec.inside, compiled.output(spec.inside)) for spec in stage.outputs],
            stage,
            compile_graph,
            place,
        )

    def run(self, inputs: Tensors) -> Tensors:
        """Run the graph on a batch."""
        # A tensor does not keep the array whose memory it shares: copies are held until all is
        # computed.
        held = []
        # Setting tensors by hand takes 12 µs less a call than giving `infer` a dictionary.
        for name, port in self.inputs:
            array = inputs[name]
            if not (array.flags.writeable and array.flags.c_contiguous):
                array = array.copy()  # it takes no others by reference
                held.append(array)
            self.request.set_tensor(port, self.tensor(array, shared_memory=True))
        try:
            self.request.infer(share_outputs=True)
        except RuntimeError as error:
            raise CaseFailed(find_reason(error)) from error
        return {name: self.request.get_tensor(port).data.copy() for name, port in self.outputs}

    def doubts(self) -> Sequence[str]:
        """Say what of the device and its streams works other than it looks."""
        compiled, found = self.request.get_compiled_model(), []
        if self.fewer:
            found.append(f"openvino uses {self.fewer} threads, as this machine has no more for it")
        if (streams := compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS")) > 1:
            found.append(
                f"openvino is prepared for {streams} requests at once, and they come one by one"
            )
        return found

    def assignment(self) -> Mapping[str, Sequence[str]]:
        """Return the nodes of the file by the device that runs them."""
        import onnx

        from edgebench_kit.onnx import node_times

        graph = onnx.load_model(self.stage.file, load_external_data=False).graph
        first = self.request.get_compiled_model().get_property("EXECUTION_DEVICES")[0]
        if not (placed := self.place()):
            return {first: node_times.name_nodes(graph)}
        return openvino_times.sort_by_device(placed, node_times.Origins.of(graph))

    def profile(self, inputs: Tensors, runs: int) -> Mapping[str, float]:
        """Return the median seconds that each node takes in a run."""
        import onnx

        from edgebench_kit.onnx import node_times

        model = onnx.load_model(self.stage.file, load_external_data=False)
        counting = type(self).of(self.stage, self.compile, self.place, {"PERF_COUNT": True})
        origins = openvino_times.find_origins(counting.request, node_times.Origins.of(model.graph))
        taken = []
        for _ in range(WARM_UP + runs):
            counting.run(inputs)
            taken.append(openvino_times.take_times(counting.request, origins))
        return node_times.find_medians(taken[WARM_UP:])


@contextmanager
def open_session(
    stage: Stage, device: str, threads: int, options: OpenvinoOptions
) -> Iterator[Session]:
    """Compile the stage's graph.

    Raises:
        CaseFailed: The device is not there, it computes in another precision, or it cannot read
            the graph, or would read another one in it.
    """
    import openvino

    core = openvino.Core()
    asked = _ask(device, threads, options)

    def compile_graph(properties: Mapping[str, Any]) -> Any:
        try:
            with openvino_models.read_rightly(core, stage.file) as model:
                openvino_models.open_batch(model)
                return core.compile_model(model, asked.target, asked.write(properties))
        except RuntimeError as error:
            raise CaseFailed(find_reason(error)) from error

    def place() -> Mapping[str, str]:
        if not asked.target.startswith("HETERO"):
            return {}
        with openvino_models.read_rightly(core, stage.file) as model:
            return dict(core.query_model(model, asked.target))

    session = OpenvinoSession.of(stage, compile_graph, place, {})
    for where, name, used, wanted in asked.list_refused(session.request.get_compiled_model()):
        if name == THREADS:
            session = attrs.evolve(session, fewer=used)
        elif name == PRECISION:
            raise CaseFailed(f"openvino computes in {used} on this {where}, not in {wanted}")
        else:
            raise CaseFailed(f"openvino takes {name} as {used} on this {where}, not as {wanted}")
    yield session


def _ask(device: str, threads: int, options: OpenvinoOptions) -> Asked:
    """Return what is compiled for.

    Raises:
        CaseFailed: A device is not there, or has nothing behind it.
    """
    found = devices()
    wanted = [device, *filter(None, options.fallback.split("-"))]
    for one in wanted:
        if one not in found or (one == AUTO and one != device):
            raise CaseFailed(f"openvino has {say_missing(one, found)}")
    if device == AUTO:
        if options.fallback:
            raise CaseFailed("openvino chooses among all devices with 'auto': fallback has no part")
        wanted = list(found)
    plain = [one for one in wanted if one != AUTO]
    return Asked.of(wanted, [_properties(one, threads, options) for one in plain])


def _properties(device: str, threads: int, options: OpenvinoOptions) -> dict[str, Any]:
    streams = options.streams or (1 if options.hint == "latency" else 0)
    asked: dict[str, Any] = {
        PRECISION: options.precision,
        "PERFORMANCE_HINT": options.hint.upper(),
        "CACHE_DIR": "",  # a compiled graph kept from another run would hide the load time
    }
    if streams and (device.partition(".")[0] == "cpu" or options.streams):
        asked["NUM_STREAMS"] = streams
    # On the processor it does so unasked, on others it may not know the word.
    if device.partition(".")[0] == "cpu" or options.dynamic_quantization:
        asked["DYNAMIC_QUANTIZATION_GROUP_SIZE"] = options.dynamic_quantization
    if device.partition(".")[0] != "cpu":
        return asked
    return asked | {
        THREADS: threads,
        "ENABLE_CPU_PINNING": False,  # which processors are its own is the host's to say
        "SCHEDULING_CORE_TYPE": CORES[options.cores],
    }


def write_program(
    stage: Stage, device: str, threads: int, options: OpenvinoOptions, directory: Path
) -> str:
    """Write the graph as it is read and compiled here, and return what opens it.

    Raises:
        CaseFailed: OpenVINO would read another graph.
    """
    import openvino

    with openvino_models.read_rightly(openvino.Core(), stage.file) as model:
        openvino_models.open_batch(model)
        openvino.save_model(model, directory / openvino_models.FILE, compress_to_fp16=False)
    for name in stage.files:
        (directory / name).unlink()
    asked = _ask(device, threads, options)
    return openvino_models.write_program(stage, asked.target, asked.write())


def devices() -> Sequence[str]:
    """List the devices that OpenVINO finds here."""
    if not find_spec("openvino"):
        return ()
    import openvino

    found = [device.lower() for device in openvino.Core().available_devices]
    return (*found, AUTO) if found else ()


def usable(facts: HostFacts, device: str) -> Usable:
    """Say whether the runtime is installed and finds the device."""
    if not find_spec("openvino"):
        return "openvino is not installed"
    found = devices()
    return device in found or say_missing(device, found)


def versions() -> Mapping[str, str]:
    """Return the version of the runtime, build included."""
    import openvino

    return {"openvino": openvino.get_version()}


def precision(options: OpenvinoOptions) -> str:
    """Return what it computes floats in."""
    return options.precision


@hookimpl
def edgebench_backends() -> Iterator[Backend]:
    """Offer OpenVINO."""
    yield Backend(
        name="openvino",
        summary="OpenVINO: graphs on Intel's processors, and on Arm's.",
        open=open_session,
        formats=["onnx"],
        devices=devices,
        usable=usable,
        program=write_program,
        options=OpenvinoOptions,
        quantization=Quantization(activation="uint8", weight="int8", per_channel=True),
        precision=precision,
        versions=versions,
    )
