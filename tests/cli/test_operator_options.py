"""Options of operators that make no sense: one line that names the option, and nothing is run."""

from __future__ import annotations

import pytest

from edgebench.parts.changes import Operator

NONSENSE = {
    "identity(x=1)": "identity has no option 'x'; it takes none",
    "fuse-exits(x=1)": "fuse-exits has no option 'x'; it takes none",
    "sptq(calibration=maxmin)": "sptq: calibration must be minmax or entropy or percentile, not",
    "sptq(samples=0)": "sptq: samples must be a number from 1, not 0",
    "dynamic-quantization(per-channel=maybe)": "dynamic-quantization: per_channel must be true or fal",
    "dynamic-quantization(samples=-1)": "dynamic-quantization: samples must be a number from 1, not -1",
    "fp16(samples=0)": "fp16: samples must be a number from 1, not 0",
    "nncf(max-drop=-1)": "nncf: max_drop must be a number from 0, not -1.0",
    "nncf(transformer=maybe)": "nncf: transformer must be auto or yes or no, not 'maybe'",
    "qat(budget=long)": "qat: budget must be quick or full, not 'long'",
    "prune(sparsity=50)": "prune: sparsity must be a share above 0 and below 1, as 0.5, not 50",
    "prune(sparsity=0)": "prune: sparsity must be a share above 0 and below 1, as 0.5, not 0",
    "prune(sparsity=nan)": "prune: sparsity must be a share above 0 and below 1, as 0.5, not nan",
    "prune(sparsity=half)": "prune: sparsity must be a number, not 'half'",
    "prune(kind=block,block=3x1)": "prune: block must be 2x1 or 4x1, not '3x1'",
    "prune(block=2x1)": "prune: block=2x1 is an option of kind=block",
    "prune(epochs=0)": "prune: epochs must be a number from 1, not 0",
    "distill(temperature=inf)": "distill: temperature must be a finite number above 0, not inf",
    "distill(temperature=nan)": "distill: temperature must be a finite number above 0, not nan",
    "distill(share=2)": "distill: share must be at most 1, not 2.0",
    "early-exit(mode=both)": "early-exit: mode must be static or dynamic, not 'both'",
    "early-exit(mode=dynamic,max-drop=-1)": "early-exit: max_drop must be a number from 0, not -1.0",
    "early-exit(mode=dynamic,max-drop=200)": "early-exit: max_drop must be at most 100, not 200.0",
    "early-exit(mode=dynamic,max-drop=nan)": "early-exit: max_drop must be a number from 0, not nan",
    'early-exit(mode=dynamic,at="layer1 layer2 layer1")': "early-exit: at names 'layer1' twice",
    'early-exit(at="layer1 layer1")': "early-exit: at names 'layer1' twice",
    "early-exit(max-drop=2)": "early-exit: max_drop is an option of mode=dynamic",
    "partition(pieces=4)": "partition: pieces must be 2 or 3, not 4",
    "partition(pieces=two)": "partition: pieces must be a whole number, not 'two'",
    'partition(tensor="a;b")': "partition: tensor='a;b' names 2 cuts, which makes 3 pieces; say pi",
    "partition(tensor=a,pieces=3)": "partition: tensor='a' names 1 cut, which makes 2 pieces; say pi",
    'partition(tensor=";",pieces=3)': "partition: tensor=';' names 0 cuts; name one or two, joined",
    'partition(tensor="a;b;c")': "partition: tensor='a;b;c' names 3 cuts; name one or two, joined by",
    "partition(choose=best)": "partition: choose must be balanced-bytes or min-transfer or min-lat",
    "partition(tensr=x)": "partition has no option 'tensr'; did you mean 'tensor'?",
    "partition(choose=min-latency,tensor=x)": "partition: tensor names the cut, which choose=min-",
}


@pytest.mark.parametrize("operator", NONSENSE)
def test_options_that_make_no_sense_are_one_line(here, mistaken, operator):
    words = ("--model", "resnet:small", "--backend", "onnxruntime", "--operator", operator)
    said = mistaken(here("plan", *words))
    assert said.startswith(f"edgebench: {NONSENSE[operator]}")


def test_every_operator_that_ships_is_among_them(toy_plugins):
    names = {name for name in toy_plugins.all(Operator) if not name.startswith("toy-")}
    assert names == {operator.partition("(")[0] for operator in NONSENSE}
