"""What authors of plugins share: torch modules, pictures, text and ONNX graphs, a family each."""
