from __future__ import annotations

from types import SimpleNamespace

import attrs
import numpy as np
import pytest

from edgebench import (
    Case,
    DataError,
    Dataset,
    Metric,
    Model,
    Pipeline,
    Placement,
    Stage,
    TensorSpec,
    to_npz,
)
from edgebench.cases.case import BackendChoice
from edgebench.cases.inputs import open_directory
from edgebench.prepare.data import Preprocessed, take_batch
from edgebench.store.artifacts import read_pipeline, write_pipeline


def pipeline(**more):
    spec = TensorSpec(name="x", dtype="float32", shape=("batch", 2))
    stage = Stage(format="f", inputs=[spec], outputs=[attrs.evolve(spec, name="y")])
    return Pipeline(model="m", variant="v", stages=[stage], outputs=["y"], **more)


def test_resources_are_kept_with_their_pipeline(tmp_path):
    held = {"words.json": b'["a"]', "merges.txt": b"\x00\xff"}
    write_pipeline(pipeline(resources=held), tmp_path)
    (tmp_path / "stage-0").mkdir()
    assert read_pipeline(tmp_path).resources == held


def test_a_pipeline_without_resources_keeps_no_directory_for_them(tmp_path):
    write_pipeline(pipeline(), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["pipeline.json"]
    assert read_pipeline(tmp_path).resources == {}


def model(**more):
    return Model(name="m", summary="One.", build=print, **more)


def test_a_model_is_bound_to_the_resources_of_its_pipeline():
    def bind(record, variant, resources):
        return attrs.evolve(record, decode=lambda payload, _: (variant, resources["r"], payload))

    bound = model(bind=bind).bound("small", {"r": b"1"})
    assert bound.decode(b"p", "small") == ("small", b"1", b"p")
    plain = model(bind=bind)
    assert plain.bound("small", {}) is plain


def test_a_model_that_is_a_file_has_a_variant_of_every_name():
    assert model(from_file=print).variant("mine").name == "mine"
    assert model(from_file=print).variant("").name == "default"


class Rows:
    """Arrays of some shapes as a preprocessed split."""

    def __init__(self, *shapes):
        self.shapes = shapes

    def __len__(self):
        return len(self.shapes)

    def __iter__(self):
        for number, shape in enumerate(self.shapes):
            buffer = np.full(shape, number, np.float32)
            yield buffer.tobytes(), 0


def batch(*shapes, most=8, bound=10**9):
    split = Rows(*shapes)
    arrays = iter(shapes)
    decoding = model(
        decode=lambda payload, _: np.frombuffer(payload, np.float32).reshape(next(arrays)),
        preprocess=lambda array, _: {"x": array[None]},
    )
    return take_batch(Preprocessed(split, decoding, "v"), most, bound)["x"]


def test_examples_are_the_first_samples():
    assert batch((2,), (2,), (2,), most=2)[:, 0].tolist() == [0, 1]


def test_examples_of_another_shape_are_passed_over():
    assert batch((2,), (3,), (2,), (3,))[:, 0].tolist() == [0, 2]


def test_a_sample_alone_of_its_shape_stands_twice():
    assert batch((2,), (3,), (4,))[:, 0].tolist() == [0, 0]


def test_large_examples_are_two():
    assert batch(*[(100,)] * 6, bound=1000)[:, 0].tolist() == [0, 1]


def test_a_dataset_says_what_it_is(toy_plugins):
    from edgebench.conduct.inputs import describe_inputs, why_no_accuracy

    case = Case(model="toy", variant="small", dataset="toy-points", placement=Placement(["mobile"]),
                backends=[BackendChoice("toy-numpy")], route=["mobile"])  # fmt: skip
    once, often = (
        SimpleNamespace(plugins=toy_plugins, plan=SimpleNamespace(study=SimpleNamespace(copies=n)))
        for n in (1, 20)
    )
    assert describe_inputs(case, toy_plugins) == "toy-points"
    assert why_no_accuracy(case, once) == ""
    assert why_no_accuracy(case, often).startswith("not scored")
    assert describe_inputs(attrs.evolve(case, dataset=""), toy_plugins) == "random inputs"
    assert why_no_accuracy(attrs.evolve(case, dataset=""), once) == "no labelled inputs"


def test_a_synthetic_dataset_is_called_so(registry, tmp_path):
    from edgebench.catalogue.plugins import Plugins
    from edgebench.conduct.inputs import describe_inputs

    file = tmp_path / "made.py"
    file.write_text(
        "from edgebench import Dataset, Model, hookimpl\n"
        "@hookimpl\n"
        "def edgebench_datasets():\n"
        "    yield Dataset(name='invented', summary='Invented.', samples=print, synthetic=True)\n"
        "@hookimpl\n"
        "def edgebench_models():\n"
        "    yield Model(name='any', summary='Any.', build=print, dataset='invented')\n"
    )
    plugins = Plugins.load(registry, [file])
    case = Case(model="any", variant="default", dataset="invented", placement=Placement(["mobile"]),
                backends=[BackendChoice("toy-numpy")], route=["mobile"])  # fmt: skip
    assert describe_inputs(case, plugins) == "invented (synthetic)"


def test_inputs_are_packed_by_any_name_and_alike_at_any_time(monkeypatch):
    arrays = {"file": np.arange(3), "args": np.float32(2)}
    first = to_npz(arrays)
    monkeypatch.setattr("time.time", lambda: 2e9)
    assert to_npz(arrays) == first
    read = model().decode(first, "v")
    assert {name: array.tolist() for name, array in read.items()} == {"file": [0, 1, 2], "args": 2}


def test_a_directory_has_the_metrics_that_its_dataset_offers(tmp_path):
    def offered(*names):
        made = [Metric(name=name, count=print, value=print) for name in ("top-1", "top-5")]
        inner = Dataset(name="d", summary=".", samples=print, metrics=lambda: made)
        chosen = [metric for metric in made if metric.name in names]
        return Dataset(
            name="d", summary=".", from_directory=lambda _: inner, metrics=lambda: chosen
        )

    assert open_directory(offered("top-1", "top-5"), tmp_path).samples is print
    with pytest.raises(
        DataError, match=r"d has other metrics in .* \(top-1, top-5\) than it offers \(none\)"
    ):
        open_directory(offered(), tmp_path)
