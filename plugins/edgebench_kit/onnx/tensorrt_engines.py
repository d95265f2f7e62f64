"""Builds engines with TensorRT 10 or 11, and loads them."""

from __future__ import annotations

from pathlib import Path
from tempfile import NamedTemporaryFile, TemporaryDirectory
from typing import TYPE_CHECKING, Any

import attrs

from edgebench import CaseFailed
from edgebench_kit.onnx import tensorrt_networks

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edgebench import Stage
    from edgebench_kit.onnx.tensorrt_networks import Range, Shapes

KEPT = 50
"""How many messages a log keeps, the last ones."""


@attrs.frozen(kw_only=True)
class Building:
    """How an engine is to be built."""

    ranges: Mapping[str, Range]
    """By word the sizes of the open dimensions."""
    tf32: bool
    """Whether products of floats may be rounded to 10 bits."""
    effort: int
    """From 0 to 5: how long kernels are looked for."""
    timing_cache: Path | None
    """Where what kernels took is read and kept."""


def make_log() -> Any:
    """Return what TensorRT logs to: it keeps warnings and errors, and prints nothing."""
    import tensorrt

    class Log(tensorrt.ILogger):  # type: ignore[misc]
        def __init__(self) -> None:
            tensorrt.ILogger.__init__(self)
            self.errors: list[str] = []
            self.lines: list[str] = []

        @property
        def text(self) -> str:
            """What was logged last."""
            return "\n".join(self.lines)

        def explain(self) -> str:
            """Return the first error, in one line: those after it follow from it."""
            return " ".join(self.errors[0].split()) if self.errors else "it gives no reason"

        def log(self, severity: Any, message: str) -> None:
            """Keep a message, as TensorRT gives it."""
            if int(severity) <= int(tensorrt.ILogger.ERROR):
                self.errors.append(message)
            if int(severity) <= int(tensorrt.ILogger.WARNING):
                self.lines = [*self.lines[1 - KEPT :], message]

    log = Log()
    # Some operators of ONNX are plugins of its own.
    tensorrt.init_libnvinfer_plugins(log, "")
    return log


def build_engine(stage: Stage, building: Building) -> bytes:
    """Return an engine of a stage's graph, for the GPU that is chosen, as it is kept in a file.

    Raises:
        CaseFailed: TensorRT does not read the graph or builds nothing of it, the sizes that are
            asked for are not those of the graph, or the timing cache is another GPU's.
    """
    import tensorrt

    log = make_log()
    builder = tensorrt.Builder(log)
    with TemporaryDirectory(prefix="edgebench-") as scratch:
        # The network refers to weights that the parser holds.
        network, _parser = tensorrt_networks.read_network(builder, log, stage, Path(scratch))
        config = builder.create_builder_config()
        config.builder_optimization_level = building.effort
        if not building.tf32:
            config.clear_flag(tensorrt.BuilderFlag.TF32)  # it is on unless it is cleared
        shapes = tensorrt_networks.list_shapes(stage.inputs, building.ranges)
        _add_profile(builder, config, network, shapes)
        if building.timing_cache is not None:
            _attach_cache(config, building.timing_cache)
        made = builder.build_serialized_network(network, config)
    if made is None:
        raise CaseFailed(f"tensorrt builds no engine of the graph: {log.explain()}", log.text)
    if building.timing_cache is not None:
        _keep_cache(config, building.timing_cache)
    return bytes(made)


def _add_profile(builder: Any, config: Any, network: Any, shapes: Mapping[str, Shapes]) -> None:
    """Say which shapes the inputs may have, where the network leaves that open."""
    inputs = [network.get_input(number) for number in range(network.num_inputs)]
    open_ones = [tensor.name for tensor in inputs if -1 in tuple(tensor.shape)]
    if not open_ones:
        return
    profile = builder.create_optimization_profile()
    for name in open_ones:
        profile.set_shape(name, *shapes[name])
    if config.add_optimization_profile(profile) < 0:
        raise CaseFailed(
            f"tensorrt takes no such shapes: {', '.join(f'{n} {shapes[n]}' for n in open_ones)}"
        )


def _attach_cache(config: Any, file: Path) -> None:
    kept = file.read_bytes() if file.is_file() else b""
    cache = config.create_timing_cache(kept)
    if cache is None or not config.set_timing_cache(cache, ignore_mismatch=False):
        raise CaseFailed(
            f"the timing cache {file} was not made on this GPU by this TensorRT: remove it, or "
            "name another"
        )


def _keep_cache(config: Any, file: Path) -> None:
    """Write a timing cache; whoever reads it meanwhile reads the one before."""
    made = bytes(config.get_timing_cache().serialize())
    file.parent.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile(dir=file.parent, prefix=f".{file.name}-", delete=False) as written:
        written.write(made)
    Path(written.name).replace(file)


@attrs.define
class Engine:
    """An engine that is loaded, ready to run."""

    runtime: Any
    engine: Any
    context: Any
    log: Any

    def list_tensors(self, *, inputs: bool) -> Mapping[str, str]:
        """Return its inputs or its outputs by name, each with its element type."""
        import tensorrt

        wanted = tensorrt.TensorIOMode.INPUT if inputs else tensorrt.TensorIOMode.OUTPUT
        names = [self.engine.get_tensor_name(one) for one in range(self.engine.num_io_tensors)]
        return {
            name: tensorrt_networks.name_dtype(self.engine.get_tensor_dtype(name))
            for name in names
            if self.engine.get_tensor_mode(name) == wanted
        }

    def find_shapes(self, name: str) -> Shapes:
        """Return the shapes of an input that it was built for."""
        least, usual, greatest = self.engine.get_tensor_profile_shape(name, 0)
        return tuple(least), tuple(usual), tuple(greatest)

    def release(self) -> None:
        """Give its memory back, in the order in which one stands on the other."""
        self.context = None
        self.engine = None
        self.runtime = None


def load_engine(file: Path) -> Engine:
    """Load an engine on the GPU that is chosen.

    Raises:
        CaseFailed: It was built by another TensorRT or for another GPU, or there is no room.
    """
    import tensorrt

    log = make_log()
    runtime = tensorrt.Runtime(log)
    engine = runtime.deserialize_cuda_engine(file.read_bytes())
    if engine is None:
        raise CaseFailed(f"tensorrt does not load the engine: {log.explain()}", log.text)
    context = engine.create_execution_context()
    if context is None:
        raise CaseFailed(f"tensorrt has no room to run the engine: {log.explain()}", log.text)
    return Engine(runtime, engine, context, log)
