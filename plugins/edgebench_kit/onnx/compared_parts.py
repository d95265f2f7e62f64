"""Running the parts of a graph beside the whole, as they will be deployed, on made-up inputs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from edgebench import CaseFailed, ChainError, Context, Pipeline, Stage, Tensors
from edgebench_kit.onnx.parts_and_whole import (
    SIDE,
    TOLERANCE,
    draw_inputs,
    find_apart,
    find_difference,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@attrs.frozen(kw_only=True)
class PartsCompared:
    """Compares the parts that a stage of a pipeline is split into with the whole stage."""

    pipeline: Pipeline
    whole: Stage
    context: Context

    def check(self, parts: Sequence[Stage], tolerance: float, side: int = SIDE) -> None:
        """See that parts compute what the whole does; what cannot be compared is doubted.

        Args:
            parts: The stages, in order.
            tolerance: What is allowed, relative to the largest number.
            side: What stands for dimensions that are open.

        Raises:
            ChainError: What crosses has not a row for each sample.
            CaseFailed: They compute something else.
        """
        inputs = draw_inputs(self.whole, self.context.seed, side)
        wholes, failed = self._run_whole(inputs)
        self._doubt_failed(wholes, failed)
        if not wholes:
            return
        got = self._run_parts(parts, inputs)
        different = find_difference(list(wholes.values()), got, tolerance)
        if different and (different.slight or failed):
            self.context.doubt(f"cut in two, {different.clause}")
        elif different:
            raise CaseFailed(f"cut in two, {different.clause} ({self._say_where()})")

    def doubt_difference(self, parts: Sequence[Stage], name: str) -> None:
        """Doubt parts of a quantized graph by how much they differ from the whole.

        Args:
            parts: The stages, in order.
            name: A tensor of floats that crosses: a runtime fuses nodes around it in another way.

        Raises:
            ChainError: What crosses has not a row for each sample.
            CaseFailed: They give tensors of other shapes.
        """
        inputs = draw_inputs(self.whole, self.context.seed)
        wholes, failed = self._run_whole(inputs)
        self._doubt_failed(wholes, failed)
        if not wholes:
            return
        apart = find_apart(list(wholes.values()), self._run_parts(parts, inputs))
        if apart.share == float("inf"):
            raise CaseFailed(f"cut in two, {apart.clause} ({self._say_where()})")
        if apart.share > TOLERANCE:
            self.context.doubt(
                f"cut in two at {name!r}, where floats of a quantized graph cross, {apart.clause} "
                "(made-up inputs): a runtime fuses other nodes there"
            )

    def measure(self, parts: Sequence[Stage]) -> float | None:
        """Return the largest relative difference; None where the whole does not run."""
        inputs = draw_inputs(self.whole, self.context.seed)
        wholes, _ = self._run_whole(inputs)
        if not wholes:
            return None
        return find_apart(list(wholes.values()), self._run_parts(parts, inputs)).share

    def _say_where(self) -> str:
        """Name the backends that ran the parts, whose fault a difference may be."""
        claims = [f"{name}, which claims {of}" for name, of in self.context.backends.items()]
        return f"run on {' and '.join(claims)}"

    def _doubt_failed(self, wholes: Mapping[str, Tensors], failed: str) -> None:
        if failed:
            where = f" but on {', '.join(wholes)}" if wholes else ""
            self.context.doubt(
                f"the parts were not compared with the whole{where}: the whole does not run on "
                f"made-up inputs: {failed}"
            )

    def _run_whole(self, inputs: Tensors) -> tuple[Mapping[str, Tensors], str]:
        """Return what the whole gives on each backend that runs it, and why another does not."""
        whole = self._alone([self.whole])
        wholes, failed = {}, []
        for backend in self.context.backends:
            try:
                wholes[backend] = self.context.run(whole, inputs, on=backend)
            except ChainError:
                raise
            except Exception as error:  # noqa: BLE001 (whatever a runtime says to made-up inputs)
                said = str(error).strip().partition("\n")[0]
                named = said.startswith(f"backend {backend} ")
                failed.append(said if named else f"{backend}: {said}")
        return wholes, "; ".join(failed)

    def _run_parts(self, parts: Sequence[Stage], inputs: Tensors) -> Tensors:
        got = self.context.run(self._alone(parts), inputs)
        for part in parts[:-1]:
            _check_rows(part, got, len(next(iter(inputs.values()))))
        return got

    def _alone(self, stages: Sequence[Stage]) -> Pipeline:
        """Return stages as a pipeline that gives all they write, whatever could leave it early."""
        return attrs.evolve(
            self.pipeline,
            stages=[attrs.evolve(stage, exit=None) for stage in stages],
            outputs=[spec.name for stage in stages for spec in stage.outputs],
            cuts=range(1, len(stages)),
        )


def _check_rows(stage: Stage, written: Tensors, samples: int) -> None:
    """See that what crosses has a row for each sample, which the shapes noted need not tell."""
    for spec in stage.outputs:
        rows = written[spec.name].shape[:1]
        if rows != (samples,):
            raise ChainError(
                f"the graph cannot be cut at {spec.name!r}: it has {rows[0] if rows else 'no'} "
                f"rows for {samples} samples"
            )
