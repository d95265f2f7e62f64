"""BERT and RoBERTa: counts as published, outputs as theirs, handled without a framework."""

from __future__ import annotations

import copy
import json

import attrs
import numpy as np
import onnxruntime
import openvino
import pytest
import torch

from edgebench import Budget, Weights
from edgebench_kit.text import tokenizing
from edgebench_kit.text.grammar import make_sentences
from edgebench_kit.text.sentences import pack_sentences
from edgebench_plugins.converters import onnx as to_onnx
from edgebench_plugins.converters import torch_program as to_program
from edgebench_plugins.formats import onnx as onnx_format
from edgebench_plugins.formats import torch_module
from edgebench_plugins.models import bert, roberta
from edgebench_plugins.trainers import torch_supervised

MODULES = pytest.mark.parametrize("module", [bert, roberta], ids=["bert", "roberta"])
PUBLISHED = {
    (bert, "base"): 109_483_778,
    (roberta, "base"): 124_647_170,
    # 28,996 words, 512 positions, 2 sentences and a normalisation, each 512 wide; four layers; the
    # pooler and the classifier of two classes.
    (roberta, "4x512"): (28_996 + 512 + 2 + 2) * 512 + 4 * 3_152_384 + 513 * 512 + 513 * 2,
}
EVERY = [
    (module, variant)
    for module in (bert, roberta)
    for variant in ("small", "tiny", "4x512", "base")
]


def record(module):
    (model,) = module.edgebench_models()
    return model


def built(module, variant="tiny", seed=0):
    return module.MODEL.build(variant, Weights(kind="random", seed=seed))


def batch(module, pipeline, count=4, split="validation"):
    model = record(module).bound(pipeline.variant, pipeline.resources)
    rows = []
    for sentence, _ in make_sentences(split, 0):
        rows.append(model.preprocess(model.decode(pack_sentences(sentence), ""), pipeline.variant))
        if len(rows) == count:
            break
    return {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}


def logits(stage, tensors):
    with torch.no_grad():
        (given,) = stage.live.eval()(*(torch.tensor(tensors[s.name]) for s in stage.inputs))
    return given.numpy()


@pytest.mark.parametrize(
    ("module", "variant"), EVERY, ids=[f"{m.FAMILY.name}-{v}" for m, v in EVERY]
)
def test_a_variant_is_what_its_record_says(module, variant):
    pipeline = built(module, variant)
    (stage,) = pipeline.stages
    facts = record(module).variant(variant)
    counted = sum(weight.numel() for weight in stage.live.parameters())
    assert facts.parameters == stage.parameters == counted
    assert counted == PUBLISHED.get((module, variant), counted)
    assert (pipeline.model, stage.model, stage.variant) == (module.FAMILY.name,) * 2 + (variant,)
    length = 128 if variant in ("4x512", "base") else 32
    assert {(spec.dtype, spec.shape) for spec in stage.inputs} == {("int64", ("batch", length))}
    assert all(stage.live.get_submodule(path) for path in facts.keep)
    tensors = batch(module, pipeline, 2)
    assert tensors["input_ids"].max() < stage.live.config.vocab_size
    assert logits(stage, tensors).shape == (2, 2)


def written_at(stage, paths, tensors):
    """What each of some modules writes for a batch."""
    written = {}
    for path in paths:
        stage.live.get_submodule(path).register_forward_hook(
            lambda module, given, result, path=path: written.setdefault(path, result)
        )
    logits(stage, tensors)
    return written


@pytest.mark.parametrize(
    ("module", "variant"), EVERY, ids=[f"{m.FAMILY.name}-{v}" for m, v in EVERY]
)
def test_a_head_follows_every_exit(module, variant):
    pipeline = built(module, variant)
    (stage,) = pipeline.stages
    exits = record(module).variant(variant).exits
    assert len(exits) == stage.live.config.num_hidden_layers - 1
    written = written_at(stage, [point.path for point in exits], batch(module, pipeline, 2))
    for point in exits:
        hidden = written[point.path].clone()
        first, second = point.head(), point.head()
        given = first(hidden)
        assert given.shape == (2, 2)
        assert not torch.equal(given, second(hidden))
        given[:, 0].sum().backward()
        assert all(weight.grad is not None for weight in first.parameters())


class First(torch.nn.Module):
    """The identity, of the first of what a module is given."""

    def forward(self, first, *others, **named):
        return first


@MODULES
@pytest.mark.parametrize("variant", ["small", "tiny", "4x512"])
def test_the_own_head_follows_every_exit_where_the_layers_behind_it_are_skipped(module, variant):
    pipeline = built(module, variant)
    tensors = batch(module, pipeline, 3)
    whole = logits(pipeline.stages[0], tensors)
    for point in record(module).variant(variant).exits:
        (stage,) = built(module, variant).stages
        cut = copy.deepcopy(stage.live)
        for path in point.skips:
            stage.live.set_submodule(path, First())
        given = logits(stage, tensors)
        assert given.shape == whole.shape
        assert np.abs(given - whole).max() > 1e-3
        # To take them out of their list does the same.
        for path in reversed(point.skips):
            parent, _, number = path.rpartition(".")
            del cut.get_submodule(parent)[int(number)]
        shorter = logits(attrs.evolve(stage, live=cut), tensors)
        np.testing.assert_array_equal(given, shorter)


@MODULES
def test_variants_say_where_weights_data_and_students_come_from(module):
    model = record(module)
    assert [variant.name for variant in model.variants] == ["small", "tiny", "4x512", "base"]
    assert model.variant("small").student == "tiny"
    assert model.variant("base").student == "4x512"
    for name in ("small", "tiny"):
        assert model.variant(name).weights == ("trained", "random", "file")
        assert model.datasets_of(name) == ("outcomes", "mrpc")
    for name in ("4x512", "base"):
        assert model.variant(name).weights == ("random", "file")
        assert model.dataset_of(name) == "mrpc"
        assert model.variant(name).stand_in == "outcomes"


@MODULES
def test_a_seed_decides_the_weights_and_nothing_else(module):
    before = torch.random.get_rng_state()
    one, same, other = (built(module, seed=seed).stages[0].live.state_dict() for seed in (3, 3, 4))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(torch.equal(value, same[name]) for name, value in one.items())
    assert any(not torch.equal(value, other[name]) for name, value in one.items())


@MODULES
def test_what_is_filled_up_does_not_matter(module):
    pipeline = built(module)
    tensors = batch(module, pipeline)
    changed = {name: values.copy() for name, values in tensors.items()}
    changed["input_ids"][tensors["attention_mask"] == 0] = 7
    before, after = (logits(pipeline.stages[0], given) for given in (tensors, changed))
    # RoBERTa also tells positions by what is filled up, which changes none of what counts.
    np.testing.assert_allclose(before, after, rtol=1e-4, atol=1e-5)
    assert np.ptp(before[:, 0]) > 1e-3


@MODULES
def test_the_graph_and_the_program_compute_the_same(module, tmp_path):
    pipeline = built(module)
    (stage,) = pipeline.stages
    tensors = batch(module, pipeline)
    to_program.convert(stage, tensors)  # compares by itself
    graph = to_onnx.convert(stage, tensors)
    path = str(tmp_path / onnx_format.save(graph, tmp_path)[0])
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    compiled = openvino.Core().compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    for count in (1, 3):
        some = {name: values[:count] for name, values in tensors.items()}
        wanted = logits(stage, some)
        np.testing.assert_allclose(session.run(None, some)[0], wanted, rtol=1e-3, atol=1e-5)
        np.testing.assert_allclose(compiled(some)[0], wanted, rtol=1e-3, atol=1e-5)


@MODULES
def test_a_network_is_kept_and_made_again(module, tmp_path):
    pipeline = built(module, seed=5)
    (stage,) = pipeline.stages
    files = torch_module.save(stage, tmp_path)
    again = torch_module.load(
        attrs.evolve(stage, live=None, directory=tmp_path, files=files),
        lambda: built(module).stages[0].live,
    )
    tensors = batch(module, pipeline)
    wanted = logits(stage, tensors)
    np.testing.assert_array_equal(logits(attrs.evolve(stage, live=again), tensors), wanted)


@MODULES
def test_it_learns(module):
    pipeline = built(module)
    model = record(module).bound("tiny", pipeline.resources)
    split = []
    for sentence, good in make_sentences("training", 0):
        # Nothing but plain deeds: what decides is only the verb and who acts.
        if good == ("robbed" in sentence) and len(sentence.split()) == 3:
            split.append((model.preprocess((sentence,), "tiny"), good))
        if len(split) == 32:
            break
    told = []
    budget = Budget(epochs=4, batch=8, learning_rate=1e-3)
    torch_supervised.fit(
        pipeline.stages[0], model.loss, split, split, budget, 0, lambda *said: told.append(said[2])
    )
    losses = [float(said.rpartition(" ")[2]) for said in told]
    assert losses[-1] < 0.5 * losses[0]


@MODULES
def test_handling_a_request_needs_no_framework(module, tmp_path, python):
    path = tmp_path / tokenizing.RESOURCE
    path.write_bytes(built(module).resources[tokenizing.RESOURCE])
    script = f"""
import sys
from pathlib import Path
import numpy as np
from {module.__name__} import edgebench_models
(model,) = edgebench_models()
model = model.bound("tiny", {{{tokenizing.RESOURCE!r}: Path({str(path)!r}).read_bytes()}})
sentences = model.decode(b'{{"sentence1": "Leo paid Ben.", "sentence2": "Ben was paid."}}', "tiny")
tensors = model.preprocess(sentences, "tiny")
answer = model.encode(model.postprocess({{"logits": np.array([[1.0, 3.0]], np.float32)}}, "tiny"))
print([(name, one.shape) for name, one in tensors.items()], answer.decode())
print(sorted({{"torch", "transformers"}} & set(sys.modules)))
"""
    done = python(script)
    shapes, frameworks = done.stdout.splitlines()
    expected = [(name, (1, 32)) for name in module.FAMILY.find_size("tiny").network.inputs]
    assert shapes.startswith(str(expected))
    assert json.loads(shapes[len(str(expected)) :]) == {"class": 1, "score": 0.880797}
    assert frameworks == "[]"


def test_building_is_quiet_and_asks_nobody(python):
    script = """
import socket
def refuse(*given, **named): raise AssertionError("the network was asked")
socket.socket.connect = socket.getaddrinfo = refuse
from edgebench import Weights
from edgebench_plugins.models import bert, roberta
for module in (bert, roberta):
    module.MODEL.build("small", Weights(kind="random"))
"""
    done = python(script)
    assert (done.stdout, done.stderr) == ("", "")
