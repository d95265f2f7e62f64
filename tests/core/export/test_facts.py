"""What an export says of weights and of what must be installed."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import attrs
import numpy as np
import pytest

from edgebench import Weights
from edgebench.export.licences import find_licence
from edgebench.export.requirements import list_requirements
from edgebench.testing.results import case_of


@pytest.mark.parametrize(
    ("weights", "said"),
    [
        (Weights(kind="random"), "none: the weights are random"),
        (Weights(kind="trained"), "trained by edgebench on dots: the terms of that apply"),
        (
            Weights(kind="file", path=Path("/me/a.pt")),
            "licence not known: the weights are of the file a.pt",
        ),
        (Weights(), "licence not known: the weights come with toy:small"),
    ],
)
def test_what_is_not_known_of_weights_is_not_guessed(recipes, weights, said):
    assert find_licence(attrs.evolve(case_of(), weights=weights), recipes) == said


def test_pinned_weights_have_the_licence_of_their_row(recipes):
    asset = recipes.plugins.registry.assets["resnet-152"]
    case = attrs.evolve(case_of(model="resnet"), variant="152", weights=Weights(kind="hub"))
    said = find_licence(case, recipes)
    assert said == f"{asset.licence} (resnet-152, {asset.url})"


def test_what_a_program_imports_is_required_in_the_version_that_is_here():
    sources = ["import sys, numpy.linalg\n", "def f():\n    from attr import frozen\n"]
    text, doubts = list_requirements(sources, {"numpy": np.__version__, "else": "1"})
    assert text == f"attrs=={version('attrs')}\nnumpy=={np.__version__}\n"
    assert doubts == ()


def test_another_version_than_was_measured_is_a_doubt():
    _, doubts = list_requirements([], {"numpy": "1.2"})
    assert doubts == (f"numpy is {np.__version__} here, and was 1.2 when it was measured",)


@pytest.mark.parametrize(("here", "before"), [("1.2.1", "1.2.10"), ("2", "21")])
def test_a_version_that_begins_alike_is_another(monkeypatch, here, before):
    monkeypatch.setattr("edgebench.export.requirements.version", lambda _: here)
    _, doubts = list_requirements([], {"numpy": before})
    assert doubts == (f"numpy is {here} here, and was {before} when it was measured",)


def test_a_module_of_no_package_is_a_doubt():
    text, doubts = list_requirements(["import my_own_runtime.part\n"], {})
    assert text == f"numpy=={np.__version__}\n"
    assert doubts == ("my_own_runtime, which a program imports, comes with no package known here",)


def test_a_local_part_of_a_version_is_left_to_a_remark(monkeypatch):
    monkeypatch.setattr("edgebench.export.requirements.version", lambda _: "2.1+cpu")
    text, doubts = list_requirements([], {"numpy": "2.1+cpu"})
    assert text == "numpy==2.1  # here: 2.1+cpu\n"
    assert doubts == ()
