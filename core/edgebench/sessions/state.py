"""Stages that read what they wrote for the request before: their sessions keep it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from edgebench.parts.pipeline import Stage, State, Tensors, TensorSpec
from edgebench.sessions.counted import CountedSession

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgebench.parts.places import Session


def expose_states(stage: Stage) -> Stage:
    """Return a stage whose states are inputs and outputs like others, as a backend opens it."""
    written = [
        TensorSpec(name=state.written, dtype=state.read.dtype, shape=state.read.shape)
        for state in stage.states
    ]
    return attrs.evolve(
        stage,
        inputs=(*stage.inputs, *(state.read for state in stage.states)),
        outputs=(*stage.outputs, *written),
        states=(),
    )


@attrs.define
class StatefulSession:
    """A session that feeds itself what it wrote for the request before.

    A batch of another size begins anew, with zeros.
    """

    session: Session
    states: tuple[State, ...]
    kept: dict[str, NDArray[Any]] = attrs.field(factory=dict, init=False)
    """By the tensor that is read, what was written last."""

    def run(self, inputs: Tensors) -> Tensors:
        """Run the stage on a batch, after the one before."""
        outputs = self.session.run(self.complete(inputs))
        # A session may give the same memory again for the next request.
        self.kept = {state.read.inside: outputs[state.written].copy() for state in self.states}
        return outputs

    def complete(self, inputs: Tensors) -> dict[str, NDArray[Any]]:
        """Return the inputs with what was written last."""
        return {**inputs, **self._recall(len(next(iter(inputs.values()))))}

    def _recall(self, batch: int) -> dict[str, NDArray[Any]]:
        import numpy as np

        recalled = {}
        for state in self.states:
            shape = tuple(batch if isinstance(size, str) else size for size in state.read.shape)
            last = self.kept.get(state.read.inside)
            if last is None or last.shape != shape:
                last = np.zeros(shape, state.read.dtype)
            recalled[state.read.inside] = last
        return recalled


def unwrap(session: Session) -> Session:
    """Return the session that a backend opened, which alone has what a backend adds."""
    inner = session.session if isinstance(session, CountedSession) else session
    return inner.session if isinstance(inner, StatefulSession) else inner
