"""The backend `openvino`: OpenVINO for latency, in the precision that it is asked for."""

from __future__ import annotations

import re
import tempfile
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

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
from edgebench_kit.onnx import flattening, graph_files, graphs

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence


RARE = (b"antialias", b"exclude_outside", b"keep_aspect_ratio_policy", b"ReduceLogSum")
"""Words of graphs that are looked through before it reads them."""
IDLE = re.compile(
    r"Exception from |FrontEnd API failed|Model wasn't fully converted|Summary:|-- Conversion is "
    r"failed for|While validating (ONNX )?node '.*':$"
)
"""How the lines of its errors begin that say where in its own code it gave up, not why."""
CHECKED = re.compile(r"(While validating ONNX node '.*': )?Check '.*' failed at \S+:\d+:|^-- ")
"""The part of a line that does."""


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
    with _readable(stage.file) as file:
        try:
            compiled = openvino.Core().compile_model(
                file, device.upper(), _properties(device, threads, options)
            )
        except RuntimeError as error:
            raise CaseFailed(find_reason(error)) from error
    used = compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name()
    if used != options.precision:
        raise CaseFailed(
            f"openvino computes in {used} on this {device}, not in {options.precision}"
        )
    yield OpenvinoSession(
        compiled.create_infer_request(),
        openvino.Tensor,
        [(spec.inside, compiled.input(spec.inside)) for spec in stage.inputs],
        [(spec.inside, compiled.output(spec.inside)) for spec in stage.outputs],
    )


def find_reason(error: RuntimeError) -> str:
    """Return what an error of OpenVINO's says, without where in its own code it arose."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    said = [CHECKED.sub("", line).strip() for line in lines if not IDLE.match(line)]
    said = [line.removesuffix(" with a message:") for line in said if line]
    return ": ".join(said) or (lines[-1] if lines else type(error).__name__)


@contextmanager
def _readable(file: Path) -> Iterator[Path]:
    """Give a file that OpenVINO reads as its graph is meant: the one given, or one beside it.

    Softmax of the operator sets 11 and 12 it reads as that of 13 (2026.4). Reading the graph here
    takes as long again, so it is done only where a word of the file gives reason to.

    Raises:
        CaseFailed: It would leave out something that changes the outputs.
    """
    if not _may_be_misread(file):
        yield file
        return
    model = graph_files.read_graph(file)
    if ignored := next(find_ignored(model), ""):
        raise CaseFailed(f"openvino would compute another model: it ignores {ignored}")
    if not flattening.write_out_flattening(model):
        yield file
        return
    with tempfile.TemporaryDirectory(prefix="edgebench-") as directory:
        place = Path(directory)
        yield place / graph_files.write_graph(model, place)[0]


def _may_be_misread(file: Path) -> bool:
    old = flattening.read_operator_set(file) < flattening.WORKS_ALONG_AXIS
    padded = flattening.mentions(file, b"SAME_", b"output_shape")
    return (
        (old and flattening.mentions(file, b"Softmax"))
        or (padded and flattening.mentions(file, b"ConvTranspose"))
        or flattening.mentions(file, *RARE)
    )


def find_ignored(model: Any) -> Iterator[str]:
    """Yield what OpenVINO (2026.4) reads in a graph and does not do, with the node.

    Found by comparing it, ONNX Runtime and the reference evaluator of onnx on each operator.
    """
    import onnx

    sizes = [dim for info in model.graph.input for dim in info.type.tensor_type.shape.dim]
    is_open = not all(dim.dim_value > 0 for dim in sizes)
    for owner in (model.graph, *model.functions):
        for graph in graphs.walk_bodies(owner):
            for node in graph.node:
                said = {one.name: onnx.helper.get_attribute_value(one) for one in node.attribute}
                if what := _find_ignored(node, said, is_open):
                    yield f"{what} of the {node.op_type} that writes {node.output[0]!r}"


def _find_ignored(node: Any, said: Mapping[str, Any], is_open: bool) -> str:
    if node.op_type == "Resize":
        if said.get("antialias"):
            return "antialias=1"
        if said.get("exclude_outside") and said.get("mode") == b"cubic":
            return "exclude_outside=1"
        if (policy := said.get("keep_aspect_ratio_policy", b"stretch")) != b"stretch":
            return f"keep_aspect_ratio_policy={policy.decode()}"
    if node.op_type == "ReduceLogSum" and said.get("noop_with_empty_axes"):
        return "noop_with_empty_axes=1"
    if node.op_type == "ConvTranspose" and is_open:
        if said.get("auto_pad", b"NOTSET").startswith(b"SAME"):
            return "auto_pad, where a dimension is open,"
        if said.get("output_shape"):
            return "output_shape, where a dimension is open,"
    return ""


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
        options=OpenvinoOptions,
        quantization=Quantization(activation="uint8", weight="int8", per_channel=True),
        precision=precision,
        versions=versions,
    )
