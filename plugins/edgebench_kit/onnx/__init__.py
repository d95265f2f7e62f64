"""What plugins need that read, check, cut or quantize ONNX graphs."""
