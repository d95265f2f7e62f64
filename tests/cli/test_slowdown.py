"""`compare` on runs that were measured: the same twice, and with a tenth more to wait for."""

from __future__ import annotations

BURNING = '''
import time
from contextlib import contextmanager

from edgebench import Backend, hookimpl

SECONDS = {seconds}


class Burning:
    """Does what the toy does, later: asleep, so that what else runs here makes it no slower."""

    def __init__(self, matrix, stage):
        self.matrix, self.stage = matrix, stage

    def run(self, inputs):
        time.sleep(SECONDS)
        return {{self.stage.outputs[0].inside: inputs[self.stage.inputs[0].inside] @ self.matrix}}


@contextmanager
def open_session(stage, device, threads, options):
    import numpy as np

    yield Burning(np.load(stage.file), stage)


@hookimpl
def edgebench_backends():
    yield Backend(name="burning", summary="Burns.", open=open_session, formats=["toy-matrix"])
'''
CASES = (
    *("--model", "toy", "--backend", "burning", "--placement", "cloud", "--input-at", "cloud"),
    *("--blocks", "10", "--requests", "20"),
)


def test_a_tenth_more_is_slower_and_the_same_again_is_not(cli, toy, tmp_path):
    plugin = tmp_path / "burning.py"
    options = ("--plugin", toy, "--plugin", plugin, "--db", "slow.db")
    found = []
    for seconds in (0.02, 0.02, 0.022):
        plugin.write_text(BURNING.format(seconds=seconds))
        said = cli("run", *CASES, *options, "--json")
        assert said.status == 0, said.err
        found.append(said.json["run"])
    compare = ("compare", "--db", "slow.db", "--fail-if", "latency.median > +5%", "--json")
    same, slower = (cli(*compare, found[0], other) for other in found[1:])
    assert same.status == 0, same.out
    assert verdicts(same.json).isdisjoint({"slower", "faster"})
    assert verdicts(slower.json) == {"slower"}
    (gate,) = slower.json["gates"]
    # Where something else has begun to use this machine meanwhile, that is not shown, and said.
    assert slower.status == (0 if "measure again" in gate["why_not"] else 1), slower.out


def verdicts(document):
    return {case["figures"]["latency.median"]["verdict"] for case in document["cases"]}
