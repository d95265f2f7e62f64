"""What handling a request imports, found in a process of its own."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from pathlib import Path

from edgebench.cases.case import Case
from edgebench.catalogue.plugins import PluginSource
from edgebench.parts.documents import from_document, to_document
from edgebench.parts.errors import EdgebenchError
from edgebench.parts.subjects import Model
from edgebench.store.artifacts import read_pipeline
from edgebench.testing.contracts.bench import Bench

LIGHT = 400
"""Modules of one package up to which it is a library for pictures or words, no framework."""
_MARK = "edgebench-handling:"


def list_heavy_handling(bench: Bench, case: Case, payload: bytes) -> list[str]:
    """Return the packages that have very many modules, of what handling a request imports.

    Raises:
        EdgebenchError: The process that was to find it out has failed.
    """
    order = [
        to_document(bench.source),
        to_document(case),
        str(bench.maker.base(case)),
        base64.b64encode(payload).decode(),
    ]
    done = subprocess.run(
        [sys.executable, "-P", "-m", __name__],
        input=json.dumps(order),
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    for line in done.stdout.splitlines():
        if line.startswith(_MARK):
            return list(json.loads(line.removeprefix(_MARK)))
    last = (done.stderr.strip().splitlines() or [f"status {done.returncode}"])[-1]
    raise EdgebenchError(f"a request could not be handled in a process of its own: {last}")


def main() -> int:
    """Handle the request of the order, and print what is heavy of what that imported."""
    source, case, base, payload = json.loads(sys.stdin.read())
    case = from_document(Case, case)
    plugins = from_document(PluginSource, source).load()

    model = plugins.get(Model, case.model)
    bound = model.bound(case.variant, read_pipeline(Path(base)).resources)
    bound.preprocess(bound.decode(base64.b64decode(payload), case.variant), case.variant)
    counts: dict[str, int] = {}
    for name in sys.modules:
        package = name.partition(".")[0]
        if package not in sys.stdlib_module_names and package != "scipy":
            counts[package] = counts.get(package, 0) + 1
    print(_MARK + json.dumps(sorted(one for one, n in counts.items() if n > LIGHT)))  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
