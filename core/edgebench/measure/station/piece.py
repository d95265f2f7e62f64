"""The stages of one piece, opened, and how a batch of samples passes through them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from edgebench.measure.station.watch import Watch
from edgebench.measure.transport.arrays import (
    as_array,
    check_tensor,
    make_sendable,
    read_arrays,
)
from edgebench.measure.transport.pace import now
from edgebench.measure.transport.wire import CODES, Kind, Mark, Message, Shaped, WireError
from edgebench.parts.pipeline import (
    Exit,
    Pipeline,
    Stage,
    Tensors,
    TensorSpec,
    join_batches,
    pick_sample,
)
from edgebench.sessions.outputs import check_outputs, find_sizes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgebench.parts.places import Session
    from edgebench.parts.subjects import Model

DECODE = CODES["decode"]
PREPROCESS = CODES["preprocess"]
INFERENCE = CODES["inference"]
POSTPROCESS = CODES["postprocess"]
SERIALISE = CODES["serialise"]
EXITED = CODES["exited"]


@attrs.define
class Batch:
    """The samples of one request on one host."""

    raw: bool
    """Whether the outputs themselves are wanted."""
    tensors: dict[str, NDArray[Any]]
    """What is there so far, by the pipeline's names, for the samples still on their way."""
    samples: list[int]
    """Which samples of the request are still on their way."""
    answers: dict[int, Any] = attrs.field(factory=dict)
    """By sample: its encoded answer, or the pipeline's outputs for it."""


@attrs.frozen(kw_only=True)
class OpenStage:
    """A stage and the session that runs it."""

    number: int
    session: Session
    feeds: tuple[tuple[str, str], ...]
    """What it reads: the pipeline's name and the file's own, of each tensor."""
    gives: tuple[tuple[str, str], ...]
    """What it writes, the same way round."""
    exit: Exit | None
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    """What it announces, by the names of the file that was opened."""

    @classmethod
    def of(
        cls,
        number: int,
        stage: Stage,
        session: Session,
        announced: Stage | None = None,
    ) -> OpenStage:
        """Note once what every request needs.

        *stage* is what was opened, and *announced* what the pipeline holds of it, if a backend has
        compiled it since.
        """
        promised = {spec.name: spec for spec in (announced or stage).outputs}
        return cls(
            inputs=stage.inputs,
            outputs=tuple(
                attrs.evolve(promised.get(spec.name, spec), port=spec.inside)
                for spec in stage.outputs
            ),
            number=number,
            session=session,
            feeds=tuple((spec.name, spec.inside) for spec in stage.inputs),
            gives=tuple((spec.name, spec.inside) for spec in stage.outputs),
            exit=stage.exit,
        )

    def check(self, feeds: Tensors, given: Any, by: str = "") -> None:
        """Hold what the session gave against what its stage announces, made *by* whom.

        Raises:
            WrongOutput: It is something else.
        """
        check_outputs(self.outputs, given, find_sizes(self.inputs, feeds), by)


def _find_specs(pipeline: Pipeline, names: Iterable[str]) -> tuple[TensorSpec, ...]:
    """Return what each tensor of a pipeline is, by its name there."""
    known = {spec.name: spec for spec in pipeline.inputs}
    for stage in pipeline.stages:
        known.update((spec.name, spec) for spec in stage.outputs)
    return tuple(attrs.evolve(known[name], port="") for name in names)


@attrs.frozen(kw_only=True)
class Piece:
    """What one host runs of a pipeline."""

    pipeline: Pipeline
    number: int
    stages: tuple[OpenStage, ...]
    model: Model
    variant: str
    slowdown: float = 1.0
    loaded: bool = True  # else its stages do not run here, and nothing slows them down
    name_culprit: Callable[[str], str] | None = None
    """From a step of a request to the part whose code it is, with its plugin."""
    announced_by: str = ""
    """What made the pipeline, where that is more than its model; empty where it is not."""
    _checked: set[int] = attrs.field(factory=set, init=False)
    """The stages whose outputs were held against what they announce."""
    last: bool = attrs.field(init=False)
    """Whether no piece comes after it."""
    arriving: tuple[TensorSpec, ...] = attrs.field(init=False)
    """What the host before sends; for the first piece, what preprocessing must give."""
    leaving: tuple[TensorSpec, ...] = attrs.field(init=False)
    """What must be sent to the next piece."""

    @last.default
    def _is_last(self) -> bool:
        return self.number == len(self.pipeline.pieces) - 1

    @arriving.default
    def _arriving(self) -> tuple[TensorSpec, ...]:
        first = self.pipeline.pieces[self.number].start
        return _find_specs(self.pipeline, self.pipeline.crossing(first))

    @leaving.default
    def _leaving(self) -> tuple[TensorSpec, ...]:
        end = self.pipeline.pieces[self.number].stop
        return () if self.last else _find_specs(self.pipeline, self.pipeline.crossing(end))

    def watch(self, marks: Iterable[Mark]) -> Watch:
        """Begin to time a request here, from what the hosts before have noted."""
        return Watch(marks, self.slowdown)

    def compute(self, message: Message, watch: Watch, begin: int) -> Batch:
        """Take in a request or tensors that arrived, and run every stage that is still needed.

        Raises:
            WireError: What arrived is not what the piece reads.
        """
        batch = self._begin(message, watch, begin) if self.number == 0 else self._accept(message)
        for opened in self.stages:
            self._infer(batch, opened, watch)
            if opened.exit is not None:
                self._let_out(batch, opened.number, opened.exit, watch)
            if not batch.samples:
                return batch
        if self.last:
            self._answer(batch, range(len(batch.samples)), self.pipeline.outputs, watch)
            batch.samples = []
        return batch

    def _begin(self, message: Message, watch: Watch, begin: int) -> Batch:
        if message.kind is not Kind.REQUEST:
            raise WireError("tensors, where a request with payloads is expected")
        if not message.body:
            raise WireError("a request without a payload")
        watch.step = "decode"
        decoded = [self.model.decode(bytes(payload), self.variant) for payload in message.body]
        begin = watch.note_and_wait(DECODE, 0, begin)
        watch.step = "preprocess"
        ready = [self.model.preprocess(one, self.variant) for one in decoded]
        tensors = dict(ready[0]) if len(ready) == 1 else join_batches(ready)
        for spec in self.arriving:
            if spec.name not in tensors:
                raise KeyError(f"no {spec.name!r} among what it gave: {', '.join(tensors)}")
        watch.note_and_wait(PREPROCESS, 0, begin)
        if message.raw or not self._checked:  # as rarely as what sessions give
            plain = [attrs.evolve(spec, port="") for spec in self.arriving]
            check_outputs(plain, tensors, {}, self.announced_by)
        return Batch(message.raw, tensors, list(range(len(ready))))

    def _accept(self, message: Message) -> Batch:
        if message.kind is not Kind.TENSORS:
            raise WireError("a request with payloads, where tensors are expected")
        names = [tensor.name for tensor in message.tensors]
        if names != [spec.name for spec in self.arriving]:
            raise WireError(f"the tensors {names}, not {[spec.name for spec in self.arriving]}")
        tensors = {}
        for spec, shaped, view in zip(self.arriving, message.tensors, message.body, strict=True):
            check_tensor(spec, shaped, message.samples)
            tensors[spec.name] = as_array(shaped, view)
        return Batch(message.raw, tensors, list(range(message.samples)))

    def _infer(self, batch: Batch, opened: OpenStage, watch: Watch) -> None:
        watch.step = f"stage {opened.number}"
        tensors = batch.tensors
        feeds = {inside: tensors[name] for name, inside in opened.feeds}
        begin = now()
        outputs = opened.session.run(feeds)
        (watch.note_and_wait if self.loaded else watch.note)(INFERENCE, opened.number, begin)
        watch.inference += watch.marks[-1].value
        # Once in a block, which the warm-up begins; always where nothing is timed.
        if batch.raw or opened.number not in self._checked:
            opened.check(feeds, outputs, self.announced_by)
            self._checked.add(opened.number)
        for name, inside in opened.gives:
            tensors[name] = outputs[inside]

    def _let_out(self, batch: Batch, number: int, leaves: Exit, watch: Watch) -> None:
        """Answer the samples that may leave here, and keep the others."""
        condition = batch.tensors[leaves.condition].reshape(len(batch.samples))
        out = condition >= leaves.threshold
        if not out.any():
            return
        watch.marks.append(Mark(EXITED, number, int(out.sum())))
        # Before the others go on, not while they are on their way: so that phases add up.
        self._answer(batch, np.flatnonzero(out).tolist(), leaves.answer, watch)
        batch.samples = [
            sample for sample, gone in zip(batch.samples, out.tolist(), strict=True) if not gone
        ]
        batch.tensors = {name: tensor[~out] for name, tensor in batch.tensors.items()}

    def _answer(
        self, batch: Batch, places: Iterable[int], names: Sequence[str], watch: Watch
    ) -> None:
        """Make the answers of the samples at some places among those still on their way."""
        watch.step = "postprocess"
        begin = now()
        for place in places:
            outputs = {
                output: batch.tensors[name][place : place + 1]
                for output, name in zip(self.pipeline.outputs, names, strict=True)
            }
            batch.answers[batch.samples[place]] = self._encode(outputs, batch.raw)
        watch.note_and_wait(POSTPROCESS, 0, begin)

    def _encode(self, outputs: Tensors, raw: bool) -> Any:
        if raw:
            # A session may give the same memory again for the next request.
            return {name: tensor.copy() for name, tensor in outputs.items()}
        return self.model.encode(self.model.postprocess(outputs, self.variant))

    def forward_message(self, batch: Batch, request: int, watch: Watch) -> Message:
        """Make the message that takes the samples still on their way to the next piece.

        Its last mark is that of serialising, which is over when it is sent.
        """
        watch.step = "serialise"
        tensors = {
            spec.name: make_sendable(spec, batch.tensors[spec.name]) for spec in self.leaving
        }
        marks = [*watch.all_marks(), Mark(SERIALISE, self.number, 0)]
        return _make_message(tensors, batch.raw, len(batch.samples), request, marks)

    def answer_message(self, batch: Batch, request: int, marks: Sequence[Mark]) -> Message:
        """Make the message that takes the answers of all samples back."""
        answers = [batch.answers[sample] for sample in range(len(batch.answers))]
        if batch.raw:
            return _make_message(join_batches(answers), True, len(answers), request, marks)
        return Message(
            kind=Kind.ANSWER, request=request, samples=len(answers), marks=marks, body=answers
        )

    def merge(self, batch: Batch, answer: Message) -> None:
        """Put the answers that came back from the next piece among those given here."""
        if answer.samples != len(batch.samples):
            raise WireError(f"{answer.samples} answers for {len(batch.samples)} samples")
        outputs = read_arrays(answer) if batch.raw else {}
        for place, sample in enumerate(batch.samples):
            batch.answers[sample] = pick_sample(outputs, place) if batch.raw else answer.body[place]


def _make_message(
    tensors: Tensors, raw: bool, samples: int, request: int, marks: Sequence[Mark]
) -> Message:
    return Message(
        kind=Kind.TENSORS,
        request=request,
        raw=raw,
        samples=samples,
        marks=marks,
        tensors=[Shaped(name, out.dtype.name, out.shape) for name, out in tensors.items()],
        body=list(tensors.values()),
    )
