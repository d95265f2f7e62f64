"""Train a torch module on answers: AdamW, one cycle of the learning rate, early stopping.

AdamW is Loshchilov and Hutter's (2019), the cycle Smith and Topin's (2019).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from edgebench import Budget, CaseFailed, Split, Stage, Trainer, hookimpl
from edgebench_kit.torch.modules import name_outputs
from edgebench_kit.torch.samples import Samples, stack_split

if TYPE_CHECKING:
    import torch


@hookimpl
def edgebench_trainers() -> Iterable[Trainer]:
    """Offer the one recipe that all torch modules are trained with."""
    yield Trainer(
        name="torch-supervised",
        summary="AdamW with a one-cycle learning rate, stopped early on the validation loss.",
        format="torch-module",
        fit=fit,
    )


def fit(
    stage: Stage,
    loss: Callable[..., torch.Tensor],
    training: Split,
    validation: Split,
    budget: Budget,
    seed: int,
    progress: Callable[[int, int, str], None],
    teacher: Stage | None = None,
) -> Stage:
    """Train a copy of the stage's module, and return the stage with the best weights seen.

    The loss is given the outputs by name and the answers, and with a teacher its outputs by name as
    well: what it says to each sample is computed once, before the first epoch.

    Raises:
        CaseFailed: The loss is no longer a number, or there is nothing to train.
    """
    import copy

    with _reproducible(seed), ExitStack() as files:
        course = _Course(copy.deepcopy(stage.live), stage, loss, budget)
        learnt, held_out = (
            stack_split(split, stage, teacher, budget.batch, files)
            for split in (training, validation)
        )
        course.run(learnt, held_out, progress)
    return stage.changed(course.module)


class _Course:
    """One training: the module, what changes it, and the best weights so far."""

    def __init__(self, module: Any, stage: Stage, loss: Callable[..., Any], budget: Budget) -> None:
        self.module = module
        self.budget = budget
        self.title = f"{stage.model}:{stage.variant}"
        self._loss = loss
        self._outputs = stage.outputs
        self._best = math.inf
        self._weights: dict[str, Any] = {}
        self._worse = 0

    def run(
        self, training: Samples, validation: Samples, progress: Callable[[int, int, str], None]
    ) -> None:
        """Train until the epochs, the time or the patience are used up; end with the best."""
        import time

        began, epochs = time.monotonic(), self.budget.epochs
        step = self._stepper(math.ceil(len(training) / self.budget.batch))
        for epoch in range(1, epochs + 1):
            self._learn(training, step, epoch)
            reached = self._validate(validation, epoch)
            self._keep(reached)
            progress(epoch, epochs, f"epoch {epoch}/{epochs}, validation loss {reached:.3g}")
            late = time.monotonic() - began > (self.budget.seconds or math.inf)
            # While the rate still rises to its peak, losses go up and down and tell nothing.
            settled = 2 * epoch > epochs
            if late or (settled and self._worse >= self.budget.patience):
                break
        self.module.load_state_dict(self._weights)

    def _stepper(self, batches: int) -> Callable[[Any], None]:
        """Return what follows a loss downhill by one step, the learning rate on its one cycle."""
        import torch

        weights = [weight for weight in self.module.parameters() if weight.requires_grad]
        if not weights or not batches:
            raise CaseFailed(f"{self.title} has nothing to train, or nothing to be trained on")
        rate = self.budget.learning_rate
        optimizer = torch.optim.AdamW(weights, lr=rate, fused=True)
        cycle = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, max_lr=rate, total_steps=self.budget.epochs * batches
        )

        def step(loss: Any) -> None:
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            cycle.step()

        return step

    def _learn(self, training: Samples, step: Callable[[Any], None], epoch: int) -> None:
        """Take one step for each batch of a new shuffle."""
        import torch

        self.module.train()
        order = torch.randperm(len(training))
        for batch in self._batches(training, order):
            loss = self._loss_of(batch)
            if not math.isfinite(loss.item()):
                raise self._diverged(epoch, loss.item())
            step(loss)

    def _validate(self, validation: Samples, epoch: int) -> float:
        """Return the mean loss over the validation split, and leave the module in eval mode."""
        import torch

        self.module.eval()
        count = len(validation)
        with torch.no_grad():
            batches = self._batches(validation, torch.arange(count))
            total = float(sum(self._loss_of(batch).item() * len(batch) for batch in batches))
        if not math.isfinite(total):
            raise self._diverged(epoch, total)
        return total / max(count, 1)

    def _keep(self, reached: float) -> None:
        """Remember the weights if they are the best so far, else count one epoch more without."""
        if reached < self._best:
            state = self.module.state_dict()
            self._weights = {name: tensor.clone() for name, tensor in state.items()}
            self._best, self._worse = reached, 0
        else:
            self._worse += 1

    def _batches(self, split: Samples, order: torch.Tensor) -> Iterator[Samples]:
        """Yield batches of nearly one size: one sample left over cannot be batch-normalised."""
        yield from map(split.take, order.tensor_split(math.ceil(len(order) / self.budget.batch)))

    def _loss_of(self, batch: Samples) -> torch.Tensor:
        outputs = name_outputs(self.module(*batch.inputs), self._outputs)
        taught = [batch.taught] if batch.taught else []
        loss: torch.Tensor = self._loss(outputs, batch.answers, *taught)
        return loss

    def _diverged(self, epoch: int, loss: float) -> CaseFailed:
        return CaseFailed(
            f"training {self.title} diverged in epoch {epoch}: the loss is {loss}; "
            f"a learning rate below {self.budget.learning_rate:g} may help"
        )


@contextmanager
def _reproducible(seed: int) -> Iterator[None]:
    """Seed torch, fix its threads and its algorithms; afterwards all is as it was before."""
    import os

    import torch

    threads, strict = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    only_warns = torch.is_deterministic_algorithms_warn_only_enabled()
    # A sum depends on how many threads share it: the number is this machine's, never a guess.
    torch.set_num_threads(os.cpu_count() or 1)
    torch.use_deterministic_algorithms(True)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            yield
    finally:
        torch.use_deterministic_algorithms(strict, warn_only=only_warns)
        torch.set_num_threads(threads)
