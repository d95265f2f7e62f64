"""Serves ONNX files with KServe: `python kserve_graphs.py PORT NAME=FILE...`."""

import sys

import numpy as np
import onnxruntime
from kserve import InferOutput, InferResponse, Model, ModelServer

TYPES = {
    "tensor(bool)": "BOOL", "tensor(double)": "FP64", "tensor(float)": "FP32",
    "tensor(float16)": "FP16", "tensor(int64)": "INT64", "tensor(uint8)": "UINT8",
}  # fmt: skip


def tell(nodes):
    return [
        {
            "name": one.name,
            "datatype": TYPES[one.type],
            "shape": [size if isinstance(size, int) else -1 for size in one.shape],
        }
        for one in nodes
    ]


class Graph(Model):
    def __init__(self, name, file):
        super().__init__(name)
        self.session = onnxruntime.InferenceSession(file)
        self.ready = True

    def get_input_types(self):
        # A graph whose name says so keeps its tensors to itself, as servers may.
        return [] if "silent" in self.name else tell(self.session.get_inputs())

    def get_output_types(self):
        return [] if "silent" in self.name else tell(self.session.get_outputs())

    def predict(self, request, headers=None, response_headers=None):
        given = {one.name: np.asarray(one.as_numpy()) for one in request.inputs}
        outputs = []
        for node, array in zip(
            self.session.get_outputs(), self.session.run(None, given), strict=True
        ):
            output = InferOutput(node.name, list(array.shape), TYPES[node.type])
            output.set_data_from_numpy(array)
            outputs.append(output)
        return InferResponse(
            request.id, self.name, outputs, requested_outputs=request.request_outputs
        )


if __name__ == "__main__":
    held = [Graph(*pair.split("=", 1)) for pair in sys.argv[2:]]
    ModelServer(http_port=int(sys.argv[1]), enable_grpc=False).start(held)
