"""A stranger's prepared case, its split, the fabric and the wire, all without a framework."""

from __future__ import annotations

from pathlib import Path

import attrs
import numpy as np
import pytest

from edgebench import Case, Dataset, Fabric, Link, Pipeline, Placement, Stage, TensorSpec, Tier
from edgebench.cases.case import BackendChoice
from edgebench.catalogue.plugins import PluginSource
from edgebench.catalogue.registry import Registry
from edgebench.measure.stand.deployment import Deployment
from edgebench.measure.transport.wire import pack, stamp
from edgebench.store import splits
from edgebench.store.artifacts import read_pipeline, write_pipeline

PLUGIN = Path(__file__).with_name("tiny.py")
ROUTE = ("mobile", "edge", "cloud")
LINKS = (
    Link(between=("mobile", "edge"), rate=200e6, delay=1e-3),
    Link(between=("edge", "cloud"), rate=50e6),
)


def row(name, *shape, dtype="float32"):
    return TensorSpec(name=name, dtype=dtype, shape=("batch", *shape))


def frames_of(message, sent=0):
    """Return a message as it comes off the wire."""
    frames = pack(message)
    stamp(frames, sent)
    return [bytes(memoryview(frame)) for frame in frames]


def write_stages(place, stages, cuts):
    """Write a pipeline of matrices: for each stage its outputs and its exit."""
    made, reads = [], row("input", 4)
    for number, (outputs, leaves) in enumerate(stages):
        directory = place / f"stage-{number}"
        directory.mkdir(parents=True)
        np.save(directory / "matrix.npy", np.eye(4, dtype=np.float32) * (number + 2))
        made.append(
            Stage(
                format="tiny-matrix",
                inputs=[reads],
                outputs=outputs,
                files=["matrix.npy"],
                directory=directory,
                exit=leaves,
            )
        )
        reads = outputs[0]
    write_pipeline(
        Pipeline(
            model="tiny",
            variant="default",
            stages=made,
            outputs=[made[-1].outputs[0].name],
            cuts=range(1, len(made)) if cuts is None else cuts,
        ),
        place,
    )
    return place


@pytest.fixture(scope="session")
def source():
    return PluginSource(files=[PLUGIN])


@pytest.fixture(scope="session")
def split(tmp_path_factory, source):
    place = tmp_path_factory.mktemp("rows")
    dataset = source.load().get(Dataset, "tiny-rows")
    splits.keep_splits(dataset, 0, place, lambda *_: None)
    return place / "test"


@pytest.fixture(scope="session")
def dataset(source):
    return source.load().get(Dataset, "tiny-rows")


@pytest.fixture(scope="session")
def fabric(process):
    registry = Registry.read().paths
    return PluginSource(registry=registry).load().get(Fabric, "process")


@pytest.fixture
def spec():
    """Return what makes the specification of a tensor: its name, and a sample's shape."""
    return row


@pytest.fixture
def prepared(tmp_path):
    """Return what writes and reads a pipeline: for each stage its outputs and its exit."""

    def make(stages, cuts=None):
        place = tmp_path / f"artifact-{len(list(tmp_path.iterdir()))}"
        return read_pipeline(write_stages(place, stages, cuts))

    return make


@pytest.fixture
def deploy(tmp_path, source, split, prepared):
    """Return what makes a deployment: a placement, and what differs from the plain case."""

    def make(
        placement="mobile",
        stages=None,
        options=(),
        backend="tiny",
        cuts=None,
        case=None,
        device="",
        **changes,
    ):
        tiers = placement.split("-")
        pipeline = prepared(stages or [([row(f"h{n}", 4)], None) for n in range(len(tiers))], cuts)
        route = ROUTE[: ROUTE.index(tiers[-1]) + 1]
        plain = Case(
            model="tiny",
            variant="default",
            dataset="tiny-rows",
            placement=Placement(tiers),
            backends=[BackendChoice(backend, device, options)] * len(tiers),
            links=LINKS[: len(route) - 1],
            route=route,
        )
        scratch = tmp_path / "scratch"
        scratch.mkdir(exist_ok=True)
        known = {
            "artifact": pipeline.stages[0].directory.parent,
            "pipeline": pipeline,
            "split": split,
            "requests": 8,
            "deadline_s": 60.0,
            "source": source,
            "scratch": scratch,
            "tiers": [
                Tier(name=name, summary="A tier.", cpus=1, memory=2**30, speed=2**n / 4)
                for n, name in enumerate(route)
            ],
        }
        return Deployment(case=attrs.evolve(plain, **(case or {})), **{**known, **changes})

    return make
