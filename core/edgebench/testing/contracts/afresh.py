"""Asking a process of its own: what plugins print there, and do as it ends, is left aside."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from edgebench.parts.errors import EdgebenchError, one_line
from edgebench.store.scratch import open_scratch

ORDER, ANSWER, LOG = "order.json", "answer.json", "log"


class Crashed(EdgebenchError):
    """A process that ended by a signal."""


def ask_afresh(module: str, order: Any) -> Any:
    """Return what a module's process answers to an order.

    Raises:
        EdgebenchError: It failed there; a `Crashed` if the process did not even say so.
    """
    with open_scratch() as place:
        (place / ORDER).write_text(json.dumps(order))
        # Files, not pipes: those would stay open as long as something that it has started.
        with (place / LOG).open("wb") as log:
            done = subprocess.run(
                [sys.executable, "-P", "-m", module, str(place)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
                check=False,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            )
        if done.returncode < 0:
            raise Crashed(f"the process was killed by {signal.Signals(-done.returncode).name}")
        if (answer := place / ANSWER).is_file():
            return json.loads(answer.read_text())
        said = (place / LOG).read_text(errors="replace").strip().splitlines()
        raise EdgebenchError(said[-1] if said else f"it ended with {done.returncode}")


def answer_order(argv: Sequence[str], obey: Callable[[Any], Any]) -> None:
    """Answer the order in the directory that is named, and end; what goes wrong is said last."""
    place, code = Path(argv[0]), 0
    try:
        answer = json.dumps(obey(json.loads((place / ORDER).read_text())))
        (place / ANSWER).write_text(answer)
    except BaseException as error:  # noqa: BLE001 (whatever a part raises)
        said = str(error) if isinstance(error, EdgebenchError) else one_line(error)
        sys.stderr.write("\n" + " ".join(said.split()) + "\n")
        sys.stderr.flush()
        code = 1
    # A host is killed when it is done: what a part would do at the end is never done there either.
    os._exit(code)
