"""How long `edgebench list` takes, alone and beside 200 distributions of five parts each.

Promised: 0.25 s with everything installed; 0.4 s with 200 distributions that are known, which are
looked at in at most 20 s the first time. Each figure is the median of repeated processes.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

MODULE = '''\
"""A plugin with five parts."""

from edgebench import Operator, hookimpl


@hookimpl
def edgebench_operators():
    for number in range(5):
        yield Operator(name=f"{name}-{{number}}", summary="An operator.", apply=print)
'''


def install(site: Path, count: int) -> None:
    """Lay out distributions as pip would."""
    for number in range(count):
        name = f"part{number}"
        (site / f"{name}_plugin.py").write_text(MODULE.format(name=name))
        info = site / f"edgebench_{name}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: edgebench-{name}\nVersion: 1.0\n"
        )
        (info / "entry_points.txt").write_text(f"[edgebench]\n{name} = {name}_plugin\n")
        (info / "RECORD").write_text(f"{name}_plugin.py,sha256=x,1\n")


def time_list(variables: dict[str, str]) -> float:
    """Return the seconds of one process."""
    begin = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "edgebench", "list"],
        env={**os.environ, **variables},
        stdout=subprocess.DEVNULL,
        check=True,
    )
    return time.perf_counter() - begin


def main() -> int:
    """Print the figures and what was promised."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=11)
    parser.add_argument("--distributions", type=int, default=200)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        site = Path(scratch) / "site"
        site.mkdir()
        alone = {"EDGEBENCH_CACHE": f"{scratch}/cache"}
        many = alone | {"PYTHONPATH": os.pathsep.join(
            filter(None, [str(site), os.environ.get("PYTHONPATH", "")]))}  # fmt: skip
        install(site, asked.distributions)
        first = time_list(many)
        took = {
            name: statistics.median(time_list(variables) for _ in range(asked.repeats))
            for name, variables in (("alone", alone), ("many", many))
        }
    rows = (("alone", took["alone"], 0.25), (f"{asked.distributions} distributions, known",
            took["many"], 0.4), (f"{asked.distributions} distributions, the first time", first, 20))  # fmt: skip
    for name, seconds, most in rows:
        said = "met" if seconds <= most else "not met"
        print(f"edgebench list, {name}: {seconds:.2f} s, at most {most:g} s: {said}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
