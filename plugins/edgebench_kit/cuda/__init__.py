"""CUDA devices, and memory that tensors go to them through, by NVIDIA's own bindings."""
