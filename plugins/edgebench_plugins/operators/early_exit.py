"""The operator `early-exit`: a shorter model for every sample, or for those it is sure of.

Static: what an exit point `skips` is left out and the model's own head follows, as in the studies
(arXiv 2403.17154). Dynamic: heads of their own at exit points, which alone are trained, and a
threshold (Teerapittayanon et al., 2016, BranchyNet; Kaya et al., 2019, Shallow-Deep Networks).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Literal

import attrs

from edgebench import (
    ChainError,
    Context,
    Edit,
    ExitPoint,
    Model,
    Operator,
    Pipeline,
    Stage,
    Usable,
    Variant,
    hookimpl,
)
from edgebench_kit.torch.efforts import Effort, scale_budget
from edgebench_kit.torch.exit_heads import leave_out
from edgebench_kit.torch.exit_search import TUNED_ON, Exits, Found, find_exits
from edgebench_kit.torch.exit_stages import make_stages, remake_stage
from edgebench_kit.torch.made_inputs import draw_inputs
from edgebench_kit.torch.modules import count_parameters
from edgebench_kit.torch.tracing import trace_modules

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import nn

NAME = "early-exit"
ONCE = "given early exits already"
"""What a pipeline is from then on."""
DYNAMIC = ("max_drop", "budget")
"""The options that mean nothing to a static exit."""


@attrs.frozen(kw_only=True)
class EarlyExitOptions:
    """Where a model is left early, by which samples, and what that may cost."""

    mode: Literal["static", "dynamic"] = "static"
    """`static` shortens the model for every sample, without training. `dynamic` trains heads at
    exit points, and lets those samples leave of which they are sure."""
    at: str = ""
    """The exit point, by its path. Of several, separated by blanks, `dynamic` makes as many exits.
    Empty for the one that leaves out least (`static`), or with which the least is computed on the
    validation and calibration splits (`dynamic`)."""
    max_drop: float = attrs.field(
        default=1.0, validator=[attrs.validators.ge(0), attrs.validators.le(100)]
    )
    """Of `dynamic`: the points of the dataset's first figure that may be lost, by the upper end of
    a one-sided 95 % interval from the validation and calibration splits."""
    budget: Effort = "quick"
    """Of `dynamic`: how long the heads are trained, as long as the model was (`quick`), or until
    that helps no more (`full`)."""

    def __attrs_post_init__(self) -> None:
        """Refuse what would be ignored."""
        fields = attrs.fields_dict(type(self))
        changed = [name for name in DYNAMIC if getattr(self, name) != fields[name].default]
        if self.mode == "static" and changed:
            raise ValueError(f"{changed[0]} is an option of mode=dynamic")
        asked = self.at.split()
        if twice := [path for path in dict.fromkeys(asked) if asked.count(path) > 1]:
            raise ValueError(f"at names {twice[0]!r} twice")
        if self.mode == "static" and len(asked) > 1:
            raise ValueError("at names one exit point of mode=static, several of mode=dynamic")


def apply(pipeline: Pipeline, context: Context) -> Pipeline:
    """Shorten a model of one stage, or divide it at its exits.

    Raises:
        ChainError: The model gives no exit point of the kind or of the path that is asked for, or
            cannot be left there.
    """
    dynamic = context.options.mode == "dynamic"
    return (_let_leave if dynamic else _leave_out)(pipeline, context)


# --- static --------------------------------------------------------------------------------------


def _leave_out(pipeline: Pipeline, context: Context) -> Pipeline:
    """Leave out what an exit point skips, for every sample."""
    stage = pipeline.stages[0]
    point = min(_list_points(stage, context, context.options.at), key=lambda one: len(one.skips))
    if not context.options.at:
        context.chose("at", point.path)
    inputs = draw_inputs(stage, context.seed)
    spans = trace_modules(stage.live, inputs)
    if lost := [path for path in point.skips if path not in spans]:
        raise ChainError(f"the exit point {point.path!r} skips {lost[0]!r}, which never runs")
    written = {path: spans[path].form or {} for path in point.skips}
    items = {path: len(form.get("items", ())) for path, form in written.items()}
    shorter = leave_out(stage.live, items)
    _check_shapes(shorter, inputs, spans[""].shape, point, stage)
    edit = Edit(operator=NAME, arguments=json.dumps({"mode": "static", "skips": items}))
    return pipeline.replaced(
        [
            stage.changed(
                shorter,
                edits=(*stage.edits, edit),
                parameters=count_parameters(shorter),
                operations=None,
            )
        ]
    )


def _check_shapes(
    shorter: nn.Module,
    inputs: Sequence[Any],
    whole: tuple[int, ...],
    point: ExitPoint,
    stage: Stage,
) -> None:
    """See that what follows still fits.

    Raises:
        ChainError: It does not: something changed the shapes since the model was built.
    """
    without = f"without {', '.join(point.skips)}"
    try:
        made = trace_modules(shorter, inputs)[""].shape
    except RuntimeError as error:
        said = str(error).strip().partition("\n")[0]
        raise ChainError(
            f"{without} the rest does not fit {point.path!r}: {said}{_suggest_order(stage)}"
        ) from error
    if made != whole:
        raise ChainError(f"{without} it gives {made}, not {whole}")


def _suggest_order(stage: Stage) -> str:
    """Say what may have changed the widths that fitted in the model as it was built."""
    before = ", ".join(dict.fromkeys(edit.operator for edit in stage.edits))
    return f"; {before} came before and changed widths: put {NAME} first" if before else ""


# --- dynamic -------------------------------------------------------------------------------------


def _let_leave(pipeline: Pipeline, context: Context) -> Pipeline:
    """Train heads, find the threshold, and divide the model at its exits."""
    stage = pipeline.stages[0]
    points = _list_points(stage, context, context.options.at)
    if context.model(stage).loss is None:
        raise ChainError(
            f"{stage.model} gives no loss to train the heads of its exits with; a plugin gives it "
            "with Model(loss=...)"
        )
    exits = Exits.of(pipeline, points, context, _list_points(stage, context, ""))
    budget = scale_budget(context.model(stage).budget, context.options.budget)
    trained = exits.train(context, budget)
    found = find_exits(exits, trained, context, choose=not context.options.at)
    _doubt_exits(found, context)
    if not context.options.at:
        context.chose("at", " ".join(found.paths))
    if sum(found.tuned.shares):
        context.chose("threshold", found.tuned.threshold)
    return make_stages(pipeline, exits, trained, found, NAME)


def _doubt_exits(found: Found, context: Context) -> None:
    """Note exits that no sample takes, with what the first would cost, and what is not shown."""
    tuned, allowed = found.tuned, f"{context.options.max_drop:g} allowed"
    if not sum(tuned.shares):
        context.doubt(
            f"no sample leaves early at {', '.join(found.paths)}: to let only the surest of those "
            f"tried do so (confidence above {tuned.first:.4f}) may cost {tuned.limit.points:.2f} "
            f"points on others, {allowed}"
        )
    elif tuned.limit.points > context.options.max_drop:
        context.doubt(
            f"of {tuned.samples} samples none was answered worse by leaving early, which shows "
            f"no more than that at most {tuned.limit.points:.2f} points are lost, {allowed}; more "
            "samples for calibration or validation would show more"
        )


# --- both ----------------------------------------------------------------------------------------


def _list_points(stage: Stage, context: Context, at: str) -> list[ExitPoint]:
    model, options = context.model(stage), attrs.evolve(context.options, at=at)
    return find_points(options, model, model.variant(stage.variant))


def find_points(options: EarlyExitOptions, model: Model, variant: Variant) -> list[ExitPoint]:
    """Return the exit points of a model that options ask for; all of their kind where none is.

    Raises:
        ChainError: It has none of the kind, or none of a path.
    """
    fact, subject = FACTS[options.mode], f"{model.name}:{variant.name}"
    points = [point for point in variant.exits if getattr(point, fact)]
    if not points:
        said, remedy = LACKING[fact]
        # Whoever brings a file writes no plugin: its record says what is known of such files.
        remedy = variant.summary.rstrip(".") if model.from_file else remedy
        raise ChainError(f"{subject} has no exit point that {said}; {remedy}")
    asked = options.at.split()
    return [_pick(points, path, subject) for path in asked] if asked else points


FACTS = {"static": "skips", "dynamic": "head"}
"""By the mode, what an exit point has to give."""
LACKING = {
    "skips": (
        "says what an exit for every sample leaves out",
        'a plugin says it with Variant(exits=[ExitPoint(path="...", skips=["..."])])',
    ),
    "head": (
        "makes a head for it",
        'a plugin gives one with Variant(exits=[ExitPoint(path="...", head=...)])',
    ),
}
"""What it does not have, and how to give it."""


def _pick(points: Sequence[ExitPoint], path: str, subject: str) -> ExitPoint:
    """Return the exit point of that path."""
    for point in points:
        if point.path == path:
            return point
    known = [point.path for point in points]
    near = get_close_matches(path, known, n=3, cutoff=0.4) or known[:12]
    raise ChainError(f"{subject} has no exit point {path!r} of this kind; it has {', '.join(near)}")


def look_at_exits(options: EarlyExitOptions, model: Model, variant: Variant) -> Sequence[Any]:
    """Refuse a model without the exits that are asked for; no second model is needed.

    Raises:
        ChainError: It has none of the kind, or none of a path.
    """
    find_points(options, model, variant)
    return ()


def replay(live: Any, arguments: Mapping[str, Any]) -> Any:
    """Make an edit again: leave modules out, or carve a part and put its head on it."""
    if arguments["mode"] == "static":
        return leave_out(live, arguments["skips"])
    variant: Variant = arguments["variant"]
    return remake_stage(live, arguments, {point.path: point.head for point in variant.exits})


def accepts(pipeline: Pipeline) -> Usable:
    """Refuse what has early exits, and what is in several stages already."""
    exits = any(stage.exit for stage in pipeline.stages)
    if exits or any(edit.operator == NAME for one in pipeline.stages for edit in one.edits):
        return f"it is {ONCE}"
    if len(pipeline.stages) > 1:
        return f"it is in {len(pipeline.stages)} stages already, and exits divide a whole model"
    return True


def find_needs(options: EarlyExitOptions) -> Sequence[str]:
    """Return the splits that it asks for: of what trains nothing, none."""
    return ("training", *TUNED_ON) if options.mode == "dynamic" else ()


@hookimpl
def edgebench_operators() -> Iterator[Operator]:
    """Offer early exits."""
    yield Operator(
        name=NAME,
        summary="Leave a model early: all samples, or those that a trained exit is sure of.",
        apply=apply,
        options=EarlyExitOptions,
        needs=find_needs,
        reads=["torch-module"],
        writes="torch-module",
        companions=look_at_exits,
        accepts=accepts,
        once=ONCE,
        replay=replay,
    )
