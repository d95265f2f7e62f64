"""What CI holds a quickstart to, tried on results that were made up."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import attrs
import pytest

from edgebench.records.facts import Agreement
from edgebench.testing.results import case_of, result_of

CHECK = Path(__file__).parents[1] / ".ci" / "check_quickstart.py"


@pytest.fixture(scope="module")
def check():
    spec = importlib.util.spec_from_file_location("check_quickstart", CHECK)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def document(**changes):
    """The document of a sound case, but for the figure's changes."""
    result = result_of(case_of("sptq", "mobile"))
    (figure,) = result.facts.figures
    figure = attrs.evolve(figure, metric="top1", **{"margin": 0.03, **changes})
    agreed = Agreement(
        max_abs_difference=0.0, mean_abs_difference=0.0, same_answer=1.0, samples=16,
        reference="toy:small untransformed with torch",
    )  # fmt: skip
    facts = attrs.evolve(result.facts, figures=[figure], agreement=agreed)
    return attrs.evolve(result, facts=facts).to_json()


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({}, []),
        ({"value": 0.96}, ["accuracy 0.960"]),
        ({"loss": 0.012, "loss_ci95": (0.0, 0.02)}, ["loses 1.20 points"]),
        ({"loss_ci95": (-0.04, 0.04)}, ["is not shown to keep its accuracy"]),
    ],
)
def test_a_case_is_held_to_its_accuracy_and_its_loss(check, changes, found):
    assert check.problems(document(**changes)) == found
