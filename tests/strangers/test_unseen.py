"""What operators look at: every shipped one that is given data sees its splits, and never the test.

A stranger's model notes each request that is decoded while a chain is prepared. Nothing is scored
there, so that whatever it notes was shown to an operator, a trainer or a converter.
"""

from __future__ import annotations

import hashlib
from textwrap import dedent

import attrs
import pytest

from edgebench.catalogue.plugins import Plugins
from edgebench.parts.changes import Operator
from edgebench.parts.datasets import SPLITS, Dataset
from edgebench.prepare.make import Maker
from edgebench.prepare.recipe import Recipes
from edgebench.store.artifacts import Store

from ..core.prepare.conftest import toy_case

pytestmark = pytest.mark.framework

NET = """
    import hashlib, pathlib, sys
    import edgebench as eb

    SEEN = pathlib.Path(__file__).with_name("seen")
    toy = sys.modules["edgebench_file_toy"]
    (plain,) = [part for part in toy.edgebench_models() if part.name == "toy"]

    def decode(payload, variant):
        with SEEN.open("a") as file:
            file.write(hashlib.sha256(payload).hexdigest() + "\\n")
        return plain.decode(payload, variant)

    def spec(name, *shape):
        return eb.TensorSpec(name=name, dtype="float32", shape=("batch", *shape))

    def head():
        from torch import nn

        return nn.Linear(32, 3)

    def build(variant, weights):
        import torch
        from torch import nn

        torch.manual_seed(weights.seed)
        width = 32 if variant == "small" else 8
        live = nn.Sequential(nn.Linear(8, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(),
                             nn.Linear(width, 3))
        stage = eb.Stage(format="torch-module", inputs=[spec("input", 8)],
                         outputs=[spec("scores", 3)], live=live)
        return eb.Pipeline(model="watched", variant=variant, stages=[stage], outputs=["scores"])

    def loss(outputs, answers):
        from torch.nn.functional import cross_entropy

        return cross_entropy(outputs["scores"], answers)

    @eb.hookimpl
    def edgebench_models():
        exits = [eb.ExitPoint(path="1", head=head, skips=["2", "3"])]
        variants = [eb.Variant(name="small", weights=["trained"], student="less", exits=exits),
                    eb.Variant(name="less", weights=["trained"])]
        yield eb.Model(name="watched", summary="Three layers.", build=build, dataset="toy-points",
                       format="torch-module", loss=loss, decode=decode, variants=variants,
                       budget=eb.Budget(epochs=1, batch=16))
"""
CHAINS = {
    "sptq": {"calibration"},
    "dynamic-quantization": {"calibration"},
    "fp16": {"calibration"},
    "nncf": {"calibration", "validation"},
    "qat": {"training", "validation"},
    "prune": {"training", "validation"},
    "distill": {"training", "validation"},
    "early-exit(mode=dynamic)": {"training", "validation"},
}


@pytest.fixture
def recipes(toy, registry, tmp_path):
    file = tmp_path / "watched.py"
    file.write_text(dedent(NET))
    plugins = Plugins.load(registry, [toy, file])
    return Recipes(plugins, Store(tmp_path / "store"))


@pytest.mark.parametrize("chain", CHAINS)
def test_an_operator_sees_the_splits_it_declares_and_never_the_test(recipes, tmp_path, chain):
    name = chain.partition("(")[0]
    if reason := recipes.plugins.why_not(Operator, name):
        pytest.skip(reason)
    case = attrs.evolve(toy_case(chain, backend="onnxruntime"), model="watched")
    Maker(recipes, lambda *_: None).prepare(case)
    seen = set((tmp_path / "seen").read_text().split())
    dataset = recipes.plugins.get(Dataset, "toy-points")
    digests = {
        split: {hashlib.sha256(payload).hexdigest() for payload, _ in dataset.samples(split, 0)}
        for split in SPLITS
    }
    assert not seen & digests["test"]
    assert seen <= digests["training"] | digests["validation"] | digests["calibration"]
    assert all(seen & digests[split] for split in CHAINS[chain])


def test_every_operator_that_is_given_data_is_among_them(toy_plugins):
    offered = toy_plugins.all(Operator).items()
    given = {
        name
        for name, one in offered
        if one.needed(one.options()) & set(SPLITS) and not name.startswith("toy-")
    }
    assert given | {"early-exit", "nncf"} == {chain.partition("(")[0] for chain in CHAINS}
