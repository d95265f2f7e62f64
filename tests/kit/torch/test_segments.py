"""Networks cut at modules: the parts one after the other give what the whole gives."""

from __future__ import annotations

import attrs
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from edgebench import Stage, TensorSpec
from edgebench_kit.torch.segments import Plan, find_needed, make_part, plan_part
from edgebench_kit.torch.tracing import trace_modules
from edgebench_plugins.converters.onnx import convert

WIDTH = 6


@st.composite
def nested(draw, depth=2):
    """Chains of layers that keep the shape (batch, 6, 5), some of them chains themselves."""
    layers = []
    for _ in range(draw(st.integers(2, 4))):
        kind = draw(st.sampled_from(["conv", "relu", "norm", "linear", *["chain"] * depth]))
        layers.append(
            {
                "conv": lambda: nn.Conv1d(WIDTH, WIDTH, 3, padding=1),
                "relu": nn.ReLU,
                "norm": lambda: nn.BatchNorm1d(WIDTH),
                "linear": lambda: nn.Linear(5, 5),
                "chain": lambda: draw(nested(depth - 1)),
            }[kind]()
        )
    return nn.Sequential(*layers)


def cut(network, path, *inputs):
    """The first part, the last, and which inputs that still needs."""
    spans = trace_modules(network, inputs, keep=[path])
    given = (None,) * len(inputs)
    front = make_part(network, plan_part(spans, "", [path], given))
    plan = plan_part(spans, path, [], given)
    needed = find_needed(network, spans, plan, inputs)
    forms = [
        None if needs else {"dtype": str(one.dtype)[6:], "sizes": list(one.shape[1:]), "rows": 1}
        for needs, one in zip(needed, inputs, strict=True)
    ]
    return front, make_part(network, attrs.evolve(plan, stand_ins=tuple(forms))), needed


def count(module):
    return sum(weight.numel() for weight in module.parameters())


@given(st.data())
@settings(max_examples=40)
def test_parts_of_any_chain_give_what_the_whole_gives_and_weigh_what_it_weighs(data):
    network = data.draw(nested()).eval()
    paths = [path for path, _ in network.named_modules() if path]
    path = data.draw(st.sampled_from(paths))
    x = torch.randn(3, WIDTH, 5)
    front, rest, needed = cut(network, path, x)
    with torch.no_grad():
        (hidden,) = front(x)
        assert torch.equal(rest(hidden), network(x))
        alone = rest(hidden[:1])
        assert torch.allclose(alone, network(x)[:1], atol=1e-5), "the batch is as open as it was"
    assert needed == (False,)
    assert count(front) + count(rest) == count(network)


@given(st.data())
@settings(max_examples=15)
def test_a_part_is_made_again_from_its_plan_as_json(data):
    import json

    network = data.draw(nested()).eval()
    path = data.draw(st.sampled_from([path for path, _ in network.named_modules() if path]))
    x = torch.randn(3, WIDTH, 5)
    plan = plan_part(trace_modules(network, [x]), path, [], (None,))
    again = make_part(network, Plan(**json.loads(json.dumps(attrs.asdict(plan)))))
    hidden = torch.randn(2, WIDTH, 5)
    with torch.no_grad():
        assert torch.equal(make_part(network, plan)(hidden, x[:2]), again(hidden, x[:2]))


class Masked(nn.Module):
    """Reads a mask before and after the place where it is cut."""

    def __init__(self, late):
        super().__init__()
        self.first, self.middle, self.last = (nn.Linear(5, 5) for _ in range(3))
        self.late = late

    def forward(self, x, mask):
        hidden = self.middle(self.first(x) * mask)
        return self.last(hidden * mask if self.late else hidden)


@pytest.mark.parametrize("late", [False, True])
def test_a_part_is_given_those_inputs_that_it_still_needs(late):
    network = Masked(late).eval()
    inputs = torch.randn(4, 5), torch.ones(4, 5)
    front, rest, needed = cut(network, "middle", *inputs)
    assert needed == (False, late)
    with torch.no_grad():
        (hidden,) = front(*inputs)
        assert torch.equal(rest(hidden, *[inputs[1]] * late), network(*inputs))


class Tupled(nn.Module):
    """Writes a tuple, as layers of encoders do."""

    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(5, 5)

    def forward(self, hidden):
        return (self.inner(hidden), None)


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([Tupled() for _ in range(3)])
        self.head = nn.Linear(5, 2)

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)[0]
        return self.head(x[:, 0])


def test_a_module_that_writes_a_tuple_is_a_place_to_cut():
    network, x = Encoder().eval(), torch.randn(3, 4, 5)
    front, rest, _ = cut(network, "layers.1", x)
    with torch.no_grad():
        assert torch.equal(rest(*front(x)), network(x))
    assert count(front) + count(rest) == count(network)


def test_what_passes_by_shows():
    class Around(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem, self.inner = nn.Linear(5, 5), nn.Linear(5, 5)

        def forward(self, x):
            before = self.stem(x)
            return before + self.inner(before)

    network, x = Around().eval(), torch.randn(3, 5)
    front, rest, _ = cut(network, "inner", x)
    with torch.no_grad():
        assert not torch.allclose(rest(*front(x)), network(x), atol=1e-3)


def test_an_export_of_a_part_holds_nothing_of_the_others():
    network = nn.Sequential(*(nn.Linear(5, 5) for _ in range(4))).eval()
    x = torch.randn(3, 5)
    front, rest, _ = cut(network, "1", x)
    ends = [
        TensorSpec(name=name, dtype="float32", shape=("batch", 5)) for name in ("given", "made")
    ]
    for part in (front, rest):
        stage = Stage(format="torch-module", inputs=ends[:1], outputs=ends[1:], live=part)
        graph = convert(stage, {"given": x.numpy()}).live.graph
        assert [node.op_type for node in graph.node] == ["Gemm", "Gemm"]
        assert sum(len(one.dims) == 2 for one in graph.initializer) == 2


class Asking(nn.Module):
    """Asks a module for the type of its weights, as transformers' ViT does."""

    def __init__(self):
        super().__init__()
        self.first, self.middle, self.last = (nn.Linear(5, 5) for _ in range(3))

    def forward(self, x):
        hidden = self.first(x.to(self.first.weight.dtype))
        return self.last(self.middle(hidden) * self.middle.out_features)


def test_a_network_may_look_into_modules_that_a_part_is_without():
    network = Asking().eval()
    x = torch.randn(4, 5)
    front, rest, needed = cut(network, "middle", x)
    assert needed == (False,)
    assert count(front) + count(rest) == count(network)
    with torch.no_grad():
        assert torch.equal(rest(front(x)[0]), network(x))
    program = torch.export.export(rest, (torch.randn(2, 5),))
    assert sum(one.numel() for one in program.state_dict.values()) == count(rest)
