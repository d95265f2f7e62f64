"""Running a graph of LiteRT on arrays by the names of its signature."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from edgebench import CaseFailed

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


@attrs.define
class Runner:
    """A graph, loaded; its memory is laid out anew where an input has other sizes than before."""

    interpreter: Any
    inputs: Mapping[str, int]
    outputs: Mapping[str, int]
    """The places of its tensors, by the names of its signature."""
    sizes: list[tuple[int, ...]] = attrs.field(factory=list)

    def run(self, inputs: Mapping[str, NDArray[Any]], outputs: Sequence[str]) -> list[NDArray[Any]]:
        """Run the graph, and return the outputs of these names as new arrays.

        Raises:
            CaseFailed: A kernel refuses the sizes or values of the inputs, or their types are
                others than the graph's.
        """
        sizes = [inputs[name].shape for name in self.inputs]
        try:
            if sizes != self.sizes:
                self._lay_out(sizes)
            for name, place in self.inputs.items():
                self.interpreter.set_tensor(place, inputs[name])
            self.interpreter.invoke()
            return [self.interpreter.get_tensor(self.outputs[name]) for name in outputs]
        except (RuntimeError, ValueError) as error:
            raise CaseFailed(f"LiteRT cannot run the graph: {error}") from error

    def _lay_out(self, sizes: list[tuple[int, ...]]) -> None:
        self.sizes = []  # where these are refused, it is laid out for none
        for place, size in zip(self.inputs.values(), sizes, strict=True):
            self.interpreter.resize_tensor_input(place, size)
        self.interpreter.allocate_tensors()
        self.sizes = sizes


def open_runner(graph: Path | bytes, threads: int) -> Runner:
    """Load a graph, a file or what it holds, on so many threads.

    Raises:
        CaseFailed: It is damaged, needs kernels that the runtime has not, or has no signature.
    """
    from ai_edge_litert.interpreter import Interpreter

    given = {"model_content": graph} if isinstance(graph, bytes) else {"model_path": str(graph)}
    try:
        interpreter = Interpreter(**given, num_threads=threads)
        interpreter.allocate_tensors()
        names = list(interpreter.get_signature_list())
        runner = interpreter.get_signature_runner(names[0])
    except (IndexError, RuntimeError, ValueError) as error:
        what = "a graph" if isinstance(graph, bytes) else graph
        raise CaseFailed(f"LiteRT cannot open {what}: {error or 'no signature'}") from error
    inputs, outputs = runner.get_input_details(), runner.get_output_details()
    return Runner(
        interpreter,
        {name: one["index"] for name, one in inputs.items()},
        {name: one["index"] for name, one in outputs.items()},
    )
