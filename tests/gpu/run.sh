#!/usr/bin/env bash
# Runs the tests that need a GPU of NVIDIA's, in an environment of their own.
set -euo pipefail
cd "$(dirname "$0")/../.."
python3 -m venv build/gpu
build/gpu/bin/pip install --quiet -c constraints.txt '.[torch,onnxruntime,tensorrt,test]'
build/gpu/bin/python -m pytest -m gpu tests/gpu -p no:cacheprovider "$@"
