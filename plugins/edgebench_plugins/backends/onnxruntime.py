"""The backend `onnxruntime`: ONNX Runtime, sequential, with the threads that it is given."""

from __future__ import annotations

import json
import tempfile
from bisect import bisect_right
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
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from edgebench_kit.onnx import node_times

PROVIDERS = {"cpu": "CPUExecutionProvider"}
LEVELS = {
    "all": "ORT_ENABLE_ALL",
    "extended": "ORT_ENABLE_EXTENDED",
    "basic": "ORT_ENABLE_BASIC",
    "disabled": "ORT_DISABLE_ALL",
}
"""By how far it may rewrite a graph, what the runtime calls that."""
EXTERNAL = "session.model_external_initializers_file_folder_path"
KERNEL = "_kernel_time"
"""How the events of its traces end that time a node."""
BODIED = frozenset(["If", "Loop", "Scan"])
"""The operators that run a body of nodes."""
WARM_UP = 3
"""Runs that are traced and not counted."""


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
    open_profiling: Callable[[Path], tuple[Any, node_times.Origins]]
    """Opens the graph a second time, to write what nodes take into a directory."""
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

    def profile(self, inputs: Tensors, runs: int) -> Mapping[str, float]:
        """Return the median seconds that each node takes in a run."""
        from edgebench_kit.onnx import node_times

        with tempfile.TemporaryDirectory(prefix="edgebench-") as directory:
            session, origins = self.open_profiling(Path(directory))
            for _ in range(WARM_UP + runs):
                session.run(self.outputs, inputs)
            trace = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
        return node_times.find_medians(read_trace(trace, origins)[WARM_UP:])


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

    def open_profiling(directory: Path) -> tuple[Any, node_times.Origins]:
        asked = _session_options(threads, options)
        asked.enable_profiling = True
        asked.profile_file_prefix = str(directory / "trace")
        graph, origins = _tell_nodes(stage.file)
        # A graph that is no file has its other files there.
        asked.add_session_config_entry(EXTERNAL, str(stage.file.parent))
        return onnxruntime.InferenceSession(graph, asked, providers=[provider]), origins

    # It falls back to the processor with a warning at most; a figure so got would be a lie.
    if (used := session.get_providers()[0]) != provider:
        raise CaseFailed(f"onnxruntime runs on {used}, not on {device}")
    outputs = [spec.inside for spec in stage.outputs]
    yield OnnxruntimeSession(outputs, session.run, open_profiling, stage, options)


def _tell_nodes(file: Path) -> tuple[Path | bytes, node_times.Origins]:
    """Return a graph whose nodes can be told by their names, and what the names lead to.

    The file itself, or where nodes have no names, or the same, what it holds with others.
    """
    import onnx

    # Imported here because whoever lists backends opens no graph.
    from edgebench_kit.onnx import node_times

    model = onnx.load_model(file, load_external_data=False)
    origins, names = node_times.Origins.of(model.graph), node_times.name_nodes(model.graph)
    told: Path | bytes = file
    if names != [node.name for node in model.graph.node]:
        for name, node in zip(names, model.graph.node, strict=True):
            node.name = name
        told = model.SerializeToString()
    return told, origins


def read_trace(
    events: Sequence[Mapping[str, Any]], origins: node_times.Origins
) -> Sequence[Mapping[str, float]]:
    """Return for each run that was traced the seconds of its nodes, by the names in the file.

    Those of the body of another are left out: that one's time is theirs too.
    """
    from edgebench_kit.onnx import node_times

    begins = sorted(event["ts"] for event in events if event["name"] == "model_run")
    taken: list[list[tuple[str, float]]] = [[] for _ in begins]
    timed = [one for one in events if one.get("cat") == "Node" and one["name"].endswith(KERNEL)]
    within = 0
    for event in sorted(timed, key=lambda one: (one["ts"], -one["dur"])):
        if event["ts"] < within:
            continue
        if event["args"].get("op_name") in BODIED:
            within = event["ts"] + event["dur"]
        name = origins.find(event["name"].removesuffix(KERNEL))
        taken[bisect_right(begins, event["ts"]) - 1].append((name, event["dur"] / 1e6))
    return [node_times.add_up(run) for run in taken]


def _session_options(threads: int, options: OnnxruntimeOptions) -> Any:
    import onnxruntime

    asked = onnxruntime.SessionOptions()
    asked.intra_op_num_threads = threads
    asked.inter_op_num_threads = 1
    asked.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    asked.add_session_config_entry("session.intra_op.allow_spinning", str(int(options.spinning)))
    level = LEVELS[options.graph_optimization]
    asked.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, level)
    return asked


PROGRAM = """\
\"\"\"Opens a graph with ONNX Runtime, as it was measured.\"\"\"

import onnxruntime


def open_stage(directory):
    asked = onnxruntime.SessionOptions()
    asked.intra_op_num_threads = {threads}
    asked.inter_op_num_threads = 1
    asked.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    asked.add_session_config_entry("session.intra_op.allow_spinning", "{spinning}")
    asked.graph_optimization_level = onnxruntime.GraphOptimizationLevel.{level}
    session = onnxruntime.InferenceSession(
        str(directory / {file!r}), asked, providers=[{provider!r}]
    )
    outputs = {outputs!r}
    return lambda inputs: dict(zip(outputs, session.run(outputs, inputs)))
"""


def write_program(
    stage: Stage, device: str, threads: int, options: OnnxruntimeOptions, directory: Path
) -> str:
    """Return what opens the graph without edgebench."""
    return PROGRAM.format(
        threads=threads,
        spinning=int(options.spinning),
        level=LEVELS[options.graph_optimization],
        file=stage.files[0],
        provider=PROVIDERS[device],
        outputs=[spec.inside for spec in stage.outputs],
    )


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
        program=write_program,
        options=OnnxruntimeOptions,
        # Its integer kernels for processors take unsigned activations and signed weights; signed
        # activations were slower than f32.
        quantization=Quantization(activation="uint8", weight="int8", per_channel=True),
        versions=versions,
    )
