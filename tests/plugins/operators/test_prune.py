"""Pruning: fewer parameters or blocks of zeros, on models that it was not made for."""

from __future__ import annotations

import json

import attrs
import numpy as np
import pytest
import torch
from torch import nn

from edgebench import (
    Attention,
    Budget,
    ChainError,
    Model,
    Pipeline,
    Stage,
    TensorSpec,
    Variant,
    Weights,
)
from edgebench_kit.torch.classification import cross_entropy
from edgebench_plugins.formats import torch_module
from edgebench_plugins.models.bert import MODEL as BERT
from edgebench_plugins.models.roberta import MODEL as ROBERTA
from edgebench_plugins.operators.prune import PruneOptions, accepts, apply, replay
from edgebench_plugins.trainers.torch_supervised import fit

FRESH = """
import json, sys
from pathlib import Path
import attrs, torch
from edgebench import Edit, Weights
from edgebench_plugins.formats.torch_module import load
from edgebench_plugins.models.bert import MODEL
from edgebench_plugins.models.roberta import MODEL as ROBERTA
from edgebench_plugins.operators.prune import replay
directory = Path(sys.argv[1])
stage = MODEL.build("tiny", Weights(kind="random", seed=9)).stages[0]
stage = attrs.evolve(stage, directory=directory, files=("weights.safetensors",))
def rebuild():
    edits = json.loads((directory / "edits.json").read_text())
    return replay(MODEL.build("tiny", Weights(kind="random", seed=5)).stages[0].live, edits)
module = load(stage, rebuild)
ids = torch.arange(64).view(2, 32)
given = ids, torch.ones_like(ids), torch.zeros_like(ids)
with torch.no_grad():
    print(json.dumps(module(*given)[0].tolist()))
step = torch.optim.SGD(module.parameters(), lr=0.1)
module(*given)[0].square().sum().backward()
step.step()
print(module.bert.encoder.layer[0].attention.self.query.weight.grad.abs().sum().item() > 0)
"""


@attrs.frozen
class Samples:
    """A split held in memory."""

    samples: list

    def __len__(self):
        return len(self.samples)

    def __iter__(self):
        return iter(self.samples)


@attrs.define
class Trained:
    """The least of a context that honours what pruning asks of it: the real trainer on real data."""

    options: PruneOptions
    record: Model
    samples: Samples
    doubts: list = attrs.field(factory=list)
    chosen: dict = attrs.field(factory=dict)
    budgets: list = attrs.field(factory=list)

    def live(self, stage):
        return stage

    def model(self, stage):
        return self.record

    def inputs(self, split):
        assert split in ("training", "validation")
        return self.samples

    def fit(self, stage, *, budget):
        self.budgets.append(budget)
        given = self.samples, self.samples, budget
        return fit(stage, self.record.loss, *given, 0, lambda *_: None)

    def doubt(self, reason):
        self.doubts.append(reason)

    def chose(self, name, value):
        self.chosen[name] = value


def make_network():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv1d(1, 16, 5), nn.BatchNorm1d(16), nn.ReLU(), nn.Conv1d(16, 32, 5), nn.ReLU(),
        nn.AdaptiveAvgPool1d(4), nn.Flatten(), nn.Linear(128, 32), nn.ReLU(), nn.Linear(32, 4),
    )  # fmt: skip


SPECS = {
    "inputs": [TensorSpec(name="x", dtype="float32", shape=("batch", 1, 32))],
    "outputs": [TensorSpec(name="logits", dtype="float32", shape=("batch", 4))],
}


def make_model(**facts):
    return Model(
        name="stranger",
        summary="Somebody's own.",
        build=lambda *_: make_pipeline(),
        variants=[Variant(name="one", **facts)],
        loss=cross_entropy,
        budget=Budget(epochs=2, batch=16),
    )


def make_pipeline(module=None):
    live = module or make_network()
    stage = Stage(format="torch-module", live=live, model="stranger", variant="one", **SPECS)
    return Pipeline(model="stranger", variant="one", stages=[stage], outputs=["logits"])


def draw_samples(count=32):
    random = np.random.default_rng(0)
    return Samples(
        [({"x": random.standard_normal((1, 1, 32)).astype("f4")}, n % 4) for n in range(count)]
    )


def prune(pipeline=None, facts=None, **options):
    """Apply it; return the stage that it gave and the context."""
    context = Trained(PruneOptions(**options), make_model(**(facts or {})), draw_samples())
    return apply(pipeline or make_pipeline(), context).stages[0], context


def count(module):
    return sum(weight.numel() for weight in module.parameters())


def test_half_of_the_channels_go_and_the_answer_keeps_its_width():
    stage, context = prune()
    widths = [stage.live[n].weight.shape[0] for n in (0, 3, 7, 9)]
    assert widths == [8, 16, 16, 4]
    assert stage.parameters == count(stage.live) < 0.4 * count(make_network())
    assert (stage.directory, stage.files, context.doubts) == (None, (), [])
    assert [budget.epochs for budget in context.budgets] == [2]


def test_what_is_left_was_trained():
    one, _ = prune(epochs=1)
    other, _ = prune(epochs=3)
    assert not torch.equal(one.live[0].weight, other.live[0].weight)


def test_the_same_seed_gives_the_same_bytes(tmp_path):
    files = []
    for name in ("one", "other"):
        stage, _ = prune()
        (tmp_path / name).mkdir()
        torch_module.save(stage, tmp_path / name)
        files.append((stage.edits, (tmp_path / name / torch_module.FILE).read_bytes()))
    assert files[0] == files[1]


def test_the_module_given_stays_as_it_was():
    pipeline, same = make_pipeline(), make_network()
    prune(pipeline)
    prune(pipeline, kind="block")
    state = pipeline.stages[0].live.state_dict()
    assert all(torch.equal(value, state[name]) for name, value in same.state_dict().items())


def test_it_can_be_pruned_again_and_is_rebuilt_by_both_edits(tmp_path):
    stage, _ = prune()
    again, _ = prune(attrs.evolve(make_pipeline(), stages=[stage]), sparsity=0.25, round_to=1)
    assert again.live[3].out_channels == 12
    assert [edit.operator for edit in again.edits] == ["prune", "prune"]
    kept = attrs.evolve(again, directory=tmp_path, files=torch_module.save(again, tmp_path))

    def rebuild():
        module = make_network()
        for edit in kept.edits:
            module = replay(module, edit.values)
        return module

    x = torch.ones(1, 1, 32)
    assert torch.equal(torch_module.load(kept, rebuild)(x), again.live.eval()(x))


def test_less_than_asked_is_a_doubt_with_the_numbers_and_the_reason():
    _, context = prune(round_to=16)
    (doubt,) = context.doubts
    assert "asked to take out 50% of the channels of each layer, 40% of all and" in doubt
    assert "a multiple of 16 (round_to)" in doubt


def test_what_is_to_be_kept_keeps_its_width():
    stage, _ = prune(facts={"keep": ["3"]})
    assert (stage.live[0].out_channels, stage.live[3].out_channels) == (8, 32)


def test_where_nothing_can_go_the_reason_is_said():
    with pytest.raises(ChainError, match=r"no channels can be taken out of it: .*give the answer"):
        prune(make_pipeline(nn.Sequential(nn.Flatten(), nn.Linear(32, 4))))


@pytest.mark.parametrize(
    ("facts", "fact"),
    [({"keep": ["33"]}, "keep"), ({"attention": [Attention(path="a", heads=2)]}, "attention")],
)
def test_a_fact_that_names_what_is_not_there_is_refused(facts, fact):
    with pytest.raises(ChainError, match=rf"`{fact}` of stranger:one names '(33|a\.query)'"):
        prune(facts=facts)


def test_without_training_data_it_is_refused():
    context = Trained(PruneOptions(), make_model(), Samples([]))
    with pytest.raises(ChainError, match="training split is empty"):
        apply(make_pipeline(), context)


def blocks(weight, rows):
    """The weights as blocks of outputs by one input: (outputs / rows, rows, inputs)."""
    return (weight.movedim(1, -1).flatten(1) != 0).unflatten(0, (-1, rows))


@pytest.mark.parametrize(("options", "rows", "sparsity"), [
    ({}, 2, 0.75), ({"block": "4x1"}, 4, 0.9), ({"block": "4x1", "sparsity": 0.5}, 4, 0.5),
])  # fmt: skip
def test_blocks_of_the_shape_and_share_asked_are_zero_after_training(options, rows, sparsity):
    stage, context = prune(facts={"keep": ["9"]}, kind="block", **options)
    for number in (0, 3, 7):
        stays = blocks(stage.live[number].weight, rows)
        assert torch.equal(stays.any(1), stays.all(1))
        assert 1 - stays.float().mean().item() == pytest.approx(sparsity, abs=0.025)
    assert (stage.live[9].weight != 0).all()
    assert set(stage.live.state_dict()) == set(make_network().state_dict())
    (doubt,) = context.doubts
    assert f"{sparsity:.0%}"[:-2] in doubt
    assert "no dense runtime gains from them" in doubt


def test_sizes_that_blocks_do_not_divide_are_refused_with_a_layer():
    odd = nn.Sequential(nn.Flatten(), nn.Linear(32, 7), nn.ReLU(), nn.Linear(7, 5))
    with pytest.raises(ChainError, match=r"blocks of 2x1 .*: '1' and 1 more are no multiple"):
        prune(make_pipeline(odd), kind="block")


def test_zeros_in_blocks_are_not_trained_on():
    stage, _ = prune(kind="block")
    assert "zero in blocks" in accepts(attrs.evolve(make_pipeline(), stages=[stage]))


def test_a_divided_pipeline_is_refused_with_the_order_that_works():
    (stage,) = make_pipeline().stages
    front = attrs.evolve(stage, outputs=[TensorSpec(name="h", dtype="float32", shape=("n", 4))])
    divided = attrs.evolve(make_pipeline(), stages=[front, stage])
    assert "prune before it is divided" in accepts(divided)
    assert accepts(make_pipeline()) is True


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"sparsity": 0.0}, "above 0 and below 1"),
        ({"sparsity": 1.0}, "above 0 and below 1"),
        ({"sparsity": 50.0}, "above 0 and below 1, as 0.5, not 50"),
        ({"sparsity": float("nan")}, "above 0 and below 1"),
        ({"block": "2x1"}, "an option of kind=block"),
        ({"kind": "block", "round_to": 4}, "an option of kind=structured"),
        ({"round_to": 0}, "round_to"),
        ({"epochs": 0}, "epochs"),
    ],
)
def test_options_that_mean_nothing_are_refused(options, said):
    with pytest.raises(ValueError, match=said):
        PruneOptions(**options)


@pytest.mark.parametrize("model", [BERT, ROBERTA], ids=["bert", "roberta"])
def test_encoders_say_truly_where_their_heads_are(model):
    (stage,) = model.build("tiny", Weights(kind="random")).stages
    facts = model.variant("tiny").attention
    assert len(facts) == 2
    for fact in facts:
        layer = stage.live.get_submodule(fact.path)
        assert [getattr(layer, name) for name in fact.counts] == [fact.heads]
        widths = {getattr(layer, name).out_features for name in fact.projections}
        assert {getattr(layer, name) for name in fact.widths} == widths


def test_an_encoder_loses_heads_and_is_the_same_in_a_fresh_process(tmp_path, python):
    (stage,) = BERT.build("tiny", Weights(kind="random", seed=1)).stages
    random = np.random.default_rng(0)
    ids = random.integers(5, 90, (8, 1, 32))
    samples = [
        (dict(zip([s.name for s in stage.inputs], (one, one * 0 + 1, one * 0), strict=True)), n % 2)
        for n, one in enumerate(ids)
    ]
    context = Trained(PruneOptions(epochs=1), BERT, Samples(samples))
    pipeline = Pipeline(model="bert", variant="tiny", stages=[stage], outputs=["logits"])
    pruned = apply(pipeline, context).stages[0]
    heads = pruned.live.bert.encoder.layer[1].attention.self
    assert (heads.num_attention_heads, heads.all_head_size, heads.query.out_features) == (2, 96, 96)
    assert pruned.parameters < 0.4 * stage.parameters
    torch_module.save(pruned, tmp_path)
    (tmp_path / "edits.json").write_text(json.dumps(pruned.edits[0].values))
    said, trains = python(FRESH, tmp_path).stdout.splitlines()[-2:]
    given = torch.arange(64).view(2, 32)
    with torch.no_grad():
        here = pruned.live.eval()(given, torch.ones_like(given), torch.zeros_like(given))[0]
    torch.testing.assert_close(torch.tensor(json.loads(said)), here, rtol=0, atol=1e-6)
    assert trains == "True"
