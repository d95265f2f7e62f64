"""The trainer `new-name`: the last layer of a graph, by least squares."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import edgebench as eb

if TYPE_CHECKING:
    from numpy.typing import NDArray

EDGEBENCH_API = (2, 0)

RIDGE = 1e-2
"""What large weights cost, beside the mean square of what the layer reads."""


def fit(
    stage: eb.Stage,
    loss: Callable[..., Any],
    training: eb.Split,
    validation: eb.Split,
    budget: eb.Budget,
    seed: int,
    progress: Callable[[int, int, str], None],
    teacher: eb.Stage | None = None,
) -> eb.Stage:
    """Return the stage with its live object trained; the one that is given stays as it is.

    One that goes by epochs follows the *budget*, lowers the *loss*, stops early on *validation*,
    and returns the best weights that it saw. Least squares need none of that.

    Raises:
        CaseFailed: There is nothing here that it could train.
    """
    import onnx  # here, not above: `edgebench list` must stay quick

    if teacher is not None:
        raise eb.CaseFailed("it learns from answers, and from no teacher")
    graph = onnx.ModelProto.FromString(stage.live.SerializeToString())
    layer = find_last_layer(graph)
    read, answers = run_split(graph, stage, layer.input[0], training)
    write_layer(graph, layer, *solve(read, answers))
    held_out, right = run_split(graph, stage, layer.output[0], validation)
    share = float((held_out.argmax(axis=1) == right).mean())
    progress(1, 1, f"fitted on {len(answers)}, right on {share:.1%} of {len(right)} held out")
    return stage.changed(graph)


def find_last_layer(graph: Any) -> Any:
    """Return the node that writes the answer of a graph: a `Gemm` with a bias."""
    outputs = [one.name for one in graph.graph.output]
    for node in graph.graph.node:
        if node.op_type == "Gemm" and len(node.input) == 3 and [*node.output] == outputs:
            return node
    raise eb.CaseFailed("it trains graphs that end with one Gemm")


def run_split(
    graph: Any, stage: eb.Stage, name: str, split: eb.Split
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return a tensor of a graph for all samples of a split, and their answers."""
    import numpy as np
    import onnx
    from onnx.reference import ReferenceEvaluator

    probe = onnx.ModelProto.FromString(graph.SerializeToString())
    del probe.graph.output[:]
    probe.graph.output.append(onnx.helper.make_empty_tensor_value_info(name))
    evaluator: Any = ReferenceEvaluator(probe)
    values, answers = [], []
    for tensors, answer in split:
        inputs = {spec.inside: tensors[spec.name] for spec in stage.inputs}
        values.append(evaluator.run([name], inputs)[0])
        answers.append(answer)
    if not answers:
        raise eb.CaseFailed("there are no samples to be trained on")
    return np.concatenate(values), np.array(answers)


def solve(read: NDArray[Any], answers: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return weights of shape (read, classes) and biases that come nearest to the answers."""
    import numpy as np

    wanted = np.eye(answers.max() + 1)[answers]
    centre, mean = read.mean(axis=0), wanted.mean(axis=0)
    away = read - centre
    square = away.T @ away / len(away)
    ridge = RIDGE * np.trace(square) / len(square) * np.eye(len(square))
    weights = np.linalg.solve(square + ridge, away.T @ (wanted - mean) / len(away))
    return weights, mean - centre @ weights


def write_layer(graph: Any, layer: Any, weights: NDArray[Any], biases: NDArray[Any]) -> None:
    """Put weights of shape (read, classes), and biases, in place of those of a Gemm."""
    import onnx

    flags = {one.name: onnx.helper.get_attribute_value(one) for one in layer.attribute}
    given = {layer.input[1]: weights.T if flags.get("transB") else weights, layer.input[2]: biases}
    for tensor in graph.graph.initializer:
        if tensor.name in given:
            values = given[tensor.name].astype("float32")
            if values.shape != tuple(tensor.dims):
                raise eb.CaseFailed(f"{tensor.name} has another shape than the answers ask for")
            tensor.CopyFrom(onnx.numpy_helper.from_array(values, tensor.name))


@eb.hookimpl
def edgebench_trainers() -> Iterator[eb.Trainer]:
    """Offer it: operators that need `training` have stages of its format trained by it."""
    yield eb.Trainer(
        name="new-name",
        summary="Fit the last layer of a graph by least squares.",
        format="onnx",
        fit=fit,
    )
