"""Opening programs of `torch.export`, and nothing in them that would be unpickled.

Of such a file torch unpickles what is not plain: example inputs, tensors of a class of their own,
custom objects. A file that has any is refused before torch sees it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from edgebench import CaseFailed

if TYPE_CHECKING:
    from pathlib import Path

QUANTIZED = b"quantized_decomposed"
"""The library of the operators that quantize and dequantize, in a program's own text."""
REGISTERING = "torch.ao.quantization.fx._decomposed"
"""What has to be imported before a program that calls them is opened."""


def open_program(path: Path) -> Any:
    """Open a program; its `module()` is what runs.

    Raises:
        CaseFailed: The file is damaged, or holds something that would be unpickled.
    """
    import torch

    refuse_pickles(path)
    if is_quantized(path):
        import_module(REGISTERING)
    return torch.export.load(str(path))


def is_quantized(path: Path) -> bool:
    """Say whether a program quantizes, by operators that `REGISTERING` makes known to torch."""
    import zipfile

    with zipfile.ZipFile(path) as archive:
        return any(
            QUANTIZED in archive.read(one)
            for one in archive.namelist()
            if one.endswith("model.json")
        )


def refuse_pickles(path: Path) -> None:
    """Raise if a program file holds anything but a graph and raw tensors."""
    import zipfile

    try:
        with zipfile.ZipFile(path) as archive:
            pickled = [one.filename for one in archive.infolist() if _is_pickled(archive, one)]
    except zipfile.BadZipFile as error:
        raise CaseFailed(f"{path} is no program of torch.export, or is damaged: {error}") from error
    if pickled:
        raise CaseFailed(f"{path} holds a pickle, {pickled[0]}, and pickles are not opened")


def _is_pickled(archive: Any, entry: Any) -> bool:
    """Say whether torch would unpickle *entry*, or something else on its account."""
    import json

    path: str = entry.filename
    folder, _, base = path.partition("/")[2].rpartition("/")
    if folder == "data/sample_inputs":
        return bool(entry.file_size)
    if folder in ("data/weights", "data/constants") and base.endswith("_config.json"):
        kept = json.loads(archive.read(entry))["config"].values()
        # Custom objects are named otherwise than tensors, and always pickled.
        return any(one["use_pickle"] or "obj" in one["path_name"] for one in kept)
    # Until torch 2.8 members had no folder, and pickles among them were also called json.
    return path.endswith((".pt", ".pkl")) or path.startswith("serialized_")
