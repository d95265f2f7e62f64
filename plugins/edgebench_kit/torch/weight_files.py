"""Weights from a file that somebody else made: read without running what it holds, and checked."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgebench import DataError

if TYPE_CHECKING:
    import torch
    from torch import nn

NAMES = ("model.safetensors", "pytorch_model.bin")
"""What transformers calls a checkpoint's weights, in the order in which they are looked for."""
PICKLED = (".pth", ".pt", ".bin")
WRAPPERS = ("state_dict", "model")
"""Under which of these keys training scripts put the parameters, beside what else they keep."""


def load_weights(
    module: nn.Module, path: Path | None, *, title: str, ignore: tuple[str, ...] = ()
) -> None:
    """Give *module* every parameter and buffer of the file at *path*, by name.

    A `.pth`, `.pt` or `.bin` is read by torch's reader of plain tensors, which runs no code; a
    `.safetensors` holds nothing else. The values are converted to the module's types. What begins
    with one of *ignore* keeps the module's values and is not asked for; the counters of batch
    normalisation, which files of old lack, need not be there. *title* is how messages call the
    module, `resnet:50`.

    Raises:
        DataError: The file is missing, is damaged, or is of another network: the message names
            the first parameter that does not fit, and both shapes.
    """
    given = read_weights(path, title=title)
    wanted = module.state_dict()
    given = {name: value for name, value in given.items() if not name.startswith(ignore)}
    wanted = {name: value for name, value in wanted.items() if not name.startswith(ignore)}
    if faults := _find_faults(given, wanted):
        more = f" ({len(faults) - 1} more do not fit)" if len(faults) > 1 else ""
        raise DataError(
            f"the weights in {path} are not of {title}: {faults[0]}{more}; "
            "give a file of the same network, or another variant"
        )
    module.load_state_dict(given, strict=False)


def read_weights(path: Path | None, *, title: str) -> dict[str, torch.Tensor]:
    """Read the tensors of a file by name, as `load_weights` does.

    Raises:
        DataError: The file is missing or damaged, or holds more than tensors.
    """
    if path is None:
        raise DataError(f"{title} is to be loaded from a file, but none is given: file:PATH")
    check_file(path, title)
    try:
        _refuse_packed(path)
        found = _open(path)
    except DataError:
        raise
    except Exception as error:
        # A damaged file makes the readers raise anything, by where it is damaged.
        raise _explain(path, error) from error
    return _unwrap_tensors(found, path)


def check_file(path: Path, title: str) -> None:
    """See that *path* is a file of weights by its name; nothing of it is read.

    Raises:
        DataError: It is not there, is a directory, or ends in something else.
    """
    if not path.is_file():
        what = "is a directory" if path.is_dir() else "is not there"
        raise DataError(f"the weights of {title} are looked for in {path}, which {what}")
    if path.suffix not in (*PICKLED, ".safetensors"):
        known = ", ".join((*PICKLED, ".safetensors"))
        raise DataError(f"{path} is no weight file by its name: it must end in one of {known}")


def _refuse_packed(path: Path) -> None:
    """Raise if a file unpacks to more than it is: memory would be taken for what may be nothing."""
    if path.suffix == ".safetensors" or not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        size, inside = path.stat().st_size, sum(one.file_size for one in archive.infolist())
    if inside > size:
        raise DataError(
            f"{path}, {size:,} bytes, unpacks to {inside:,}, and torch.save packs nothing; save "
            "it again, or as .safetensors"
        )


def _open(path: Path) -> Any:
    """Read what the file holds, on the CPU."""
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        return load_file(path)
    import torch

    return torch.load(path, map_location="cpu", weights_only=True)


def _explain(path: Path, error: Exception) -> DataError:
    """Say why a file could not be read: it asks for code to be run, or it is damaged."""
    said = str(error)
    if refused := re.search(r"GLOBAL (\S+)", said):
        return DataError(
            f"{path} holds more than tensors ({refused[1]}) and is not opened, since that may run "
            "code; save the module's state_dict() alone, or as .safetensors"
        )
    # What torch's reader says of unknown bytes is advice to open the file without this care.
    advice = said.startswith("Weights only")
    cause = "" if advice else re.split(r"\. |\n", said, maxsplit=1)[0][:100]
    return DataError(
        f"{path}, {path.stat().st_size} bytes, is truncated or no weight file; fetch it again "
        f"({type(error).__name__}{cause and ': '}{cause})"
    )


def _unwrap_tensors(found: Any, path: Path) -> dict[str, torch.Tensor]:
    """Unwrap what a training script kept, and refuse anything but tensors by name."""
    import torch

    if isinstance(found, Mapping):
        for key in WRAPPERS:
            if isinstance(found.get(key), Mapping):
                found = found[key]
    if not isinstance(found, Mapping):
        raise DataError(f"{path} holds no parameters by name, but a {type(found).__name__}")
    for name, value in found.items():
        if not isinstance(name, str) or not isinstance(value, torch.Tensor):
            kind = type(value).__name__
            raise DataError(f"{path} holds no parameters by name: {name!r} is no tensor ({kind})")
    return dict(found)


def _find_faults(given: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """Say of every parameter that does not fit why, in the order of the module."""
    faults = []
    for name, value in wanted.items():
        if name not in given:
            if not name.endswith("num_batches_tracked"):
                faults.append(f"{name} {tuple(value.shape)} is missing")
        elif given[name].shape != value.shape:
            has, needs = tuple(given[name].shape), tuple(value.shape)
            faults.append(f"{name} has shape {has}, not {needs}")
    faults += [f"{name} is unknown to it" for name in given if name not in wanted]
    return faults
