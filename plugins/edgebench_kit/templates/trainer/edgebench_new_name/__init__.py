"""The trainer `new-name`: gradient descent with momentum."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import edgebench as eb
from edgebench_kit.torch.modules import name_outputs
from edgebench_kit.torch.samples import Samples, stack_split

EDGEBENCH_API = (2, 0)


def fit(
    stage: eb.Stage,
    loss: Callable[..., Any],
    training: eb.Split,
    validation: eb.Split,
    budget: eb.Budget,
    seed: int,
    progress: Callable[[int, int, str], None],
    teacher: eb.Stage | None = None,
) -> eb.Stage:
    """Train a copy of the stage's module; return the stage with the best weights that were seen.

    The loss is given outputs by name and answers, and of a teacher its outputs as well.

    Raises:
        CaseFailed: The loss is no longer a number.
    """
    import torch  # here, not above: `edgebench list` must stay quick

    module = copy.deepcopy(stage.live)

    def measure(samples: Samples) -> Any:
        outputs = name_outputs(module(*samples.inputs), stage.outputs)
        return loss(outputs, samples.answers, *([samples.taught] if teacher else []))

    best, weights, worse = math.inf, copy.deepcopy(module.state_dict()), 0
    with ExitStack() as files, torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        learnt, held_out = (
            stack_split(split, stage, teacher, budget.batch, files)
            for split in (training, validation)
        )
        # Here goes your own recipe.
        optimizer = torch.optim.SGD(module.parameters(), lr=budget.learning_rate, momentum=0.9)
        for epoch in range(1, budget.epochs + 1):
            module.train()
            for batch in take_batches(learnt, torch.randperm(len(learnt)), budget.batch):
                optimizer.zero_grad()
                measure(batch).backward()
                optimizer.step()
            module.eval()
            with torch.no_grad():
                batches = take_batches(held_out, torch.arange(len(held_out)), budget.batch)
                reached = sum(len(one) * measure(one).item() for one in batches) / len(held_out)
            if not math.isfinite(reached):
                raise eb.CaseFailed(f"training diverged in epoch {epoch}: the loss is {reached}")
            progress(epoch, budget.epochs, f"validation loss {reached:.3g}")
            worse += 1
            if reached < best:
                best, weights, worse = reached, copy.deepcopy(module.state_dict()), 0
            if worse >= budget.patience:
                break
    module.load_state_dict(weights)
    return stage.changed(module)


def take_batches(samples: Samples, order: Any, size: int) -> Iterator[Samples]:
    """Yield the samples in an order, so many at a time."""
    for begin in range(0, len(samples), size):
        yield samples.take(order[begin : begin + size])


@eb.hookimpl
def edgebench_trainers() -> Iterator[eb.Trainer]:
    """Offer it. One trainer a format is used: `--without` leaves another out."""
    yield eb.Trainer(
        name="new-name",
        summary="Train torch modules by gradient descent with momentum.",
        format="torch-module",
        fit=fit,
    )
