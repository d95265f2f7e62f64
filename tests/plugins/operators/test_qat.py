"""Quantization-aware training of modules that nobody here ships, through the real trainer."""

from __future__ import annotations

from collections import Counter

import attrs
import numpy as np
import onnx
import onnxruntime
import pytest

from edgebench import (
    Budget,
    CaseFailed,
    ChainError,
    Exit,
    Model,
    Pipeline,
    Quantization,
    Stage,
    TensorSpec,
    Variant,
)
from edgebench_kit.torch.classification import cross_entropy
from edgebench_plugins.converters import program_onnx
from edgebench_plugins.operators import qat
from edgebench_plugins.operators.qat import QatOptions
from edgebench_plugins.trainers import torch_supervised

(OPERATOR,) = qat.edgebench_operators()
(CONVERTER,) = program_onnx.edgebench_converters()
CLASSES = 4


def spec(name, *shape, dtype="float32"):
    return TensorSpec(name=name, dtype=dtype, shape=("batch", *shape))


def stripes(count, seed):
    """Pictures with a stripe in one of four places, and which."""
    random = np.random.default_rng(seed)
    for number in range(count):
        picture = random.normal(scale=0.3, size=(1, 3, 16, 16)).astype("f4")
        kind = number % CLASSES
        picture[..., 4 * kind : 4 * kind + 4] += 1
        yield {"input": picture}, kind


@attrs.define
class Training:
    """A context with the shipped trainer."""

    budget: Budget
    loss: object = cross_entropy
    splits: dict = attrs.field(factory=dict)
    target: Quantization = attrs.field(factory=Quantization)
    options: QatOptions = attrs.field(factory=QatOptions)
    doubts: list = attrs.field(factory=list)
    chosen: dict = attrs.field(factory=dict)
    fitted: list = attrs.field(factory=list)

    def model(self, stage):
        return Model(
            name="toy", summary="A toy.", build=lambda *_: None, loss=self.loss, budget=self.budget,
            variants=[Variant(name="small")],
        )  # fmt: skip

    def inputs(self, split):
        return self.splits[split]

    def fit(self, stage, *, budget=None, loss=None, teacher=None):
        done = torch_supervised.fit(
            stage, loss, self.splits["training"], self.splits["validation"], budget, 3,
            lambda *_: None, teacher,
        )  # fmt: skip
        self.fitted.append((stage, done))
        return done

    def doubt(self, reason):
        self.doubts.append(reason)

    def chose(self, name, value):
        self.chosen[name] = value


@pytest.fixture(scope="module")
def training():
    """Make a context that trains on stripes."""

    def make(**changes):
        splits = {"training": list(stripes(64, 1)), "validation": list(stripes(32, 2))}
        budget = Budget(epochs=4, batch=16, learning_rate=1e-2)
        return Training(**{"budget": budget, "splits": splits, **changes})

    return make


def staged(module, inputs=None, outputs=None, **rest):
    return Stage(
        format="torch-module", live=module, inputs=inputs or [spec("input", 3, 16, 16)],
        outputs=outputs or [spec("logits", CLASSES)], model="toy", variant="small", **rest,
    )  # fmt: skip


def piped(*stages, outputs=("logits",)):
    return Pipeline(model="toy", variant="small", stages=stages, outputs=outputs)


def graphed(pipeline):
    """The pipeline as graphs, each converted with what those before it give for ten stripes."""
    import torch

    known = {"input": np.concatenate([one["input"] for one, _ in stripes(10, 4)])}
    stages = []
    for stage in pipeline.stages:
        assert stage.format == "torch-program"
        stages.append(CONVERTER.convert(stage, known))
        with torch.no_grad():
            given = stage.live.module()(
                *[torch.from_numpy(known[one.name]) for one in stage.inputs]
            )
        given = [given] if isinstance(given, torch.Tensor) else list(given)
        known.update(
            zip([one.name for one in stage.outputs], [one.numpy() for one in given], strict=True)
        )
    return pipeline.replaced(stages)


def count(stage):
    return Counter(node.op_type for node in stage.live.graph.node)


def types(stage, *ranks):
    """The element types of the constants of these ranks."""
    kind = onnx.TensorProto.DataType.Name
    return {kind(one.data_type) for one in stage.live.graph.initializer if len(one.dims) in ranks}


def fused(stage, tmp_path):
    """The operators that ONNX Runtime runs, by how often."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.optimized_model_filepath = str(tmp_path / "fused.onnx")
    onnxruntime.InferenceSession(stage.live.SerializeToString(), options)
    graph = onnx.load(options.optimized_model_filepath).graph
    return Counter(node.op_type for node in graph.node)


def answer(stage, inputs):
    session = onnxruntime.InferenceSession(stage.live.SerializeToString())
    return session.run(None, inputs)[0]


def score(pipeline, samples):
    """The share of right answers of graphs, run one after another."""
    right = 0
    for tensors, kind in samples:
        known = dict(tensors)
        for stage in pipeline.stages:
            session = onnxruntime.InferenceSession(stage.live.SerializeToString())
            given = {one.inside: known[one.name] for one in stage.inputs}
            written = session.run([one.inside for one in stage.outputs], given)
            known.update(zip([one.name for one in stage.outputs], written, strict=True))
        right += known[pipeline.outputs[0]].argmax() == kind
    return right / len(samples)


def make_residual():
    """Build a residual block after a pooled stem, as published networks have them."""
    import torch
    from torch import nn

    class Residual(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem = nn.Sequential(
                nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16),
                nn.ReLU(inplace=True), nn.MaxPool2d(2),
            )  # fmt: skip
            self.one = nn.Conv2d(16, 16, 3, padding=2, dilation=2, groups=4, bias=False)
            self.norm = nn.BatchNorm2d(16)
            self.two = nn.Conv2d(16, 16, 3, padding=1)
            self.drop, self.fc = nn.Dropout(0.1), nn.Linear(16 * 4, CLASSES)

        def forward(self, x):
            x = self.stem(x)
            x = torch.relu(self.two(torch.relu(self.norm(self.one(x)))) + x)
            return self.fc(self.drop(nn.functional.adaptive_avg_pool2d(x, 2).flatten(1)))

    torch.manual_seed(0)
    return Residual()


@pytest.fixture(scope="module")
def residual():
    """A trained residual network."""
    splits = [list(stripes(96, 5)), list(stripes(32, 6))]
    budget = Budget(epochs=6, batch=16, learning_rate=1e-2)
    loss, quiet = cross_entropy, lambda *_: None
    return piped(torch_supervised.fit(staged(make_residual()), loss, *splits, budget, 0, quiet))


@pytest.fixture(scope="module")
def quantized(residual, training):
    """What becomes of it, and the context that was used."""
    here = training()
    return graphed(OPERATOR.apply(residual, here)), here


def test_all_that_computes_becomes_integer_kernels(residual, quantized, tmp_path):
    (stage,) = quantized[0].stages
    assert (stage.format, stage.precision) == ("onnx", "int8")
    assert count(stage)["QuantizeLinear"] > 5
    assert "BatchNormalization" not in count(stage)
    assert types(stage, 2, 4) == {"INT8"}
    found = fused(stage, tmp_path)
    assert found["QLinearConv"] == 3
    assert found["QLinearAdd"] == found["QGemm"] == 1
    assert not found.keys() & {"Conv", "Gemm", "Add", "Relu", "DequantizeLinear"}
    onnx.checker.check_model(stage.live, full_check=True)


def test_it_answers_as_well_as_before_and_as_the_module_it_trained(residual, quantized, training):
    done, here = quantized
    assert here.doubts == []
    assert score(done, list(stripes(60, 9))) >= 0.95
    module = here.fitted[0][1].live.eval()
    pictures = np.concatenate([tensors["input"] for tensors, _ in stripes(8, 9)])
    import torch

    with torch.no_grad():
        (wanted,) = module(torch.from_numpy(pictures))
    spread = float(wanted.max() - wanted.min())
    given = answer(done.stages[0], {"input": pictures})
    assert np.abs(given - wanted.numpy()).max() < 0.02 * spread
    alone = [answer(done.stages[0], {"input": pictures[[n]]}) for n in range(8)]
    np.testing.assert_array_equal(np.concatenate(alone), given)


def test_weights_were_trained_and_what_it_was_given_stays_as_it_was(residual, quantized):
    prepared, trained = quantized[1].fitted[0]
    before, after = (dict(one.live.named_parameters()) for one in (prepared, trained))
    assert before.keys() == after.keys()
    assert not any(before[name].equal(after[name]) for name in before)
    assert residual.stages[0].live.norm.num_batches_tracked > 0
    assert not residual.stages[0].live.training


def test_the_same_seed_gives_the_same_bytes(residual, quantized, training):
    again = graphed(OPERATOR.apply(residual, training()))
    graphs = [
        one.stages[0].live.SerializeToString(deterministic=True) for one in (again, quantized[0])
    ]
    assert graphs[0] == graphs[1]


TARGETS = [
    Quantization(activation=kind, symmetric_activation=symmetric, weight=weight, per_channel=split)
    for kind, symmetric, weight, split in [
        ("int8", True, "int8", True), ("int8", False, "int8", False), ("uint8", True, "uint8", True),
    ]
]  # fmt: skip


@pytest.mark.parametrize("target", TARGETS, ids=lambda one: f"{one.activation}-{one.weight}")
def test_it_follows_its_target(residual, training, target):
    here = training(target=target, budget=Budget(epochs=1, batch=32, learning_rate=1e-3))
    (stage,) = graphed(OPERATOR.apply(residual, here)).stages
    constants = {one.name: onnx.numpy_helper.to_array(one) for one in stage.live.graph.initializer}
    zeros = [
        constants[node.input[2]]
        for node in stage.live.graph.node
        if node.op_type == "QuantizeLinear"
    ]
    assert {zero.dtype.name for zero in zeros} == {target.activation}
    middle = 0 if target.activation == "int8" else 127  # torchao's middle of 0 to 255
    assert ({int(zero) for zero in zeros} == {middle}) == target.symmetric_activation
    assert types(stage, 4) == {target.weight.upper()}
    sizes = {
        constants[node.input[1]].size
        for node in stage.live.graph.node
        if node.op_type == "DequantizeLinear"
        and constants.get(node.input[0], np.zeros(1)).ndim == 4
    }
    assert sizes == ({16} if target.per_channel else {1})
    assert here.doubts == []


def make_mobile():
    """Build what networks for phones are made of."""
    import torch
    from torch import nn

    class Mobile(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem = nn.Sequential(
                nn.Conv2d(3, 16, 3, 2, 1, bias=False), nn.BatchNorm2d(16), nn.Hardswish(True)
            )
            self.deep = nn.Sequential(
                nn.Conv2d(16, 16, 3, 1, 1, groups=16, bias=False),
                nn.BatchNorm2d(16),
                nn.ReLU6(True),
            )
            self.squeeze, self.excite = nn.Conv2d(16, 8, 1), nn.Conv2d(8, 16, 1)
            self.mixed = nn.Conv2d(8, 8, 1)
            self.up, self.norm = nn.ConvTranspose2d(16, 16, 2, 2), nn.BatchNorm2d(16)
            self.last, self.head = nn.Conv2d(16, 16, 3, padding=1), nn.Linear(16, CLASSES)

        def forward(self, x):
            x = self.deep(self.stem(x))
            gate = torch.relu(self.squeeze(nn.functional.adaptive_avg_pool2d(x, 1)))
            x = x * nn.functional.hardsigmoid(self.excite(gate))
            kept, changed = x.chunk(2, 1)
            x = torch.cat([kept, self.mixed(changed)], 1)
            x = x.view(-1, 2, 8, 8, 8).transpose(1, 2).contiguous().view(-1, 16, 8, 8)
            x = self.up(x)
            x = nn.functional.interpolate(x + self.last(torch.relu(self.norm(x))), scale_factor=0.5)
            return self.head(nn.functional.gelu(x).mean([2, 3]))

    torch.manual_seed(0)
    return Mobile()


def test_what_networks_for_phones_are_made_of(training, tmp_path):
    here = training()
    (stage,) = graphed(OPERATOR.apply(piped(staged(make_mobile())), here)).stages
    assert here.doubts == []
    assert types(stage, 4) == {"INT8"}
    assert count(stage)["BatchNormalization"] == 1  # what it normalises is read by others too
    found = fused(stage, tmp_path)
    assert found["QLinearConv"] == 6
    assert "Conv" not in found


def make_halves():
    """Build a front with a head to leave by, and what follows it."""
    import torch
    from torch import nn

    class Front(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.ReLU())
            self.head = nn.Linear(8 * 64, CLASSES)

        def forward(self, x):
            x = self.body(x)
            scores = self.head(x.flatten(1))
            return x, scores, torch.softmax(scores, 1).amax(1)

    torch.manual_seed(0)
    rest = nn.Sequential(nn.Conv2d(8, 8, 3, 2, 1), nn.ReLU(), nn.Flatten(), nn.Linear(128, CLASSES))
    return Front(), rest


@pytest.fixture
def halves():
    """Two stages, the first with an exit."""
    front, rest = make_halves()
    middle, early = spec("middle", 8, 8, 8), spec("early", CLASSES)
    sure = TensorSpec(name="sure", dtype="float32", shape=("batch",))
    leaves = Exit(condition="sure", answer=["early"], threshold=0.9)
    return piped(
        staged(front, outputs=[middle, early, sure], exit=leaves),
        staged(rest, inputs=[middle]),
    )


def test_stages_are_trained_together_each_exit_at_its_answer(halves, training):
    here = training(budget=Budget(epochs=6, batch=16, learning_rate=5e-1))
    done = graphed(OPERATOR.apply(halves, here))
    assert len(here.fitted) == 1
    assert [stage.exit for stage in done.stages] == [stage.exit for stage in halves.stages]
    assert all(
        count(stage)["QuantizeLinear"] and stage.precision == "int8" for stage in done.stages
    )
    assert done.stages[0].exit.answer == ("early",)
    samples = list(stripes(40, 9))
    assert score(done, samples) > 0.9
    assert score(attrs.evolve(done, stages=done.stages[:1], outputs=("early",)), samples) > 0.9


def test_a_stage_that_cannot_be_traced_is_refused_in_one_line(training):
    from torch import nn

    class Branching(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(768, CLASSES)

        def forward(self, x):
            return self.fc(x.flatten(1)) if x.sum() > 0 else self.fc(-x.flatten(1))

    with pytest.raises(
        CaseFailed, match="torch.export cannot trace the module of toy:small"
    ) as said:
        OPERATOR.apply(piped(staged(Branching())), training())
    assert "\n" not in str(said.value)


def test_an_operator_that_has_no_graph_is_named(training):
    import torch
    from torch import nn

    class Strange(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(768, CLASSES)

        def forward(self, x):
            return self.fc(x.flatten(1)) + torch.special.bessel_j0(x.sum(dtype=torch.float32))

    here = training(budget=Budget(epochs=1, batch=64))
    with pytest.raises(CaseFailed, match=r"has no ONNX: .*bessel_j0"):
        graphed(OPERATOR.apply(piped(staged(Strange())), here))


def test_where_nothing_can_be_quantized_the_reason_says_so(training):
    from torch import nn

    class Bare(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm = nn.LayerNorm(768)

        def forward(self, x):
            return self.norm(x.flatten(1))[:, :CLASSES]

    with pytest.raises(ChainError, match="nothing in it can be quantized: it has no convolution"):
        OPERATOR.apply(piped(staged(Bare())), training())


def test_a_loss_that_is_no_number_fails_the_case(residual, training):
    here = training(loss=lambda outputs, answers: outputs["logits"].sum() * float("nan"))
    with pytest.raises(CaseFailed, match="training toy:small diverged in epoch 1: the loss is nan"):
        OPERATOR.apply(residual, here)


@pytest.mark.parametrize("split", ["training", "validation"])
def test_an_empty_split_fails_the_case(residual, training, split):
    here = training()
    here.splits[split] = []
    with pytest.raises(CaseFailed, match="split is empty"):
        OPERATOR.apply(residual, here)


def test_what_is_quantized_is_refused():
    done = piped(staged(None, precision="int8 (54%)"))
    assert (
        OPERATOR.accepts(done) == f"it is {OPERATOR.once}" == "it is in reduced precision already"
    )
    assert OPERATOR.accepts(piped(staged(None))) is True
