"""When each module of a network runs, what it writes and what that takes: seen on real inputs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count
from typing import TYPE_CHECKING, Any

import attrs

from edgebench_kit.torch.modules import evaluating

if TYPE_CHECKING:
    from torch import nn

Form = Mapping[str, Any]
"""What a module writes, as plain JSON: a tensor (`dtype`, its `sizes` but the first, and `rows`, by
how many its first size exceeds that of the first tensor it was given), or a tuple (`items`)."""


@attrs.define
class Span:
    """When a module ran, on a clock that ticks whenever any begins or ends."""

    began: int
    ended: int = -1
    calls: int = 0
    form: Form | None = None
    """What it wrote last; None if that is neither a tensor nor a tuple of such."""
    shape: tuple[int, ...] = ()
    """The shape of the tensor that it wrote last, of the first if there are several."""
    written: Any = None
    """That tensor, of a module whose tensor was to be kept."""


def trace_modules(
    module: nn.Module, inputs: Sequence[Any], keep: Collection[str] = ()
) -> dict[str, Span]:
    """Run a module once in evaluation, and return when those within it ran, by their paths.

    A module that stands at several paths has the first of them. The module itself has the path "".
    What the modules at the paths *keep* write is kept; all that a large network writes would fill
    a machine's memory.
    """
    import torch

    spans: dict[str, Span] = {}
    clock = count()
    with _listening(module, spans, clock, keep), evaluating(module), torch.no_grad():
        module(*inputs)
    return spans


@contextmanager
def _listening(
    module: nn.Module, spans: dict[str, Span], clock: Iterator[int], keep: Collection[str]
) -> Iterator[None]:
    """Note what runs while the context is open."""

    def listen(path: str, part: nn.Module) -> list[Any]:
        def begin(*_: Any) -> None:
            spans.setdefault(path, Span(began=next(clock)))

        def end(_: Any, given: Any, named: Any, written: Any) -> None:
            span = spans[path]
            span.ended, span.calls = next(clock), span.calls + 1
            span.form = describe_form(written, find_tensor((given, named)))
            tensor = find_tensor(written)
            span.shape = () if tensor is None else tuple(tensor.shape)
            span.written = tensor if path in keep else None

        return [
            part.register_forward_pre_hook(begin),
            part.register_forward_hook(end, with_kwargs=True),
        ]

    handles = [handle for path, part in module.named_modules() for handle in listen(path, part)]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def count_operations(network: nn.Module, inputs: Sequence[Any]) -> dict[str, int]:
    """Count the operations of products and convolutions until each module of a network has run.

    Those of the whole network stand under "".
    """
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    found: dict[str, int] = {}
    counter = FlopCounterMode(display=False)

    def note(path: str) -> Callable[..., None]:
        def hook(*_: Any) -> None:
            found[path] = counter.get_total_flops()

        return hook

    handles = [part.register_forward_hook(note(path)) for path, part in network.named_modules()]
    try:
        with evaluating(network), torch.no_grad(), counter:
            network(*inputs)
    finally:
        for handle in handles:
            handle.remove()
    return found


def find_tensor(value: Any) -> Any:
    """Return the first tensor in a value: itself, or in its tuples, lists and mappings; or None."""
    import torch

    if isinstance(value, torch.Tensor):
        return value
    parts = value.values() if isinstance(value, Mapping) else value
    if isinstance(value, tuple | list | Mapping):
        return next((one for one in map(find_tensor, parts) if one is not None), None)
    return None


def describe_form(written: Any, given: Any) -> Form | None:
    """Describe what a module wrote after it was *given* a first tensor; None if it cannot be."""
    import torch

    if isinstance(written, torch.Tensor):
        return _describe_tensor(written, given)
    if type(written) is not tuple:
        return None
    items = [None if one is None else describe_form(one, given) for one in written]
    known = all(form is not None or one is None for form, one in zip(items, written, strict=True))
    return {"items": items} if known and items else None


def _describe_tensor(written: Any, given: Any) -> Form | None:
    rows = len(given) if given is not None and given.ndim else 0
    if not written.ndim or not rows or len(written) % rows:
        return None
    dtype = str(written.dtype).removeprefix("torch.")
    return {"dtype": dtype, "sizes": list(written.shape[1:]), "rows": len(written) // rows}


def make_zeros(form: Form | None, given: Any) -> Any:
    """Make zeros of a form, for a first tensor that a module is given."""
    import torch

    if form is None:
        return None
    if "items" in form:
        return tuple(make_zeros(item, given) for item in form["items"])
    shape = (given.shape[0] * form["rows"], *form["sizes"])
    return given.new_zeros(shape, dtype=getattr(torch, form["dtype"]))


def put_in_form(tensor: Any, form: Form) -> Any:
    """Return a tensor as a module of a form writes it: alone, or as the first of a tuple."""
    if "items" not in form:
        return tensor
    return (tensor, *(make_zeros(item, tensor) for item in form["items"][1:]))
