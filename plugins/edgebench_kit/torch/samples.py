"""The samples of a split as tensors that hold all of them, for trainers of torch modules."""

from __future__ import annotations

from contextlib import ExitStack
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any

import attrs

from edgebench import CaseFailed, Split, Stage
from edgebench_kit.torch.modules import name_outputs

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch
    from numpy.typing import NDArray

HELD = 2**30
"""Bytes of one tensor of a whole split beyond which it lies in a file: a split of large pictures
fits no memory."""


@attrs.frozen(kw_only=True)
class Samples:
    """Samples stacked: each tensor has the samples first."""

    inputs: tuple[torch.Tensor, ...]
    """The module's positional arguments."""
    answers: torch.Tensor
    taught: Mapping[str, torch.Tensor] = attrs.field(factory=dict)
    """A teacher's outputs by name; empty without one."""

    def __len__(self) -> int:
        """Return their number."""
        return len(self.answers)

    def take(self, some: torch.Tensor) -> Samples:
        """Return the samples of some numbers."""
        return Samples(
            inputs=tuple(tensor[some] for tensor in self.inputs),
            answers=self.answers[some],
            taught={name: tensor[some] for name, tensor in self.taught.items()},
        )


def stack_split(
    split: Split, stage: Stage, teacher: Stage | None, batch: int, files: ExitStack
) -> Samples:
    """Hold a whole split in memory, or in files that are gone when *files* closes.

    A teacher sees its inputs in batches of *batch*, in evaluation and once.

    Raises:
        CaseFailed: It is empty, or its samples are of different sizes.
    """
    import numpy as np
    import torch

    names = [spec.name for spec in stage.inputs]
    wanted = dict.fromkeys([*names, *(spec.name for spec in (teacher.inputs if teacher else ()))])
    rows = {name: _Rows(name, len(split), files) for name in wanted}
    answers = []
    for number, (tensors, answer) in enumerate(split):
        for name in wanted:
            rows[name].put(number, tensors[name][0])
        answers.append(np.asarray(answer))
    if not answers:
        raise CaseFailed(f"{stage.model}:{stage.variant} cannot be trained: a split is empty")
    stacked = {name: torch.from_numpy(rows[name].array) for name in wanted}
    return Samples(
        inputs=tuple(stacked[name] for name in names),
        answers=torch.from_numpy(np.stack(answers)),
        taught=_ask(teacher, stacked, batch, files) if teacher else {},
    )


@attrs.define
class _Rows:
    """The rows of one tensor, of which the first says how large they are."""

    name: str
    count: int
    files: ExitStack
    array: Any = None

    def put(self, number: int, row: NDArray[Any]) -> None:
        """Put a row in its place.

        Raises:
            CaseFailed: It is of another size than the first.
        """
        if self.array is None:
            self.array = _allocate(self.count, row, self.files)
        if self.array.shape[1:] != row.shape:
            raise CaseFailed(
                f"samples of different sizes cannot be trained on: {self.name!r} is "
                f"{self.array.shape[1:]} in the first and {row.shape} in sample {number}"
            )
        self.array[number] = row


def _allocate(count: int, row: NDArray[Any], files: ExitStack) -> NDArray[Any]:
    """Make room for so many rows, in memory or in a file that is gone when *files* closes."""
    import numpy as np

    shape = (count, *row.shape)
    if count * row.nbytes <= HELD:
        return np.empty(shape, row.dtype)
    place = TemporaryFile(prefix="edgebench-")  # noqa: SIM115 (closed with the others)
    return np.memmap(files.enter_context(place), row.dtype, "w+", shape=shape)


def _ask(
    teacher: Stage, stacked: Mapping[str, torch.Tensor], batch: int, files: ExitStack
) -> dict[str, torch.Tensor]:
    """Return what a teacher says to all samples, by the names of its outputs."""
    import torch

    inputs = [stacked[spec.name] for spec in teacher.inputs]
    count = len(inputs[0])
    taught: dict[str, torch.Tensor] = {}
    teacher.live.eval()
    with torch.no_grad():
        for begin in range(0, count, batch):
            some = slice(begin, begin + batch)
            given = teacher.live(*(tensor[some] for tensor in inputs))
            said = name_outputs(given, teacher.outputs)
            for name, tensor in said.items():
                if name not in taught:
                    room = _allocate(count, tensor[0].numpy(), files)
                    taught[name] = torch.from_numpy(room)
                taught[name][some] = tensor
    return taught
