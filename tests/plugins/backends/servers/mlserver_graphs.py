"""What MLServer runs ONNX files with: its settings name `mlserver_graphs.Graph`."""

import onnxruntime
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceResponse, MetadataTensor

TYPES = {
    "tensor(bool)": "BOOL", "tensor(double)": "FP64", "tensor(float)": "FP32",
    "tensor(float16)": "FP16", "tensor(int64)": "INT64", "tensor(uint8)": "UINT8",
}  # fmt: skip


def tell(nodes):
    return [
        MetadataTensor(
            name=one.name,
            datatype=TYPES[one.type],
            shape=[size if isinstance(size, int) else -1 for size in one.shape],
        )
        for one in nodes
    ]


class Graph(MLModel):
    async def load(self):
        self.session = onnxruntime.InferenceSession(self.settings.parameters.uri)
        self.inputs = tell(self.session.get_inputs())
        self.outputs = tell(self.session.get_outputs())
        return True

    async def predict(self, payload):
        given = {one.name: NumpyCodec.decode_input(one) for one in payload.inputs}
        nodes, arrays = self.session.get_outputs(), self.session.run(None, given)
        return InferenceResponse(
            model_name=self.name,
            outputs=[
                NumpyCodec.encode_output(n.name, a) for n, a in zip(nodes, arrays, strict=True)
            ],
        )
