"""What is counted of a graph: against figures by hand, and against torch's own count."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import numpy_helper, parser

from edgebench_kit.onnx.graph_contents import count_nodes, count_operations, describe_graph


def model(text, **weights):
    """Parse a graph, and give it weights of these shapes; a number alone is a scalar of it."""
    made = parser.parse_model(f'<ir_version: 8, opset_import: ["" : 17]> {text}')
    for name, shape in weights.items():
        tensor = numpy_helper.from_array(np.ones(shape, np.float32), name)
        made.graph.initializer.append(tensor)
    return made


CONV = """agraph (float[N,3,8,8] x) => (float[N,6,4,4] y) {
    y = Conv<strides=[2,2],pads=[1,1,1,1]>(x, w)
}"""


def test_a_convolution_takes_its_kernel_for_each_value_that_it_gives():
    found = describe_graph(model(CONV, w=(6, 3, 3, 3)))
    assert found.operations == 6 * 4 * 4 * 3 * 3 * 3
    assert found.parameters == 6 * 3 * 3 * 3
    assert found.nodes == {"Conv": 1}


def test_a_group_sums_its_own_channels_alone():
    grouped = CONV.replace("<strides", "<group=3,strides")
    assert count_operations(model(grouped, w=(6, 1, 3, 3))) == 6 * 4 * 4 * 3 * 3


def test_a_transposed_convolution_takes_its_kernel_for_each_value_that_it_reads():
    text = """agraph (float[N,3,4,4] x) => (float[N,6,8,8] y) {
        y = ConvTranspose<strides=[2,2]>(x, w)
    }"""
    assert count_operations(model(text, w=(3, 6, 2, 2))) == 3 * 4 * 4 * 6 * 2 * 2


@pytest.mark.parametrize("turned", [0, 1])
def test_a_product_takes_what_it_sums_for_each_value(turned):
    text = f"agraph (float[N,5] x) => (float[N,7] y) {{ y = Gemm<transB={turned}>(x, w) }}"
    assert count_operations(model(text, w=(7, 5) if turned else (5, 7))) == 35
    heads = """agraph (float[N,2,4,5] x) => (float[N,2,4,4] y) {
        t = Transpose<perm=[0,1,3,2]>(x) y = MatMul(x, t)
    }"""
    assert count_operations(model(heads)) == 2 * 4 * 4 * 5


def test_a_batch_that_is_fixed_counts_as_one_sample():
    assert count_operations(model(CONV.replace("N,", "5,"), w=(6, 3, 3, 3))) == 6 * 16 * 27


OPEN = "agraph (float[N,T,5] x) => (float[N,T,7] y) { y = MatMul(x, w) }"
BRANCH = """agraph (bool c, float[N,5] x) => (float[N,7] y) {
    y = If(c)<then_branch = a () => (float[N,7] p) { p = MatMul(x, w) },
              else_branch = b () => (float[N,7] q) { q = MatMul(x, w) }>
}"""


@pytest.mark.parametrize("text", [OPEN, BRANCH], ids=["an open length", "a branch"])
def test_where_it_depends_on_the_input_it_is_not_known(text):
    assert count_operations(model(text, w=(5, 7))) is None


def test_an_operator_that_is_not_counted_leaves_the_sum_unknown():
    text = 'agraph (float[N,5] x) => (float[N,7] y) { y = Einsum<equation="ij,jk->ik">(x, w) }'
    assert count_operations(model(text, w=(5, 7))) is None


def test_nodes_of_branches_are_counted_too():
    assert count_nodes(model(BRANCH, w=(5, 7))) == {"MatMul": 2, "If": 1}


def test_a_quantized_graph_has_the_operations_and_parameters_of_its_floats():
    pairs = """agraph (float[N,5] x) => (float[N,7] y) {
        q = QuantizeLinear(x, s, z) d = DequantizeLinear(q, s, z)
        w = DequantizeLinear(k, s, k0) y = MatMul(d, w)
    }"""
    made = model(pairs)
    made.graph.initializer.extend(
        [
            numpy_helper.from_array(np.float32(0.1), "s"),
            numpy_helper.from_array(np.uint8(3), "z"),
            numpy_helper.from_array(np.int8(0), "k0"),
            numpy_helper.from_array(np.ones((5, 7), np.int8), "k"),
        ]
    )
    found = describe_graph(made)
    assert (found.operations, found.parameters) == (35, 35)
    assert found.nodes == {"DequantizeLinear": 2, "QuantizeLinear": 1, "MatMul": 1}


def test_where_shapes_cannot_be_inferred_the_sum_is_unknown_and_the_rest_is_told():
    text = "agraph (float[N,5] x) => (float[N,7] y) { r = custom.Foo(x) y = MatMul(r, w) }"
    found = describe_graph(model(text, w=(5, 7)))
    assert found.operations is None
    assert (found.parameters, found.nodes) == (35, {"Foo": 1, "MatMul": 1})


def test_torch_counts_as_many_operations():
    torch = pytest.importorskip("torch")
    from torch.utils.flop_counter import FlopCounterMode

    from edgebench_kit.torch.modules import count_layers

    net = torch.nn.Sequential(
        torch.nn.Conv2d(3, 8, 3, stride=2, padding=1),
        torch.nn.ReLU(),
        torch.nn.Conv2d(8, 8, 3, groups=4),
        torch.nn.Flatten(),
        torch.nn.Linear(8 * 5 * 5, 10),
    )
    inputs = torch.zeros(1, 3, 14, 14)
    with FlopCounterMode(display=False) as counter:
        net(inputs)
    text = """agraph (float[N,3,14,14] x) => (float[N,10] y) {
        a = Conv<strides=[2,2],pads=[1,1,1,1]>(x, w0) r = Relu(a) b = Conv<group=4>(r, w1)
        f = Flatten(b) y = Gemm<transB=1>(f, w2)
    }"""
    made = model(text, w0=(8, 3, 3, 3), w1=(8, 2, 3, 3), w2=(10, 200))
    # Torch counts a multiplication and an addition as two.
    assert 2 * count_operations(made) == counter.get_total_flops()
    assert count_layers(net) == {"Conv2d": 2, "ReLU": 1, "Flatten": 1, "Linear": 1}


def test_running_statistics_are_no_parameters():
    """As torch counts them: buffers of the module, which no training step changes."""
    text = """agraph (float[N,6,4,4] x) => (float[N,6,4,4] y) {
        y = BatchNormalization(x, scale, bias, mean, variance)
    }"""
    weights = dict.fromkeys(("scale", "bias", "mean", "variance"), (6,))
    assert describe_graph(model(text, **weights)).parameters == 6 + 6


def test_a_graph_is_left_as_it_was():
    made = model(CONV, w=(6, 3, 3, 3))
    before = made.SerializeToString()
    describe_graph(made)
    assert made.SerializeToString() == before
