"""A network cut at modules, without its source and without a graph: each part runs all of it.

What a part does not need is left out: every module that has run before the part begins, or only
runs after it has ended, gives zeros of the right shape, and what is made of them is thrown away.
An export leaves such code out, so nothing of it is deployed. What passes a cut beside the tensor
that is cut cannot be had so: a part that needs it computes something else than the whole, which
`find_needed` and a comparison show.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import attrs

from edgebench_kit.torch.modules import evaluating
from edgebench_kit.torch.tracing import Form, Span, make_zeros, put_in_form

if TYPE_CHECKING:
    from torch import nn


@attrs.frozen(kw_only=True)
class Plan:
    """What makes a part of a network: plain values, from which it is made again without a run."""

    start: str = ""
    """The module whose output it is given in place of running it; empty for the first part."""
    form: Form | None = None
    """How that module writes its output."""
    stops: tuple[str, ...] = ()
    """The modules whose outputs it gives; none for the last part, which gives the network's."""
    blanks: Mapping[str, Form] = attrs.field(factory=dict)
    """The modules that it does without, and what they write."""
    stand_ins: tuple[Form | None, ...] = ()
    """For each input of the network: None where the part is given it, else what stands for it."""

    @property
    def count(self) -> int:
        """How many tensors the part takes."""
        return sum(form is None for form in self.stand_ins) + bool(self.start)


def plan_part(
    spans: Mapping[str, Span], start: str, stops: Sequence[str], stand_ins: Sequence[Form | None]
) -> Plan:
    """Plan the part of a traced network from the module at *start* to those at *stops*."""
    begin = spans[start].ended if start else -1
    end = max((spans[stop].ended for stop in stops), default=spans[""].ended)
    blanks: dict[str, Form] = {}
    for path, span in spans.items():
        outside = span.ended <= begin or span.began >= end
        inside = any(
            path.startswith(f"{above}.") for above in (*blanks, *([start] if start else []))
        )
        if outside and not inside and path != start and span.form is not None:
            blanks[path] = span.form
    return Plan(
        start=start,
        form=spans[start].form if start else None,
        stops=tuple(stops),
        blanks=blanks,
        stand_ins=tuple(stand_ins),
    )


def make_part(network: nn.Module, plan: Plan) -> nn.Module:
    """Make the part of a copy of a network that a plan describes.

    It takes what the module at `start` writes, if there is one, and those inputs of the network
    that nothing stands in for; it gives what the modules at `stops` write, a tuple, or what the
    network gives.
    """
    import copy

    parts, carried = _define_parts(), Carried()
    instead = {
        path: parts.Blank(form, _outline(network.get_submodule(path)))
        for path, form in plan.blanks.items()
    }
    if plan.start:
        shown = _outline(network.get_submodule(plan.start))
        instead[plan.start] = parts.Resume(plan.form, shown, carried)
    # What is left out is not copied: the parts together weigh what the network does.
    memo: dict[int, Any] = {id(network.get_submodule(path)): one for path, one in instead.items()}
    kept = copy.deepcopy(network, memo)
    taps = [Carried() for _ in plan.stops]
    for stop, tap in zip(plan.stops, taps, strict=True):
        kept.set_submodule(stop, parts.Tap(kept.get_submodule(stop), tap))
    return _define_part(plan.count)(kept, plan, carried, taps)


class Carried:
    """Where a tensor lies on its way past the network's own code; empty while none is."""

    def __init__(self) -> None:
        """Hold nothing."""
        self.tensor: Any = None


def _outline(module: nn.Module) -> nn.Module:
    """Copy a module without the values of its weights: networks ask their parts for types."""
    import copy

    import torch

    # Named twice, weights that are shared stay so.
    held = {**dict(module.named_parameters()), **dict(module.named_buffers())}.values()
    memo: dict[int, Any] = {id(one): torch.empty_like(one, device="meta") for one in held}
    return copy.deepcopy(module, memo)


@attrs.frozen
class _Parts:
    Blank: Any
    Tap: Any
    Resume: Any


@cache
def _define_stand_in() -> Any:
    """Define what all that stands in for modules has in common, as `_define_parts` does."""
    from torch import nn

    class StandIn(nn.Module):  # type: ignore[misc]  # torch is not typed here
        """What a network's code may look into as if it were the module itself."""

        stands_in = True

        def __init__(self, form: Form, outline: Any) -> None:
            super().__init__()
            # In a tuple it is no part of the network, and its weights are none of its weights.
            self.form, self.shown = form, (outline,)

        def __getattr__(self, name: str) -> Any:
            try:
                return super().__getattr__(name)
            except AttributeError:
                if shown := self.__dict__.get("shown"):
                    return getattr(shown[0], name)
                raise

    return StandIn


@cache
def _define_parts() -> _Parts:
    """Define what stands in for modules; here, because its base class is torch's."""
    from torch import nn

    from edgebench_kit.torch.tracing import find_tensor

    stand_in: Any = _define_stand_in()

    class Blank(stand_in):  # type: ignore[misc]
        """Zeros in place of what is not needed."""

        def forward(self, *given: Any, **named: Any) -> Any:
            return make_zeros(self.form, find_tensor((given, named)))

    class Tap(nn.Module):  # type: ignore[misc]  # torch is not typed here
        """A module whose output is seen."""

        def __init__(self, inner: Any, carried: Carried) -> None:
            super().__init__()
            self.inner, self.carried = inner, carried

        def __getattr__(self, name: str) -> Any:
            try:
                return super().__getattr__(name)
            except AttributeError:
                return getattr(super().__getattr__("inner"), name)

        def forward(self, *given: Any, **named: Any) -> Any:
            written = self.inner(*given, **named)
            self.carried.tensor = find_tensor(written)
            return written

    class Resume(stand_in):  # type: ignore[misc]
        """What was computed elsewhere, in place of a module."""

        def __init__(self, form: Form, outline: Any, carried: Carried) -> None:
            super().__init__(form, outline)
            self.carried = carried

        def forward(self, *_: Any, **__: Any) -> Any:
            return put_in_form(self.carried.tensor, self.form)

    return _Parts(Blank, Tap, Resume)


@cache
def _define_part(count: int) -> Any:
    """Define a part that takes so many tensors, which exporters want to see one by one."""
    from torch import nn

    class Part(nn.Module):  # type: ignore[misc]  # torch is not typed here
        """A network from one module to others."""

        def __init__(
            self, network: Any, plan: Plan, carried: Carried, taps: Sequence[Carried]
        ) -> None:
            super().__init__()
            self.network = network
            self.plan, self.carried, self.taps = plan, carried, taps

        def forward(self, *given: Any) -> Any:
            rest = iter(given)
            try:
                self.carried.tensor = next(rest) if self.plan.start else None
                written = self.network(*_fill_in(rest, self.plan, given[0]))
                return tuple(tap.tensor for tap in self.taps) if self.taps else written
            finally:
                for carried in (self.carried, *self.taps):
                    carried.tensor = None

    Part.forward.__signature__ = sign_forward(count)  # type: ignore[attr-defined]
    return Part


def sign_forward(count: int) -> inspect.Signature:
    """Return the signature of a `forward` that takes so many tensors by place."""
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    names = ("self", *(f"given{number}" for number in range(count)))
    return inspect.Signature([inspect.Parameter(name, kind) for name in names])


def _fill_in(rest: Iterator[Any], plan: Plan, anchor: Any) -> Iterator[Any]:
    """Yield the network's inputs: what is given, and what stands in for the others."""
    for form in plan.stand_ins:
        yield next(rest) if form is None else make_zeros(form, anchor)


def find_needed(
    network: nn.Module, spans: Mapping[str, Span], plan: Plan, inputs: Sequence[Any]
) -> tuple[bool, ...]:
    """Say of each input of a network whether a part that begins within it still needs it.

    It does where the part gives something else when zeros, ones, or the samples in another order
    are put in its place.
    """
    import torch

    whole = attrs.evolve(plan, stand_ins=(None,) * len(inputs))
    part = make_part(network, whole)
    hidden = spans[plan.start].written

    def run(given: Sequence[Any]) -> Any:
        return _list_tensors(part(hidden, *given))

    with evaluating(part), torch.no_grad():
        right = run(inputs)
        return tuple(
            any(
                not _are_same(right, run([*inputs[:place], other, *inputs[place + 1 :]]))
                for other in _perturb(inputs[place])
            )
            for place in range(len(inputs))
        )


def _perturb(tensor: Any) -> Iterator[Any]:
    import torch

    yield from (torch.zeros_like(tensor), torch.ones_like(tensor), tensor.roll(1, 0))


def _list_tensors(written: Any) -> list[Any]:
    """Return all tensors of what a network gives."""
    import torch

    if isinstance(written, torch.Tensor):
        return [written]
    parts = written.values() if isinstance(written, Mapping) else written or ()
    return [tensor for part in parts for tensor in _list_tensors(part)]


def _are_same(one: Sequence[Any], other: Sequence[Any]) -> bool:
    import torch

    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))
