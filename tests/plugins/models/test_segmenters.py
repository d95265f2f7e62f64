"""FCN and DUC: names as torchvision's, counts as published, and what their papers compute."""

from __future__ import annotations

import io
import re
from functools import cache

import attrs
import numpy as np
import onnxruntime
import pytest
import torch
from PIL import Image
from torch.nn import functional

from edgebench import DataError, TensorSpec, Weights
from edgebench_plugins.converters import onnx as converter
from edgebench_plugins.datasets import digit_scenes
from edgebench_plugins.models import duc, fcn

from . import by_hand
from .segmenters_by_hand import CELL, DILATIONS, by_papers, head_shapes, large_shapes, placed

NAMED = {
    "ids": lambda value: value if isinstance(value, str) else value.__name__.rpartition(".")[2]
}
ALL = pytest.mark.parametrize(("module", "variant"), list(DILATIONS), **NAMED)
TRAINED = pytest.mark.parametrize(
    ("module", "variant"), [size for size in DILATIONS if size[1] != "resnet101"], **NAMED
)
MODULES = pytest.mark.parametrize("module", [fcn, duc], **NAMED)


def record(module):
    (model,) = module.edgebench_models()
    return model


def built(module, variant="small", kind="random", path=None, seed=0):
    return record(module).build(variant, Weights(kind=kind, path=path, seed=seed)).stages[0]


@cache
def untouched(module, variant):
    """A network that no test changes: the large ones take a second to draw."""
    return built(module, variant)


def agrees(network, wanted, x):
    with torch.no_grad():
        got = network.eval()(x)
    assert (wanted[0] - wanted[1]).abs().max() > 0.01 * wanted.abs().max()
    torch.testing.assert_close(got, wanted, rtol=0, atol=2e-5 * wanted.abs().max().item())


@ALL
def test_the_variant_says_how_many_parameters_it_has_and_where_to_leave_it(module, variant):
    stage, facts = untouched(module, variant), record(module).variant(variant)
    counted = sum(weight.numel() for weight in stage.live.parameters())
    assert facts.parameters == stage.parameters == counted
    layers = len(DILATIONS[module, variant])
    assert [point.path for point in facts.exits][:2] == ["backbone.layer1", "backbone.layer2"]
    assert len(facts.exits) >= layers - 1
    assert all(stage.live.get_submodule(point.path) for point in facts.exits)
    of_each = 1 if module is fcn else 16 if variant == "resnet101" else 64
    assert [stage.live.get_submodule(last).out_channels for last in facts.keep] == [
        stage.outputs[0].shape[1] * of_each
    ] * (4 if of_each == 16 else 1)


def test_the_large_networks_have_the_published_counts():
    auxiliary = 256 * 1024 * 9 + 2 * 256 + 256 * 21 + 21
    assert record(fcn).variant("resnet101").parameters + auxiliary == 54_314_346
    # torchvision's resnet101 without its classifier of 1000; the authors' stem in place of its
    # own, twice as wide at its end; and the four heads of 4x4x19 channels.
    trunk = 44_549_160 - 2049 * 1000
    stem = 9 * (3 * 64 + 64 * 64 + 64 * 128) + 2 * (64 + 64 + 128) - (49 * 3 * 64 + 2 * 64)
    wider = 64 * (64 + 256)
    head = 4 * 16 * 19 * (9 * 2048 + 1)
    assert record(duc).variant("resnet101").parameters == trunk + stem + wider + head


@MODULES
def test_every_name_and_shape_is_as_published(module):
    state = untouched(module, "resnet101").live.state_dict()
    assert {name: tuple(value.shape) for name, value in state.items()} == large_shapes(module)


@MODULES
def test_a_file_gives_the_outputs_that_its_weights_say(tmp_path, module):
    shapes = large_shapes(module)
    if module is fcn:
        shapes |= head_shapes("aux_classifier", 1024, 256, 21)
    state = by_hand.random_state(shapes)
    torch.save(state, tmp_path / "weights.pth")
    network = built(module, "resnet101", "file", tmp_path / "weights.pth").live
    # 18 cells a side for DUC, so that a dilation of 17 reaches something.
    size = (48, 64) if module is fcn else (144, 144)
    x = torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(1))
    agrees(network, by_papers(module, "resnet101", state, x), x)


def test_a_file_of_another_network_is_told(tmp_path):
    torch.save(built(fcn, "tiny").live.state_dict(), tmp_path / "tiny.pth")
    with pytest.raises(DataError, match=re.escape("are not of duc:tiny: ")):
        built(duc, "tiny", "file", tmp_path / "tiny.pth")
    assert built(fcn, "tiny", "file", tmp_path / "tiny.pth").parameters


@TRAINED
def test_the_network_computes_what_its_paper_says(module, variant):
    network = built(module, variant).live
    torch.manual_seed(0)
    state = network.state_dict()
    for value in state.values():
        if value.ndim == 1:
            value.uniform_(0.5, 1.5)
    x = torch.randn(2, 3, 120, 160)
    agrees(network, by_papers(module, variant, state, x), x)


def test_hybrid_dilations_leave_no_pixel_of_their_field_unseen():
    """As the paper: the same dilation again and again sees a grid; these see everything."""

    def seen(dilations):
        field = torch.zeros(1, 1, 1, 201)
        field[..., 100] = 1
        for dilation in dilations:
            kernel = torch.ones(1, 1, 1, 3)
            field = functional.conv2d(field, kernel, padding=(0, dilation), dilation=(1, dilation))
        reach = sum(dilations)
        return (field[0, 0, 0, 100 - reach : 101 + reach] > 0).float().mean()

    for layer in DILATIONS[duc, "resnet101"][2:3] + DILATIONS[duc, "small"][2:]:
        assert seen(layer) == 1
    assert seen([2] * 23) < 0.6


def test_a_cells_channels_become_its_pixels():
    network = built(duc, "tiny").live
    cells = torch.arange(2 * 64 * 2 * 3.0).reshape(1, 128, 2, 3)
    pixels = network.upsampled(cells)
    assert pixels.shape == (1, 2, 16, 24)
    assert torch.equal(pixels, placed(cells))
    assert pixels[0, 1, 8 + 3, 16 + 5] == cells[0, 64 + 3 * 8 + 5, 1, 2]


def test_all_pixels_of_a_cell_begin_alike():
    network = built(duc, "tiny").live.eval()
    with torch.no_grad():
        logits = network(torch.randn(1, 3, 120, 160))
    cells = logits.reshape(11, 15, CELL, 20, CELL)
    assert torch.equal(cells, cells[:, :, :1, :, :1].expand_as(cells))
    assert logits[0].std(0).min() > 0


@MODULES
def test_training_can_end_early(module):
    budget = record(module).budget
    assert 1 + budget.patience < budget.epochs


@MODULES
def test_a_seed_decides_the_weights_and_nothing_else(module):
    before = torch.random.get_rng_state()
    one, same, other = (built(module, seed=seed).live.state_dict() for seed in (3, 3, 4))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(torch.equal(value, same[name]) for name, value in one.items())
    assert not torch.equal(one["backbone.conv1.weight"], other["backbone.conv1.weight"])


@MODULES
def test_untrained_large_networks_give_sensible_outputs(module):
    stage = untouched(module, "resnet101")
    x = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        logits = stage.live.eval()(x)
    assert 0.01 < logits.std() < 10
    assert all(value.abs().max() > 0 for value in stage.live.parameters() if value.ndim > 1)
    assert all(value.isfinite().all() for value in stage.live.state_dict().values())


@MODULES
def test_variants_say_what_they_are_for(module):
    small, tiny, large = record(module).variants
    assert (small.name, tiny.name, large.name) == ("small", "tiny", "resnet101")
    assert small.weights == tiny.weights == ("trained", "random", "file")
    assert large.weights == (("random", "file", "hub") if module is fcn else ("random", "file"))
    assert large.asset == ("fcn-resnet101" if module is fcn else "")
    assert (small.student, tiny.student) == ("tiny", "")
    assert record(module).dataset_of("small") == "digit-scenes"
    assert large.dataset == ("voc" if module is fcn else "cityscapes")
    assert large.datasets == (("coco",) if module is fcn else ())
    assert large.stand_in == "digit-scenes"


@ALL
def test_the_stage_keeps_its_word_on_names_and_shapes(module, variant):
    stage = untouched(module, variant)
    assert (stage.model, stage.variant, stage.format) == (
        record(module).name,
        variant,
        "torch-module",
    )
    classes = {"resnet101": 21 if module is fcn else 19}.get(variant, 11)
    size = {(fcn, "resnet101"): ("height", "width"), (duc, "resnet101"): (800, 800)}
    size = size.get((module, variant), (120, 160))
    (given,), (got,) = stage.inputs, stage.outputs
    assert (given.name, given.shape) == ("input", ("batch", 3, *size))
    assert (got.name, got.shape) == ("logits", ("batch", classes, *size))
    if variant != "resnet101":
        with torch.no_grad():
            assert stage.live.eval()(torch.zeros(2, 3, *size)).shape == (2, classes, *size)


@ALL
def test_a_scene_fits_every_size(module, variant):
    model = record(module)
    payload, _ = next(digit_scenes.samples("calibration", 0))
    tensors = model.preprocess(model.decode(payload, variant), variant)
    wanted = {(fcn, "resnet101"): (240, 320), (duc, "resnet101"): (800, 800)}
    assert tensors["input"].shape == (1, 3, *wanted.get((module, variant), (120, 160)))
    assert tensors["input"].dtype == np.float32


def test_the_answer_travels_as_a_mask():
    model = record(duc)
    logits = np.zeros((1, 11, 120, 160), np.float32)
    logits[0, 7, :60] = 1
    sent = model.encode(model.postprocess({"logits": logits}, "small"))
    mask = np.asarray(Image.open(io.BytesIO(sent)))
    assert (mask[:60] == 7).all()
    assert (mask[60:] == 0).all()


def test_a_perfect_network_scores_nearly_one():
    """What is lost between the network's resolution and the scene's is only the outlines."""
    model = record(fcn)
    (dataset,) = digit_scenes.edgebench_datasets()
    (metric,) = dataset.metrics()
    sums = 0
    for (_, answer), _ in zip(digit_scenes.samples("validation", 0), range(20), strict=False):
        logits = np.eye(11, dtype=np.float32)[answer[1::2, 1::2]].transpose(2, 0, 1)[None]
        sums += np.array(metric.count(model.postprocess({"logits": logits}, "small"), answer))
    assert 0.93 < metric.value(sums) < 1


@MODULES
def test_loading_the_plugin_and_handling_a_request_needs_no_framework(module, python):
    script = f"""
import io, sys
import numpy as np
from PIL import Image
from {module.__name__} import edgebench_models
(model,) = edgebench_models()
kept = io.BytesIO()
Image.new("RGB", (320, 240)).save(kept, "PNG")
tensors = model.preprocess(model.decode(kept.getvalue(), "small"), "small")
model.encode(model.postprocess({{"logits": np.zeros((1, 11, 120, 160), np.float32)}}, "small"))
print(tensors["input"].shape, "torch" in sys.modules)
"""
    done = python(script)
    assert done.stdout.split("\n")[0] == "(1, 3, 120, 160) False"


def exported(stage, x, tmp_path):
    """The stage as an ONNX graph that ONNX Runtime has opened."""
    found = converter.convert(stage, {"input": x.numpy()})
    path = tmp_path / "model.onnx"
    path.write_bytes(found.live.SerializeToString())
    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])


@MODULES
def test_the_graph_takes_any_batch(tmp_path, module):
    stage = built(module, "tiny")
    x = torch.randn(3, 3, 120, 160, generator=torch.Generator().manual_seed(0))
    session = exported(stage, x[:2], tmp_path)
    with torch.no_grad():
        wanted = stage.live.eval()(x).numpy()
    (got,) = session.run(None, {"input": x.numpy()})
    np.testing.assert_allclose(got, wanted, atol=1e-3 * np.abs(wanted).max())


def test_the_graph_of_fcn_takes_any_size(tmp_path):
    stage, large = built(fcn, "tiny"), untouched(fcn, "resnet101")
    free = attrs.evolve(stage.inputs[0], shape=large.inputs[0].shape)
    scores = TensorSpec(name="logits", dtype="float32", shape=("batch", 11, "height", "width"))
    stage = attrs.evolve(stage, inputs=[free], outputs=[scores])
    x = torch.randn(2, 3, 96, 128, generator=torch.Generator().manual_seed(0))
    session = exported(stage, x, tmp_path)
    for size in ((1, 3, 77, 101), (2, 3, 240, 320)):
        x = torch.randn(*size, generator=torch.Generator().manual_seed(0))
        with torch.no_grad():
            wanted = stage.live.eval()(x).numpy()
        (got,) = session.run(None, {"input": x.numpy()})
        assert got.shape == (size[0], 11, *size[2:])
        np.testing.assert_allclose(got, wanted, atol=1e-3 * np.abs(wanted).max())
