"""What makes a program answer otherwise each time: values that it writes to, and drawn ones."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from edgebench import DataError

if TYPE_CHECKING:
    from pathlib import Path

    from edgebench_kit.torch.program_files import ProgramFile

VIEWS = re.compile(
    r"torch\.ops\.aten\.(to|alias|contiguous|view|view_as|reshape|_unsafe_view|flatten|unflatten"
    r"|unsqueeze|squeeze|expand|permute|transpose|t|detach|slice|select|narrow|split|chunk|unbind)"
)
"""Operators that give the memory that they read, in another shape; at least where they can."""
DRAWING = frozenset(
    (
        *("bernoulli", "binomial", "cauchy", "exponential", "geometric", "log_normal", "normal"),
        *("multinomial", "normal_functional", "poisson", "rand", "rand_like", "randint", "random"),
        *("randint_like", "randn", "randn_like", "randperm", "uniform", "_fused_dropout"),
        *("_sample_dirichlet", "_standard_gamma", "inductor_seed", "inductor_seeds"),
        *("inductor_rand_eager_offset", "inductor_rand_eager_offsets"),
    )
)
"""The operators that draw whatever they are given; a `_` at the end of their names is left out."""
DROPPING = frozenset(
    (
        *("alpha_dropout", "dropout", "feature_alpha_dropout", "feature_dropout", "native_dropout"),
        *("rrelu", "rrelu_with_noise", "rrelu_with_noise_functional", "gru", "lstm", "rnn_relu"),
        *("rnn_tanh", "_cudnn_rnn", "_lstm_mps", "miopen_rnn", "_cudnn_init_dropout_state"),
        *("scaled_dot_product_attention", "_scaled_dot_product_attention_math"),
        *("_scaled_dot_product_attention_math_for_mps", "_scaled_dot_product_cudnn_attention"),
        *("_scaled_dot_product_cudnn_attention_backward", "_scaled_dot_product_flash_attention"),
        *("_scaled_dot_product_efficient_attention", "_scaled_dot_product_flash_attention_for_cpu"),
        *("_scaled_dot_product_efficient_attention_backward", "_triton_scaled_dot_attention"),
        *("_scaled_dot_product_fused_attention_overrideable", "_cudnn_attention_backward"),
        *("_cudnn_attention_forward", "_efficient_attention_forward", "_flash_attention_forward"),
        *("_fill_mem_eff_dropout_mask", "_flash_attention_forward_no_dropout_inplace"),
        *("_fused_sdp_choice", "_nested_tensor_softmax_with_shape"),
    )
)
"""Those that draw where their arguments say so, as in training. Both are what torch itself marks as
drawing, `nondeterministic_seeded`."""
SWITCHES, SHARES = ("train", "training"), ("dropout_p", "dropout", "p")
"""The arguments that say whether something is dropped, and which share; without them it is not."""
KEEPING = {
    "batch_norm": ("training", "running_mean"),
    "native_batch_norm": ("training", "running_mean"),
    "cudnn_batch_norm": ("training", "running_mean"),
    "instance_norm": ("use_input_stats", "running_mean"),
}
"""Those that keep statistics in training: which argument says so, and where they are kept."""


def refuse_changes(program: ProgramFile) -> None:
    """Refuse a program that answers the same request otherwise the next time.

    Raises:
        DataError: It writes to what it has, or draws as models do in training.
    """
    graph, path = program.graph, program.path
    names = [end["as_tensor"]["name"] for end in graph["inputs"] if "as_tensor" in end]
    owned = dict(zip(names, names, strict=True))
    for node in graph["nodes"]:
        if (name := _find_written(node, owned)) is not None:
            raise DataError(
                f"{path} writes to its own {name!r} while it runs, as a model in training, a cache "
                "or a counter does, so that no answer would be like the one before; export "
                "model.eval(), or the model without it"
            )
        if VIEWS.fullmatch(_name_operator(node, whole=True)) and (read := _read(node, 0)) in owned:
            owned.update(dict.fromkeys(_list_written(node), owned[read]))
    for node in _list_nodes(graph):
        _refuse_drawing(node, path)


def _refuse_drawing(node: Mapping[str, Any], path: Path) -> None:
    if (operator := _name_operator(node).removesuffix("_")) in DRAWING:
        raise DataError(
            f"{path} draws random numbers: its {operator} gives others each time, so that no "
            "answer would be like the one before; export the model with them as an input, or "
            "without"
        )
    if operator in DROPPING and _is_dropping(node):
        raise DataError(
            f"{path} was exported in training: its {operator} is on, so that no answer would "
            "be like the one before; export model.eval(), or the model without it"
        )


def _find_written(node: Mapping[str, Any], owned: Mapping[str, str]) -> str | None:
    """Return what of the program's own a node writes to, by its name in the graph; None if none.

    *owned* are the inputs of the graph, and the values that lie in the memory of one.
    """
    operator = _name_operator(node)
    arguments = {one["name"]: one["arg"] for one in node["inputs"]}
    flag, kept = KEEPING.get(operator, ("", ""))
    place = arguments.get(kept, {}).get("as_tensor", {}).get("name")
    if arguments.get(flag, {}).get("as_bool") is True and place in owned:
        return owned[place]
    in_place = operator.endswith("_") and not operator.endswith("__")
    return owned.get(_read(node, 0)) if in_place else None


def _list_nodes(graph: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the nodes of a graph, each followed by those of the graphs that it is given."""
    for node in graph["nodes"]:
        yield node
        for one in node["inputs"]:
            if inside := one["arg"].get("as_graph"):
                yield from _list_nodes(inside["graph"])


def _is_dropping(node: Mapping[str, Any]) -> bool:
    """Say whether a node drops something, or is random in another way that training has."""
    arguments = {one["name"]: one["arg"] for one in node["inputs"]}
    switch = [arguments[name].get("as_bool") for name in SWITCHES if name in arguments]
    share = [_read_number(arguments[name]) for name in SHARES if name in arguments]
    # Between the layers of a network of one there is nothing to drop.
    layers = _read_number(arguments.get("num_layers", {}))
    return bool(switch or share) and all(switch) and 0 not in share and layers != 1


def _read_number(said: Mapping[str, Any]) -> float | None:
    """Return the number that an argument is; None if it is none."""
    return next((said[kind] for kind in ("as_float", "as_int") if kind in said), None)


def _name_operator(node: Mapping[str, Any], *, whole: bool = False) -> str:
    """Return the name of a node's operator, without which of several it is."""
    called = str(node["target"]).rpartition(".")[0]
    return called if whole else called.rpartition(".")[2]


def _read(node: Mapping[str, Any], place: int) -> str:
    """Return the value that a node reads at a place; empty if it reads none there."""
    if len(node["inputs"]) <= place:
        return ""
    return str(node["inputs"][place]["arg"].get("as_tensor", {}).get("name", ""))


def _list_written(node: Mapping[str, Any]) -> Iterator[str]:
    for one in node["outputs"]:
        for said in (*one.get("as_tensors", ()), one.get("as_tensor")):
            if said is not None:
                yield said["name"]
