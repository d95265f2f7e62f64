"""A weight file under torchvision's names gives the network that its names describe."""

from __future__ import annotations

import re
from functools import partial

import pytest
import torch
from safetensors.torch import save_file

from edgebench import DataError, Weights
from edgebench_plugins.models import efficientnet, mobilenet, resnet, resnext, shufflenet, vgg

from . import by_hand, compact_by_hand

FIFTY, HUNDRED = (3, 4, 6, 3), (3, 4, 23, 3)
TORCHVISION = {
    (efficientnet, "b0"): compact_by_hand.efficientnet_shapes(),
    (efficientnet, "b2"): compact_by_hand.efficientnet_shapes(compact_by_hand.B2),
    (mobilenet, "v2"): compact_by_hand.v2_shapes(),
    (mobilenet, "v3-small"): compact_by_hand.v3_shapes(),
    (resnet, "152"): by_hand.bottleneck_shapes((3, 8, 36, 3)),
    (resnet, "50"): by_hand.bottleneck_shapes(FIFTY),
    (resnet, "wide50"): by_hand.bottleneck_shapes(FIFTY, base=128),
    (resnet, "wide101"): by_hand.bottleneck_shapes(HUNDRED, base=128),
    (resnext, "50"): by_hand.bottleneck_shapes(FIFTY, base=4, groups=32),
    (resnext, "101"): by_hand.bottleneck_shapes(HUNDRED, base=4, groups=64),
    (shufflenet, "v2-x1"): compact_by_hand.shufflenet_shapes(),
    (vgg, "16"): by_hand.vgg_shapes(
        ((64, 64), (128, 128), (256,) * 3, (512,) * 3, (512,) * 3), 7, 4096, 1000
    ),
}
NAMED = {
    "ids": lambda value: value if isinstance(value, str) else value.__name__.rpartition(".")[2]
}
FORWARD = {
    (efficientnet, "b0"): compact_by_hand.efficientnet,
    (efficientnet, "b2"): partial(compact_by_hand.efficientnet, stages=compact_by_hand.B2),
    (mobilenet, "v2"): compact_by_hand.mobilenet_v2,
    (mobilenet, "v3-small"): compact_by_hand.mobilenet_v3,
    (resnet, "50"): by_hand.residual,
    (resnext, "50"): by_hand.residual,
    (shufflenet, "v2-x1"): compact_by_hand.shufflenet,
    (vgg, "16"): by_hand.vgg,
}


def build(module, variant, path, kind="file"):
    (model,) = module.edgebench_models()
    return model.build(variant, Weights(kind=kind, path=path)).stages[0].live.eval()


@pytest.fixture
def tiny(tmp_path):
    """A fitting file for resnet:tiny, and what it holds."""
    shapes = by_hand.basic_shapes((1, 1, 1, 1), (32, 48, 64, 96), (1, 1, 2, 1), 10)
    state = by_hand.random_state(shapes)
    torch.save(state, tmp_path / "tiny.pth")
    return tmp_path / "tiny.pth", state


@pytest.mark.parametrize(("module", "variant"), list(TORCHVISION), **NAMED)
def test_every_name_and_shape_is_torchvisions(module, variant):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.nn.Module, "to_empty", lambda module, device: module)
        (model,) = module.edgebench_models()
        network = model.build(variant, Weights(kind="random")).stages[0].live
    state = network.state_dict()
    assert {name: tuple(value.shape) for name, value in state.items()} == TORCHVISION[
        module, variant
    ]


@pytest.mark.parametrize(("module", "variant"), list(FORWARD), **NAMED)
def test_a_file_of_torchvisions_gives_the_outputs_that_its_weights_say(tmp_path, module, variant):
    state = by_hand.random_state(TORCHVISION[module, variant])
    if module is vgg:
        # Half a gigabyte in single precision; what is loaded is converted.
        state = {name: value.half() for name, value in state.items()}
    torch.save(state, tmp_path / "weights.pth")
    network = build(module, variant, tmp_path / "weights.pth")
    state = {name: value.float() for name, value in state.items()}
    x = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    wanted = FORWARD[module, variant](state, x)
    with torch.no_grad():
        got = network(x)
    assert got.dtype == torch.float32
    assert (wanted[0] - wanted[1]).abs().max() > 0.01 * wanted.abs().max()
    torch.testing.assert_close(got, wanted, rtol=0, atol=1e-5 * wanted.abs().max().item())


@pytest.mark.parametrize("kind", ["file", "hub"])
def test_safetensors_are_as_good_and_so_is_an_asset(tmp_path, tiny, kind):
    _, state = tiny
    save_file(state, tmp_path / "tiny.safetensors")
    network = build(resnet, "tiny", tmp_path / "tiny.safetensors", kind)
    x = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        wanted = by_hand.residual(state, x, strides=(1, 1, 2, 1))
        torch.testing.assert_close(network(x), wanted, rtol=1e-4, atol=1e-4)


def test_files_from_before_the_counters_load_as_well(tmp_path, tiny):
    path, state = tiny
    old = {name: value for name, value in state.items() if "num_batches" not in name}
    torch.save(old, path)
    loaded = build(resnet, "tiny", path).state_dict()
    assert all(torch.equal(loaded[name], value) for name, value in old.items())
    assert loaded["bn1.num_batches_tracked"] == 0


def change(state, name, value=None):
    """The same state with one parameter changed, added, or taken away."""
    return {k: v for k, v in state.items() if k != name} | ({} if value is None else {name: value})


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("layer2.0.bn1.bias", None, "layer2.0.bn1.bias (48,) is missing;"),
        ("fc.weight", torch.zeros(1000, 96), "fc.weight has shape (1000, 96), not (10, 96);"),
        ("layer5.0.conv1.weight", torch.zeros(1), "layer5.0.conv1.weight is unknown to it;"),
    ],
    ids=["missing", "of another shape", "unknown"],
)
def test_the_parameter_that_does_not_fit_is_named(tiny, name, value, said):
    path, state = tiny
    torch.save(change(state, name, value), path)
    with pytest.raises(DataError) as caught:
        build(resnet, "tiny", path)
    assert f"the weights in {path} are not of resnet:tiny: {said}" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_of_another_architecture_says_where_they_part(tiny):
    path, _ = tiny
    first = "conv1.weight has shape (32, 3, 3, 3), not (48, 3, 3, 3)"
    with pytest.raises(DataError, match=re.escape(f"are not of resnet:small: {first} (")):
        build(resnet, "small", path)
    with pytest.raises(DataError, match=r"not of vgg:tiny: features.0.weight \(32, 3, 3, 3\) is m"):
        build(vgg, "tiny", path)


def test_a_file_of_a_twice_as_wide_network_is_told_from_it(tmp_path):
    state = by_hand.random_state(TORCHVISION[resnext, "50"])
    torch.save(state, tmp_path / "resnext50.pth")
    wanted = "layer1.0.conv1.weight has shape (128, 64, 1, 1), not (64, 64, 1, 1)"
    with pytest.raises(DataError, match=re.escape(wanted)):
        build(resnet, "50", tmp_path / "resnext50.pth")
