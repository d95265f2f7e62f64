"""What a trainer promises."""

from __future__ import annotations

import inspect
from typing import Any

import attrs

from edgebench.parts.changes import Trainer
from edgebench.parts.errors import EdgebenchError, one_line
from edgebench.parts.pipeline import Stage
from edgebench.parts.subjects import Budget, Model
from edgebench.store.artifacts import read_pipeline
from edgebench.testing.contracts.applying import FewStages
from edgebench.testing.contracts.contract import Contract, NotChecked, doubt, hold
from edgebench.testing.contracts.subjects import list_subjects, make_case

BUDGET = Budget(epochs=3, batch=16, learning_rate=1e-3)
SEED = 7


@attrs.define(eq=False)
class Fitting:
    """A training: what came of it, and what was seen meanwhile."""

    before: str
    after: str
    losses: list[float]
    calls: int
    made: Any


class TrainerContract(Contract):
    """What a trainer promises: the smallest model of its format, trained for three short epochs."""

    kind = Trainer

    # --- promises --------------------------------------------------------------------------------

    def test_it_takes_a_teacher(self) -> None:
        """It takes `teacher`, a second stage for a loss with three arguments, as a name."""
        names = inspect.signature(self.part.fit).parameters
        hold("teacher" in names, "fit has no argument `teacher`")

    def test_it_trains(self) -> None:
        """It gives back a stage of its format, with a live object that is another."""
        fitting = self._fitting()
        hold(isinstance(fitting.made, Stage), f"fit gives {type(fitting.made).__name__}")
        form = self.part.format
        hold(fitting.made.format == form, f"it gives {fitting.made.format}, and trains {form}")
        hold(
            self.bench.digest_live(fitting.made) != fitting.before,
            "what it gives back is what it was given",
        )
        if not fitting.calls:
            doubt("it never says how far it has come")

    def test_the_loss_falls(self) -> None:
        """The loss falls while it trains."""
        losses = self._fitting().losses
        if len(losses) < 4:
            raise NotChecked(f"it asked for the loss {len(losses)} times")
        part = max(1, len(losses) // 4)
        first, last = sum(losses[:part]) / part, sum(losses[-part:]) / part
        hold(
            last < first,
            f"the loss was {first:.3g} in the first quarter and {last:.3g} in the last",
        )

    def test_what_it_is_given_stays(self) -> None:
        """The stage that it is given is as it was."""
        fitting = self._fitting()
        hold(fitting.before == fitting.after, "it changes the stage that it is given")

    def test_the_same_seed_trains_the_same(self) -> None:
        """Trained again under the same seed, the stage is the same files."""
        first, again = self._fitting(), self._fit()
        if not isinstance(first.made, Stage):
            raise NotChecked("it gave no stage, which another promise tells of")
        hold(
            self.bench.digest_live(first.made) == self.bench.digest_live(again.made),
            "trained twice under one seed, the stage is other files",
        )

    # --- what they stand on ----------------------------------------------------------------------

    def _fitting(self) -> Fitting:
        if "fitting" not in self.tried:
            self.tried["fitting"] = self._fit()
        fitting: Fitting = self.tried["fitting"]
        return fitting

    def _fit(self) -> Fitting:
        case, model = self._subject()
        stages = FewStages.of(self.bench)
        pipeline = read_pipeline(self.bench.maker.base(case))
        live = stages.live(pipeline.stages[0])
        splits = [stages.split(case, name, pipeline) for name in ("training", "validation")]
        losses: list[float] = []
        calls: list[int] = []

        def loss(*given: Any) -> Any:
            value = model.loss(*given) if model.loss else 0.0
            losses.append(float(value.item() if hasattr(value, "item") else value))
            return value

        def progress(done: int, total: int, what: str = "") -> None:
            calls.append(done)

        before = self.bench.digest_live(live)
        try:
            made = self.part.fit(live, loss, *splits, BUDGET, SEED, progress, teacher=None)
        except Exception as error:
            raise AssertionError(f"it fails: {one_line(error)}") from error
        return Fitting(before, self.bench.digest_live(live), losses, len(calls), made)

    def _subject(self) -> Any:
        """Return the case and the record of the smallest model that can be trained.

        Raises:
            NotChecked: There is none.
        """
        try:
            for model, variant in list_subjects(self.bench, [self.part.format], self.model):
                if model.format == self.part.format and model.loss is not None and model.dataset:
                    return make_case(self.bench, model, variant), self.bench.plugins.get(
                        Model, model.name
                    )
        except EdgebenchError as error:
            raise NotChecked(str(error)) from error
        raise NotChecked(f"no model here is built in {self.part.format} and has a loss")
