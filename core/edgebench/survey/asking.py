"""Having a process look at installed plugins, and hearing what it tells of them."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import IO, Any

import attrs

from edgebench.catalogue.registry import Registry
from edgebench.parts.errors import EdgebenchError
from edgebench.store.owners import MARK, SAFE, end_marked, identify_owner
from edgebench.survey.installed import Installed
from edgebench.survey.looking import Question

Progress = Callable[[int, int], None]
"""Told how many of how many distributions were looked at."""
Offers = list[dict[str, Any]]
"""What plugins offer, each an `Offer` as JSON."""


@attrs.define(kw_only=True)
class Told:
    """What is told of one distribution."""

    key: str
    points: int
    """How many plugins it has."""
    offers: Offers = attrs.field(factory=list)
    by_registry: bool = False
    """Whether what it offers follows from the registry."""


def look_at(
    missing: Sequence[Installed], registry: Registry, limit_s: float, progress: Progress
) -> Iterator[Told]:
    """Have a process look at distributions, and yield what is told of each when that is all.

    Raises:
        EdgebenchError: That process did not come to its end.
    """
    mark = f"{identify_owner()}/{secrets.token_hex(8)}"
    places = {one.key: one.place for one in missing}
    question = Question(
        places=places,
        path=sys.path,
        registry=list(map(str, registry.paths)),
        limit_s=limit_s,
        at_once=len(os.sched_getaffinity(0)) + 1,
        parent=os.getpid(),
    )
    done = 0
    try:
        with tempfile.TemporaryFile("w+") as log, _start(question, mark, log) as process:
            assert process.stdout is not None  # noqa: S101 (it is a pipe)
            for told in _gather(process.stdout):
                yield told
                done += 1
                progress(done, len(places))
            log.seek(0)
            said = log.read()
    finally:
        # Whoever is interrupted leaves none of them, nor what plugins have started.
        end_marked(mark.__eq__)
    if done < len(places):
        last = (said.strip().splitlines() or [f"it ended with status {process.returncode}"])[-1]
        raise EdgebenchError(f"what installed plugins offer could not be looked at: {last}")


def _gather(lines: Iterable[str]) -> Iterator[Told]:
    """Yield what is told of each distribution, from the lines that tell of one plugin each."""
    told: dict[str, Told] = {}
    for line in map(json.loads, lines):
        one = told.setdefault(line["key"], Told(key=line["key"], points=line.get("points", 0)))
        one.offers += [line["offer"]] if "offer" in line else []
        one.by_registry = one.by_registry or line.get("by_registry", False)
        if len(one.offers) == one.points:
            yield one


def _start(question: Question, mark: str, log: IO[str]) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "edgebench.survey.looking"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log,
        text=True,
        env={**os.environ, **SAFE, MARK: mark},
        start_new_session=True,
    )
    assert process.stdin is not None  # noqa: S101 (it is a pipe)
    process.stdin.write(json.dumps(attrs.asdict(question), default=str) + "\n")
    process.stdin.flush()
    return process
