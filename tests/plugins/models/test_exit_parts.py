"""The tiny networks divided at every exit point: nothing is lost, and nothing is twice."""

from __future__ import annotations

import attrs
import pytest
import torch

from edgebench import Weights
from edgebench_kit.torch.made_inputs import draw_inputs
from edgebench_kit.torch.segments import find_needed, make_part, plan_part
from edgebench_kit.torch.tracing import trace_modules
from edgebench_plugins.models import bert, duc, fcn, resnet, resnext, roberta, vgg

MODELS = [module.MODEL for module in (bert, duc, fcn, resnet, resnext, roberta, vgg)]


def count(module):
    return sum(weight.numel() for weight in module.parameters())


def first(written):
    return written[0] if isinstance(written, tuple) else written


def made_up(stage):
    """Inputs of three samples, the sentences of two of them filled up."""
    drawn = dict(
        zip([one.name for one in stage.inputs], draw_inputs(stage, 0, samples=3), strict=True)
    )
    if "attention_mask" in drawn:
        drawn["input_ids"] = torch.randint(5, 90, drawn["input_ids"].shape)
        drawn["attention_mask"] = (torch.arange(32) < torch.tensor([[32], [20], [9]])).long()
    return list(drawn.values())


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_the_parts_give_and_weigh_what_the_whole_does_and_need_the_mask_alone(model):
    (stage,) = model.build("tiny", Weights(kind="random")).stages
    network, inputs = stage.live.eval(), made_up(stage)
    points, given = model.variant("tiny").exits, (None,) * len(inputs)
    spans = trace_modules(network, inputs, keep=[point.path for point in points])
    for point in points:
        front = make_part(network, plan_part(spans, "", [point.path], given))
        plan = plan_part(spans, point.path, [], given)
        needed = find_needed(network, spans, plan, inputs)
        assert needed == tuple(one.name == "attention_mask" for one in stage.inputs)
        forms = tuple(
            None if needs else {"dtype": str(one.dtype)[6:], "sizes": [*one.shape[1:]], "rows": 1}
            for needs, one in zip(needed, inputs, strict=True)
        )
        rest = make_part(network, attrs.evolve(plan, stand_ins=forms))
        passed = [one for needs, one in zip(needed, inputs, strict=True) if needs]
        with torch.no_grad():
            assert torch.equal(first(rest(*front(*inputs), *passed)), first(network(*inputs)))
        assert count(front) + count(rest) == count(network)
