"""Options of operators that make no sense: one line that names the option, and nothing is run."""

from __future__ import annotations

import pytest

from edgebench.parts.changes import Operator

NONSENSE = {
    "identity(x=1)": "identity has no option 'x'; it takes none",
    "fuse-exits(x=1)": "fuse-exits has no option 'x'; it takes none",
    "sptq(calibration=maxmin)": "sptq: calibration must be minmax or entropy or percentile, not",
    "sptq(samples=0)": "sptq: 'samples' must be >= 1: 0",
    "dynamic-quantization(per-channel=maybe)": "dynamic-quantization: per_channel must be bool, not",
    "dynamic-quantization(samples=-1)": "dynamic-quantization: 'samples' must be >= 1: -1",
    "fp16(samples=0)": "fp16: 'samples' must be >= 1: 0",
    "nncf(max-drop=-1)": "nncf: 'max_drop' must be >= 0: -1.0",
    "nncf(transformer=maybe)": "nncf: transformer must be auto or yes or no, not 'maybe'",
    "qat(budget=long)": "qat: budget must be quick or full, not 'long'",
    "prune(sparsity=50)": "prune: sparsity must be a share above 0 and below 1, as 0.5, not 50",
    "prune(sparsity=0)": "prune: sparsity must be a share above 0 and below 1, as 0.5, not 0",
    "prune(sparsity=nan)": "prune: sparsity must be a share above 0 and below 1, as 0.5, not nan",
    "prune(sparsity=half)": "prune: sparsity must be float, not 'half'",
    "prune(kind=block,block=3x1)": "prune: block must be 2x1 or 4x1, not '3x1'",
    "prune(block=2x1)": "prune: block=2x1 is an option of kind=block",
    "prune(epochs=0)": "prune: 'epochs' must be >= 1: 0",
    "distill(temperature=inf)": "distill: 'temperature' must be < inf: inf",
    "distill(temperature=nan)": "distill: 'temperature' must be > 0: nan",
    "distill(share=2)": "distill: 'share' must be <= 1: 2.0",
    "early-exit(mode=both)": "early-exit: mode must be static or dynamic, not 'both'",
    "early-exit(mode=dynamic,max-drop=-1)": "early-exit: 'max_drop' must be >= 0: -1.0",
    "early-exit(max-drop=2)": "early-exit: max_drop is an option of mode=dynamic",
    "partition(pieces=4)": "partition: 'pieces' must be in (2, 3) (got 4)",
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
