"""A torch module, kept as what it takes to make it again: its edits, and its weights."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from edgebench import CaseFailed, Contents, Format, Stage, hookimpl
from edgebench_kit.torch.modules import count_layers, count_parameters

FILE = "weights.safetensors"


@hookimpl
def edgebench_formats() -> Iterable[Format]:
    """Offer the form in which torch modules are trained and changed."""
    yield Format(
        name="torch-module",
        summary="A torch module as its model, its edits and safetensors.",
        save=save,
        load=load,
        describe=describe,
        keeps="parameters and buffers; the module is rebuilt from its model and its edits",
    )


def save(stage: Stage, directory: Path) -> Sequence[str]:
    """Write the module's weights; of weights that share memory one is written, by all names."""
    from safetensors.torch import save_model

    save_model(stage.live, str(directory / FILE), force_contiguous=True)
    return (FILE,)


def load(stage: Stage, rebuild: Callable[[], Any]) -> Any:
    """Rebuild the module, and give it the weights that were kept; it comes in eval mode.

    Raises:
        CaseFailed: The file is damaged, or holds weights of another module.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_model

    module = rebuild()
    try:
        load_model(module, str(stage.file), strict=True)
    except (RuntimeError, SafetensorError) as error:
        # Torch lists every parameter; the first few say which model the file is of.
        reason = "; ".join(line.strip() for line in str(error).splitlines()[:4])
        title = f"{stage.model}:{stage.variant}"
        raise CaseFailed(f"the weights in {stage.file} do not fit {title}: {reason}") from error
    return module.eval()


def describe(stage: Stage) -> Contents:
    """Count the module's layers and its parameters; its operations only an input would tell."""
    return Contents(nodes=count_layers(stage.live), parameters=count_parameters(stage.live))
