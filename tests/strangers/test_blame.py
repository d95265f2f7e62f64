"""Whatever a stranger's part does wrong, its row names the part, its plugin and its distribution."""

from __future__ import annotations

import os
import re
from textwrap import dedent

import pytest

FAULTY = """
    import os
    import attrs
    import numpy as np
    from edgebench import Backend, Converter, Format, Model, Operator, Pipeline, hookimpl

    def none(pipeline, context):
        return None

    def other(pipeline, context):
        return pipeline.stages[0]

    def divide(pipeline, context):
        1 / 0

    def leave(pipeline, context):
        raise SystemExit("had enough")

    def strange(pipeline, context):
        (stage,) = pipeline.stages
        return pipeline.replaced([attrs.evolve(stage.changed(stage.live), format="faulty-format")])

    def run(pipeline, context):
        context.run(pipeline, {"x": np.zeros((2, 3), np.float32)})
        return pipeline

    def twice(options):
        raise LookupError("no number")

    def save(stage, directory):
        raise OSError("no ink")

    @hookimpl
    def edgebench_operators():
        for apply in (none, other, divide, leave, strange):
            yield Operator(name=f"zz-{apply.__name__}", summary="No.", apply=apply,
                           reads=["toy-matrix"])
        yield Operator(name="zz-cuts", summary="No.", apply=none, cuts=twice)

    @hookimpl
    def edgebench_formats():
        yield Format(name="faulty-format", summary="No.", save=save, load=print)

    class Session:
        def __init__(self, fault):
            self.fault = fault

        def run(self, inputs):
            if self.fault == "key":
                return {}
            raise RuntimeError("no current")

    def opening(fault):
        def open(stage, device, threads, options):
            from contextlib import nullcontext
            if fault == "open":
                raise RuntimeError("no socket")
            return nullcontext(Session(fault))
        return open

    @hookimpl
    def edgebench_backends():
        for fault in ("open", "run", "key"):
            yield Backend(name=f"zz-{fault}", summary="No.", open=opening(fault),
                          formats=["toy-matrix"])
"""


@pytest.fixture
def faulty(tmp_path, monkeypatch):
    """Install the faulty plugin as the distribution acme 1.0, beside the toy."""
    site = tmp_path / "site"
    info = site / "acme-1.0.dist-info"
    info.mkdir(parents=True)
    site.joinpath("acme_parts.py").write_text(dedent(FAULTY))
    info.joinpath("METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n")
    info.joinpath("entry_points.txt").write_text("[edgebench]\nparts = acme_parts\n")
    return site


def reasons(cli, toy, faulty, *words):
    path = os.pathsep.join([str(faulty), *filter(None, [os.environ.get("PYTHONPATH")])])
    said = cli("run", "--json", "--plugin", toy, "--model", "toy", "--placement", "mobile",
               "--blocks", 1, "--requests", 3, *words, PYTHONPATH=path)  # fmt: skip
    assert said.status == 1, said.err
    return {f"{c['chain']} {c['backend']}": (c["status"], c["reason"]) for c in said.json["cases"]}


def test_operators_and_formats_that_fail_are_named_with_their_distribution(cli, toy, faulty):
    wanted = {
        "zz-none": ("operator zz-none", ""),
        "zz-other": ("operator zz-other", ""),
        "zz-divide": ("operator zz-divide", "ZeroDivisionError: division by zero"),
        "zz-leave": ("operator zz-leave", "SystemExit: had enough"),
        "zz-strange": ("format faulty-format", "OSError: no ink"),
    }
    chains = [word for name in wanted for word in ("--operator", name)]
    found = reasons(cli, toy, faulty, *chains, "--operator", "identity", "--backend", "toy-numpy")
    assert found["identity toy-numpy"][0] == "ok"
    for chain, (part, why) in wanted.items():
        status, reason = found[f"{chain} toy-numpy"]
        assert status == "failed"
        assert reason.startswith(f"{part} (parts, acme 1.0): {why}"), reason


def test_backends_that_fail_are_named_with_their_distribution(cli, toy, faulty):
    wanted = {
        "zz-open": "RuntimeError: no socket",
        "zz-run": "RuntimeError: no current on mobile in stage 0",
        "zz-key": "it gave nothing and no 'scores', which is announced",
    }
    words = [word for name in wanted for word in ("--backend", name)]
    found = reasons(cli, toy, faulty, *words, "--operator", "identity", "--backend", "toy-numpy")
    assert found["identity toy-numpy"][0] == "ok"
    for name, why in wanted.items():
        status, reason = found[f"identity {name}"]
        assert status == "failed"
        assert re.search(rf"backend {name} \(parts, acme 1\.0\): {why}", reason), reason


def test_a_part_that_fails_while_planning_costs_its_own_cases(cli, toy, faulty):
    path = os.pathsep.join([str(faulty), os.environ.get("PYTHONPATH", "")])
    said = cli("plan", "--json", "--plugin", toy, "--model", "toy", "--operator", "zz-*",
               "--operator", "identity", "--placement", "mobile", "--backend", "toy-numpy",
               PYTHONPATH=path)  # fmt: skip
    why = {one["chain"]: one["reason"] for one in said.json["skipped"]}
    assert why["zz-cuts"] == "operator zz-cuts (parts, acme 1.0): LookupError: no number"
    assert "identity" in {one["chain"] for one in said.json["cases"]}
