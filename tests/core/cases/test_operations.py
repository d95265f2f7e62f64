"""Chains become operations once, whether or not all that they name is installed."""

from __future__ import annotations

import pytest

from edgebench.cases.case import BackendChoice, Case
from edgebench.cases.operations import Chains
from edgebench.catalogue.plugins import Plugins
from edgebench.catalogue.registry import Registry
from edgebench.parts.errors import ChainError, Missing, OptionError, UnknownName
from edgebench.parts.places import Placement

ROW = """
[plugins.melt]
kind = "operator"
module = "nowhere.melt"
offers = ["melt"]
requires = ["no_such_package"]
install = "pip install melting"

[hybrids]
both = "toy-round(digits=1)+toy-seal"
"""


@pytest.fixture
def chains(toy, tmp_path):
    """Chains of the toy's operators, a hybrid of them, and an operator that is not installed."""
    tmp_path.joinpath("own.toml").write_text(ROW)
    registry = Registry.read([tmp_path / "own.toml"])
    return Chains(Plugins.load(registry, [toy]))


def test_an_operation_is_an_operator_with_its_options(chains):
    (operation,) = chains.of("toy-round(digits=1)")
    assert (operation.operator.name, operation.options.digits) == ("toy-round", 1)
    assert operation.written == "toy-round(digits=1)"
    assert operation.needs == {"calibration"}
    assert [each.cuts for each in chains.of("toy-cut+toy-round")] == [1, 0]


def test_an_operation_is_looked_up_once_in_whatever_chain_it_stands(chains):
    (alone,) = chains.of("toy-round(digits=1)")
    first, _ = chains.of("both")
    assert first is alone
    assert chains.of("both")[0] is alone


def test_no_text_is_no_operation(chains):
    assert chains.of("") == ()


@pytest.mark.parametrize(
    ("text", "spelt"),
    [
        ("both", "toy-round(digits=1)+toy-seal"),
        (" toy-round( digits = 2 ) ", "toy-round"),
        ("melt(heat=3,at=x)+toy-round(digits=2)", "melt(at=x,heat=3)+toy-round"),
    ],
)
def test_a_chain_is_spelt_in_one_way(chains, text, spelt):
    assert chains.spell(text) == spelt
    assert chains.spell(spelt) == spelt


def test_what_is_not_installed_is_named_and_says_how_to_get_it(chains):
    with pytest.raises(Missing, match="melt needs the package 'no_such_package': pip install"):
        chains.of("toy-round+melt")
    assert [part.name for part in chains.parse("toy-round+melt")] == ["toy-round", "melt"]


@pytest.mark.parametrize(
    ("text", "error", "said"),
    [
        ("toy-rond", UnknownName, "did you mean 'toy-round'"),
        ("toy-round(digit=1)", OptionError, "did you mean 'digits'"),
        ("toy-round(digits=x)", OptionError, "digits must be a whole number, not 'x'"),
        ("toy-round+", ChainError, "a name is expected"),
    ],
)
def test_a_mistake_in_writing_is_one_line(chains, text, error, said):
    for read in (chains.of, chains.spell):
        with pytest.raises(error, match=said) as caught:
            read(text)
        assert "\n" not in str(caught.value)


def test_every_part_that_a_case_names_is_listed_whether_or_not_it_is_installed(chains):
    case = Case(
        model="toy",
        variant="small",
        dataset="toy-points",
        chain="melt+toy-round",
        placement=Placement(["mobile", "edge"]),
        backends=[BackendChoice("toy-numpy"), BackendChoice("toy-chip")],
        route=["mobile", "edge"],
    )
    assert [(kind.__name__, name) for kind, name in chains.list_parts(case)] == [
        ("Model", "toy"),
        ("Fabric", "process"),
        ("Operator", "melt"),
        ("Operator", "toy-round"),
        ("Backend", "toy-numpy"),
        ("Backend", "toy-chip"),
        ("Dataset", "toy-points"),
    ]
