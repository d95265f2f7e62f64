"""Making what records hold unwritable: the converters of fields that are arrays or mappings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from numpy.typing import NDArray


def freeze_array(values: NDArray[Any]) -> NDArray[Any]:
    """Return an array that nobody can write to: itself, or a copy where somebody could."""
    if _is_frozen(values):
        return values
    owned = values.copy()
    owned.setflags(write=False)
    # A view: only the array that owns the memory could be made writable again.
    return owned.view()


def _is_frozen(values: NDArray[Any]) -> bool:
    owner = values.base
    return not values.flags.writeable and owner is not None and not _is_writable(owner)


def _is_writable(owner: Any) -> bool:
    flags = getattr(owner, "flags", None)
    return not isinstance(owner, bytes) if flags is None else bool(flags.writeable)


def freeze_arrays(values: Sequence[NDArray[Any]]) -> tuple[NDArray[Any], ...]:
    """Return arrays as `freeze_array` does, in a tuple."""
    return tuple(map(freeze_array, values))


class Frozen(dict[str, Any]):
    """A dict that nobody can write to; JSON, copies and pickles take it as any other."""

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise TypeError("what a record holds cannot be changed")

    __setitem__ = __delitem__ = __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse

    def __reduce__(self) -> tuple[type[Frozen], tuple[dict[str, Any]]]:
        """Let copies be made by the constructor, as nothing can be put into one later."""
        return Frozen, (dict(self),)


def freeze_mapping(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a copy of a mapping that nobody can write to, nor to what it holds.

    Mappings, lists and arrays in it are copied too, and lists become tuples.
    """
    return Frozen({key: _freeze(value) for key, value in values.items()})


def _freeze(value: Any) -> Any:
    if isinstance(value, Mapping):
        return freeze_mapping(value)
    if isinstance(value, list | tuple):
        return tuple(map(_freeze, value))
    return freeze_array(value) if hasattr(value, "setflags") else value
