"""The process that takes the times of a pipeline's stages, and of their nodes, on one host.

Started by the controller as `python -m edgebench.measure.station.profiler ORDER.json`: a fresh
process that only opens files, as one that is measured. Every sample passes all stages, exits or
not. A slower tier takes longer by the factor that its host states, as requests wait for it there;
here the figures are multiplied, and nobody waits.
"""

from __future__ import annotations

import gc
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from itertools import cycle, islice
from statistics import mean, median, quantiles
from typing import TYPE_CHECKING, Any

import attrs

from edgebench.catalogue.blame import blame
from edgebench.catalogue.plugins import Plugins, PluginSource
from edgebench.measure.station.controller import Controller
from edgebench.measure.station.opening import open_piece
from edgebench.measure.station.orders import ProfilerOrder
from edgebench.measure.station.own_process import last_cpus
from edgebench.measure.station.piece import OpenStage, Piece
from edgebench.measure.station.warmup import judge_warmup
from edgebench.measure.transport.pace import now
from edgebench.parts.changes import Format
from edgebench.parts.errors import CaseFailed, DataError
from edgebench.parts.pipeline import Pipeline, Tensors, TensorSpec, join_batches
from edgebench.parts.places import Backend
from edgebench.parts.subjects import Model
from edgebench.prepare.data import draw_tensors, preprocess
from edgebench.sessions.outputs import find_sizes
from edgebench.sessions.profiling import profile_session, tells_nodes
from edgebench.store.splits import open_split

if TYPE_CHECKING:
    from numpy.typing import NDArray

SAMPLES = 3
"""Inputs that take their turn: enough that one odd one decides nothing."""
LEAST, MOST = 5, 60
"""Runs of a stage that are timed."""
ENOUGH_S = 2.0
"""A stage that was timed for so long is timed no more, once there are the least."""
SPREAD = 1.5
"""How much longer the slower quarter of a stage's runs may take than the quicker one."""
SEED = 0


@attrs.frozen(kw_only=True)
class Profiler:
    """Takes the times of an opened pipeline's stages, one after the other."""

    plugins: Plugins
    piece: Piece
    order: ProfilerOrder
    report: Callable[[int, int], None] = lambda _, __: None
    """Told how much is done, and of how much."""
    _doubts: list[str] = attrs.field(factory=list, init=False)

    def profile(self) -> dict[str, Any]:
        """Return the fields of a `Profile`."""
        stages, nodes, silent = [], [], False
        sizes: dict[str, list[int]] = defaultdict(list)
        requests, samples = self._take_samples()
        size = len(next(iter(samples[0].values())))
        factor = self.order.work.slowdown / size
        for done, stage in enumerate(self.piece.stages):
            feeds = [{inside: one[name] for name, inside in stage.feeds} for one in samples]
            for given in feeds:
                for word, found in find_sizes(self._specs(stage), given).items():
                    sizes[word].append(found)
            seconds = self._time_stage(stage, feeds, samples, done)
            by_node = self._time_nodes(stage, feeds, seconds)
            silent |= by_node is None
            stages.append(factor * seconds)
            nodes.append({name: factor * took for name, took in (by_node or {}).items()})
        backend = self.order.work.backend.name
        why = f"{backend} gives no times by node" if silent else ""
        return {
            "stages": stages,
            "nodes": nodes,
            "no_nodes": why,
            "sizes": {word: int(median(found)) for word, found in sizes.items()},
            "request_bytes": round(mean(map(len, requests))) if requests else None,
            "preprocess_s": self.order.work.slowdown * self._time_preprocessing(requests),
            "doubts": self._doubts,
        }

    def _specs(self, stage: OpenStage) -> Sequence[TensorSpec]:
        return self.piece.pipeline.stages[stage.number].inputs

    def _take_samples(self) -> tuple[list[bytes], list[dict[str, NDArray[Any]]]]:
        """Return a few requests, and each as a batch that the pipeline takes.

        Batches are of one sample, if they may be. One is drawn where there are no requests.
        """
        pipeline = self.piece.pipeline
        sizes = [spec.shape[0] for spec in pipeline.inputs if spec.shape]
        size = next((one for one in sizes if isinstance(one, int)), 1)
        requests = [payload for payload, _ in islice(open_split(self.order.split), SAMPLES)]
        if not requests:
            return [], [dict(self._draw(pipeline, size))]
        return requests, [join_batches([self._preprocess(one)] * size) for one in requests]

    def _preprocess(self, request: bytes) -> Tensors:
        with blame(self.plugins, Model, self.order.work.model):
            return preprocess(request, self.piece.model, self.order.work.variant)

    def _time_preprocessing(self, requests: Sequence[bytes]) -> float:
        taken = []
        for request in [*requests] * LEAST:
            begin = now()
            self._preprocess(request)
            taken.append((now() - begin) / 1e9)
        return median(taken) if taken else 0.0

    def _draw(self, pipeline: Pipeline, size: int) -> Tensors:
        try:
            return draw_tensors(pipeline.inputs, size, SEED)
        except DataError as error:
            raise CaseFailed(
                f"no inputs to profile {self.order.work.model} with: no split but the test split "
                f"holds any, and none can be drawn ({error})"
            ) from error

    def _time_stage(
        self,
        stage: OpenStage,
        feeds: Sequence[Tensors],
        samples: Sequence[dict[str, NDArray[Any]]],
        done: int,
    ) -> float:
        """Return the median seconds of a run; add what the stage writes to the samples."""
        import numpy as np

        run = partial(self._run_once, stage)
        taken: list[float] = []
        turns = cycle(feeds)
        while not judge_warmup(taken):
            taken.append(run(next(turns))[0])
        for given, sample in zip(feeds, samples, strict=True):
            _, outputs = run(given)
            with self._blame():
                stage.check(given, outputs, self.piece.announced_by)
            # A session may give the same memory again for the next run.
            sample.update((name, np.array(outputs[inside])) for name, inside in stage.gives)
        taken.clear()
        while len(taken) < LEAST or (len(taken) < MOST and sum(taken) < ENOUGH_S):
            taken.append(run(next(turns))[0])
            if len(taken) % LEAST == 0:
                self.report(done, len(self.piece.stages))
        self._doubt_spread(stage.number, taken)
        return median(taken)

    def _doubt_spread(self, number: int, taken: Sequence[float]) -> None:
        low, _, high = quantiles(taken, n=4, method="inclusive")
        if high > SPREAD * low:
            self._doubts.append(
                f"profiled on {self.order.tier} while the machine was disturbed: half of the runs "
                f"of stage {number} took from {low * 1e3:.3g} to {high * 1e3:.3g} ms, "
                "slow-down apart"
            )

    def _run_once(self, stage: OpenStage, feeds: Tensors) -> tuple[float, Any]:
        with self._blame():
            begin = now()
            outputs = stage.session.run(feeds)
            return (now() - begin) / 1e9, outputs

    def _time_nodes(
        self, stage: OpenStage, feeds: Sequence[Tensors], seconds: float
    ) -> dict[str, float] | None:
        """Return the median seconds of each node; None where the backend tells none."""
        if not tells_nodes(stage.session):
            return None
        runs = max(LEAST, min(MOST, round(ENOUGH_S / max(seconds, 1e-9)))) // len(feeds) + 1
        with self._blame():
            found = [profile_session(stage.session, given, runs) for given in feeds]
            self._check_names(stage.number, {name for one in found for name in one})
        return fit_within(seconds, add_medians(found))

    def _check_names(self, number: int, names: Iterable[str]) -> None:
        """Hold the names of nodes against those in a stage's files.

        Raises:
            CaseFailed: A node is not there.
        """
        announced = self.piece.pipeline.stages[number]
        form = self.plugins.get(Format, announced.format)
        known = set(form.nodes(announced))
        if known and (unknown := sorted(set(names) - known)):
            raise CaseFailed(
                f"its profile names the node {unknown[0]!r}, which is none of the {len(known)} in "
                f"{announced.files[0]}"
            )

    def _blame(self) -> Any:
        return blame(self.plugins, Backend, self.order.work.backend.name)


def add_medians(found: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return by node the median over inputs; one that an input does not reach takes no time."""
    by_node: dict[str, list[float]] = defaultdict(lambda: [0.0] * len(found))
    for place, one in enumerate(found):
        for name, seconds in one.items():
            by_node[name][place] = seconds
    return {name: median(taken) for name, taken in by_node.items() if any(taken)}


def fit_within(whole: float, nodes: Mapping[str, float]) -> dict[str, float]:
    """Scale the seconds of nodes down to those of their stage, where they are more together.

    Taking times by node takes time itself, and medians do not add up.
    """
    together = sum(nodes.values())
    share = min(1.0, whole / together) if together else 1.0
    return {name: share * seconds for name, seconds in nodes.items()}


def main(argv: list[str]) -> None:
    """Do what the order in the file named by the first argument says."""
    order = ProfilerOrder.read(argv[0])
    controller = Controller.join(order, last_cpus(order.threads))
    with controller.report_faults(f"{order.name}: "):
        plugins = PluginSource.from_json(order.work.source).load()
        with open_piece(order.work, plugins) as opened:
            gc.freeze()

            def report(done: int, total: int) -> None:
                controller.tell("progress", {"done": done, "samples": total})

            found = Profiler(
                plugins=plugins, piece=opened.piece, order=order, report=report
            ).profile()
    controller.tell("profiled", found)
    controller.hear()


if __name__ == "__main__":
    main(sys.argv[1:])
