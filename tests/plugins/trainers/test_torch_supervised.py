"""The trainer: it learns, it stops, it repeats itself, and it leaves torch as it was."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from edgebench import Budget, CaseFailed, Stage, TensorSpec
from edgebench_kit.torch import samples
from edgebench_plugins.trainers import torch_supervised
from edgebench_plugins.trainers.torch_supervised import fit

BUDGET = Budget(epochs=8, batch=16, learning_rate=0.05)


def spec(name, *shape):
    return TensorSpec(name=name, dtype="float32", shape=("batch", *shape))


def stage_of(module, inputs=("x",), outputs=("y",)):
    return Stage(
        format="torch-module",
        inputs=[spec(name, 4) for name in inputs],
        outputs=[spec(name, 2) for name in outputs],
        live=module,
        model="toy",
        variant="tiny",
    )


def network(seed=0, norm=False):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        middle = [nn.BatchNorm1d(8)] if norm else []
        return nn.Sequential(nn.Linear(4, 8), *middle, nn.ReLU(), nn.Dropout(0.1), nn.Linear(8, 2))


def split(count, seed, flipped=False):
    """Points on two sides of a plane, as the core gives them: batches of one, and an answer."""
    points = np.random.default_rng(seed).normal(size=(count, 4)).astype(np.float32)
    return [({"x": one[None]}, int((one.sum() > 0) ^ flipped)) for one in points]


def loss(outputs, answers):
    return functional.cross_entropy(outputs["y"], answers)


def silent(done, total, what):
    """Take no note of progress."""


def loss_on(module, items):
    x = torch.from_numpy(np.concatenate([tensors["x"] for tensors, _ in items]))
    with torch.no_grad():
        return loss({"y": module(x)}, torch.tensor([answer for _, answer in items])).item()


def trained(seed=0, budget=BUDGET, **changes):
    given = {"training": split(70, 1), "validation": split(30, 2), "progress": silent} | changes
    return fit(stage_of(network()), loss, budget=budget, seed=seed, **given).live


def same(one, other):
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def test_the_record_trains_torch_modules():
    (trainer,) = torch_supervised.edgebench_trainers()
    assert (trainer.name, trainer.format, trainer.fit) == ("torch-supervised", "torch-module", fit)


def test_it_learns_what_holds_for_points_it_never_saw():
    unseen = split(200, 3)
    before, after = loss_on(network().eval(), unseen), loss_on(trained(), unseen)
    assert after < 0.3 < before


def test_the_same_seed_gives_the_same_weights_and_another_gives_others():
    assert same(trained(seed=5), trained(seed=5))
    assert not same(trained(seed=5), trained(seed=6))


def test_it_trains_a_copy_and_returns_it_ready_to_run():
    module = network()
    stage = stage_of(module)
    done = fit(stage, loss, split(40, 1), split(20, 2), BUDGET, 0, silent)
    assert same(module, network())
    assert done.live is not module
    assert not done.live.training
    assert (done.model, done.variant, done.files) == ("toy", "tiny", ())


def test_progress_is_told_once_an_epoch():
    told = []
    trained(progress=lambda done, total, what: told.append((done, total, what)))
    assert [(done, total) for done, total, _ in told] == [(n, 8) for n in range(1, 9)]
    pattern = re.compile(r"epoch (\d)/8, validation loss \d[\d.e-]*")
    assert [int(pattern.fullmatch(what)[1]) for *_, what in told] == list(range(1, 9))


def test_it_stops_when_the_validation_loss_no_longer_falls():
    """Validated on the contrary of what it learns, its first epoch is its best.

    Yet it goes on for half of its epochs, while the learning rate is high.
    """
    told = []
    contrary = split(40, 2, flipped=True)
    budget = Budget(epochs=20, batch=16, learning_rate=0.05, patience=3)
    module = trained(validation=contrary, budget=budget, progress=lambda *one: told.append(one[2]))
    losses = [float(what.split()[-1]) for what in told]
    assert len(losses) == 11
    assert losses == sorted(losses)
    assert loss_on(module, contrary) == pytest.approx(losses[0], rel=1e-2)


def test_the_best_weights_come_back_not_the_last():
    told = []
    validation = split(12, 9)
    budget = Budget(epochs=12, batch=4, learning_rate=0.4, patience=12)
    module = trained(
        validation=validation, budget=budget, progress=lambda *one: told.append(one[2])
    )
    losses = [float(what.split()[-1]) for what in told]
    assert min(losses) < losses[-1]
    assert loss_on(module, validation) == pytest.approx(min(losses), rel=1e-2)


def test_it_stops_after_the_epoch_in_which_its_time_is_up():
    told = []
    budget = Budget(epochs=50, seconds=1e-6)
    trained(budget=budget, progress=lambda *one: told.append(one))
    assert len(told) == 1


def test_a_batch_of_one_left_over_does_not_break_batch_normalisation():
    stage = stage_of(network(norm=True))
    done = fit(stage, loss, split(33, 1), split(17, 2), BUDGET, 0, silent)
    assert all(torch.isfinite(value).all() for value in done.live.state_dict().values())


def test_inputs_and_outputs_go_by_their_order_in_the_stage():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.ones(1))

        def forward(self, first, second):
            return first * self.scale, second

    seen = []

    def noting(outputs, answers):
        seen.append({name: value.detach().clone() for name, value in outputs.items()})
        return outputs["double"].square().mean()

    ones, twos = np.ones((1, 4), np.float32), np.full((1, 4), 2, np.float32)
    items = [({"b": twos, "a": ones}, 0)] * 4
    stage = stage_of(Two(), inputs=("a", "b"), outputs=("double", "plain"))
    fit(stage, noting, items, items, Budget(epochs=1), 0, silent)
    assert torch.equal(seen[0]["double"], torch.ones(4, 4))
    assert torch.equal(seen[0]["plain"], torch.full((4, 4), 2.0))


class ByName(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 2)

    def forward(self, x):
        return {"other": 0 * x, "y": self.layer(x)}


def test_outputs_may_come_by_name():
    """As those of a model of transformers do; what the stage does not name is left."""
    seen = set()

    def noting(outputs, answers):
        seen.update(outputs)
        return loss(outputs, answers)

    items = split(40, 1)
    made = fit(stage_of(ByName()), noting, items, items, Budget(epochs=1), 0, silent)
    assert seen == {"y"}
    assert set(made.live(torch.zeros(1, 4))) == {"other", "y"}


@pytest.mark.parametrize(
    ("outputs", "why"),
    [
        (("z",), "the module gives a mapping of other, y, which has no 'z'"),
        (("a", "b"), "the module gives 1 outputs, not a, b"),
    ],
)
def test_outputs_that_are_not_those_of_the_stage_fail_the_case(outputs, why):
    module = ByName() if outputs == ("z",) else nn.Linear(4, 2)
    items = split(40, 1)
    with pytest.raises(CaseFailed, match=re.escape(why)):
        fit(stage_of(module, outputs=outputs), loss, items, items, Budget(epochs=1), 0, silent)


def test_answers_may_be_arrays():
    items = [({"x": np.ones((1, 4), np.float32)}, np.array([1.0, 0.0], np.float32))] * 6
    stage = stage_of(network())
    done = fit(
        stage,
        lambda outputs, answers: functional.mse_loss(outputs["y"], answers),
        items,
        items,
        Budget(epochs=20, learning_rate=0.05),
        0,
        silent,
    )
    with torch.no_grad():
        got = done.live(torch.ones(1, 4))
    torch.testing.assert_close(got, torch.tensor([[1.0, 0.0]]), rtol=0, atol=0.2)


def test_frozen_parameters_stay():
    module = network()
    module[0].requires_grad_(requires_grad=False)
    done = fit(stage_of(module), loss, split(40, 1), split(20, 2), BUDGET, 0, silent).live
    assert torch.equal(done[0].weight, module[0].weight)
    assert not torch.equal(done[3].weight, module[3].weight)


def test_a_loss_that_is_no_number_fails_the_case():
    broken = split(20, 1)
    broken[3][0]["x"][:] = np.nan
    with pytest.raises(CaseFailed, match=r"toy:tiny diverged in epoch 1: the loss is nan"):
        trained(training=broken)


def test_a_validation_loss_that_is_no_number_fails_the_case():
    broken = split(20, 1)
    broken[3][0]["x"][:] = np.inf
    with pytest.raises(CaseFailed, match="diverged in epoch 1"):
        trained(validation=broken)


@pytest.mark.parametrize("empty", ["training", "validation"])
def test_an_empty_split_fails_the_case(empty):
    with pytest.raises(CaseFailed, match=r"toy:tiny cannot be trained: a split is empty"):
        trained(**{empty: []})


def test_nothing_to_train_fails_the_case():
    stage = stage_of(nn.Sequential(nn.ReLU()))
    with pytest.raises(CaseFailed, match="nothing to train"):
        fit(stage, loss, split(4, 1), split(4, 2), BUDGET, 0, silent)


def teach(seen=None):
    """Return a stage that knows the answer, and counts how often it is asked."""

    class Teacher(nn.Module):
        def forward(self, x):
            if seen is not None:
                seen.append(len(x))
            right = 8 * x.sum(1, keepdim=True)
            return torch.cat([-right, right], 1)

    return stage_of(Teacher(), outputs=["said"])


def test_a_teacher_is_asked_once_for_each_sample_and_its_words_reach_the_loss():
    def follow(outputs, answers, taught):
        return functional.mse_loss(outputs["y"], taught["said"])

    seen = []
    # All answers are wrong: what it learns, it learns from its teacher.
    given = {"training": split(70, 1, flipped=True), "validation": split(30, 2, flipped=True)}
    stage = stage_of(network())
    module = fit(
        stage, follow, budget=BUDGET, seed=0, progress=silent, teacher=teach(seen), **given
    ).live
    assert sum(seen) == 100
    assert max(seen) == BUDGET.batch
    assert loss_on(module, split(200, 3)) < 0.3


def test_a_teacher_may_read_its_inputs_in_another_order():
    class Two(nn.Module):
        def forward(self, a, b):
            return torch.cat([a[:, :1], b[:, :1]], 1)

    def follow(outputs, answers, taught):
        assert torch.equal(taught["said"].sum(1), answers)
        return functional.mse_loss(outputs["y"], taught["said"])

    class Student(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(4, 2)

        def forward(self, a, b):
            return self.layer(a + b)

    def rows(count):
        return [
            ({"a": np.full((1, 4), n, "f4"), "b": np.full((1, 4), 2 * n, "f4")}, np.float32(3 * n))
            for n in range(count)
        ]

    student = stage_of(Student(), inputs=["a", "b"])
    teacher = stage_of(Two(), inputs=["b", "a"], outputs=["said"])
    fit(student, follow, rows(8), rows(4), BUDGET, 0, silent, teacher=teacher)


def test_a_split_that_is_too_large_for_memory_is_held_in_a_file(monkeypatch):
    in_memory = trained()
    monkeypatch.setattr(samples, "HELD", 100)
    assert same(trained(), in_memory)


def test_samples_of_different_sizes_are_refused_with_both():
    odd = split(20, 1)
    odd[7][0]["x"] = np.zeros((1, 5), np.float32)
    with pytest.raises(CaseFailed, match=r"'x' is \(4,\) in the first and \(5,\) in sample 7"):
        trained(training=odd)


@pytest.mark.parametrize("fails", [False, True])
def test_torch_is_left_as_it_was(fails):
    torch.set_num_threads(1)
    torch.manual_seed(11)
    before = torch.random.get_rng_state()
    if fails:
        with pytest.raises(CaseFailed):
            trained(training=[({"x": np.full((1, 4), np.nan, np.float32)}, 0)] * 4)
    else:
        trained()
    assert torch.get_num_threads() == 1
    assert not torch.are_deterministic_algorithms_enabled()
    assert torch.equal(torch.random.get_rng_state(), before)
