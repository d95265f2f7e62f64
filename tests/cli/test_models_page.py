"""The page about models and data is true: every command on it can be planned."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import attrs
import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper
from PIL import Image

from edgebench import DataError, Dataset, Registry
from edgebench.cases.inputs import open_directory
from edgebench.catalogue.plugins import Plugins
from edgebench_kit.own_data.options import DataOptions

from .. import checkpoints, foreign

ROOT = Path(__file__).parents[2]
OF_DATA = {field.name for field in attrs.fields(DataOptions)}
PAGE = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.+?)^```", PAGE, re.MULTILINE | re.DOTALL)


def graph(name, dtype, *dims):
    """An ONNX graph that gives back what it gets."""
    given = helper.make_tensor_value_info(name, dtype, ["batch", *dims])
    same = helper.make_tensor_value_info("y", dtype, ["batch", *dims])
    node = helper.make_node("Identity", [name], ["y"])
    made = helper.make_graph([node], "g", [given], [same])
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


class Same(torch.nn.Module):
    """A model that gives back what it gets."""

    def forward(self, x):
        return x


def write_program(model, images, directory):
    """Save a program by what the page tells readers to write."""
    program = next(one for one in BLOCKS if "torch.export.save" in one)
    names = {"model": model, "images": images}
    exec(program.replace("mine.pt2", str(directory / "mine.pt2")), names)  # noqa: S102


def write_checkpoints(directory):
    """Save checkpoints of transformers, and the texts that the page classifies."""
    names = ("cat", "dog", "fox")
    checkpoints.make_picture_classifier(
        directory / "my-vit", id2label=dict(enumerate(names)), label2id=None
    )
    checkpoints.make_text_classifier(directory / "my-bert")
    tables = {
        "reviews.csv": (",", 1, ["review", "stars"]),
        "pairs.tsv": ("\t", 2, ["question", "answer", "same"]),
    }
    for name, (mark, parts, columns) in tables.items():
        rows = [
            [f"Leo said {number} to {part}" for part in range(parts)]
            + [("bad", "good")[number % 2]]
            for number in range(60)
        ]
        (directory / name).write_text("\n".join(map(mark.join, [columns, *rows])))


@pytest.fixture
def given(tmp_path):
    """Make the files that the page says a reader has, as small as they can be."""
    (tmp_path / "docs").symlink_to(ROOT / "docs")
    (tmp_path / "resnet50-11ad3fa6.pth").touch()
    onnx.save(graph("x", TensorProto.FLOAT, 3), tmp_path / "mine.onnx")
    onnx.save(graph("ids", TensorProto.INT64, "seq"), tmp_path / "text.onnx")
    write_program(Same(), torch.ones(2, 3), tmp_path)
    foreign.pixels(tmp_path / "photos.onnx", ["N", 3, 64, 64])
    (tmp_path / "names.txt").write_text("cat\ndog\nfox\n")
    drawn = np.random.default_rng(0)
    for number in range(80):
        folder = "photos" if number < 60 else "other-photos"
        file = tmp_path / folder / ("cat", "dog", "fox")[number % 3] / f"{number}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(drawn.integers(0, 256, (40, 50, 3), np.uint8)).save(file)
    write_checkpoints(tmp_path)
    inputs = np.arange(36, dtype=np.float32).reshape(12, 3)
    np.savez(tmp_path / "inputs.npz", x=inputs, labels=np.arange(12) % 3)
    folder = tmp_path / "imagenet" / "val" / "7"
    folder.mkdir(parents=True)
    Image.new("RGB", (8, 8)).save(folder / "cock.png")
    return tmp_path


@pytest.mark.parametrize("command", re.findall(r"^\$ edgebench run (.+)$", PAGE, re.MULTILINE))
@pytest.mark.usefixtures("given")
def test_every_command_can_be_planned(cli, command):
    said = cli("plan", "--json", *shlex.split(command))
    assert said.status == 0, said.err
    assert said.json["cases"]
    assert said.json["skipped"] == []


def test_every_dataset_that_has_to_be_given_is_on_the_page():
    plugins = Plugins.load(Registry.read())
    shipped = (plugins.get(Dataset, line.name) for line in plugins.listed(Dataset))
    given = {dataset.name for dataset in shipped if dataset.from_directory is not None}
    assert set(re.findall(r"^\| `(\w+)` \| `\w+", PAGE, re.MULTILINE)) == given


def test_every_option_of_an_onnx_file_is_on_the_page():
    from edgebench_plugins.models.onnx import OnnxOptions

    options = {field.name for field in OnnxOptions.__attrs_attrs__ if field.init}
    section = PAGE[PAGE.index("## An ONNX file") : PAGE.index("## A program of torch.export")]
    written = re.findall(r"^\| `([\w-]+)=", section, re.MULTILINE)
    assert {name.replace("-", "_") for name in written} == options - (OF_DATA - {"classes"})


def test_every_option_of_a_checkpoint_is_on_the_page():
    from edgebench_plugins.models.transformers import TransformersOptions

    section = PAGE[PAGE.index("## A checkpoint of transformers") : PAGE.index("## An ONNX file")]
    options = {field.name for field in TransformersOptions.__attrs_attrs__}
    assert set(re.findall(r"^\| `([\w-]+)=", section, re.MULTILINE)) == options - OF_DATA


def test_every_option_of_data_is_on_the_page():
    section = PAGE[
        PAGE.index("## Data of your own") : PAGE.index("## A checkpoint of transformers")
    ]
    assert set(re.findall(r"^\| `([\w-]+)=", section, re.MULTILINE)) == OF_DATA


def test_what_the_page_says_of_a_program_holds(tmp_path):
    from edgebench_plugins.models.torch_export import TorchExportOptions, look

    write_program(torch.nn.Linear(3, 2), torch.ones(2, 3), tmp_path)
    assert look("mine", tmp_path / "mine.pt2", TorchExportOptions()).most is None


def test_the_dataset_of_the_page_opens_a_directory(tmp_path):
    program = next(one for one in BLOCKS if "def from_directory" in one)
    names = {}
    exec(program, names)  # noqa: S102 (what the page tells readers to write)
    for number in range(200):
        file = tmp_path / f"{number % 2}" / f"{number:03}.jpg"
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(b"%d" % number)
    found = open_directory(names["PHOTOS"], tmp_path)
    splits = {s: list(found.samples(s, 0)) for s in ("calibration", "validation", "test")}
    assert [len(samples) for samples in splits.values()] == [20, 40, 140]
    assert all({answer for _, answer in samples} == {0, 1} for samples in splits.values())
    assert len(set().union(*splits.values())) == 200
    with pytest.raises(DataError, match="no two folders"):
        open_directory(names["PHOTOS"], tmp_path / "0")
