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
from edgebench_kit.onnx import provider_devices, provider_libraries, providers, unfused
from edgebench_kit.onnx.provider_programs import write_provider_program
from edgebench_kit.onnx.provider_settings import Settings, Wish, find_settings, read_options
from edgebench_kit.onnx.providers import CPU, Provider
from edgebench_kit.onnx.sessions import IN_FLOATS
from edgebench_kit.stages.devices import say_missing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from edgebench_kit.onnx import node_times

LEVELS = {
    "all": "ORT_ENABLE_ALL",
    "extended": "ORT_ENABLE_EXTENDED",
    "basic": "ORT_ENABLE_BASIC",
    "disabled": "ORT_DISABLE_ALL",
}
"""By how far it may rewrite a graph, what the runtime calls that."""
EXTERNAL = "session.model_external_initializers_file_folder_path"
SUMMARY = "ONNX Runtime: graphs on processors of every kind"


def _check_options(_: object, __: attrs.Attribute[str], value: str) -> None:
    read_options(value)


def _check_library(_: object, __: object, path: Path | None) -> None:
    if path and not path.is_absolute():
        raise ValueError(f"library must be a whole path, from the root on, not {str(path)!r}")


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
    precision: Literal["f32", "bf16", "f16"] = "f32"
    """What a provider is asked to compute floats in; one that cannot be asked is doubted."""
    provider_options: str = attrs.field(default="", validator=_check_options)
    """More options of the provider, `key=value;key=value`, JSON with single quotes. One that the
    provider does not know it may ignore without a word."""
    library: Path | None = attrs.field(default=None, validator=_check_library)
    """A file with providers, taken in place of all others; the device is then left out."""
    library_device: str = ""
    """Which device of that library, such as `name.gpu`; empty for its first."""

    def __attrs_post_init__(self) -> None:
        """Refuse what would be left out in silence."""
        if self.library_device and not self.library:
            raise ValueError("library_device is a device of a library, and there is no library=")


@attrs.frozen
class OnnxruntimeSession:
    """A graph, loaded on the processor by the runtime itself."""

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
        asked = _session_options(1, self.options)
        asked.optimized_model_filepath = str(directory / "optimized.onnx")
        asked.log_severity_level = 3  # it warns that the file is for this processor alone
        providers.open_graph(self.stage.file, asked, providers.list_own()[CPU], {})
        return directory / "optimized.onnx"

    def run(self, inputs: Tensors) -> Tensors:
        """Run the graph on a batch."""
        return dict(zip(self.outputs, self.call(self.outputs, inputs), strict=True))

    def profile(self, inputs: Tensors, runs: int) -> Mapping[str, float]:
        """Return the median seconds that each node takes in a run."""
        from edgebench_kit.onnx import runtime_traces

        with TemporaryDirectory(prefix="edgebench-") as directory:
            session, origins = self.open_profiling(Path(directory))
            return runtime_traces.time_nodes(session, origins, self.outputs, inputs, runs)


@attrs.frozen
class ProviderSession:
    """A graph, loaded by another provider, which may leave nodes to the processor."""

    outputs: list[str]
    call: Any
    shared: Mapping[str, Sequence[str]]
    doubted: Sequence[str]

    def run(self, inputs: Tensors) -> Tensors:
        """Run the graph on a batch."""
        try:
            given = self.call(self.outputs, inputs)
        except Exception as error:
            raise CaseFailed(provider_libraries.say(error)) from error
        return dict(zip(self.outputs, given, strict=True))

    def assignment(self) -> Mapping[str, Sequence[str]]:
        """Return by provider the nodes that it got."""
        return self.shared

    def doubts(self) -> Sequence[str]:
        """Say what the provider could not be asked for."""
        return self.doubted


@contextmanager
def open_session(
    stage: Stage, device: str, threads: int, options: OnnxruntimeOptions
) -> Iterator[Session]:
    """Load the stage's graph.

    Raises:
        CaseFailed: The device is not there, its provider refuses the graph or what is asked of it,
            or the runtime left it for another.
    """
    provider = providers.find_provider(device, options.library, options.library_device)
    settings = _find_settings(provider, threads, options)
    asked = _session_options(threads, options)
    outputs = [spec.inside for spec in stage.outputs]
    if not _is_plain(provider):
        asked.add_session_config_entry(providers.RECORD, "1")
        session = providers.open_graph(stage.file, asked, provider, settings.options)
        shared = providers.read_assignment(session, provider.name)
        doubts = [*settings.doubts]
        if options.library and provider.kind != device:
            doubts.append(f"{provider.name} ran on {provider.kind}, which {device} stands for here")
        yield ProviderSession(outputs, session.run, shared, doubts)
        return
    session = providers.open_graph(stage.file, asked, provider, {})

    def open_profiling(directory: Path) -> tuple[Any, node_times.Origins]:
        from edgebench_kit.onnx import runtime_traces

        asked = _session_options(threads, options)
        asked.enable_profiling = True
        asked.profile_file_prefix = str(directory / "trace")
        graph, origins = runtime_traces.tell_nodes(stage.file)
        # A graph that is no file has its other files there.
        asked.add_session_config_entry(EXTERNAL, str(stage.file.parent))
        return providers.open_graph(graph, asked, provider, {}), origins

    yield OnnxruntimeSession(outputs, session.run, open_profiling, stage, options)


def _is_plain(provider: Provider) -> bool:
    """Say whether a provider is the runtime's own for processors, which runs every node."""
    return provider.kind == CPU and provider.library is None


def _find_settings(provider: Provider, threads: int, options: OnnxruntimeOptions) -> Settings:
    given = read_options(options.provider_options)
    wish = Wish(threads=threads, precision=options.precision, given=given)
    if not _is_plain(provider):
        return find_settings(provider.name, provider.kind, provider.facts, wish)
    if wish.precision != "f32":
        raise CaseFailed(f"onnxruntime computes in f32 on cpu, not in {wish.precision}")
    if given:
        raise CaseFailed("onnxruntime's cpu takes no provider_options")
    return Settings({})


def _session_options(threads: int, options: OnnxruntimeOptions) -> Any:
    import onnxruntime

    asked = onnxruntime.SessionOptions()
    asked.intra_op_num_threads = threads
    asked.inter_op_num_threads = 1
    asked.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    asked.add_session_config_entry("session.intra_op.allow_spinning", str(int(options.spinning)))
    asked.add_session_config_entry(*IN_FLOATS)
    level = LEVELS[options.graph_optimization]
    asked.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, level)
    return asked


def write_program(
    stage: Stage, device: str, threads: int, options: OnnxruntimeOptions, directory: Path
) -> str:
    """Return what opens the graph without edgebench.

    Raises:
        CaseFailed: Its provider is in a library that no package brings where it is to run.
    """
    provider = providers.find_provider(device, options.library, options.library_device)
    return write_provider_program(
        provider,
        _find_settings(provider, threads, options).options,
        threads=threads,
        spinning=int(options.spinning),
        level=LEVELS[options.graph_optimization],
        file=stage.files[0],
        outputs=[spec.inside for spec in stage.outputs],
    )


def devices() -> Sequence[str]:
    """List the devices that ONNX Runtime, and the libraries that extend it, can use here."""
    if not find_spec("onnxruntime"):
        return ()
    return provider_devices.Devices(
        tuple(providers.list_own()),
        lambda: [one for offer in provider_devices.list_offers().values() for one in offer.devices],
    )


def usable(facts: HostFacts, device: str) -> Usable:
    """Say whether the runtime is installed and has the device."""
    if not find_spec("onnxruntime"):
        return "onnxruntime is not installed"
    if own := providers.list_own().get(device):
        return device == CPU or providers.say_unusable(own) or True
    if device in devices():
        return True
    lacking = [
        f"{library} {f'cannot be loaded: {offer.why_not}' if offer.why_not else 'offers none here'}"
        for library, offer in provider_devices.list_offers().items()
        if not offer.devices
    ]
    return say_missing(device, list(devices()), lacking)


def versions() -> Mapping[str, str]:
    """Return the versions of the runtime and of what extends it."""
    import onnxruntime

    libraries = provider_libraries.find_libraries()
    found = {one.package: one.version for one in libraries}
    return {"onnxruntime": onnxruntime.__version__, **found}


def precision(options: OnnxruntimeOptions) -> str:
    """Return what it computes floats in."""
    return options.precision


@hookimpl
def edgebench_backends() -> Iterator[Backend]:
    """Offer ONNX Runtime."""
    beside = ", ".join(one.distribution for one in provider_libraries.find_libraries())
    yield Backend(
        name="onnxruntime",
        summary=f"{SUMMARY}{f', and devices of {beside}' * bool(beside)}.",
        open=open_session,
        formats=["onnx"],
        devices=devices,
        usable=usable,
        program=write_program,
        options=OnnxruntimeOptions,
        # Its integer kernels for processors take unsigned activations and signed weights; signed
        # activations were slower than f32.
        quantization=Quantization(activation="uint8", weight="int8", per_channel=True),
        precision=precision,
        versions=versions,
    )
