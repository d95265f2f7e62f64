"""The example of the page on the kit runs as it is written there."""

from __future__ import annotations

import re

import numpy as np
import pytest

from edgebench.catalogue.registry import shipped_registry

from .. import foreign

PAGE = (shipped_registry().parent / "docs" / "kit.md").read_text("utf-8")
(EXAMPLE,) = re.findall(r"```python\n(import attrs\n.+?)```", PAGE, flags=re.DOTALL)
SHORT = ("--backend", "onnxruntime", "--blocks", "1", "--requests", "6", "--json")


def test_the_fewer_classes_have_to_stay_the_further_the_answers_move(cli, tmp_path):
    file = tmp_path / "coarse.py"
    file.write_text(EXAMPLE, "utf-8")
    net = foreign.scaled(tmp_path / "net.onnx")
    chains = ["coarse(agreement=0.0)", "coarse(agreement=1.0)"]
    operators = [word for chain in chains for word in ("--operator", chain)]
    said = cli("run", "--plugin", file, "--model", net, *operators, *SHORT)
    assert said.status == 0, said.err + said.out
    cases = {case["chain"]: case for case in said.json["cases"]}
    assert {case["status"] for case in cases.values()} == {"ok"}
    loose, strict = (cases[chain]["agreement"] for chain in chains)
    assert 0 < strict["max_abs_difference"] < loose["max_abs_difference"]
    assert strict["same_answer"] > 0.8


@pytest.mark.framework
def test_weights_are_rounded_to_so_many_bits():
    import onnx

    example: dict[str, object] = {}
    exec(EXAMPLE, example)  # noqa: S102 (it is ours)
    weights = np.array([1.0, -1.5, 1.625, 1.6875, 0.0, 6.5], dtype="f4")
    tensor = onnx.numpy_helper.from_array(weights, "w")
    ends = [onnx.helper.make_tensor_value_info(name, 1, [6]) for name in "xy"]
    node = onnx.helper.make_node("Add", ["x", "w"], ["y"])
    graph = onnx.helper.make_graph([node], "g", ends[:1], ends[1:], [tensor])
    model = onnx.helper.make_model(graph, ir_version=10)
    rounded = {
        bits: list(
            onnx.numpy_helper.to_array(example["round_weights"](model, bits).graph.initializer[0])
        )
        for bits in (2, 4, 24)
    }
    assert rounded == {
        2: [1.0, -1.5, 1.5, 1.5, 0.0, 6.0],
        4: [1.0, -1.5, 1.625, 1.75, 0.0, 6.5],
        24: list(weights),
    }
