"""An idea: of a large matrix, the product of two thin ones is nearly as good."""

import edgebench as eb


def factor(matrix, by):
    import numpy as np  # here, not above: `edgebench list` must stay quick

    rank = max(1, int(matrix.size / (by * sum(matrix.shape))))
    left, sizes, right = np.linalg.svd(matrix, full_matrices=False)
    return left[:, :rank] * sizes[:rank], right[:rank]


def shrink(graph, by):
    import onnx
    from onnx import numpy_helper

    copy = onnx.ModelProto.FromString(graph.SerializeToString())
    weights = {tensor.name: tensor for tensor in copy.graph.initializer}
    nodes = []
    for node in copy.graph.node:
        if node.op_type == "Gemm" and node.input[1] in weights:  # x @ W.T + b, as torch writes it
            tensor = weights[node.input[1]]
            left, right = factor(numpy_helper.to_array(tensor).T, by)
            name = tensor.name
            tensor.CopyFrom(numpy_helper.from_array(right.T, name))
            copy.graph.initializer.append(numpy_helper.from_array(left, f"{name}.left"))
            narrow = [f"{name}.narrow"]
            nodes.append(onnx.helper.make_node("MatMul", [node.input[0], f"{name}.left"], narrow))
            node.input[0] = narrow[0]
        nodes.append(node)
    del copy.graph.node[:]
    copy.graph.node.extend(nodes)
    return copy


def apply(pipeline, context):
    stages = [stage.changed(shrink(stage.live, by=4)) for stage in pipeline.stages]
    return pipeline.replaced(stages)


@eb.hookimpl
def edgebench_operators():
    yield eb.Operator(
        name="shrink",
        summary="Make two thin matrices of a large one.",
        apply=apply,
        reads=["onnx"],
        writes="onnx",
    )
