"""Early exits of networks that nobody here made: trained, tuned, divided, and made again."""

from __future__ import annotations

from functools import cache

import attrs
import numpy as np
import pytest
import torch
from torch import nn

from edgebench import (
    Budget,
    ChainError,
    Edit,
    ExitPoint,
    Metric,
    Model,
    Pipeline,
    Stage,
    TensorSpec,
    Variant,
)
from edgebench_kit.torch.classification import cross_entropy
from edgebench_plugins.operators import early_exit
from edgebench_plugins.operators.early_exit import EarlyExitOptions
from edgebench_plugins.trainers import torch_supervised

(OPERATOR,) = early_exit.edgebench_operators()
DYNAMIC = EarlyExitOptions(mode="dynamic")
CLASSES = 3
POINT = ExitPoint(path="1", head=lambda: nn.Linear(16, CLASSES), skips=["2", "3"])
ACCURACY = Metric(
    name="accuracy",
    count=lambda guess, answer: [float(guess == answer), 1.0],
    value=lambda total: float(total[0] / total[1]),
    proportion=True,
)


@attrs.frozen
class Samples:
    """A split held in memory: points around one of three centres, some far from any."""

    tensors: list

    @classmethod
    @cache
    def draw(cls, seed, count):
        draw = np.random.default_rng(seed)
        centres = np.random.default_rng(0).standard_normal((CLASSES, 8)) * 1.5
        kinds = draw.integers(0, CLASSES, count)
        noise = draw.choice([0.3, 1.5], (count, 1)) * draw.standard_normal((count, 8))
        points = (centres[kinds] + noise).astype("f4")
        return cls([({"x": p[None]}, int(k)) for p, k in zip(points, kinds, strict=True)])

    def __len__(self):
        return len(self.tensors)

    def __iter__(self):
        return iter(self.tensors)


SPLITS = {
    "training": Samples.draw(1, 600),
    "validation": Samples.draw(2, 200),
    "calibration": Samples.draw(4, 200),
}
TEST = Samples.draw(3, 600)


def model_of(points, **changes):
    fields = {"loss": cross_entropy, "budget": Budget(epochs=6, learning_rate=1e-2)} | changes
    return Model(
        name="plain",
        summary="A net.",
        build=lambda variant, weights: None,
        variants=[Variant(name="small", exits=points)],
        postprocess=lambda outputs, variant: int(outputs["logits"][0].argmax()),
        **fields,
    )


@attrs.define
class LocalContext:
    """The least that honours `Context`, with the trainer itself."""

    record: Model
    options: EarlyExitOptions
    seed: int = 7
    asked: set = attrs.field(factory=set)
    doubts: list = attrs.field(factory=list)
    chosen: dict = attrs.field(factory=dict)
    metrics: tuple = (ACCURACY,)
    most: int = 10**6
    """How many samples of a split there are at most."""

    def model(self, stage):
        return self.record

    def inputs(self, split):
        self.asked.add(split)
        assert split in OPERATOR.needed(self.options)
        return Samples(SPLITS[split].tensors[: self.most])

    def fit(self, stage, *, budget, loss):
        fit = torch_supervised.fit
        given = (SPLITS["training"], SPLITS["validation"], budget, self.seed, self.progress)
        return fit(stage, loss, *given)

    def progress(self, *_):
        pass

    def doubt(self, reason):
        self.doubts.append(reason)

    def chose(self, name, value):
        self.chosen[name] = value


def network():
    layers = [nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, CLASSES)]
    return nn.Sequential(*layers)


def pipeline_of(live):
    stage = Stage(
        format="torch-module",
        inputs=[TensorSpec(name="x", dtype="float32", shape=("batch", 8))],
        outputs=[TensorSpec(name="logits", dtype="float32", shape=("batch", CLASSES))],
        live=live,
        model="plain",
        variant="small",
    )
    return Pipeline(model="plain", variant="small", stages=[stage], outputs=["logits"])


@pytest.fixture(scope="module")
def trained():
    torch.manual_seed(0)
    stage = pipeline_of(network()).stages[0]
    budget = Budget(epochs=10, learning_rate=1e-2)
    given = (SPLITS["training"], SPLITS["validation"], budget, 1, lambda *_: None)
    return pipeline_of(torch_supervised.fit(stage, cross_entropy, *given).live.eval())


@pytest.fixture(scope="module")
def divided(trained):
    """The trained network with an exit, and the context in which that was made."""
    context = LocalContext(model_of([POINT]), DYNAMIC)
    return OPERATOR.apply(trained, context), context


def stack(samples):
    return torch.from_numpy(np.concatenate([one["x"] for one, _ in samples]))


def by_host(pipeline, x):
    """What each sample is answered, and whether it left early."""
    front, rest = pipeline.stages
    with torch.no_grad():
        early, sure, hidden = front.live(x)
        left = sure >= front.exit.threshold
        return torch.where(left[:, None], early, rest.live(hidden)), left


def test_samples_leave_and_little_is_lost(trained, divided):
    made, context = divided
    x, answers = stack(TEST), torch.tensor([answer for _, answer in TEST])
    given, left = by_host(made, x)
    with torch.no_grad():
        whole = trained.stages[0].live(x)
    right, before = ((one.argmax(1) == answers).float().mean().item() for one in (given, whole))
    assert before > 0.75
    assert before - right < 0.02
    assert 0.3 < left.float().mean() < 1
    assert not context.doubts
    assert context.chosen == {"at": POINT.path, "threshold": made.stages[0].exit.threshold}
    assert context.asked == {"validation", "calibration"}, "the trainer asks for what it trains on"


def test_a_sample_that_stays_is_answered_as_by_the_untransformed_model(trained, divided):
    made, _ = divided
    front, rest = made.stages
    x = stack(TEST)
    with torch.no_grad():
        assert torch.equal(rest.live(front.live(x)[2]), trained.stages[0].live(x))


def test_the_stages_together_weigh_what_the_model_does_and_the_head(trained, divided):
    made, _ = divided
    whole = sum(one.numel() for one in trained.stages[0].live.parameters())
    assert sum(stage.parameters for stage in made.stages) == whole + 17 * CLASSES


def test_what_crosses_and_what_is_asked_has_names(divided):
    front, rest = divided[0].stages
    names = ["logits_exit0", "confidence_exit0", "hidden_exit0"]
    assert [one.name for one in front.outputs] == names
    assert (front.exit.condition, front.exit.answer) == (names[1], (names[0],))
    assert [one.name for one in rest.inputs] == names[2:]
    assert divided[0].outputs == ("logits",)


def test_a_stage_is_made_again_from_its_model_its_edits_and_its_weights(divided):
    made, context = divided
    x = stack(TEST)
    variant = context.record.variants[0]
    given = x
    for stage in made.stages:
        (edit,) = stage.edits
        again = OPERATOR.replay(network(), {**edit.values, "variant": variant}).eval()
        again.load_state_dict(stage.live.state_dict())
        with torch.no_grad():
            wanted, got = stage.live(given), again(given)
        if stage.exit:
            assert all(map(torch.equal, wanted, got))
            given = wanted[2]
        else:
            assert torch.equal(wanted, got)


def test_several_exits_share_a_threshold(trained):
    later = ExitPoint(path="3", head=lambda: nn.Linear(16, CLASSES))
    options = EarlyExitOptions(mode="dynamic", at="3 1")
    made = OPERATOR.apply(trained, LocalContext(model_of([POINT, later]), options))
    first, second, rest = made.stages
    assert first.exit.threshold == second.exit.threshold
    assert [one.name for one in second.inputs] == ["hidden_exit0"]
    x = stack(TEST)
    with torch.no_grad():
        hidden = second.live(first.live(x)[2])[2]
        assert torch.equal(rest.live(hidden), trained.stages[0].live(x))


def test_of_several_points_the_one_with_which_least_is_computed_is_taken(trained):
    costly = ExitPoint(path="3", head=lambda: nn.Sequential(nn.Linear(16, 999), nn.Linear(999, 3)))
    made = OPERATOR.apply(trained, LocalContext(model_of([costly, POINT]), DYNAMIC))
    assert made.stages[0].edits[0].values["exit"] == "1"


class Deaf(nn.Module):
    """A head that says the same of every sample."""

    def __init__(self):
        super().__init__()
        self.scores = nn.Linear(16, CLASSES)

    def forward(self, hidden):
        return self.scores(0 * hidden)


def test_the_exit_that_was_chosen_is_the_one_that_its_name_gives(trained):
    model = model_of([ExitPoint(path="1", head=Deaf), attrs.evolve(POINT, path="3")])
    chose = LocalContext(model, DYNAMIC)
    made = OPERATOR.apply(trained, chose).stages[0]
    assert chose.chosen["at"] == "3"
    named = LocalContext(model, EarlyExitOptions(mode="dynamic", at="3"))
    again = OPERATOR.apply(trained, named).stages[0]
    assert again.exit.threshold == made.exit.threshold
    weights = again.live.state_dict()
    assert all(torch.equal(one, weights[name]) for name, one in made.live.state_dict().items())
    assert "at" not in named.chosen, "it was not left to the operator"


class ByName(nn.Sequential):
    def forward(self, x):
        return {"logits": super().forward(x)}


def test_a_model_that_answers_by_name_is_refused_with_that_reason():
    pipeline = pipeline_of(ByName(*network().children()))
    with pytest.raises(ChainError, match="gives a tensor or a tuple, and one here gives logits by"):
        OPERATOR.apply(pipeline, LocalContext(model_of([POINT]), DYNAMIC))


@pytest.mark.parametrize("other", [ExitPoint(path="9", head=Deaf), attrs.evolve(POINT, path="")])
def test_an_exit_that_is_not_asked_for_may_be_none(trained, other):
    lacking = attrs.evolve(other, head=lambda: nn.Linear(99, CLASSES))
    options = EarlyExitOptions(mode="dynamic", at="1")
    made = OPERATOR.apply(trained, LocalContext(model_of([lacking, POINT]), options))
    assert [stage.edits[-1].values["exit"] for stage in made.stages] == ["1", ""]


def test_an_exit_that_no_sample_may_take_is_a_doubt_with_its_numbers(trained):
    context = LocalContext(model_of([ExitPoint(path="1", head=Deaf)]), DYNAMIC)
    made = OPERATOR.apply(trained, context)
    (doubt,) = context.doubts
    assert doubt.startswith("no sample leaves early at 1: ")
    assert "1 allowed" in doubt
    assert not by_host(made, stack(TEST))[1].any()


def test_what_few_samples_do_not_show_is_a_doubt_with_its_numbers(trained):
    context = LocalContext(model_of([POINT]), DYNAMIC, most=60)
    made = OPERATOR.apply(trained, context)
    (doubt,) = context.doubts
    # 1 - 0.05 ** (1 / 120) is 2.47 %.
    assert doubt.startswith("of 120 samples none was answered worse by leaving early, which shows")
    assert "at most 2.47 points are lost, 1 allowed" in doubt
    assert by_host(made, stack(TEST))[1].any()


def test_a_static_exit_leaves_out_what_its_point_skips(trained):
    context = LocalContext(model_of([POINT], loss=None), EarlyExitOptions())
    (stage,) = OPERATOR.apply(trained, context).stages
    whole = trained.stages[0].live
    assert stage.parameters == sum(one.numel() for one in whole.parameters()) - 16 * 17
    x = stack(TEST)
    with torch.no_grad():
        assert torch.equal(stage.live(x), whole[4](whole[1](whole[0](x))))
    assert not context.asked
    again = OPERATOR.replay(network(), stage.edits[0].values)
    again.load_state_dict(stage.live.state_dict())
    with torch.no_grad():
        assert torch.equal(again(x), stage.live(x))


def test_a_static_exit_that_is_not_named_leaves_out_least(trained):
    less = ExitPoint(path="2", skips=["3"])
    context = LocalContext(model_of([POINT, less]), EarlyExitOptions())
    (stage,) = OPERATOR.apply(trained, context).stages
    assert stage.edits[0].values["skips"] == {"3": 0}
    assert context.chosen == {"at": "2"}


def pruned():
    """The network with fewer features after its first layer, and yet fewer after the next."""
    layers = [nn.Linear(8, 12), nn.ReLU(), nn.Linear(12, 6), nn.ReLU(), nn.Linear(6, CLASSES)]
    made = pipeline_of(nn.Sequential(*layers).eval())
    edit = Edit(operator="prune", arguments="{}")
    return made.replaced([attrs.evolve(made.stages[0], edits=[edit])])


def test_a_static_exit_of_a_pruned_model_says_in_which_order_it_fits():
    context = LocalContext(model_of([POINT]), EarlyExitOptions())
    with pytest.raises(ChainError, match="fit '1': .*; prune came before .* put early-exit first"):
        OPERATOR.apply(pruned(), context)


def test_heads_are_as_narrow_as_what_a_pruned_model_writes_and_are_made_so_again():
    made = OPERATOR.apply(pruned(), LocalContext(model_of([POINT]), DYNAMIC))
    front = made.stages[0]
    assert front.live.head.in_features == 12
    again = OPERATOR.replay(
        pruned().stages[0].live,
        {**front.edits[-1].values, "variant": model_of([POINT]).variants[0]},
    ).eval()
    again.load_state_dict(front.live.state_dict())
    x = stack(TEST)
    with torch.no_grad():
        assert all(map(torch.equal, front.live(x), again(x)))


class Residual(nn.Module):
    """Something passes by its inner module."""

    def __init__(self):
        super().__init__()
        self.stem, self.inner, self.fc = nn.Linear(8, 16), nn.Linear(16, 16), nn.Linear(16, CLASSES)

    def forward(self, x):
        before = self.stem(x)
        return self.fc(before + self.inner(before))


def head():
    return nn.Linear(16, CLASSES)


WRONG = [
    ([], {}, "static", "", "plain:small has no exit point that says what an exit for every sample"),
    ([attrs.evolve(POINT, skips=())], {}, "static", "", "skips=["),
    ([attrs.evolve(POINT, head=None)], {}, "dynamic", "", "ExitPoint(path="),
    ([POINT], {"loss": None}, "dynamic", "", "plain gives no loss to train the heads"),
    ([POINT], {}, "dynamic", "11", "no exit point '11' of this kind; it has 1"),
    ([ExitPoint(path="7", head=head)], {}, "dynamic", "", "at '7': no module of that path runs"),
    (
        [ExitPoint(path="1", head=lambda: nn.Linear(5, CLASSES))],
        {},
        "dynamic",
        "",
        "head of the exit point '1' does not take what is written there",
    ),
    (
        [ExitPoint(path="1", head=lambda: nn.Linear(16, 5))],
        {},
        "dynamic",
        "",
        "head of the exit point '1' gives",
    ),
    ([ExitPoint(path="0", skips=["2"])], {}, "static", "0", None),
    ([ExitPoint(path="0", skips=["0"])], {}, "static", "", "the rest does not fit '0'"),
]


@pytest.mark.parametrize(("points", "changes", "mode", "at", "said"), WRONG)
def test_what_a_model_lacks_is_said(trained, points, changes, mode, at, said):
    context = LocalContext(model_of(points, **changes), EarlyExitOptions(mode=mode, at=at))
    if said is None:
        assert OPERATOR.apply(trained, context).stages[0].parameters
        return
    with pytest.raises(ChainError) as refused:
        OPERATOR.apply(trained, context)
    assert said in str(refused.value)


def test_a_point_that_something_passes_by_is_refused_by_its_path():
    context = LocalContext(model_of([ExitPoint(path="inner", head=head)]), DYNAMIC)
    with pytest.raises(ChainError, match="divided at inner: something else"):
        OPERATOR.apply(pipeline_of(Residual().eval()), context)


def test_a_model_of_open_size_is_not_divided(trained):
    stage = attrs.evolve(
        trained.stages[0], inputs=[TensorSpec(name="x", dtype="float32", shape=("batch", "width"))]
    )
    with pytest.raises(ChainError, match="'x' of plain:small is open in its width"):
        OPERATOR.apply(trained.replaced([stage]), LocalContext(model_of([POINT]), DYNAMIC))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"max_drop": -1.0, "mode": "dynamic"}, "max_drop"),
        ({"max_drop": 2.0}, "max_drop is an option of mode=dynamic"),
        ({"budget": "full"}, "budget is an option of mode=dynamic"),
        ({"at": "1 3"}, "at names one exit point"),
    ],
)
def test_options_that_mean_nothing_are_refused(options, said):
    with pytest.raises(ValueError, match=said):
        EarlyExitOptions(**options)


def test_what_has_exits_or_several_stages_is_refused(trained, divided):
    assert OPERATOR.accepts(trained) is True
    assert OPERATOR.accepts(divided[0]) == "it is given early exits already"
    plain = [attrs.evolve(stage, exit=None, edits=()) for stage in divided[0].stages]
    assert "in 2 stages already" in OPERATOR.accepts(divided[0].replaced(plain))
