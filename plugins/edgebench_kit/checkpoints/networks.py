"""Networks of transformers' own classes, made from a configuration: nothing is fetched or run."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgebench import DataError
from edgebench_kit.checkpoints.configurations import Configuration, check_parts
from edgebench_kit.checkpoints.stored_weights import (
    count_values,
    find_weights,
    read_tensors,
)
from edgebench_kit.torch.quiet_imports import importing_quietly

if TYPE_CHECKING:
    from torch import nn

PICTURE = "pixel_values"
TEXT = ("input_ids", "attention_mask")
TYPES = "token_type_ids"
SLACK = 2**22
"""Values that a network may have beside its weights, such as masks that it makes itself."""
SPARE = ("cls.", "lm_head.", "mask_token", "pooler", "position_ids")
"""What weights may hold beside a classifier's: of what it was trained as before, or counters."""


def make_network(configuration: Configuration, where: str, seed: int) -> nn.Module:
    """Make a network with weights that *seed* decides, in evaluation.

    It is called with its inputs by place, in the order of `list_inputs`, and gives its logits,
    float32 of shape (batch, classes), of words (batch, length, classes). *where* is what messages
    name.

    Raises:
        DataError: Transformers makes no network of the configuration.
    """
    import torch

    with _keep_quiet(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module = _make(configuration, where)
    return _adapt(module, configuration)


def load_network(configuration: Configuration, directory: Path) -> nn.Module:
    """Make a network with the weights in a directory, in evaluation, as `make_network` does.

    Raises:
        DataError: The weights are damaged, or not of the configuration's network.
    """
    path, files = directory / "config.json", find_weights(directory)
    tensors = read_tensors(files, configuration.architecture)
    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    check_parts(configuration.settings, len(shapes), path)
    with _keep_quiet():
        _check_size(configuration, shapes, path)
        return _adapt(_fill(configuration, tensors, path), configuration)


def load_student(
    teacher: nn.Module, configuration: Configuration, sources: Mapping[str, str], where: str
) -> nn.Module:
    """Make the student of a network, which begins with the weights of its teacher's layers.

    *sources* says by the beginning of a parameter's name how its teacher's begins (`halve`).

    Raises:
        DataError: Transformers makes no network of the configuration.
    """
    student = make_network(configuration, where, 0)
    given = teacher.state_dict()
    names = {name: _find_source(name, sources) for name in student.state_dict()}
    student.load_state_dict({name: given[source] for name, source in names.items()})
    return student


def _find_source(name: str, sources: Mapping[str, str]) -> str:
    """Return the name of the teacher's parameter that one of the student begins as."""
    for begin, source in sources.items():
        if name.startswith(begin):
            return f"{source}{name.removeprefix(begin)}"
    return name


def list_inputs(module: nn.Module) -> tuple[str, ...]:
    """Return the names of what a network reads, in the order in which it is called."""
    names: tuple[str, ...] = type(module).names
    return names


def _list_taken(module: Any, given: Sequence[str]) -> tuple[str, ...]:
    """Return the names of what a class of transformers takes of what a tokenizer gives."""
    if module.main_input_name == PICTURE:
        return (PICTURE,)
    taken = inspect.signature(module.forward).parameters
    # A family that could tell the texts of a pair apart may have members that do not.
    apart = getattr(module.config, "type_vocab_size", None)
    apart = TYPES in taken and (apart is None or apart > 1) and (not given or TYPES in given)
    return (*TEXT, TYPES) if apart else TEXT


def _make(configuration: Configuration, where: str) -> nn.Module:
    """Make transformers' own network, its weights drawn."""
    try:
        made = make_settings(configuration, where)
        return _find_class(configuration, made, where)(made).eval()
    except DataError:
        raise
    except Exception as error:  # whatever a network stumbles over in its settings
        raise DataError(f"{where}: {configuration.architecture} {_say(error)}") from error


def make_settings(configuration: Configuration, where: str) -> Any:
    """Make transformers' configuration of it.

    Raises:
        DataError: It is of no family that transformers has.
    """
    with importing_quietly():
        from transformers import CONFIG_MAPPING

    if configuration.family not in CONFIG_MAPPING:
        raise DataError(
            f"{where}: no family {configuration.family!r} is in transformers {_read_version()}"
        )
    plain = {
        **configuration.settings,
        # Made of plain products, it is the least graph to export.
        "attn_implementation": "eager",
        "return_dict": True,
        "use_cache": False,
    }
    try:
        return CONFIG_MAPPING[configuration.family].from_dict(plain)
    except Exception as error:  # whatever it stumbles over in the settings
        raise DataError(f"{where}: {configuration.architecture} {_say(error)}") from error


def _find_class(configuration: Configuration, made: Any, where: str) -> Any:
    """Return the class of transformers that a configuration names.

    Raises:
        DataError: Its family has no such class.
    """
    import transformers

    auto = {
        "texts": "AutoModelForSequenceClassification",
        "tokens": "AutoModelForTokenClassification",
        "pictures": "AutoModelForImageClassification",
    }[configuration.task]
    found = getattr(transformers, auto)._model_mapping.get(type(made), ())  # noqa: SLF001
    classes = found if isinstance(found, tuple) else (found,)
    for one in classes:
        if one.__name__ == configuration.architecture:
            return one
    known = ", ".join(one.__name__ for one in classes)
    raise DataError(
        f"{where}: the family {configuration.family!r} has no {configuration.architecture} in "
        f"transformers {_read_version()}{known and f', but {known}'}"
    )


def _read_version() -> str:
    from importlib.metadata import version

    return version("transformers")


def _check_size(configuration: Configuration, shapes: Mapping[str, Any], path: Path) -> None:
    """See that a network is as large as its weights, before memory is taken for it.

    Raises:
        DataError: It is larger.
    """
    import torch

    with torch.device("meta"):
        module = _make(configuration, str(path))
    parts = [*module.parameters(), *module.buffers()]
    wanted, given = sum(one.numel() for one in parts), count_values(shapes)
    # Weights that are shared are stored once, and counted once here.
    if wanted > 2 * given + SLACK:
        raise DataError(
            f"{path} describes a network of {wanted:,} values, and the weights beside it hold "
            f"{given:,}; the configuration is of another network, or damaged"
        )


def _fill(configuration: Configuration, tensors: dict[str, Any], path: Path) -> nn.Module:
    """Make a network with tensors as its weights; transformers knows how older ones were called.

    Raises:
        DataError: Some do not fit.
    """
    import torch

    made = make_settings(configuration, str(path))
    kind = _find_class(configuration, made, str(path))
    try:
        module, found = kind.from_pretrained(
            None,
            config=made,
            state_dict=tensors,
            output_loading_info=True,
            ignore_mismatched_sizes=True,
            dtype=torch.float32,
            local_files_only=True,
        )
    except Exception as error:  # whatever it stumbles over in the weights
        raise DataError(f"{path.parent}: {kind.__name__} {_say(error)}") from error
    if faults := [*_list_faults(found), *_list_strange(module)]:
        more = f" ({len(faults) - 1} more do not fit)" if len(faults) > 1 else ""
        raise DataError(
            f"the weights in {path.parent} are not of the {kind.__name__} that config.json "
            f"describes: {faults[0]}{more}"
        )
    return module.eval()


def _list_faults(found: Mapping[str, Any]) -> Iterator[str]:
    """Say of each parameter that does not fit why, by the name that it has in transformers."""
    for name, has, needs in sorted(found["mismatched_keys"]):
        yield f"{name} has shape {tuple(has)}, not {tuple(needs)}"
    yield from (f"{name} is missing" for name in sorted(found["missing_keys"]))
    for name in sorted(found["unexpected_keys"]):
        if not any(spare in name for spare in SPARE):
            yield f"{name} is unknown to it"
    yield from found["error_msgs"]


def _list_strange(module: nn.Module) -> Iterator[str]:
    """Name the parameters with values that are no numbers, of which no answer can be made."""
    for name, values in module.named_parameters():
        if values.isnan().any():
            yield f"{name} holds values that are no numbers (NaN)"


def _say(error: Exception) -> str:
    said = " ".join(str(error).split())
    return f"cannot be made: {type(error).__name__}{said and ': '}{said[:300]}"


def _adapt(module: Any, configuration: Configuration) -> nn.Module:
    """Let a network take what it reads by place, and give its logits alone.

    Its modules keep their paths.
    """
    names = _list_taken(module, configuration.tensors)
    kind: Any = type(module)
    module.__class__ = _define_adapted(kind, names)
    return module


@cache
def _define_adapted(kind: Any, names: tuple[str, ...]) -> Any:
    """Define a class of transformers with another `forward`."""

    class Adapted(kind):  # type: ignore[misc]  # transformers is not typed here
        def forward(self, *given: Any, **named: Any) -> Any:
            return kind.forward(self, **dict(zip(names, given, strict=False)), **named).logits

    by_place = inspect.Parameter.POSITIONAL_OR_KEYWORD
    Adapted.forward.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [inspect.Parameter(name, by_place) for name in ("self", *names)]
    )
    Adapted.__name__ = kind.__name__
    Adapted.names = names
    return Adapted


@contextmanager
def _keep_quiet() -> Iterator[None]:
    """Keep back what transformers says of weights while it loads them: what fails is looked at."""
    with importing_quietly():
        from transformers.utils import logging as told
    level, bars = told.get_verbosity(), told.is_progress_bar_enabled()
    told.set_verbosity(logging.CRITICAL)
    told.disable_progress_bar()
    try:
        yield
    finally:
        told.set_verbosity(level)
        if bars:
            told.enable_progress_bar()
