"""How long an operator trains a model that has been trained: its budget, scaled by an effort."""

from __future__ import annotations

import math
from typing import Literal

import attrs

from edgebench import Budget

Effort = Literal["quick", "full"]
"""What the option `budget` of operators that train may be: as long as the model itself is trained,
or so long that early stopping ends it."""

FULL = 5
"""How many times the epochs of `quick` those of `full` are, at most."""


def scale_budget(
    budget: Budget, effort: Effort, *, rate: float = 1.0, length: float = 1.0
) -> Budget:
    """Return what training may cost under an effort.

    A model that has learnt already is trained on at a lower rate than one that begins, and for
    less long: the learning rate is *rate* times as high, the epochs are *length* times as many.
    """
    longer = length * (FULL if effort == "full" else 1)
    return attrs.evolve(
        budget,
        epochs=math.ceil(budget.epochs * longer),
        seconds=budget.seconds and budget.seconds * longer,
        learning_rate=budget.learning_rate * rate,
    )
