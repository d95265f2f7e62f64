"""`edgebench plan --cuts MODEL`: where a pipeline may be cut, the best first."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from edgebench.cases.operations import Chains, Operation
from edgebench.cli.common import Common
from edgebench.parts.changes import Operator
from edgebench.parts.cuts import Cut, Cuts
from edgebench.parts.errors import EdgebenchError

if TYPE_CHECKING:
    from edgebench.cases.case import Case

SCHEMA = 1
"""The version of the document that is printed."""
SHOWN = 40
"""The most cuts that people are shown; with `--verbose` or `--json` all that are listed."""


def print_cuts(args: argparse.Namespace, common: Common) -> int:
    """Print where the pipeline of a model, or of a chain of it, may be cut.

    Raises:
        EdgebenchError: The model or an operator is unknown, no operator lists cuts, or the pipeline
            cannot be prepared for the one that does.
    """
    if args.suite or args.model:
        raise EdgebenchError("--cuts names the model itself; leave out the suite, and --model")
    if len(args.operator) > 1:
        raise EdgebenchError("--cuts takes one chain; leave out all --operator but one")
    common.refuse_faults()
    chain, operation = _find_operation(args, common)
    found = _list(_find_case(args, chain, common), operation, common)
    if common.json:
        common.emit(_describe(args.cuts, chain, operation, found))
    else:
        _show(args.cuts, operation, found, common)
    return 0


def _find_operation(args: argparse.Namespace, common: Common) -> tuple[str, Operation]:
    """Return the chain that is prepared, and the operator with its options that lists cuts of it.

    That is the last of the chain if it lists any; else the first that is installed and does.
    """
    chains = Chains(common.plugins)
    chain = args.operator[0] if args.operator else ""
    operations = chains.of(chain)
    if operations and operations[-1].operator.list_cuts:
        return "+".join(one.written for one in operations[:-1]), operations[-1]
    for operator in common.plugins.all(Operator).values():
        if operator.list_cuts:
            return chain, chains.of(operator.name)[0]
    if args.operator:
        raise EdgebenchError(f"no operator of {chain!r}, nor any other installed here, lists cuts")
    raise EdgebenchError("no operator that is installed here lists cuts; see `edgebench list`")


def _find_case(args: argparse.Namespace, chain: str, common: Common) -> Case:
    """Return a case that is prepared as the model and chain say, whatever it would run on."""
    # Imported here because `--help` need not load what plans.
    from edgebench.cli.study import plan_study

    named = {"model": [args.cuts], "operator": [chain] if chain else []}
    plan = plan_study(argparse.Namespace(**{**vars(args), **named}), common)
    cases = [*plan.cases, *(one.case for one in plan.skipped)]
    if len({(case.model, case.variant) for case in cases}) > 1:
        raise EdgebenchError(f"--cuts names one model, and {args.cuts!r} stands for several")
    if not plan.cases:
        reasons = dict.fromkeys(one.reason for one in plan.skipped)
        raise EdgebenchError(f"{args.cuts} cannot be prepared: {'; '.join(reasons)}")
    return plan.cases[0]


def _list(case: Case, operation: Operation, common: Common) -> Cuts:
    # Imported here because `--help` need not load what prepares.
    from edgebench.prepare.make import Maker
    from edgebench.prepare.recipe import Recipes

    def progress(done: int, total: int, what: str) -> None:
        if common.verbose:
            common.note(f"edgebench: {what}")

    maker = Maker(Recipes(common.plugins, common.store), progress)
    return maker.list_cuts(case, operation)


def _describe(model: str, chain: str, operation: Operation, found: Cuts) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "model": model,
        "chain": chain,
        "operator": operation.written,
        "total": found.total,
        "more": found.more,
        "assumed": dict(found.assumed),
        "cuts": [_describe_cut(cut) for cut in found.cuts],
    }


def _describe_cut(cut: Cut) -> dict[str, Any]:
    return {
        "crossing": [
            {"name": one.name, "dtype": one.dtype, "shape": list(one.shape)} for one in cut.crossing
        ],
        "bytes": cut.bytes,
        "parameters": list(cut.parameters),
        "operations": list(cut.operations),
        "exact": cut.exact,
        "difference": cut.difference,
    }


def _show(model: str, operation: Operation, found: Cuts, common: Common) -> None:
    from edgebench.cli.tables import table

    cuts = found.cuts if common.verbose else found.cuts[:SHOWN]
    columns = ["rank", "crossing", "bytes", "parameters", "operations", "exact"]
    order = ", best first" * (found.total > 1)
    title = f"cut{'s' * (found.total != 1)} of {model}{order} by {operation.written}"
    common.show(table(title, columns, _write_rows(cuts)))
    count = f"more than {found.total:,}" if found.more else f"{found.total:,}"
    listed = f", of which {len(cuts):,} are shown" if len(cuts) < found.total else ""
    common.show(f"{count} cut{'s' * (found.total != 1)}{listed}")
    if found.assumed:
        sizes = ", ".join(f"{name} as {size}" for name, size in found.assumed.items())
        common.show(f"sizes that the model leaves open are counted for one sample: {sizes}")
    if any(cut.difference is not None for cut in cuts):
        common.show(
            "off by: how much the pieces differ from the whole on made-up inputs, relative to its "
            "largest output where that exceeds 1"
        )


def _write_rows(cuts: Iterable[Cut]) -> Iterator[list[str]]:
    for rank, cut in enumerate(cuts, 1):
        crossing = [
            f"{one.name} {one.dtype}[{', '.join(map(str, one.shape))}]" for one in cut.crossing
        ]
        yield [
            str(rank),
            "\n".join(crossing),
            f"{cut.bytes:,}",
            _write_shares(cut.parameters),
            _write_shares(cut.operations),
            _write_equality(cut),
        ]


def _write_equality(cut: Cut) -> str:
    if cut.difference is not None:
        return f"off by {cut.difference:.2g}"
    return "yes" if cut.exact else "not compared"


def _write_shares(shares: Sequence[float]) -> str:
    return " : ".join(f"{100 * share:.1f} %" for share in shares)
