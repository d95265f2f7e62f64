"""The process that prepares one case: `python -m edgebench.prepare.worker ORDER.json EVENTS`.

It writes one JSON line an event to the file descriptor EVENTS: progress, and at the end where the
pipeline lies, or why there is none. What parts print goes to its own standard output, which the
controller keeps as the case's log.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

from edgebench.cases.case import Case
from edgebench.parts.documents import from_document, to_document
from edgebench.parts.errors import CaseSkipped, ChainError, DataError, EdgebenchError, one_line
from edgebench.prepare.make import Maker
from edgebench.prepare.orders import WAITING, Event, Order
from edgebench.prepare.recipe import Recipes
from edgebench.store.artifacts import Store
from edgebench.store.lifeline import die_with


def main(argv: list[str]) -> int:
    """Do what the order says, and return 0 whether it went well or not: the events tell."""
    order = from_document(Order, json.loads(Path(argv[0]).read_text()))
    die_with(order.parent)
    with os.fdopen(int(argv[1]), "w", buffering=1) as events:
        _say(events, _obey(order, events))
    return 0


def _obey(order: Order, events: TextIO) -> Event:
    try:
        path = _prepare(order, events)
        return Event(path=path, status="" if path else WAITING)
    except (CaseSkipped, ChainError) as error:
        return Event(status="skipped", reason=str(error))
    except DataError as error:
        return Event(status="mistaken", reason=str(error))
    except EdgebenchError as error:
        if error.__cause__:
            # A part's own bug fails its case, not the suite; the log keeps the traceback.
            traceback.print_exception(error.__cause__)
        return Event(status="failed", reason=str(error))
    except Exception as error:  # noqa: BLE001 (whatever a part raises)
        traceback.print_exc()
        return Event(status="failed", reason=one_line(error))


def _prepare(order: Order, events: TextIO) -> Path | None:
    recipes = Recipes(order.source.load(), Store(order.store))

    def progress(done: int, total: int, what: str) -> None:
        # Parts count in whatever numbers their frameworks gave them.
        _say(events, Event(progress=(int(done), int(total), str(what))))

    maker = Maker(recipes, progress, order.profiled)
    makers: dict[str, Callable[[Case], Path | None]]
    makers = {"inputs": maker.inputs, "base": maker.base, "pipeline": maker.prepare}
    return makers[order.what](order.case)


def _say(events: TextIO, event: Event) -> None:
    events.write(json.dumps(to_document(event)) + "\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
