"""Plugins that are broken, slow or loud, as a user of the command line meets them."""

from __future__ import annotations

from textwrap import dedent

import pytest

from edgebench.cli import common as common_module

PLAN = ("plan", "--model", "toy", "--operator", "identity", "--backend", "toy-numpy")
RAISES = "raise RuntimeError('no luck today')\n"
LATE = """
    from edgebench import Operator, hookimpl

    @hookimpl
    def edgebench_operators():
        yield Operator(name="sound", summary="Sound.", apply=print)
        raise KeyError("late")
"""
CLASHING = """
    from edgebench import Operator, hookimpl

    @hookimpl
    def edgebench_operators():
        yield Operator(name="toy-round", summary="Another.", apply=print)
"""


@pytest.fixture
def write(tmp_path):
    def write(name, source):
        path = tmp_path / f"{name}.py"
        path.write_text(dedent(source))
        return path

    return write


def install(site, module):
    """Install a module as the distribution acme 2.0."""
    info = site / "acme-2.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 2.0\n")
    (info / "entry_points.txt").write_text(f"[edgebench]\nacme = {module}\n")


@pytest.mark.process
@pytest.mark.parametrize("command", ["plan", "run"])
@pytest.mark.parametrize(("name", "source"), [("raises", RAISES), ("late", LATE)])
def test_a_broken_file_that_was_given_ends_the_command(
    here, mistaken, toy, write, command, name, source
):
    words = (command, *PLAN[1:3], "--operator", "*", "--backend", "toy-numpy", "--plugin", toy)
    mistaken(here(*words, "--plugin", write(name, source)), f"the plugin {name} (")


def test_a_broken_distribution_is_a_note_and_no_more(cli, toy, write, tmp_path):
    write("acme_raises", RAISES)
    install(tmp_path, "acme_raises")
    said = cli(*PLAN, "--plugin", toy, "--json")
    assert said.status == 0
    assert len(said.json["cases"]) == 1
    assert said.err == (
        "edgebench: the plugin acme (acme 2.0) does not load: RuntimeError: no luck today\n"
    )


def test_a_clash_ends_no_pattern(cli, toy, write, tmp_path):
    # A clash of files that were given would end it.
    write("acme_other", CLASHING)
    words = (*PLAN[:3], "--operator", "toy-*", "--placement", "*", "--backend", "toy-numpy")
    whole = cli(*words, "--json", "--plugin", toy)
    install(tmp_path, "acme_other")
    rest = cli(*words, "--json", "--plugin", toy)
    assert rest.status == 0
    assert "offers a name that is taken: two plugins offer the operator 'toy-round'" in rest.err
    chains = [{case["chain"] for case in said.json["cases"]} for said in (whole, rest)]
    assert chains[0] - chains[1] == {"toy-round"}
    assert chains[1]


def test_what_plugins_print_is_no_result(here, toy, write):
    loud = write(
        "loud", "print('at top level')\n" + dedent(LATE).replace("raise KeyError", "print")
    )
    said = here("list", "operators", "--json", "--plugin", loud)
    assert "sound" in {row["name"] for row in said.json["operators"]}
    assert said.err == "at top level\nlate\n"


def test_a_hook_that_is_waited_for_is_named(here, write, monkeypatch):
    monkeypatch.setattr(common_module, "PATIENCE_S", 0.05)
    slow = write(
        "slow", dedent(LATE).replace('raise KeyError("late")', "__import__('time').sleep(0.5)")
    )
    said = here("list", "operators", "--json", "--plugin", slow)
    assert "sound" in {row["name"] for row in said.json["operators"]}
    waiting, waited = (line for line in said.err.splitlines() if "the plugin slow" in line)
    assert waiting == "edgebench: waiting for the plugin slow for edgebench_operators"
    assert waited.startswith("edgebench: waited ")
    assert waited.endswith(f" s for the plugin slow ({slow}) for edgebench_operators")
