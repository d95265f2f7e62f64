"""The backend `litert`: LiteRT, which was TensorFlow Lite, its products on XNNPACK."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import attrs

from edgebench import (
    Backend,
    CaseFailed,
    HostFacts,
    NoOptions,
    Quantization,
    Session,
    Stage,
    Tensors,
    Usable,
    hookimpl,
)
from edgebench_kit.stages.devices import require_device, say_missing
from edgebench_kit.torch.tflite_runs import Runner, open_runner


@attrs.frozen
class LitertSession:
    """A graph, loaded."""

    outputs: list[str]
    runner: Runner

    def run(self, inputs: Tensors) -> Tensors:
        """Run the graph on a batch."""
        return dict(zip(self.outputs, self.runner.run(inputs, self.outputs), strict=True))


@contextmanager
def open_session(stage: Stage, device: str, threads: int, options: NoOptions) -> Iterator[Session]:
    """Load the stage's graph.

    Raises:
        CaseFailed: The device is not one that it runs on, the file is damaged, or names no tensor
            as the stage does.
    """
    require_device("litert", device, devices())
    runner = open_runner(stage.file, threads)
    for specs, names in ((stage.inputs, runner.inputs), (stage.outputs, runner.outputs)):
        if lost := [spec.inside for spec in specs if spec.inside not in names]:
            raise CaseFailed(f"{stage.file} has no {lost[0]!r}; it has {', '.join(names)}")
    yield LitertSession([spec.inside for spec in stage.outputs], runner)


PROGRAM = """\
\"\"\"Opens a graph with LiteRT, as it was measured.\"\"\"

from ai_edge_litert.interpreter import Interpreter


def open_stage(directory):
    interpreter = Interpreter(model_path=str(directory / {file!r}), num_threads={threads})
    interpreter.allocate_tensors()
    signature = interpreter.get_signature_runner(list(interpreter.get_signature_list())[0])
    inputs = {{name: one["index"] for name, one in signature.get_input_details().items()}}
    outputs = {{name: one["index"] for name, one in signature.get_output_details().items()}}
    before = []

    def run(tensors):
        sizes = [tensors[name].shape for name in inputs]
        if sizes != before:
            before.clear()  # where these are refused, it is laid out for none
            for place, size in zip(inputs.values(), sizes):
                interpreter.resize_tensor_input(place, size)
            interpreter.allocate_tensors()
            before[:] = sizes
        for name, place in inputs.items():
            interpreter.set_tensor(place, tensors[name])
        interpreter.invoke()
        return {{name: interpreter.get_tensor(place) for name, place in outputs.items()}}

    return run
"""


def write_program(
    stage: Stage, device: str, threads: int, options: NoOptions, directory: Path
) -> str:
    """Return what opens the graph without edgebench."""
    return PROGRAM.format(threads=threads, file=stage.files[0])


def devices() -> Sequence[str]:
    """List the devices that graphs run on here."""
    return ("cpu",) if find_spec("ai_edge_litert") else ()


def usable(facts: HostFacts, device: str) -> Usable:
    """Say whether the runtime is installed, and can be loaded."""
    if not find_spec("ai_edge_litert"):
        return "ai-edge-litert is not installed"
    if device not in devices():
        return say_missing(device, devices())
    try:
        import ai_edge_litert.interpreter
    except ImportError as error:
        return f"litert cannot be loaded: {error}"
    return bool(ai_edge_litert.interpreter.Interpreter)


def versions() -> Mapping[str, str]:
    """Return the version of the runtime."""
    return {"ai-edge-litert": version("ai-edge-litert")}


@hookimpl
def edgebench_backends() -> Iterator[Backend]:
    """Offer LiteRT."""
    yield Backend(
        name="litert",
        summary="LiteRT: graphs on phones and boards, products on XNNPACK.",
        open=open_session,
        formats=["tflite"],
        program=write_program,
        devices=devices,
        usable=usable,
        # Its integer kernels take signed activations alone.
        quantization=Quantization(activation="int8", weight="int8", per_channel=True),
        versions=versions,
    )
