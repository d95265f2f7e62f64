"""What commands do, for programs and notebooks: `edgebench.run` and `edgebench.results`."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from edgebench.analysis.plain_tables import Tables
from edgebench.analysis.results import RunResults
from edgebench.records.database import Database

Texts = str | Sequence[str]
"""One text, or several."""
Place = str | Path


def run(
    suite: str = "",
    *,
    model: Texts = (),
    operator: Texts = (),
    placement: Texts = (),
    backend: Texts = (),
    fabric: Texts = (),
    scenario: Texts = (),
    link: Texts = (),
    input_at: str = "",
    weights: str = "",
    data: Mapping[str, Place] | Place | None = None,
    input_data: Place | None = None,
    calibration: Place | None = None,
    batch: int = 1,
    threads: int | None = None,
    seed: int = 0,
    score_limit: int | None = None,
    blocks: int | None = None,
    requests: int | None = None,
    until: str | None = None,
    precision: float | None = None,
    max_blocks: int | None = None,
    aa: bool = False,
    quick: bool = False,
    margin: float | None = None,
    db: Place | None = None,
    resume: bool = False,
    time_limit: float | None = None,
    prepare_limit: float | None = None,
    verify_predictions: int | None = None,
    predict_link: Texts = (),
    tag: str = "",
    registry: Texts = (),
    plugin: Texts = (),
    without: Texts = (),
) -> RunResults:
    """Measure a suite, or the product of models, operators, placements and the like.

    Where neither a suite nor a model is named, `edgebench.toml` of the working directory says what
    to measure. Each argument is the option of `edgebench run` of that name, with its meaning and
    default: *precision* is a share (0.02 for 2 %), *margin* points of accuracy, *data* a path to
    data of your own, or directories by the names of their datasets. What takes several takes one as
    well. Nothing is printed. Ctrl-C ends it at once; what was measured until then is in the
    database, and `resume=True` goes on.

    Raises:
        EdgebenchError: What was asked for is unknown or malformed, or cannot be run.
    """
    given = dict(locals())
    if isinstance(data, Mapping):
        given["data"] = [f"{name}={place}" for name, place in data.items()]
    given["margin"] = None if margin is None else f"accuracy={margin!r}"
    given["precision"] = None if precision is None else f"{100 * precision:.12g}%"
    words = ["run", *_write_options(given)]
    # What plugins print, while they are imported or asked, is no result.
    with redirect_stdout(sys.stderr):
        return _run(words)


def _write_options(given: Mapping[str, Any]) -> Iterable[str]:
    """Yield arguments as they are written on the command line; those not given are left out."""
    if suite := given["suite"]:
        yield suite
    for name, value in given.items():
        option = f"--{name.replace('_', '-')}"
        if name == "suite" or value is None or value is False:
            continue
        if value is True:
            yield option
            continue
        several = value if isinstance(value, list | tuple) else [value]
        # In one word, so that what begins with a dash is no option.
        yield from (f"{option}={one}" for one in several if one != "")


def _run(words: Sequence[str]) -> RunResults:
    from edgebench.cli import parse_words
    from edgebench.cli.project import take_project
    from edgebench.cli.run import execute_plan, plan_what_is_asked
    from edgebench.conduct.watcher import Watcher

    args, common = take_project(*parse_words(words))
    plan = plan_what_is_asked(args, common)
    with Database.open(args.db, write=True) as database:
        name = execute_plan(plan, database, Watcher(), args, common)
        return RunResults.of(database.read_run(name))


def results(db: Place | None = None, run: str | None = "latest") -> Tables:
    """Return the results of a run as plain tables; of all runs where *run* is None.

    *run* is an id, the only beginning of one, or `latest`; without *db* it is the database that
    commands take.

    Raises:
        DatabaseError: There is no such database or run.
    """
    from edgebench.cli import parse_words

    words = [] if db is None else [f"--db={db}"]
    args, _ = parse_words(["report", *words])
    with Database.open(args.db) as database:
        names = [run] if run is not None else [one.id for one in database.read_runs()]
        found = [RunResults.of(database.read_run(name)) for name in names]
    return Tables(runs=tuple(found))
