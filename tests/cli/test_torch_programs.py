"""A program of torch.export that edgebench did not make, as a user measures it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

SHORT = ("--blocks", "1", "--requests", "5")
BOTH = ("--backend", "torch", "--backend", "onnxruntime")


@pytest.fixture
def net(tmp_path):
    """A network of pictures of 16x16 pixels, saved as `torch.export.save` does."""
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    module = nn.Sequential(*layers, nn.Linear(8, 2)).eval()
    batch = {0: torch.export.Dim("batch")}
    program = torch.export.export(module, (torch.ones(2, 3, 16, 16),), dynamic_shapes=(batch,))
    torch.export.save(program, str(tmp_path / "net.pt2"))
    return module


def test_a_program_runs_where_it_was_made_and_where_onnx_is_read(cli, net, tmp_path):
    random = np.random.default_rng(0)
    arrays = random.standard_normal((40, 3, 16, 16)).astype("f4")
    with torch.no_grad():
        labels = net(torch.from_numpy(arrays)).argmax(1).numpy()
    np.savez(tmp_path / "own.npz", input=arrays, labels=labels)
    said = cli(
        *("run", "--json", "--model", "net.pt2(metric=top1)", "--data", "own.npz", *BOTH, *SHORT),
        *("--operator", "identity", "--operator", "sptq", "--placement", "mobile"),
    )
    assert said.status == 0, said.err
    cases = said.cases()
    reason = cases.pop("sptq mobile torch")["reason"]
    assert "no converter from onnx to torch-program" in reason
    assert {case["status"] for case in cases.values()} == {"ok"}
    for backend in ("torch", "onnxruntime"):
        case = cases[f"identity mobile {backend}"]
        # The labels are what torch by itself answers.
        assert case["accuracy"]["top1"] == 1.0
        assert case["agreement"]["relative_difference"] < 1e-5
    assert "the example inputs in it, a pickle, are not read and left out" in said.err


def test_a_batch_of_one_that_is_fixed_is_converted_too(cli, tmp_path):
    torch.manual_seed(0)
    program = torch.export.export(nn.Linear(4, 2).eval(), (torch.ones(1, 4),))
    torch.export.save(program, str(tmp_path / "one.pt2"))
    said = cli("run", "--json", "--model", "one.pt2", "--operator", "identity", *BOTH, *SHORT)
    assert said.status == 0, said.err
    for case in said.json["cases"]:
        assert case["status"] == "ok", case["reason"]
        assert case["agreement"]["relative_difference"] < 1e-5


def test_pictures_travel_as_they_are(cli, net, tmp_path):
    random = np.random.default_rng(0)
    for number in range(60):
        path = tmp_path / "photos" / ("bright" if number % 2 else "dark") / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        low = 128 * (number % 2)
        pixels = random.integers(low, low + 128, (20, 24, 3), dtype="u1")
        Image.fromarray(pixels).save(path)
    (tmp_path / "classes.txt").write_text("dark\nbright\n")
    said = cli(
        *("run", "--json", "--model", "net.pt2(preprocess=imagenet)", "--backend", "torch"),
        *("--data", "photos(classes=classes.txt)", "--operator", "identity", *SHORT),
    )
    assert said.status == 0, said.err
    (case,) = said.json["cases"]
    assert case["status"] == "ok"
    assert "top1" in case["accuracy"]
    assert 1000 < case["request_bytes"] < 2000  # 20 x 24 pixels of noise, not 3 x 16 x 16 floats


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ('net.pt2(dims="input.2=8")', "no open dimension 'input.2' beside the batch"),
        ("net.pt2(metric=top1)", "labels and a metric are for inputs of your own"),
        ('net.pt2(range="x=0:1")', "has no input 'x'; there are input"),
        ("net.pt2(classes-axis=2)", "it has 2 dimensions"),
        ("cut.pt2", "is no program of torch.export, or is truncated"),
        ("packed.pt2", "holds compiled code, data/aotinductor/model/net.so"),
    ],
)
@pytest.mark.usefixtures("net")
def test_a_mistake_is_one_line_when_it_is_planned(here, mistaken, tmp_path, written, words):
    import zipfile

    (tmp_path / "cut.pt2").write_bytes((tmp_path / "net.pt2").read_bytes()[:3000])
    with zipfile.ZipFile(tmp_path / "packed.pt2", "w") as archive:
        archive.writestr("packed/data/aotinductor/model/net.so", b"")
    mistaken(here("plan", "--model", written, "--operator", "identity", *BOTH), words)
