"""A vendor's whole stack in one file: a private format, the way to it, a compiler, a runtime.

The runtime is ONNX Runtime's, and the chip this machine's processor; the seams are those of any
vendor's: a toolchain that rewrites graphs, a compiler that runs on the host, files that it leaves.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import attrs

import edgebench as eb
from edgebench_kit.onnx.examples import check_examples
from edgebench_kit.onnx.graph_files import read_graph, write_graph
from edgebench_kit.onnx.sessions import run_graph

EDGEBENCH_API = (2, 0)
LEVELS = {"fast": "ORT_ENABLE_ALL", "exact": "ORT_ENABLE_BASIC"}


@attrs.frozen(kw_only=True)
class Options:
    """What a user may write: `chip(compile=exact)`."""

    compile: Literal["fast", "exact"] = "fast"
    """How far the compiler may rewrite a graph."""


# --- what it runs, made anywhere -----------------------------------------------------------------


def convert(stage: eb.Stage, examples: eb.Tensors) -> eb.Stage:
    """Make a chip's graph of one in ONNX: here, with what a vendor's parser wants of it."""
    import onnx

    graph = onnx.shape_inference.infer_shapes(stage.live)
    inputs = {spec.inside: examples[spec.name] for spec in stage.inputs}
    names = [one.name for one in graph.graph.output]
    wanted = dict(zip(names, run_graph(stage.live, [inputs])[0], strict=True))
    check_examples(stage, graph, inputs, wanted)  # raises where it computes something else
    return stage.changed(graph, format="chip-graph")


def save(stage: eb.Stage, directory: Path) -> Sequence[str]:
    """Write a chip's graph into an empty directory."""
    return write_graph(stage.live, directory)


def load(stage: eb.Stage, build: Callable[[], Any]) -> Any:
    """Read it back."""
    return read_graph(stage.file)


# --- what runs it, on a host ---------------------------------------------------------------------


def compile_stage(
    stage: eb.Stage, device: str, threads: int, options: Options, directory: Path
) -> eb.Stage:
    """Compile once, on the host that will run it; results say how long that took."""
    import onnxruntime

    asked = onnxruntime.SessionOptions()
    asked.log_severity_level = 3
    level = LEVELS[options.compile]
    asked.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, level)
    asked.add_session_config_entry("session.save_model_format", "ORT")
    asked.optimized_model_filepath = str(directory / "engine.ort")
    onnxruntime.InferenceSession(stage.file, asked, providers=["CPUExecutionProvider"])
    return attrs.evolve(stage, directory=directory, files=["engine.ort"])


@attrs.frozen
class ChipSession:
    """An engine that is loaded."""

    engine: Any
    stage: eb.Stage
    options: Options

    def run(self, inputs: eb.Tensors) -> eb.Tensors:
        """Run a batch; names are those in the stage's file."""
        names = [spec.inside for spec in self.stage.outputs]
        return dict(zip(names, self.engine.run(names, dict(inputs)), strict=True))

    def explain(self) -> Sequence[str]:
        """Say what may make it slower than expected: told where a result surprises."""
        slow = self.options.compile == "exact"
        return ["the compiler fused nothing, as compile=exact asks"] if slow else []


@contextmanager
def open_engine(
    stage: eb.Stage, device: str, threads: int, options: Options
) -> Iterator[ChipSession]:
    """Load what was compiled."""
    import onnxruntime

    asked = onnxruntime.SessionOptions()
    asked.intra_op_num_threads = threads
    engine = onnxruntime.InferenceSession(stage.file, asked, providers=["CPUExecutionProvider"])
    yield ChipSession(engine, stage, options)


def usable(facts: eb.HostFacts, device: str) -> eb.Usable:
    """Say whether it runs on such a host, or in one clause why not."""
    return find_spec("onnxruntime") is not None or "the chip's runtime is not installed"


def versions() -> Mapping[str, str]:
    """Return what results name, and what a compiled stage belongs to."""
    import onnxruntime

    return {"chip-runtime": onnxruntime.__version__}


@eb.hookimpl
def edgebench_formats() -> Iterator[eb.Format]:
    """Offer the private format."""
    yield eb.Format(
        name="chip-graph", summary="A graph as the chip's compiler reads it.", save=save, load=load
    )


@eb.hookimpl
def edgebench_converters() -> Iterator[eb.Converter]:
    """Offer the way to it."""
    yield eb.Converter(
        name="onnx-to-chip-graph",
        summary="Rewrite a graph for the chip's compiler.",
        source="onnx",
        target="chip-graph",
        convert=convert,
    )


@eb.hookimpl
def edgebench_backends() -> Iterator[eb.Backend]:
    """Offer the chip."""
    yield eb.Backend(
        name="chip",
        summary="A chip whose graphs are compiled on its host.",
        open=open_engine,
        compile=compile_stage,
        formats=["chip-graph"],
        usable=usable,
        options=Options,
        quantization=eb.Quantization(activation="uint8", weight="int8", per_channel=True),
        versions=versions,
    )
