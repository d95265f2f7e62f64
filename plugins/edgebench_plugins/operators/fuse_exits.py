"""The operator `fuse-exits`: stages with early exits as one graph with conditionals.

The host decides after each stage whether a sample leaves; here the graph does, in an `If` of which
a runtime runs one branch. It is for what opens one file alone, and for one tier.
"""

from __future__ import annotations

from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import attrs

from edgebench import (
    CaseFailed,
    Context,
    Exit,
    Operator,
    Pipeline,
    Stage,
    Tensors,
    TensorSpec,
    Usable,
    hookimpl,
)
from edgebench.metrics.differences import find_excess
from edgebench_kit.onnx import graph_files, graphs
from edgebench_kit.onnx.compared_stages import run_stage
from edgebench_kit.onnx.conditionals import Section, join_graphs
from edgebench_kit.onnx.int8_shares import find_int8_share, name_precision
from edgebench_kit.onnx.parts_and_whole import draw_inputs
from edgebench_kit.onnx.scopes import find_free_name
from edgebench_kit.onnx.sessions import open_session, shorten_reason

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

TOLERANCE = 1e-5
"""How far the fused graph may be from the stages, relative to the largest output beyond 1."""
AWAY = 0.01
"""How far a threshold by which all leave, or none, lies from how sure an exit is, relative to that
beyond 1: so that rounding decides nothing."""


def apply(pipeline: Pipeline, context: Context) -> Pipeline:
    """Join the stages to one, whose own output says for each sample whether it left early.

    Raises:
        CaseFailed: The graph computes something else than the stages.
    """
    taken = {spec.name for stage in pipeline.stages for spec in (*stage.inputs, *stage.outputs)}
    left = find_free_name("left_early", taken)
    fused = _fuse(pipeline, left)
    _compare(pipeline, left, context)
    return pipeline.replaced([fused], cuts=[])


def _fuse(pipeline: Pipeline, left: str) -> Stage:
    """Return the stages as one, whose output *left* says for each sample whether it left early."""
    sections = [_describe(stage) for stage in pipeline.stages]
    model = join_graphs(sections, pipeline.outputs, left)
    graphs.check_graph(model, shapes=False)
    return _make_stage(pipeline, model, left)


def _describe(stage: Stage) -> Section:
    names = {spec.inside: spec.name for spec in (*stage.inputs, *stage.outputs)}
    if stage.exit is None:
        return Section(model=stage.live, names=names)
    return Section(
        model=stage.live,
        names=names,
        condition=stage.exit.condition,
        threshold=stage.exit.threshold,
        answers=stage.exit.answer,
    )


def _make_stage(pipeline: Pipeline, model: Any, left: str) -> Stage:
    """Describe the fused graph; by its exit the host counts who left, whatever the answer is."""
    last = pipeline.stages[-1]
    outputs = [
        attrs.evolve(spec, port="") for spec in last.outputs if spec.name in pipeline.outputs
    ]
    flag = TensorSpec(name=left, dtype="float32", shape=("batch",))
    known = [stage.parameters for stage in pipeline.stages]
    return last.changed(
        model,
        inputs=[attrs.evolve(spec, port="") for spec in pipeline.inputs],
        outputs=[*outputs, flag],
        exit=Exit(condition=left, answer=pipeline.outputs, threshold=0.5),
        parameters=sum(filter(None, known)) if None not in known else None,
        operations=None,
        precision=_name_precision(pipeline, model),
    )


def _name_precision(pipeline: Pipeline, model: Any) -> str:
    if graphs.is_quantized(model):
        return name_precision(find_int8_share(model))
    return "+".join(dict.fromkeys(stage.precision for stage in pipeline.stages))


def _compare(pipeline: Pipeline, left: str, context: Context) -> None:
    """Run the stages and the fused graph on made-up inputs, together and each alone.

    How sure exits are of such inputs has nothing to do with their thresholds. So they are compared
    where samples leave by them, where none does, and where some do and others do not.

    Raises:
        CaseFailed: They differ.
    """
    inputs = draw_inputs(attrs.evolve(pipeline.stages[0], inputs=pipeline.inputs), context.seed)
    alone = {name: array[:1] for name, array in inputs.items()}
    try:
        sure = _find_conditions(pipeline, inputs)
    except Exception as error:  # noqa: BLE001 (whatever the runtime says to made-up inputs)
        context.doubt(
            "the fused graph was not compared with the stages, which do not run on made-up "
            f"inputs: {shorten_reason(error)}"
        )
        return
    for choose in (None, _let_all, _let_none, fmean):
        moved = pipeline if choose is None else _move_thresholds(pipeline, sure, choose)
        if _leaves_to_rounding(moved, sure):
            if choose is fmean:
                context.doubt(
                    "the fused graph was not compared where some inputs leave and others do not, "
                    "as an exit is equally sure of all made-up ones"
                )
            continue
        fused = _fuse(moved, left)
        for given in (alone, inputs):
            wanted = _run(moved.stages, given, pipeline.outputs)
            _hold(wanted, _run([fused], given, pipeline.outputs))


def _find_conditions(pipeline: Pipeline, inputs: Tensors) -> dict[str, list[float]]:
    """Return how sure each exit is of each sample, all samples passing all stages."""
    conditions = tuple(stage.exit.condition for stage in pipeline.stages if stage.exit)
    through = [attrs.evolve(stage, exit=None) for stage in pipeline.stages]
    found = _run(through, inputs, conditions)
    return {name: found[name].reshape(-1).tolist() for name in conditions}


def _let_all(sure: Sequence[float]) -> float:
    """Return a threshold by which all leave."""
    return min(sure) - AWAY * max(1.0, abs(min(sure)))


def _let_none(sure: Sequence[float]) -> float:
    """Return a threshold by which none leaves."""
    return max(sure) + AWAY * max(1.0, abs(max(sure)))


def _leaves_to_rounding(pipeline: Pipeline, sure: Mapping[str, Sequence[float]]) -> bool:
    """Say whether an exit is as sure of a sample as its threshold asks, but for rounding."""
    return any(
        abs(found - stage.exit.threshold) < TOLERANCE * max(1.0, abs(found))
        for stage in pipeline.stages
        if stage.exit
        for found in sure[stage.exit.condition]
    )


def _move_thresholds(
    pipeline: Pipeline, sure: Mapping[str, Sequence[float]], choose: Callable[[Any], float]
) -> Pipeline:
    """Return a pipeline whose exits have thresholds chosen from how sure they are of samples."""
    return pipeline.replaced(
        [
            stage
            if stage.exit is None
            else attrs.evolve(
                stage,
                exit=attrs.evolve(stage.exit, threshold=choose(sure[stage.exit.condition])),
            )
            for stage in pipeline.stages
        ]
    )


def _hold(wanted: Tensors, got: Tensors) -> None:
    for name, right in wanted.items():
        if excess := find_excess(right, got[name], TOLERANCE):
            raise CaseFailed(f"against the stages, what is fused is wrong: {name!r} {excess}")


def _run(stages: Sequence[Stage], inputs: Tensors, outputs: tuple[str, ...]) -> Tensors:
    """Run stages as a host does, all samples through all of them; return the outputs."""
    import numpy as np

    tensors, left = dict(inputs), None
    answers: dict[str, Any] = {}
    for stage in stages:
        with TemporaryDirectory(prefix="edgebench-") as scratch:
            files = graph_files.write_graph(stage.live, Path(scratch))
            session = open_session(Path(scratch) / files[0])
            tensors.update(run_stage(stage, session, tensors))
        if stage.exit is not None and len(stages) > 1:
            gone = tensors[stage.exit.condition].reshape(-1) >= stage.exit.threshold
            early = {name: tensors[a] for name, a in zip(outputs, stage.exit.answer, strict=True)}
            answers = _choose(left, answers, early)
            left = gone if left is None else left | gone
    last = {name: tensors[name] for name in outputs}
    return {name: np.asarray(array) for name, array in _choose(left, answers, last).items()}


def _choose(left: Any, answers: Tensors, later: Tensors) -> dict[str, Any]:
    """Return what those that left had answered, and for the others what comes later."""
    import numpy as np

    if left is None:
        return dict(later)
    return {
        name: np.where(left.reshape(-1, *[1] * (array.ndim - 1)), answers[name], array)
        for name, array in later.items()
    }


def accepts(pipeline: Pipeline) -> Usable:
    """Refuse what has nothing to fuse, and what is on several tiers."""
    if pipeline.cuts:
        return "it is cut already, and what is fused runs on one tier"
    if len(pipeline.stages) < 2:
        return "it is in one stage, and has no exits between stages to fuse"
    if not all(stage.exit for stage in pipeline.stages[:-1]) or pipeline.stages[-1].exit:
        return "not each of its stages but the last has an exit"
    if lost := set(pipeline.outputs).difference(spec.name for spec in pipeline.stages[-1].outputs):
        return f"its output {min(lost)!r} is not written by the last of its stages"
    return True


@hookimpl
def edgebench_operators() -> Iterator[Operator]:
    """Offer one graph in place of stages with exits."""
    yield Operator(
        name="fuse-exits",
        summary="Join the stages of early exits to one graph, which decides by itself (`If`).",
        apply=apply,
        reads=["onnx"],
        writes="onnx",
        accepts=accepts,
    )
