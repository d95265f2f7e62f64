"""The residual trunk: strides, dilations and widths as torchvision's."""

from __future__ import annotations

import pytest
import torch

from edgebench_kit.vision import residual, residual_classifiers
from edgebench_kit.vision.residual import Shape


def threes(layer):
    """The 3x3 convolutions of a layer as (stride, dilation, padding)."""
    return [
        (module.stride[0], module.dilation[0], module.padding[0])
        for module in layer.modules()
        if isinstance(module, torch.nn.Conv2d) and module.kernel_size == (3, 3)
    ]


def parts(**facts):
    with torch.device("meta"):
        return residual.make_trunk(Shape(**facts))


def test_the_parts_come_by_name_in_their_order():
    wanted = ["conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3", "layer4"]
    assert list(parts(blocks=(1, 1, 1, 1))) == wanted
    wanted.remove("maxpool")
    assert list(parts(blocks=(1, 1, 1, 1), pool=False, kernel=3)) == wanted


def test_the_stride_of_a_bottleneck_is_on_its_3x3_convolution():
    block = parts(blocks=(1, 1, 1, 1))["layer2"][0]
    strides = [conv.stride[0] for conv in (block.conv1, block.conv2, block.conv3)]
    assert strides == [1, 2, 1]
    assert block.downsample[0].stride == (2, 2)


def test_a_dilated_layer_begins_with_the_dilation_before_it():
    # As fcn_resnet101: replace_stride_with_dilation = [False, True, True].
    made = parts(blocks=(1, 2, 3, 3), strides=(1, 2, 1, 1), dilations=(1, 1, 2, 4))
    assert threes(made["layer2"]) == [(2, 1, 1), (1, 1, 1)]
    assert threes(made["layer3"]) == [(1, 1, 1), (1, 2, 2), (1, 2, 2)]
    assert threes(made["layer4"]) == [(1, 2, 2), (1, 4, 4), (1, 4, 4)]
    assert made["layer3"][0].downsample[0].stride == (1, 1)


def test_dilations_may_differ_by_block():
    made = parts(
        blocks=(1, 1, 4, 3), strides=(1, 2, 1, 1), dilations=(1, 1, (1, 2, 5, 9), (5, 9, 17))
    )
    assert threes(made["layer3"]) == [(1, 1, 1), (1, 2, 2), (1, 5, 5), (1, 9, 9)]
    assert threes(made["layer4"]) == [(1, 5, 5), (1, 9, 9), (1, 17, 17)]


def test_basic_blocks_may_be_dilated_too():
    made = parts(blocks=(1, 2), planes=(8, 16), strides=(1, 1), dilations=(1, 2), block="basic")
    assert threes(made["layer2"]) == [(1, 1, 1), (1, 1, 1), (1, 2, 2), (1, 2, 2)]


def test_dilations_must_go_with_the_blocks():
    with pytest.raises(ValueError, match="2 dilations for 3 blocks"):
        parts(blocks=(3,), planes=(8,), strides=(1,), dilations=((1, 2),))


@pytest.mark.parametrize(
    ("strides", "dilations", "smaller"),
    [((1, 2, 2, 2), (1, 1, 1, 1), 32), ((1, 2, 1, 1), (1, 1, 2, 4), 8)],
    ids=["classifier", "segmenter"],
)
def test_a_trunk_keeps_the_resolution_that_it_does_not_stride_over(strides, dilations, smaller):
    shape = Shape(blocks=(1, 1, 1, 1), strides=strides, dilations=dilations)
    trunk = torch.nn.Sequential(residual.make_trunk(shape))
    with torch.no_grad():
        out = trunk.eval()(torch.zeros(1, 3, 97, 64))
    assert out.shape == (1, shape.channels[-1], -(-97 // smaller), 64 // smaller)
    assert shape.channels == (256, 512, 1024, 2048)


def test_a_layer_without_its_stride_computes_the_same_on_a_finer_grid():
    # The same weights: every second output of the dense one is the output of the strided one.
    shape = Shape(blocks=(1, 1), planes=(8, 16), strides=(1, 2), dilations=(1, 1), pool=False)
    strided = torch.nn.Sequential(residual.make_trunk(shape)).eval()
    dense = Shape(blocks=(1, 1), planes=(8, 16), strides=(1, 1), dilations=(1, 1), pool=False)
    kept = torch.nn.Sequential(residual.make_trunk(dense)).eval()
    kept.load_state_dict(strided.state_dict())
    x = torch.randn(1, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(kept(x)[:, :, ::2, ::2], strided(x), rtol=1e-4, atol=1e-5)


def test_untrained_weights_do_not_depend_on_what_was_there():
    shape = Shape(blocks=(1, 1), planes=(8, 16), strides=(1, 2), dilations=(1, 1))
    states = []
    for filled in (0.0, float("nan")):
        network = residual_classifiers.make_network(shape, 5)
        for value in network.state_dict().values():
            value.fill_(filled if value.is_floating_point() else 9)
        torch.manual_seed(2)
        residual.draw_weights(network)
        states.append(network.state_dict())
    one, other = states
    assert all(torch.equal(value, other[name]) for name, value in one.items())
    assert all(value.isfinite().all() for value in one.values())
