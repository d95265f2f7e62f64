"""The backend `openvino`: OpenVINO for latency, in the precision that it is asked for."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
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
from edgebench_kit.onnx import openvino_models
from edgebench_kit.onnx.openvino_errors import find_reason

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from edgebench_kit.onnx import node_times


MERGED = "originalLayersNames"
"""Where it keeps which nodes one that it runs is made of."""
WARM_UP = 3
"""Runs whose times are not counted."""


@attrs.frozen(kw_only=True)
class OpenvinoOptions:
    """How OpenVINO is asked to work."""

    precision: Literal["f32", "bf16", "f16"] = "f32"
    """What it computes floats in. Unasked it would take bf16 where the processor has it."""


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

    @classmethod
    def of(
        cls,
        stage: Stage,
        compile_graph: Callable[[Mapping[str, Any]], Any],
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
        )

    def run(self, inputs: Tensors) -> Tensors:
        """Run the graph on a batch."""
        # Setting tensors by hand takes 12 µs less a call than giving `infer` a dictionary.
        for name, port in self.inputs:
            array = inputs[name]
            if not (array.flags.writeable and array.flags.c_contiguous):
                array = array.copy()  # it takes no others by reference
            self.request.set_tensor(port, self.tensor(array, shared_memory=True))
        try:
            self.request.infer(share_outputs=True)
        except RuntimeError as error:
            raise CaseFailed(find_reason(error)) from error
        return {name: self.request.get_tensor(port).data.copy() for name, port in self.outputs}

    def profile(self, inputs: Tensors, runs: int) -> Mapping[str, float]:
        """Return the median seconds that each node takes in a run."""
        import onnx

        from edgebench_kit.onnx import node_times

        model = onnx.load_model(self.stage.file, load_external_data=False)
        counting = type(self).of(self.stage, self.compile, {"PERF_COUNT": True})
        origins = _find_origins(counting.request, node_times.Origins.of(model.graph))
        taken = []
        for _ in range(WARM_UP + runs):
            counting.run(inputs)
            taken.append(_take_times(counting.request, origins))
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

    if device not in (found := devices()):
        raise CaseFailed(f"openvino has no device {device!r} here; it has {', '.join(found)}")
    core = openvino.Core()

    def compile_graph(properties: Mapping[str, Any]) -> Any:
        asked = {**_properties(device, threads, options), **properties}
        try:
            with _read_rightly(core, stage.file) as model:
                openvino_models.open_batch(model)
                return core.compile_model(model, device.upper(), asked)
        except RuntimeError as error:
            raise CaseFailed(find_reason(error)) from error

    session = OpenvinoSession.of(stage, compile_graph, {})
    compiled = session.request.get_compiled_model()
    used = compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name()
    if used != options.precision:
        raise CaseFailed(
            f"openvino computes in {used} on this {device}, not in {options.precision}"
        )
    yield session


def _find_origins(request: Any, origins: node_times.Origins) -> Mapping[str, str]:
    """Return by node that runs the one of the file that it is made of, empty for none."""
    found = {}
    for node in request.get_compiled_model().get_runtime_model().get_ops():
        name, info = node.get_friendly_name(), node.get_rt_info()
        merged = info[MERGED].astype(str).split(",") if MERGED in info else ()
        found[name] = origins.find(name, *merged)
    return found


def _take_times(request: Any, origins: Mapping[str, str]) -> Mapping[str, float]:
    """Return what the nodes of the last run took, in seconds, by the names in the file."""
    from edgebench_kit.onnx import node_times

    return node_times.add_up(
        (origins.get(node.node_name, ""), node.real_time.total_seconds())
        for node in request.get_profiling_info()
        if node.status == node.Status.EXECUTED
    )


@contextmanager
def _read_rightly(core: Any, file: Path) -> Iterator[Any]:
    """Give the model of a file as it is meant: what OpenVINO reads, or reads once it is rewritten.

    Reading the graph here takes as long again, so it is done only where there is reason to.

    Raises:
        CaseFailed: It would compute another model.
    """
    # Imported here because whoever lists backends opens no graph.
    from edgebench_kit.onnx import graph_files, openvino_readings, shared_weights

    rewritten = openvino_readings.rewrite(file)
    model = core.read_model(file) if rewritten is None else None
    if model is not None and not openvino_models.find_mixed(model):
        yield model
        return
    rewritten = rewritten or graph_files.read_graph(file)
    shared_weights.separate_ways(rewritten)
    with tempfile.TemporaryDirectory(prefix="edgebench-") as directory:
        place = Path(directory)
        model = core.read_model(place / graph_files.write_graph(rewritten, place)[0])
        if mixed := openvino_models.find_mixed(model):
            raise CaseFailed(f"openvino would compute another model: it mixes up {mixed}")
        yield model


def _properties(device: str, threads: int, options: OpenvinoOptions) -> dict[str, Any]:
    asked = {
        "INFERENCE_PRECISION_HINT": options.precision,
        "PERFORMANCE_HINT": "LATENCY",
        "CACHE_DIR": "",  # a compiled graph kept from another run would hide the load time
    }
    if device.partition(".")[0] != "cpu":
        return asked
    return asked | {
        "NUM_STREAMS": 1,
        "INFERENCE_NUM_THREADS": threads,
        "ENABLE_CPU_PINNING": False,  # which processors are its own is the host's to say
    }


def write_program(
    stage: Stage, device: str, threads: int, options: OpenvinoOptions, directory: Path
) -> str:
    """Write the graph as it is read and compiled here, and return what opens it.

    Raises:
        CaseFailed: OpenVINO would read another graph.
    """
    import openvino

    with _read_rightly(openvino.Core(), stage.file) as model:
        openvino_models.open_batch(model)
        openvino.save_model(model, directory / openvino_models.FILE, compress_to_fp16=False)
    for name in stage.files:
        (directory / name).unlink()
    return openvino_models.write_program(stage, device, _properties(device, threads, options))


def devices() -> Sequence[str]:
    """List the devices that OpenVINO finds here."""
    if not find_spec("openvino"):
        return ()
    import openvino

    return tuple(device.lower() for device in openvino.Core().available_devices)


def usable(facts: HostFacts, device: str) -> Usable:
    """Say whether the runtime is installed and finds the device."""
    if not find_spec("openvino"):
        return "openvino is not installed"
    found = devices()
    return device in found or f"no device {device!r} here; it has {', '.join(found)}"


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
