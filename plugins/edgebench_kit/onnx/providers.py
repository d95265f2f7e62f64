"""Execution providers of ONNX Runtime, its own and those of libraries, found by a device."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from edgebench import CaseFailed
from edgebench_kit.onnx.provider_devices import name_devices, name_provider
from edgebench_kit.onnx.provider_libraries import ProviderLibrary, find_libraries, register, say
from edgebench_kit.stages.devices import say_missing

CPU = "cpu"
REMOTE = frozenset(["AzureExecutionProvider"])
"""Providers of the runtime's own that send tensors to a server and compute nothing here."""
RECORD = "session.record_ep_graph_assignment_info"


@attrs.frozen(kw_only=True)
class Provider:
    """A provider and the device that it runs on."""

    name: str
    kind: str = ""
    """What it runs on: `cpu`, `gpu`, `npu`; empty where that is not known."""
    library: ProviderLibrary | None = None
    """Where it comes from; None for one of the runtime's own."""
    device: Any = None
    """The library's, as the runtime knows it."""
    at: int = 0
    """Which of the library's devices of this provider and kind it is."""

    @property
    def facts(self) -> Mapping[str, str]:
        """What its device says of itself."""
        return dict(self.device.ep_metadata) if self.device else {}


def list_own() -> Mapping[str, Provider]:
    """Return the providers that the runtime has by itself, by device, the processor first."""
    import onnxruntime

    # What libraries brought into this process is among what is available too.
    brought = {
        one.ep_name for one in onnxruntime.get_ep_devices() if "library_path" in one.ep_metadata
    }
    names = [one for one in onnxruntime.get_available_providers() if one not in {*brought, *REMOTE}]
    found = {name_provider(name): name for name in names}
    ordered = sorted(found, key=lambda device: device != CPU)
    return {one: Provider(name=found[one], kind=CPU if one == CPU else "") for one in ordered}


def find_provider(device: str, path: Path | None = None, wanted: str = "") -> Provider:
    """Return the provider that runs on a device, its library loaded into this process.

    Args:
        device: The device, as `onnxruntime:DEVICE` names it.
        path: A library to take it from, in place of the runtime and what is installed.
        wanted: Which of that library's devices, by name; empty for the first.

    Raises:
        CaseFailed: There is no such device, or the library cannot be loaded.
    """
    if path:
        library = ProviderLibrary(path=path)
        register(library)  # where it fails, that is all there is to say
        return _find_in([library], wanted)
    if own := list_own().get(device):
        return own
    # No name says what is in a library until it is loaded: the likeliest is loaded first.
    libraries = sorted(find_libraries(), key=lambda one: _likeness(one.name, device), reverse=True)
    return _find_in(libraries, device)


def _likeness(name: str, device: str) -> float:
    # Imported here because what lists backends compares no names.
    from difflib import SequenceMatcher

    return SequenceMatcher(None, name.replace("_", ""), device.partition(".")[0]).ratio()


def _find_in(libraries: Sequence[ProviderLibrary], wanted: str) -> Provider:
    has: list[str] = []
    lacking: list[str] = []
    for library in libraries:
        try:
            named = name_devices(register(library))
        except CaseFailed as failure:
            lacking.append(str(failure))
            continue
        for name, one in named.items():
            if wanted in (name, ""):
                return _describe(one, library, [*named.values()])
        has += named
        lacking += [f"{library} offers none here"] * (not named)
    raise CaseFailed(f"onnxruntime has {say_missing(wanted, has, lacking)}")


def _describe(one: Any, library: ProviderLibrary, beside: Sequence[Any]) -> Provider:
    same = [
        other
        for other in beside
        if (other.ep_name, other.device.type) == (one.ep_name, one.device.type)
    ]
    kind = one.device.type.name.lower()
    at = next(number for number, other in enumerate(same) if other is one)
    return Provider(name=one.ep_name, kind=kind, library=library, device=one, at=at)


def open_graph(
    graph: Path | bytes, asked: Any, provider: Provider, options: Mapping[str, str]
) -> Any:
    """Have the runtime load a graph for a provider, and never for another without a word.

    Args:
        graph: The file, or what is in it.
        asked: The session's options, which the provider is added to.
        provider: Which.
        options: The provider's own options.

    Raises:
        CaseFailed: The provider refuses the graph or its options, or the runtime left it for
            another.
    """
    import onnxruntime

    own = [] if provider.device else [(provider.name, dict(options))]
    if provider.device:
        asked.add_provider_for_devices([provider.device], dict(options))
    try:
        # With its own fallback it would take the processor, and say so on the terminal at most.
        session = onnxruntime.InferenceSession(graph, asked, providers=own, enable_fallback=0)
    except Exception as error:
        if provider.kind == CPU and provider.library is None:
            raise
        raise CaseFailed(f"{provider.name} refuses: {say(error)}") from error
    if (used := session.get_providers()[0]) != provider.name:
        raise CaseFailed(f"onnxruntime runs on {used}, not on {provider.name}")
    return session


def read_assignment(session: Any, provider: str) -> Mapping[str, Sequence[str]]:
    """Return by provider the nodes that it got, the one that was asked for first.

    The session was opened with `RECORD`.

    Raises:
        CaseFailed: That one got none.
    """
    got: dict[str, list[str]] = {provider: []}
    for part in session.get_provider_graph_assignment_info():
        nodes = got.setdefault(part.ep_name, [])
        nodes += [f"{one.name} ({one.op_type})".strip() for one in part.get_nodes()]
    if not got[provider] and (others := sum(map(len, got.values()))):
        raise CaseFailed(f"{provider} takes none of the {others} nodes of the graph")
    return got


def say_unusable(provider: Provider) -> str:
    """Say why a provider of the runtime's own does not run here; empty where it does.

    That a build has one says nothing of the machine: a graph of one node is opened on it.
    """
    import onnxruntime
    from onnx import TensorProto, helper

    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in "xy"]
    node = helper.make_node("Relu", ["x"], ["y"])
    graph = helper.make_graph([node], "one", ends[:1], ends[1:])
    opset = [helper.make_opsetid("", 13)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=8).SerializeToString()
    try:
        open_graph(model, onnxruntime.SessionOptions(), provider, {})
    except CaseFailed as failure:
        return str(failure)
    return ""
