"""The backend `onnxruntime`: ONNX Runtime, sequential, with the threads that it is given."""

from __future__ import annotations

from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
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
from edgebench_kit.onnx import unfused

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

PROVIDERS = {"cpu": "CPUExecutionProvider"}


@attrs.frozen(kw_only=True)
class OnnxruntimeOptions:
    """How ONNX Runtime is asked to work."""

    graph_optimization: Literal["all", "extended", "basic", "disabled"] = "all"
    """How far it may rewrite the graph; `all` includes the layout of the tensors."""
    spinning: bool = False
    """Whether its threads wait for work by burning their processors. With 2 threads on 2 processors
    the median was 0.19-0.23 ms with it and 0.27 without, the 95th percentile 3-4 ms and 0.31 as
    soon as another process ran: the hosts of several tiers share a machine. One thread never
    waits."""


@attrs.frozen
class OnnxruntimeSession:
    """A graph, loaded."""

    outputs: list[str]
    call: Any
    stage: Stage
    options: OnnxruntimeOptions

    def explain(self) -> Sequence[str]:
        """Say what of a quantized graph is left in floats once the runtime has rewritten it."""
        if not self.stage.precision.startswith("int"):
            return ()
        if not find_spec("onnx"):
            return ["what the runtime made of the graph was not looked at: onnx is not installed"]
        with TemporaryDirectory(prefix="edgebench-") as scratch:
            return unfused.describe_unfused(self._write_optimized(Path(scratch)))

    def _write_optimized(self, directory: Path) -> Path:
        """Have the runtime write the graph that it runs, and return the file."""
        import onnxruntime

        asked = _session_options(1, self.options)
        asked.optimized_model_filepath = str(directory / "optimized.onnx")
        asked.log_severity_level = 3  # it warns that the file is for this processor alone
        onnxruntime.InferenceSession(self.stage.file, asked, providers=[PROVIDERS["cpu"]])
        return directory / "optimized.onnx"

    def run(self, inputs: Tensors) -> Tensors:
        """Run the graph on a batch."""
        return dict(zip(self.outputs, self.call(self.outputs, inputs), strict=True))


@contextmanager
def open_session(
    stage: Stage, device: str, threads: int, options: OnnxruntimeOptions
) -> Iterator[Session]:
    """Load the stage's graph.

    Raises:
        CaseFailed: The device is not there, or the runtime left it for another.
    """
    import onnxruntime

    provider = PROVIDERS.get(device)
    if provider is None or provider not in onnxruntime.get_available_providers():
        raise CaseFailed(
            f"onnxruntime has no device {device!r} here; it has {', '.join(devices())}"
        )
    session = onnxruntime.InferenceSession(
        stage.file, _session_options(threads, options), providers=[provider]
    )
    # It falls back to the processor with a warning at most; a figure so got would be a lie.
    if (used := session.get_providers()[0]) != provider:
        raise CaseFailed(f"onnxruntime runs on {used}, not on {device}")
    outputs = [spec.inside for spec in stage.outputs]
    yield OnnxruntimeSession(outputs, session.run, stage, options)


def _session_options(threads: int, options: OnnxruntimeOptions) -> Any:
    import onnxruntime

    asked = onnxruntime.SessionOptions()
    asked.intra_op_num_threads = threads
    asked.inter_op_num_threads = 1
    asked.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    asked.add_session_config_entry("session.intra_op.allow_spinning", str(int(options.spinning)))
    levels = onnxruntime.GraphOptimizationLevel
    asked.graph_optimization_level = {
        "all": levels.ORT_ENABLE_ALL,
        "extended": levels.ORT_ENABLE_EXTENDED,
        "basic": levels.ORT_ENABLE_BASIC,
        "disabled": levels.ORT_DISABLE_ALL,
    }[options.graph_optimization]
    return asked


def devices() -> Sequence[str]:
    """List the devices that this build of ONNX Runtime can use here."""
    if not find_spec("onnxruntime"):
        return ()
    import onnxruntime

    available = onnxruntime.get_available_providers()
    return tuple(device for device, provider in PROVIDERS.items() if provider in available)


def usable(facts: HostFacts, device: str) -> Usable:
    """Say whether the runtime is installed and has the device."""
    if not find_spec("onnxruntime"):
        return "onnxruntime is not installed"
    found = devices()
    return device in found or f"no device {device!r} here; it has {', '.join(found)}"


def versions() -> Mapping[str, str]:
    """Return the version of the runtime."""
    import onnxruntime

    return {"onnxruntime": onnxruntime.__version__}


@hookimpl
def edgebench_backends() -> Iterator[Backend]:
    """Offer ONNX Runtime."""
    yield Backend(
        name="onnxruntime",
        summary="ONNX Runtime: graphs on processors of every kind.",
        open=open_session,
        formats=["onnx"],
        devices=devices,
        usable=usable,
        options=OnnxruntimeOptions,
        # Its integer kernels for processors take unsigned activations and signed weights; signed
        # activations were slower than f32.
        quantization=Quantization(activation="uint8", weight="int8", per_channel=True),
        versions=versions,
    )
