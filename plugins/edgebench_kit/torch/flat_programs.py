"""A program brought to the form in which it is measured: tensors in, tensors out, in order.

Whatever the model took and gave, dictionaries, classes of a library, constants, the copy takes the
tensors of a request by position and gives a tuple, so that nothing but torch is needed to open it.
"""

from __future__ import annotations

import io
import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from edgebench import CaseFailed
from edgebench.metrics.differences import find_excess
from edgebench_kit.torch.lowered import TOLERANCE, open_module, refusing
from edgebench_kit.torch.onnx_export import run_module
from edgebench_kit.torch.program_files import copy_program
from edgebench_kit.torch.program_signatures import is_constant
from edgebench_kit.torch.programs import open_program

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgebench import Sample, Stage, Tensors
    from edgebench_kit.torch.program_ends import Ends
    from edgebench_kit.torch.program_files import ProgramFile

LEAF: dict[str, Any] = {"type": None, "context": None, "children_spec": []}
KEPT = ("nn_module_stack", "torch_fn")
"""What of the notes on a node is kept: where in the model it comes from, for exporters' names."""
VERIFIERS = ("TRAINING",)


def write_flat(program: ProgramFile, ends: Ends, target: Path) -> None:
    """Write the flat copy of a program that was looked at.

    Raises:
        DataError: A tensor's bytes are damaged.
    """
    copy_program(program, flatten(program, ends), target)


def open_flat(program: ProgramFile, ends: Ends) -> Any:
    """Open the flat copy of a program that was looked at.

    Raises:
        CaseFailed: Torch does not open it.
        DataError: A tensor's bytes are damaged.
    """
    with tempfile.TemporaryDirectory() as directory:
        copy = Path(directory) / "program.pt2"
        write_flat(program, ends, copy)
        with refusing(f"torch does not open {program.path}"):
            return open_program(copy)


def check_alone(stage: Stage, samples: Sequence[Sample]) -> None:
    """See that a program answers a sample alone as it does among others.

    Torch notes of a batch that was left open without a word that it is two or more.

    Raises:
        CaseFailed: It does not.
    """
    import numpy as np

    opened = attrs.evolve(stage, live=open_module(stage))
    read = [np.load(io.BytesIO(payload), allow_pickle=False) for payload, _ in samples]
    both = {spec.name: np.stack([one[spec.name] for one in read]) for spec in stage.inputs}
    with refusing("the program cannot be run on random inputs"):
        together = run_module(opened, both)
    for place in range(len(samples)):
        with refusing(
            "the program was exported for two samples at a time or more, and takes none alone; "
            'export it with a batch of any size, torch.export.Dim("batch")'
        ):
            alone = run_module(opened, _pick(both, place))
        for name, right in _pick(together, place).items():
            if excess := find_excess(right, alone[name], TOLERANCE):
                raise CaseFailed(
                    "the program was exported for two samples at a time or more, and answers one "
                    f'alone otherwise: {name!r} {excess}; export it with torch.export.Dim("batch")'
                )


def _pick(tensors: Tensors, place: int) -> Tensors:
    """Return one sample of a batch, as a batch of one."""
    return {name: array[place : place + 1] for name, array in tensors.items()}


def flatten(program: ProgramFile, ends: Ends) -> dict[str, Any]:
    """Return the text of a program whose inputs and outputs are tensors in order."""
    module = program.document["graph_module"]
    graph, signature = module["graph"], module["signature"]
    inputs = [
        (spec, argument)
        for spec, argument in zip(signature["input_specs"], graph["inputs"], strict=True)
        if "constant_input" not in spec
    ]
    outputs = [
        (spec, argument)
        for spec, argument in zip(signature["output_specs"], graph["outputs"], strict=True)
        if not is_constant(spec["user_output"]["arg"])
    ]
    flat = {
        "graph": {
            **graph,
            "inputs": [argument for _, argument in inputs],
            "outputs": [argument for _, argument in outputs],
            "is_single_tensor_return": False,
        },
        "signature": {
            "input_specs": [spec for spec, _ in inputs],
            "output_specs": [spec for spec, _ in outputs],
        },
        "module_call_graph": [{"fqn": "", "signature": _make_signature(ends)}],
        "metadata": {},
        "treespec_namedtuple_fields": {},
    }
    cleaned = _clean(flat)
    return {
        "graph_module": cleaned,
        "opset_version": program.document["opset_version"],
        "range_constraints": program.document["range_constraints"],
        "schema_version": program.document["schema_version"],
        "verifiers": list(VERIFIERS),
        "torch_version": program.document.get("torch_version", ""),
        # Torch makes code of them. What they say, the shapes of the stage say.
        "guards_code": [],
    }


def _make_signature(ends: Ends) -> dict[str, Any]:
    given = _make_tuple([LEAF] * len(ends.inputs))
    nothing = {"type": "builtins.dict", "context": "[]", "children_spec": []}
    answered = _make_tuple([LEAF] * len(ends.outputs))
    return {
        "inputs": [],
        "outputs": [],
        "in_spec": json.dumps([1, _make_tuple([given, nothing])]),
        "out_spec": json.dumps([1, answered]),
        "forward_arg_names": [end.value for end in ends.inputs],
    }


def _make_tuple(parts: list[Any]) -> dict[str, Any]:
    return {"type": "builtins.tuple", "context": "null", "children_spec": parts}


def _clean(value: Any) -> Any:
    """Return a text without notes of where it was made, all on the processor, without gradients."""
    if isinstance(value, list):
        return [_clean(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {key: _clean_at(key, one) for key, one in value.items()}


def _clean_at(key: str, value: Any) -> Any:
    if key == "metadata" and isinstance(value, dict):
        return {name: value[name] for name in KEPT if isinstance(value.get(name), str)}
    if key in {"device", "as_device"} and isinstance(value, dict) and value.get("type") != "meta":
        return {"type": "cpu", "index": None}
    if key == "requires_grad":
        return False
    return _clean(value)
