"""Results that were measured elsewhere into the database: of another one, or of an importer.

What is imported is kept as what was measured here is, and its run says where it comes from.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from edgebench.cases.case import Case
from edgebench.cases.chain import parse_backend
from edgebench.cases.expand import find_model
from edgebench.cases.operations import Chains
from edgebench.cases.routes import find_route, parse_placement
from edgebench.catalogue.blame import blame
from edgebench.parts.errors import CaseFailed, DataError, EdgebenchError
from edgebench.parts.places import Importer, Tier
from edgebench.records.database import Database
from edgebench.records.facts import Facts
from edgebench.records.outcome import Block, Outcome, Run
from edgebench.records.sqlitefile import is_database

if TYPE_CHECKING:
    from edgebench.catalogue.plugins import Plugins
    from edgebench.records.imported import Imported


@attrs.frozen(kw_only=True)
class ImportedRun:
    """A run that was imported."""

    run: str
    """Its id in the database that it was imported into."""
    was: str
    """Its id where it came from; empty where it had none."""
    source: str
    """Where it came from."""
    importer: str
    """What read it; empty for another database."""
    cases: int
    blocks: int
    """Those that ended well."""
    requests: int
    """The measured ones in these."""
    notes: tuple[str, ...] = ()
    """What was left out, and that it is here already, a sentence each."""


def import_results(
    path: Path, database: Database, plugins: Plugins, *, run: str = "", tag: str = ""
) -> tuple[ImportedRun, ...]:
    """Import what a file or directory holds, all of it or nothing.

    Args:
        path: A database of edgebench, or what an importer claims.
        database: Where it is kept; open for writing.
        plugins: What offers importers, and the names of cases.
        run: Of a database the one run that is wanted, by its id or a beginning; empty for all.
        tag: Kept with what an importer reads.

    Raises:
        EdgebenchError: There is nothing there that is known, or it is not what it must be.
    """
    if not path.exists():
        raise DataError(f"there is no file or directory {str(path)!r} to import")
    with database.write_at_once():
        if is_database(path):
            if tag:
                raise DataError("--tag is for what is no database of edgebench: runs keep theirs")
            return tuple(_copy_runs(path, database, run))
        importer = _find_importer(path, plugins)
        if run:
            raise DataError(f"--run names a run of a database, and {path} is none; leave it out")
        with blame(plugins, Importer, importer.name):
            found: Sequence[Imported] = list(importer.read(path))
        return (_keep(found, path, importer.name, database, plugins, tag),)


def _find_importer(path: Path, plugins: Plugins) -> Importer:
    known = plugins.all(Importer)
    for importer in known.values():
        with blame(plugins, Importer, importer.name):
            if importer.claims(path):
                return importer
    expected = " or ".join(one.summary.rstrip(".") for one in known.values())
    raise DataError(
        f"{path} holds no results that can be imported; expected is a database of edgebench"
        + f", or: {expected}" * bool(expected)
    )


# --- another database ----------------------------------------------------------------------------


def _copy_runs(path: Path, database: Database, wanted: str) -> Iterable[ImportedRun]:
    if path.resolve() == database.path.resolve():
        raise DataError(f"{path} is the database itself; name another with --db FILE")
    known = database.read_runs()
    taken = {run.id for run in known}
    with Database.open(path) as other:
        names = [wanted] if wanted else [run.id for run in other.read_runs()]
        for name in names or ["latest"]:
            found = other.read_run(name)
            # A run that was imported before comes from where it came from then.
            source = found.run.source or str(path.resolve())
            # Nor may one be gone on with here: its plan is that of another machine.
            fresh = attrs.evolve(
                found.run, id=_find_free(found.run.id, taken), source=source, plan_digest=""
            )
            taken.add(database.begin_run(fresh))
            for outcome in found.cases:
                _copy_case(outcome, found.run.id, other, fresh.id, database)
            if found.run.finished:
                database.finish_run(fresh.id, found.run.finished)
            yield ImportedRun(
                run=fresh.id,
                was=found.run.id,
                source=source,
                importer="",
                cases=len(found.cases),
                blocks=sum(len(outcome.measured) for outcome in found.cases),
                requests=sum(outcome.samples for outcome in found.cases),
                notes=tuple(_find_copies(found.run, source, known)),
            )


def _find_copies(run: Run, source: str, known: Iterable[Run]) -> Iterable[str]:
    """Yield that a run is here already: what follows runs takes copies for runs of their own."""
    for one in known:
        named = one.id == run.id or one.id.startswith(f"{run.id}-")
        if named and (one.started, one.source) == (run.started, source):
            yield (
                f"this is run {one.id} again, which comes from there too, and no other measurement;"
                f" `edgebench runs rm {one.id}` removes the copy"
            )


def _find_free(name: str, taken: set[str]) -> str:
    """Return an id, with a number behind it where it is taken."""
    number, free = 2, name
    while free in taken:
        free, number = f"{name}-{number}", number + 1
    return free


def _copy_case(outcome: Outcome, was: str, other: Database, run: str, database: Database) -> None:
    case = outcome.case
    if outcome.status == "skipped" and not outcome.planned:
        database.add_cases(run, [], blocks=0, skipped=[(case, outcome.reason)])
    else:
        database.add_cases(run, [case], blocks=outcome.planned)
    logs = other.read_logs(was, case.id)
    for block in outcome.blocks:
        said = {role: text for (number, role), text in logs.items() if number == block.number}
        database.save_block(run, case.id, attrs.evolve(block, logs=said))
    for (number, role), text in logs.items():
        if number < 0:
            database.save_log(run, case.id, role, text)
    database.finish_case(run, case.id, outcome.facts)


# --- what an importer reads ----------------------------------------------------------------------


def _keep(
    found: Sequence[Imported],
    path: Path,
    importer: str,
    database: Database,
    plugins: Plugins,
    tag: str,
) -> ImportedRun:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    chains = Chains(plugins)
    by_case: dict[str, tuple[Case, Imported]] = {}
    twice: list[str] = []
    for one in found:
        case = _make_case(one, chains)
        if by_case.setdefault(case.id, (case, one))[1] is not one:
            twice.append(f"{one.origin} holds {case.label} as {by_case[case.id][1].origin} does")
    if not by_case:
        raise DataError(f"{path} holds no result")
    run = database.begin_run(Run(started=now, finished=now, tag=tag, source=str(path.resolve())))
    database.add_cases(run, [case for case, _ in by_case.values()], blocks=1)
    for order, (case, one) in enumerate(by_case.values()):
        database.save_block(run, case.id, _make_block(one, order, now))
        database.finish_case(run, case.id, _make_facts(one))
    return ImportedRun(
        run=run,
        was="",
        source=str(path.resolve()),
        importer=importer,
        cases=len(by_case),
        blocks=len(by_case),
        requests=sum(len(one.latency_s) for _, one in by_case.values()),
        notes=tuple(f"left out: {each}" for each in twice),
    )


def _make_case(one: Imported, chains: Chains) -> Case:
    """Return the case that names stand for.

    Raises:
        EdgebenchError: One of them is not known; the file is named.
    """
    plugins = chains.plugins
    try:
        name, _, wanted = one.model.partition(":")
        model = find_model(name, plugins)
        variant = model.variant(wanted)
        placement = parse_placement(one.placement, plugins.all(Tier))
        route, links = find_route(placement, one.links, "", plugins.registry.defaults.input_at)
        return Case(
            model=name,
            variant=variant.name,
            dataset=model.dataset_of(variant.name),
            chain=chains.spell(one.chain),
            placement=placement,
            backends=[parse_backend(one.backend)] * len(placement.tiers),
            links=links,
            route=route,
            fabric=one.fabric,
        )
    except CaseFailed:
        raise
    except EdgebenchError as error:
        raise DataError(f"{one.origin}: {error}") from error


def _make_block(one: Imported, order: int, started: str) -> Block:
    return Block(
        number=0,
        order=order,
        status="ok",
        started=started,
        duration_s=float(one.latency_s.sum()),
        latency_s=one.latency_s,
        inputs=one.inputs,
    )


def _make_facts(one: Imported) -> Facts:
    return Facts(
        device=one.device,
        no_accuracy=one.no_accuracy,
        no_agreement="imported",
        doubts=one.doubts,
        imported=one.measured,
        stopped="as it was measured elsewhere",
    )
