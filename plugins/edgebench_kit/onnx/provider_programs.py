"""Programs that open a graph with ONNX Runtime on any provider, without edgebench."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edgebench import CaseFailed
from edgebench_kit.onnx.providers import Provider
from edgebench_kit.onnx.sessions import IN_FLOATS

OPENING = """\
\"\"\"Opens a graph with ONNX Runtime, as it was measured.\"\"\"
{imports}

def open_stage(directory):
    asked = onnxruntime.SessionOptions()
    asked.intra_op_num_threads = {threads}
    asked.inter_op_num_threads = 1
    asked.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    asked.add_session_config_entry("session.intra_op.allow_spinning", "{spinning}")
    asked.add_session_config_entry{in_floats!r}
    asked.graph_optimization_level = onnxruntime.GraphOptimizationLevel.{level}
{choice}
    session = onnxruntime.InferenceSession(
        str(directory / {file!r}), asked, providers={providers!r}, enable_fallback=0
    )
    if session.get_providers()[0] != {provider!r}:
        raise RuntimeError("{provider} is not used")
    outputs = {outputs!r}
    return lambda inputs: dict(zip(outputs, session.run(outputs, inputs)))
"""
CHOICE = """\
    asked.add_provider_for_devices([find_device()], {options!r})"""
FINDING = """\


def find_device():
    path = str(pathlib.Path({package}.__file__).parent / {file!r})
    try:
        onnxruntime.register_execution_provider_library({name!r}, path)
    except Exception as error:  # another stage has loaded it
        if "already registered" not in str(error):
            raise
    found = [one for one in onnxruntime.get_ep_devices()
             if one.ep_name == {provider!r} and one.device.type.name == {kind!r}]
    if len(found) <= {at}:
        raise RuntimeError("{provider} finds no such device here")
    return found[{at}]
"""


def write_provider_program(
    provider: Provider,
    options: Mapping[str, str],
    *,
    threads: int,
    spinning: int,
    level: str,
    file: str,
    outputs: Sequence[str],
) -> str:
    """Return a program that opens a graph on a provider.

    Args:
        provider: Which; it is refused where it is not there, or the runtime leaves it for another.
        options: The provider's own.
        threads: How many the runtime may use for what it computes itself.
        spinning: 1 where its threads wait by burning their processors, 0 where they sleep.
        level: How far the runtime may rewrite the graph, as it calls that.
        file: The graph's, in the directory that the program is given.
        outputs: What the graph gives, by name.

    Raises:
        CaseFailed: It is in a library that no package brings where the program is to run.
    """
    library = provider.library
    imports, choice = "\nimport onnxruntime\n", ""
    listed = [(provider.name, dict(options))] if options else [provider.name]
    if library is not None:
        if not library.package:
            raise CaseFailed(
                f"no package brings {library} to where the program is to run: install one that "
                "does, and measure without library="
            )
        inside = library.path.as_posix().rpartition(f"/{library.package}/")[2]
        finding = FINDING.format(
            package=library.package,
            file=inside,
            name=library.name,
            provider=provider.name,
            kind=provider.kind.upper(),
            at=provider.at,
        )
        imports = f"\nimport pathlib\n\nimport onnxruntime\nimport {library.package}\n{finding}"
        choice, listed = CHOICE.format(options=dict(options)), []
    return OPENING.format(
        imports=imports,
        choice=choice,
        threads=threads,
        spinning=spinning,
        in_floats=IN_FLOATS,
        level=level,
        file=file,
        providers=listed,
        provider=provider.name,
        outputs=list(outputs),
    )
