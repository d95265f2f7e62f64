"""The ends of a program as requests meet them: which dimension is the batch, and all sizes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import attrs

from edgebench import DataError, TensorSpec
from edgebench_kit.torch.program_checks import check_graph
from edgebench_kit.torch.program_files import ProgramFile, read_program
from edgebench_kit.torch.program_signatures import End, list_inputs, list_outputs
from edgebench_kit.torch.program_sizes import (
    SizeRange,
    compute_size,
    list_symbols,
    name_symbol,
    read_ranges,
)
from edgebench_kit.torch.program_states import refuse_changes


@attrs.frozen(kw_only=True)
class Ends:
    """What goes into a program and comes out of it."""

    inputs: tuple[End, ...]
    outputs: tuple[End, ...]
    batch: frozenset[str]
    """The symbols that stand for the batch; none where a request is of one sample."""
    known: Mapping[str, int]
    """The sizes that were given to other symbols."""
    most: int | None
    """Samples that a request may hold; None for any number."""
    least: int
    """The fewest samples for which the program was exported."""

    def describe_inputs(self, *, one: bool = False) -> tuple[TensorSpec, ...]:
        """Describe what a request gives: of *one* sample, or of as many as the program takes."""
        return tuple(self._describe(end, one=one) for end in self.inputs)

    def describe_outputs(self) -> tuple[TensorSpec, ...]:
        """Describe what a request is answered."""
        return tuple(self._describe(end) for end in self.outputs)

    def _describe(self, end: End, *, one: bool = False) -> TensorSpec:
        first: int | str = 1 if one or not self.batch else "batch"
        rest = [compute_size(size, self.known) for size in end.sizes[1:]]
        # What only the values tell, such as how many boxes were found, has a word of its own.
        named = [
            f"{end.name}.{axis}" if size is None else size for axis, size in enumerate(rest, 1)
        ]
        return TensorSpec(name=end.name, dtype=end.dtype, shape=(first, *named))


def look_into(
    path: Path,
    sizes: Mapping[str, int],
    propose: Callable[[Sequence[TensorSpec]], Mapping[str, int]] | None = None,
) -> tuple[ProgramFile, Ends]:
    """Read a program and its ends, and see that it can be opened and measured.

    Args:
        path: The file.
        sizes: What was said of its open dimensions: sizes by input and axis, `x.2`.
        propose: From its inputs, a word for each size that is open, to sizes of those of which
            nothing was said.

    Raises:
        DataError: It is no such file, is damaged, holds what would be run, or does not fit.
    """
    program = read_program(path)
    with _explaining(path):
        check_graph(program.document, path)
        proposed = _propose(program, sizes, propose) if propose else {}
        ends = find_ends(program, {**proposed, **sizes})
        refuse_changes(program)
    return program, ends


def _propose(
    program: ProgramFile,
    sizes: Mapping[str, int],
    propose: Callable[[Sequence[TensorSpec]], Mapping[str, int]],
) -> dict[str, int]:
    """Return the sizes that are proposed of what is open, and that nobody said."""
    inputs = list_inputs(program)
    specs = [
        TensorSpec(
            name=end.name,
            dtype=end.dtype,
            shape=[size if isinstance(size, int) else f"{end.name}.{axis}"
                   for axis, size in enumerate(end.sizes)],
        )
        for end in inputs
    ]  # fmt: skip
    symbols = {
        f"{end.name}.{axis}": name_symbol(size)
        for end in inputs
        for axis, size in enumerate(end.sizes)
    }
    said = {*sizes, *(symbols.get(name) for name in sizes)}
    return {
        name: size
        for name, size in propose(specs).items()
        if symbols.get(name) and not {name, symbols[name]} & said
    }


@contextmanager
def _explaining(path: Path) -> Iterator[None]:
    """Say of whatever a damaged text lacks which file it is of."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise DataError(f"{path} is damaged: its graph is not as torch writes it") from error


def find_ends(program: ProgramFile, sizes: Mapping[str, int]) -> Ends:
    """Find the inputs and outputs of a program, *sizes* being said of its open dimensions.

    Raises:
        DataError: It has an end that cannot be sent, its batch is not first, or a size lacks.
    """
    inputs, outputs = list_inputs(program), list_outputs(program)
    ranges = read_ranges(program.document)
    batch = _find_batch(program, inputs)
    known = _match_sizes(program, inputs, batch, sizes, ranges)
    _check_sizes(program, inputs, batch, known)
    _check_outputs(program, outputs, batch, known)
    bounds = [ranges.get(symbol, SizeRange()) for symbol in batch]
    least = max((one.least for one in bounds), default=1)
    if least > 2:  # 2 stands where nobody said anything: torch takes 1 for a constant
        raise DataError(
            f"{program.path} takes {least} samples at a time or more, and a request is of one; "
            'export it with a batch of any size: torch.export.Dim("batch")'
        )
    most = [one.most for one in bounds if one.most is not None]
    return Ends(
        inputs=inputs,
        outputs=outputs,
        batch=batch,
        known=known,
        most=min(most, default=None) if batch else 1,
        least=least,
    )


def _find_batch(program: ProgramFile, inputs: Sequence[End]) -> frozenset[str]:
    """Return the symbols of the batch, which is the first dimension of each input.

    Raises:
        DataError: It is not there, or of several samples always.
    """
    symbols = set()
    for end in inputs:
        if not end.sizes:
            raise DataError(
                f"{program.path}: input {end.name!r} has no dimension for the batch; export the "
                "model with a constant there, or with a first dimension for the samples"
            )
        symbol = name_symbol(end.sizes[0])
        if symbol is None and end.sizes[0] != 1:
            several = end.sizes[0] if isinstance(end.sizes[0], int) else "a multiple of some"
            raise DataError(
                f"{program.path}: input {end.name!r} takes {several} samples at a time; its first "
                "dimension must be open, or 1: export it with examples of one sample, or with "
                '{0: torch.export.Dim("batch")} in dynamic_shapes for each input'
            )
        symbols.add(symbol)
    # Where one input takes one sample, so do all.
    return frozenset() if None in symbols else frozenset(filter(None, symbols))


def _match_sizes(
    program: ProgramFile,
    inputs: Sequence[End],
    batch: frozenset[str],
    wanted: Mapping[str, int],
    ranges: Mapping[str, SizeRange],
) -> dict[str, int]:
    """Return the sizes of symbols, which go by their own names or by input and axis."""
    places = {
        f"{end.name}.{axis}": symbol
        for end in inputs
        for axis, size in enumerate(end.sizes)
        if (symbol := name_symbol(size)) and symbol not in batch
    }
    found: dict[str, int] = {}
    for name, size in wanted.items():
        symbol = places.get(name, name)
        if symbol not in places.values():
            there = ", ".join(places) or "none"
            raise DataError(
                f"dims: {program.path} has no open dimension {name!r} beside the batch; there are: "
                f"{there}"
            )
        bounds = ranges.get(symbol, SizeRange())
        if size < bounds.least or size > (bounds.most or size):
            most = "any" if bounds.most is None else bounds.most
            raise DataError(
                f"dims: {program.path} takes {bounds.least} to {most} for {name!r}, not {size}"
            )
        if found.setdefault(symbol, size) != size:
            raise DataError(
                f"dims: {name!r} is of the same size as another in {program.path}, and two sizes "
                "are given"
            )
    return found if batch else {**_of_one(inputs), **found}


def _of_one(inputs: Sequence[End]) -> dict[str, int]:
    """Return the symbols of first dimensions where another input takes one sample only."""
    return {symbol: 1 for end in inputs if (symbol := name_symbol(end.sizes[0]))}


def _check_sizes(
    program: ProgramFile, inputs: Sequence[End], batch: frozenset[str], known: Mapping[str, int]
) -> None:
    """See that each dimension of an input but the batch is a number."""
    lacking = [
        f"{end.name}.{axis}"
        for end in inputs
        for axis, size in enumerate(end.sizes)
        if axis and compute_size(size, known) is None
    ]
    if not lacking:
        return
    by_symbol: dict[str, str] = {}
    for end in inputs:
        for axis, size in enumerate(end.sizes):
            symbol = name_symbol(size)
            if axis and symbol and symbol not in known and symbol not in batch:
                by_symbol.setdefault(symbol, f"{end.name}.{axis}=128")
    if not by_symbol:
        raise DataError(
            f"{program.path}: the size of {lacking[0]} follows from the batch; export it so that "
            "only the first dimension of an input does"
        )
    raise DataError(
        f"{program.path}: the dimension {lacking[0]} has no number; give one: "
        f"--model '{program.path}(dims=\"{' '.join(by_symbol.values())}\")'"
    )


def _check_outputs(
    program: ProgramFile,
    outputs: Sequence[End],
    batch: frozenset[str],
    known: Mapping[str, int],
) -> None:
    """See that the first dimension of each output is the batch, and no other is."""
    for end in outputs:
        first = end.sizes[0] if end.sizes else None
        placed = first is not None and (
            name_symbol(first) in batch if batch else compute_size(first, known) == 1
        )
        spread = [size for size in end.sizes[1:] if list_symbols(size) & batch]
        if not placed or spread:
            shape = ", ".join(
                "batch" if name_symbol(size) in batch else _show(size, known) for size in end.sizes
            )
            raise DataError(
                f"{program.path}: the samples of output {end.name!r}, of shape ({shape}), do not "
                "lie along its first dimension; export the model so that they do, or without it"
            )


def _show(size: int | str, known: Mapping[str, int]) -> str:
    found = compute_size(size, known)
    return "?" if found is None else str(found)
