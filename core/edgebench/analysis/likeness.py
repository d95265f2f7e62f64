"""What makes two results of one case alike, or not: inputs, conditions, and the machine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from statistics import median
from typing import TYPE_CHECKING, Any

import attrs

from edgebench.cases.case import write_options

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgebench.analysis.result import Result
    from edgebench.analysis.results import RunResults
    from edgebench.cases.case import Case
    from edgebench.records.outcome import Block

LEAST_SHARED = 0.5
"""Inputs are matched where at least so large a share of both runs' requests sent the same ones."""
NOTABLE = 0.05
"""The least difference of a machine's load that is named, as a share of its processors' time."""
OTHER_FILE = "another file of this name, or read by another version of its plugin"
"""What is said of a file elsewhere that was built to something else."""
PASSING = frozenset(("frequency_hz", "clock_resolution_s", "commit"))
"""What a run notes of a machine that differs from minute to minute, or that the version says."""


# --- inputs ------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Requests:
    """The requests of a case in one run, weighed so that inputs count alike in both."""

    blocks: tuple[NDArray[Any], ...] = attrs.field(eq=False, repr=False)
    """Of each block seconds and weights, shape (2, requests); none that has no request left."""
    weighed: bool = False
    """Whether they count otherwise than all alike."""
    matched: bool | None = None
    """Whether the inputs of both runs were the same, or have been matched; None if not known."""
    shared: float | None = None
    """The share of the requests whose inputs the other run sent too; None if not known."""
    left_out: int = 0
    """How many requests are left out, as the other run never sent their inputs."""

    @property
    def count(self) -> int:
        """How many requests there are."""
        return sum(block.shape[1] for block in self.blocks)

    @classmethod
    def of(cls, result: Result) -> Requests:
        """Take all requests of a result, each as much as any other."""
        return cls(blocks=tuple(_weigh(block, None) for block in result.measured))


def weigh_alike(before: Result, after: Result) -> tuple[Requests, Requests]:
    """Return the requests of both, weighed so that each input counts as much in the one as other.

    An input that one run sent oftener than the other would, where it takes longer, make that run
    slower. What only one of them sent is left out. Nothing is weighed where both sent each input
    equally often, or where so little was sent by both that what is left would say less.
    """
    both_sides = (before, after)
    if any(block.inputs is None for one in both_sides for block in one.measured):
        return Requests.of(before), Requests.of(after)
    sent = [_join_inputs(one.measured) for one in both_sides]
    shares = [_find_shares(one) for one in sent]
    both = shares[0].keys() & shares[1].keys()
    shared = [sum(one[name] for name in both) for one in shares]
    covered = min(shared)
    alike = shares[0] == shares[1]
    matched = alike or covered >= LEAST_SHARED
    weighed = matched and not alike
    made = []
    for result, own, part in zip(both_sides, shares, shared, strict=True):
        weights = {n: (shares[0][n] + shares[1][n]) / (2 * own[n]) for n in both}
        blocks = [_weigh(block, weights if weighed else None) for block in result.measured]
        # A run of more blocks goes on to inputs that the other never sent.
        kept = tuple(block for block in blocks if block.shape[1])
        requests = Requests(blocks=kept, weighed=weighed, matched=matched, shared=part)
        made.append(attrs.evolve(requests, left_out=result.samples - requests.count))
    return made[0], made[1]


def _join_inputs(blocks: Sequence[Block]) -> list[int]:
    return [one for b in blocks if b.inputs is not None for one in b.inputs.tolist()]


def _find_shares(sent: Sequence[int]) -> dict[int, float]:
    counts: dict[int, int] = {}
    for one in sent:
        counts[one] = counts.get(one, 0) + 1
    return {one: count / len(sent) for one, count in counts.items()}


def _weigh(block: Block, weights: Mapping[int, float] | None) -> NDArray[Any]:
    import numpy as np

    seconds = np.asarray(block.latency_s, dtype=float)
    if weights is None or block.inputs is None:
        return np.stack([seconds, np.ones(len(seconds))])
    given = np.array([weights.get(one, 0.0) for one in block.inputs.tolist()])
    return np.stack([seconds, given])[:, given > 0]


# --- what else differs ---------------------------------------------------------------------------


@attrs.frozen
class Difference:
    """Something that is not the same in two runs, beside what they measured."""

    what: str
    before: str
    after: str


def find_surroundings(before: RunResults, after: RunResults) -> tuple[Difference, ...]:
    """Return what differs between the machines and the conditions of two runs.

    The processor, the versions of what they stand on, how the tiers were made real, the load.
    """
    one, other = (_describe(run) for run in (before, after))
    names = dict.fromkeys([*one, *other])
    pairs = ((name, one.get(name, ""), other.get(name, "")) for name in names)
    return (
        *(Difference(n, a or "not known", b or "not known") for n, a, b in pairs if a != b),
        *_find_load(before, after),
    )


def _describe(run: RunResults) -> dict[str, str]:
    environment = dict(run.run.environment)
    versions = environment.pop("versions", None) or {}
    said = {name: _write(value) for name, value in environment.items() if name not in PASSING}
    said |= {f"version of {name}": _write(value) for name, value in versions.items()}
    results = [one for one in run.results if one.measured]
    used = {name: value for one in results for name, value in one.facts.versions.items()}
    said |= {f"version of {name}": value for name, value in used.items()}
    said["fabric"] = ", ".join(sorted({one.case.fabric for one in results}))
    enforced = {
        f"{key} of {tier.name}": value
        for one in results
        for block in one.measured
        for tier in block.tiers
        for key, value in tier.enforced.items()
    }
    return {**said, **{name: text.partition(":")[0] for name, text in enforced.items()}}


def _write(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(_write, value))
    return "" if value is None else str(value)


def _find_load(before: RunResults, after: RunResults) -> Iterator[Difference]:
    for key, what in (("busy", "used by other programs"), ("steal", "taken by other machines")):
        one, other = (_find_median(run.results, key) for run in (before, after))
        if one is not None and other is not None and abs(one - other) >= NOTABLE:
            yield Difference(f"processor time {what}", f"{one:.0%}", f"{other:.0%}")


def _find_median(results: Sequence[Result], key: str) -> float | None:
    blocks = (block for one in results for block in one.measured)
    found = [block.machine[key] for block in blocks if block.machine.get(key) is not None]
    return median(found) if found else None


def find_load(result: Result) -> float:
    """Return the share of the machine's processor time that others had, as far as it is known."""
    return sum(_find_median([result], key) or 0.0 for key in ("busy", "steal"))


def find_changed(before: Result, after: Result) -> tuple[Difference, ...]:
    """Return what differs in how two results of one case were made, their figures aside."""
    sides = (before.facts, after.facts)
    pairs = {name: [getattr(one, name) for one in sides] for name in ("device", "precision")}
    # A key follows from times of change too, as those of a copy of data; content does not.
    held = "content" if all(one.content for one in sides) else "artifact"
    pairs["artifact"] = [getattr(one, held)[:8] for one in sides]
    pairs["file"] = [one.case.weights.label.removeprefix("file:") for one in (before, after)]
    if _are_other_files(before, after):
        pairs["file"][1] += f" ({OTHER_FILE})"
    pairs["data"] = [_write_data(one.case) for one in (before, after)]
    speeds = [_find_speeds(one) for one in (before, after)]
    # A tier that states its gflops is as fast as this machine's own figure makes it.
    pairs |= {f"speed of {one}": [each.get(one, "") for each in speeds] for one in speeds[0]}
    return tuple(Difference(name, a, b) for name, (a, b) in pairs.items() if a != b and a and b)


def _are_other_files(before: Result, after: Result) -> bool:
    """Say whether two cases of files elsewhere were built to pipelines of two keys."""
    built = [one.facts.steps[0].artifact if one.facts.steps else "" for one in (before, after)]
    return before.case.id != after.case.id and all(built) and built[0] != built[1]


def _find_speeds(result: Result) -> dict[str, str]:
    """Return the speeds that the tiers of a case stated when it was measured."""
    checks = [check for block in result.measured for check in block.tiers]
    return {one.name: f"{one.stated:g}" for one in checks if one.stated is not None}


def _write_data(case: Case) -> str:
    # It is no part of a case's id where data lies, so two runs of one may be of other data.
    return f"{case.data}{write_options(case.data_options)}" if case.data else ""


def name_cases(cases: Iterable[Case]) -> dict[str, str]:
    """Return what cases are called, by their ids: the id beside a label that several have."""
    labels = {case.id: case.label for case in cases}
    counts = Counter(labels.values())
    return {name: f"{one} [{name}]" if counts[one] > 1 else one for name, one in labels.items()}


def tell_apart(one: Result, other: Result) -> tuple[str, ...]:
    """Return the names of what makes two cases two, though they are written alike."""
    kept = [attrs.asdict(result.case, recurse=False) for result in (one, other)]
    return tuple(name for name in kept[0] if name != "seed" and kept[0][name] != kept[1][name])
