"""The driver of a scoring: sends the whole test split once, and counts what the answers are worth.

Started by the controller as `python -m edgebench.measure.station.scorer ORDER.json`. Nothing is
timed, so several requests are under way at once.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from math import isfinite
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from edgebench.cases.case import Case
from edgebench.cases.inputs import find_metrics
from edgebench.measure.station.controller import Controller
from edgebench.measure.station.driver import RequestFailed
from edgebench.measure.station.orders import ScorerOrder
from edgebench.measure.station.own_process import first_cpu
from edgebench.measure.transport.arrays import read_arrays
from edgebench.measure.transport.pace import now
from edgebench.measure.transport.port import Port
from edgebench.measure.transport.wire import CODES, Kind, Message
from edgebench.parts.datasets import Dataset, Metric
from edgebench.parts.documents import from_document
from edgebench.parts.errors import CaseFailed
from edgebench.parts.pipeline import join_batches, pick_sample
from edgebench.parts.subjects import Model
from edgebench.store.artifacts import read_pipeline
from edgebench.store.splits import Drawn, Payloads, open_split

WINDOW = 4
"""Requests under way: enough that no host waits for the driver."""
KEPT_SAMPLES, KEPT_BYTES = 256, 8 * 2**20
"""Of raw outputs, for agreement. Those of each case lie in the results, so they are few; the first
sample's is always kept, however large."""
REPORT_S = 0.25
"""Time between two reports of progress: far below any limit, and no load."""
EXITED = CODES["exited"]


@attrs.frozen(kw_only=True)
class Scorer:
    """Sends a split through the hosts, and counts."""

    port: Port
    payloads: Payloads | Drawn
    batch: int
    model: Model
    variant: str
    samples: int
    """How many of the payloads are sent, from the first on."""
    bound_s: float = 0.0
    """No request is sent after so many seconds; 0 for no bound."""
    metrics: Sequence[Metric] = ()
    report: Callable[[int, int], None] = lambda _, __: None
    """Told how many samples are counted, and of how many."""
    blame_model: Callable[[], AbstractContextManager[None]] = nullcontext
    """Names the model's plugin in what its code raises; and so for whoever brings the metrics."""
    blame_metrics: Callable[[], AbstractContextManager[None]] = nullcontext
    counts: dict[str, list[NDArray[Any]]] = attrs.field(factory=dict)
    """By metric, the counts of each sample so far."""
    kept: list[Mapping[str, NDArray[Any]]] = attrs.field(factory=list)
    """The outputs of the first samples."""
    kept_of: list[int] = attrs.field(factory=list)
    """Which samples those are: where outputs differ in size, only those as large as the first."""
    not_finite: list[int] = attrs.field(factory=list)
    """The samples whose predictions hold NaN or infinite values."""
    exited: dict[int, int] = attrs.field(factory=dict)
    """Samples that left, by stage."""

    def send_split(self) -> int:
        """Send every sample that is wanted once, and return how many there are.

        Raises:
            RequestFailed: A host says that it could not answer.
        """
        samples, begun = self.samples, now()
        reported = begun
        answers: dict[int, Message] = {}
        sent = done = 0
        while done * self.batch < samples:
            if self.bound_s and done and now() - begun > self.bound_s * 1e9:
                samples = min(samples, sent * self.batch)
            while sent * self.batch < samples and sent - done < WINDOW:
                self._send(sent)
                sent += 1
            answer = self.port.receive(now()).message
            if answer.kind is Kind.ERROR:
                raise RequestFailed(str(answer.body[0], "utf-8"))
            # A request whose samples all left early overtakes others; counts stay in order.
            answers[answer.request] = answer
            while done in answers:
                self._count(done, answers.pop(done))
                done += 1
            if now() - reported > REPORT_S * 1e9:
                reported = now()
                self.report(min(done * self.batch, samples), samples)
        return samples

    def _send(self, request: int) -> None:
        # A last batch that is not full is filled up from the start: a session may take no other.
        places = range(request * self.batch, (request + 1) * self.batch)
        body = [self.payloads[place % len(self.payloads)] for place in places]
        self.port.send(
            Message(kind=Kind.REQUEST, request=request, raw=True, samples=len(body), body=body)
        )

    def _count(self, request: int, answer: Message) -> None:
        for mark in answer.marks:
            if mark.code == EXITED:
                self.exited[mark.number] = self.exited.get(mark.number, 0) + mark.value
        outputs = read_arrays(answer)
        first = request * self.batch
        for place in range(min(self.batch, self.samples - first)):
            self._judge(first + place, pick_sample(outputs, place))

    def _judge(self, sample: int, outputs: Mapping[str, NDArray[Any]]) -> None:
        size = sum(output.nbytes for output in outputs.values())
        # Where answers are as large as their inputs, those of the first one's size are compared.
        first = self.kept[0] if self.kept else outputs
        alike = all(output.shape == first[name].shape for name, output in outputs.items())
        room = min(KEPT_SAMPLES, max(1, KEPT_BYTES // max(1, size)))
        if alike and len(self.kept) < room:
            self.kept.append({name: output.copy() for name, output in outputs.items()})
            self.kept_of.append(sample)
        if not self.metrics:
            return
        with self.blame_model():
            prediction = self.model.postprocess(outputs, self.variant)
            if not _is_finite(prediction):
                self.not_finite.append(sample)
        truth = self.payloads.answer(sample)
        with self.blame_metrics():
            for metric in self.metrics:
                counts = np.asarray(metric.count(prediction, truth), dtype=np.float64)
                others = self.counts.setdefault(metric.name, [])
                if others and counts.shape != others[0].shape:
                    raise CaseFailed(
                        f"the metric {metric.name} counts {counts.size} numbers for sample {sample}"
                        f", and {others[0].size} for the first: it must be as many for each"
                    )
                others.append(counts)

    def arrays(self) -> Iterator[tuple[dict[str, Any], NDArray[Any]]]:
        """Yield what is to be kept: of each array what JSON says of it, and its values."""
        for name, counts in self.counts.items():
            yield _describe("metric", name, np.asarray(counts))
        for name, joined in join_batches(self.kept).items():
            yield _describe("output", name, joined)


def _is_finite(prediction: Any) -> bool:
    """Say whether the numbers in a prediction are; one that holds none, as a text, is so too."""
    if isinstance(prediction, Mapping):
        return all(map(_is_finite, prediction.values()))
    if isinstance(prediction, list | tuple):
        return all(map(_is_finite, prediction))
    if isinstance(prediction, np.ndarray | np.inexact):
        return prediction.dtype.kind not in "fc" or bool(np.isfinite(prediction).all())
    return not isinstance(prediction, float) or isfinite(prediction)


def _describe(what: str, name: str, values: NDArray[Any]) -> tuple[dict[str, Any], NDArray[Any]]:
    return {what: name, "dtype": values.dtype.name, "shape": values.shape}, values


def _open_scorer(order: ScorerOrder, port: Port, controller: Controller) -> Scorer:
    from edgebench.catalogue.blame import blame
    from edgebench.catalogue.plugins import PluginSource

    plugins = PluginSource.from_json(order.source).load()
    case = from_document(Case, order.case)
    whole = open_split(order.split)
    limit = order.limit or len(whole)
    payloads = Drawn.of(whole, limit) if limit < len(whole) else whole
    model = plugins.get(Model, case.model)
    judging = (Dataset, case.dataset) if case.dataset else (Model, case.model)
    return Scorer(
        port=port,
        payloads=payloads,
        batch=order.batch,
        model=model.bound(case.variant, read_pipeline(order.artifact).resources),
        variant=case.variant,
        samples=min(order.scored or len(payloads), len(payloads)),
        bound_s=order.bound_s,
        metrics=() if order.scored else find_metrics(case, plugins),
        blame_model=partial(blame, plugins, Model, case.model),
        blame_metrics=partial(blame, plugins, *judging),
        report=lambda done, of: controller.tell("progress", {"done": done, "samples": of}),
    )


def main(argv: list[str]) -> None:
    """Do what the order in the file named by the first argument says."""
    order = ScorerOrder.read(argv[0])
    controller = Controller.join(order, first_cpu())
    controller.tell("hello", {})
    with controller.report_faults():
        scorer = _open_scorer(order, controller.connect_following(order), controller)
        controller.tell("ready", {})
        controller.hear()
        samples = scorer.send_split()
        described, raw = zip(*scorer.arrays(), strict=True)
        kept = {"arrays": described, "kept": scorer.kept_of}
        said = {
            "samples": samples,
            "exited": scorer.exited,
            "not_finite": len(scorer.not_finite),
            **kept,
        }
        controller.tell("score", said, *raw)
    controller.hear()
    controller.tell("report", {})
    controller.hear()


if __name__ == "__main__":
    main(sys.argv[1:])
