"""What a report says beside its tables: doubts, reasons, tiers, links and inputs."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from edgebench_kit.reports.figures import is_emulated

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from edgebench_kit.reports.figures import Case

KINDS = 3
"""As many kinds of doubts of one cause are printed."""
TOO_SHORT = "its messages are too short to tell the rate"


def name_strategy(case: Case, *, whole: bool = True) -> str:
    """Return the chain of a case, where it runs, and of what model where that is wanted."""
    subject = f"{case['subject']} " if whole else ""
    return f"{subject}{case['chain']} on {case['placement']} with {case['backend']}"


def group_unmeasured(cases: Iterable[Case]) -> Iterator[str]:
    """Yield one line for each status and reason, with a few of the cases that have it."""
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for case in cases:
        if case["status"] != "ok":
            found[case["status"], case["reason"]].append(name_strategy(case))
    for (status, reason), names in found.items():
        yield f"{len(names)} {status}: {reason} ({_list_some(names)})"


def describe_ends(document: Mapping[str, Any]) -> Iterator[str]:
    """Yield why cases got no more blocks, with a few of those that it is so of.

    Nothing where the count of blocks was fixed.
    """
    if document["max_blocks"] is None:
        return
    names = {case["id"]: name_strategy(case) for case in document["cases"]}
    found: dict[str, list[str]] = defaultdict(list)
    for case in document["cases"]:
        if case["stopped"]:
            words = [names.get(word, word) for word in case["stopped"].split()]
            found[" ".join(words)].append(names[case["id"]])
    for why, ended in found.items():
        yield f"{why}: {_list_some(ended)}"


def _list_some(names: Sequence[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return "; ".join(names[:3]) + more


def describe_doubts(document: Mapping[str, Any]) -> Iterator[str]:
    """Yield for each cause how many cases it is doubted in, and the worst of what was found."""
    cases = {case["id"]: case for case in document["cases"]}
    # Where all are of one model, its name would be most of each line.
    several = len({case["subject"] for case in cases.values()}) > 1
    names = {one: name_strategy(case, whole=several) for one, case in cases.items()}
    # Nobody asks what to doubt in cases that never ran.
    count = sum(case["status"] != "skipped" for case in cases.values())
    for cause in document["doubts_by_cause"]:
        first, *others = cause["kinds"]
        head = f"{cause['name']}: {len(cause['cases'])} of {count} case{'s' * (count != 1)}: "
        yield head + _describe_worst(first, names)
        for kind in others[: KINDS - 1]:
            yield f"  also {len(kind['cases'])}: {_describe_worst(kind, names)}"
        if left := len(others[KINDS - 1 :]):
            yield f"  and {left} more kind{'s' * (left != 1)}"
    if document["doubts_by_cause"]:
        yield f"All of them: edgebench report {document['run']} --verbose"


def _describe_worst(kind: Mapping[str, Any], names: Mapping[str, str]) -> str:
    among = "worst of them: " * (len(kind["cases"]) > 1)
    return f"{kind['text']} ({among}{names[kind['worst']]})"


def list_doubts(cases: Iterable[Case]) -> Iterator[str]:
    """Yield every doubt of every case."""
    for case in cases:
        if case["doubts"]:
            yield name_strategy(case)
        for doubt in case["doubts"]:
            yield f"  {doubt}"


def describe_assignments(cases: Iterable[Case]) -> Iterator[str]:
    """Yield one line for each stage of a strategy that its runtime shares out: what got how much.

    Nodes that are not with what was asked for are named, a few of them.
    """
    for case in cases:
        several = len(case["stages"]) > 1
        for number, stage in enumerate(case["stages"]):
            if shared := stage["assignment"]:
                first, *others = map(_describe_share, shared)
                where = f", stage {number}" * several
                rest = [
                    f"{words} ({_list_some(one['nodes'])})" * bool(one["count"])
                    for words, one in zip(others, shared[1:], strict=True)
                ]
                yield f"{name_strategy(case)}{where}: {'; '.join(filter(None, [first, *rest]))}"


def _describe_share(one: Mapping[str, Any]) -> str:
    return f"{one['count']} node{'s' * (one['count'] != 1)} on {one['by']}"


def describe_agreements(cases: Iterable[Case]) -> Iterator[str]:
    """Yield one line for each model and backend where there is no accuracy, or no agreement."""
    yield from dict.fromkeys(
        f"{case['subject']}: {check['words']}"
        for case in cases
        for check in case["runtimes"]
        if not case["accuracy"] or check["verdict"] != "agrees"
    )


def describe_subjects(cases: Iterable[Case]) -> Iterator[str]:
    """Yield one line for each model: where its weights and its inputs came from."""
    yield from dict.fromkeys(
        f"{case['subject']}: {case['weights']} weights, inputs of {case['inputs']}"
        for case in cases
        if case["inputs"]
    )


def describe_precisions(cases: Iterable[Case]) -> Iterator[str]:
    """Yield one line for each backend that computes in another precision than a stage is kept in.

    What an operator has made coarser is kept so, and stands in the chain.
    """
    found = dict.fromkeys(
        (case["backend"], name)
        for case in cases
        for name in case["precision"].split("+")
        if name not in {"", "f32", *(stage["precision"] for stage in case["stages"])}
    )
    for backend, name in found:
        yield f"{backend} computes in {name}"


def describe_places(cases: Sequence[Case]) -> Iterator[str]:
    """Yield one line for each tier and each link: what it claims, what was measured, by what."""
    tiers: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    links: dict[tuple[Any, ...], list[Mapping[str, Any]]] = defaultdict(list)
    for case in cases:
        for tier in case["tiers"]:
            tiers[tier["name"]].append(tier)
        for link in case["links"]:
            key = (link[one] for one in ("source", "target", "rate_bit_s", "delay_s"))
            links[tuple(key)].append(link)
    for found in tiers.values():
        yield _describe_tier(found)
    for found in links.values():
        yield _describe_link(found)


def _describe_tier(found: Sequence[Mapping[str, Any]]) -> str:
    first = found[0]
    how = ", ".join(f"{what} {words}" for what, words in first["enforced"].items())
    speeds = [tier["measured"] for tier in found]
    claimed = f"{first['claimed']:.2f} of this machine's speed claimed"
    # Of a check of an older version neither is known.
    silent = first["stated"] is None and first["processors"] is not None
    idle = any(_is_idle(tier) for tier in found)
    unused = f"; its {first['accelerator']} was not used" if idle else ""
    return (
        f"{first['name']}{'*' * is_emulated(first)}: {'speed not stated' if silent else claimed}, "
        f"{min(speeds):.2f} to {max(speeds):.2f} measured, "
        f"{first['threads']} thread{'s' * (first['threads'] > 1)}; "
        f"{how or 'nothing enforced'}{unused}"
    )


def _is_idle(tier: Mapping[str, Any]) -> bool:
    """Say whether a tier has an accelerator that nothing ran on."""
    return (
        bool(tier["accelerator"]) and tier["device"].partition(":")[0].rpartition(".")[2] == "cpu"
    )


def _describe_link(found: Sequence[Mapping[str, Any]]) -> str:
    first = found[0]
    rates = [one["goodput_bit_s"] / 1e6 for one in found if one["goodput_bit_s"]]
    seen = f"{min(rates):.4g} to {max(rates):.4g} Mbit/s measured" if rates else TOO_SHORT
    late = f" and a delay of {first['delay_s'] * 1e3:g} ms" if first["delay_s"] else ""
    idle = [one["round_trip_s"] * 1e3 for one in found]
    return (
        f"{first['source']} to {first['target']}: {first['rate_bit_s'] / 1e6:.4g} Mbit/s{late} "
        f"claimed, {seen}, round trip {min(idle):.3g} to {max(idle):.3g} ms"
    )


def describe_surprises(document: Mapping[str, Any], cases: Iterable[str]) -> Iterator[str]:
    """Yield what surprises of some cases, and below it why that may be."""
    by_id = {case["id"]: case for case in document["cases"]}
    for one in document["surprises"]:
        if one["case"] in cases:
            case = by_id[one["case"]]
            yield f"{case['chain']} on {case['placement']} with {case['backend']}: {one['text']}"
            yield from (f"  may be: {reason}" for reason in one["reasons"])
