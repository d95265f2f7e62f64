"""`edgebench measure-device`: how fast this machine is, as a tier to paste into a registry."""

from __future__ import annotations

import argparse
import json
import platform
import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from edgebench.cli.common import Common
from edgebench.cli.numbers import seconds
from edgebench.parts.errors import DataError, nearest
from edgebench.records.environment import (
    Cores,
    Environment,
    count_cores,
    count_processors,
    describe,
)
from edgebench.toml.writing import write_comment, write_text

if TYPE_CHECKING:
    from edgebench.measure.stand.device_speed import MachineSpeed

SCHEMA = 1
"""The version of the document that this command prints."""
MOST_S = 3600.0
"""For so long it measures at most."""
Facts = dict[str, Any]


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the command's own options."""
    parser.add_argument("--seconds", type=_read_seconds, default=2.0, metavar="S",
                        help="measure for so long (2)")  # fmt: skip
    parser.add_argument("--against", metavar="FILE_OR_GFLOPS",
                        help="say how fast this is over another machine: what this command printed "
                             "there with --json, its figure, or a device of the registry"
                        )  # fmt: skip


def _read_seconds(text: str) -> float:
    if (number := seconds(text)) > MOST_S:
        raise argparse.ArgumentTypeError(f"must be at most {MOST_S:g} s, not {text!r}")
    return number


def run(args: argparse.Namespace, common: Common) -> int:
    """Measure, keep the figure, and print it as a tier."""
    # Imported here because `--help` need not load it.
    from edgebench.measure.stand.device_speed import WIDE, keep, measure_machine

    other = _find_other(args.against, common) if args.against else None
    found = measure_machine(args.seconds)
    facts = _describe(found, describe())
    if other:
        facts["against"] = {**other, "speed": float(f"{found.gflops / other['gflops']:.3g}")}
    if common.json:
        common.emit({"schema": SCHEMA, **facts})
    else:
        common.print("\n".join(_write_tier(facts, count_cores())))
    if found.spread > WIDE:
        common.note(
            f"edgebench: nine of ten rounds lie between {found.low:.3g} and {found.high:.3g}: "
            "measure again when this machine is idle and cool"
        )
    if (before := keep(found)) is not None:
        common.note(
            f"edgebench: {before:g} GFLOPS were kept for this machine; {found.gflops:g} take "
            "their place, and tiers that state gflops get another speed"
        )
    return 0


def _describe(found: MachineSpeed, machine: Environment) -> Facts:
    """Return what is known of this machine, under the names of the document."""
    bounds = (machine.memory_bytes, machine.memory_limit_bytes)
    return {
        "name": re.sub(r"[^a-z0-9]+", "_", platform.node().lower()).strip("_") or "here",
        "processor": machine.processor,
        "architecture": machine.architecture,
        "cpus": max(1, int(count_processors())),
        "memory_bytes": min((one for one in bounds if one), default=None),
        "date": date.today().isoformat(),
        **attrs.asdict(found),
        "against": None,
    }


def _write_tier(facts: Facts, cores: Cores) -> Iterator[str]:
    """Yield the lines of a table of a registry file."""
    what = facts["processor"] or facts["architecture"]
    yield f"[tiers.{facts['name']}]"
    yield f"summary = {write_text(f'{what}, as it was measured.')}"
    yield f"cpus = {facts['cpus']}"
    if facts["memory_bytes"] is None:
        yield "memory_gib = 1  # could not be read: write what it has"
    else:
        yield f"memory_gib = {facts['memory_bytes'] / 2**30:.3g}"
    yield f"gflops = {facts['gflops']:g}"
    # A quota may leave fewer processors than there are cores.
    threads = min(cores.count, facts["cpus"])
    counted = cores.what if threads == cores.count else "as many as it is granted"
    yield f"threads = {threads}"
    by = f"numpy {facts['numpy']}, {facts['blas'] or 'of an unknown BLAS'}"
    spread = f"nine of ten of {facts['rounds']} rounds {facts['low']:.3g} to {facts['high']:.3g}"
    source = f"edgebench measure-device, {facts['date']}: {what}, {by}; {spread}"
    yield f"source = {write_text(f'{source}; threads: {counted}')}"
    if other := facts["against"]:
        named = f"{other['name']}, {other['gflops']:g} GFLOPS"
        yield from write_comment(f"{other['speed']:g} times as fast as {named}")


def _find_other(said: str, common: Common) -> Facts:
    """Return the figure of another machine, and what it is called.

    Raises:
        DataError: What was given is no figure, no device and no document of this command.
    """
    # Imported here because `--help` need not load it.
    from edgebench.measure.stand.device_speed import LEAST, MOST

    devices = common.registry.devices
    if said in devices:
        return {"name": said, "gflops": devices[said].gflops}
    given: Facts = {"name": "a machine"}
    try:
        given["gflops"] = float(said)
    except ValueError:
        given = _read_document(Path(said), nearest(said, devices))
    if not LEAST <= given["gflops"] <= MOST:
        raise DataError(f"--against {said}: a figure is {LEAST:g} to {MOST:g} GFLOPS")
    return {**given, "gflops": float(given["gflops"])}


def _read_document(file: Path, offer: str) -> Facts:
    try:
        document = json.loads(file.read_bytes())
    except OSError as error:
        why = f"is no number, no file ({error.strerror}) and no device{offer}"
        raise DataError(f"--against {file} {why}") from error
    except (ValueError, RecursionError) as error:
        document = error
    figure = document.get("gflops") if isinstance(document, dict) else None
    if isinstance(figure, bool) or not isinstance(figure, float | int):
        why = "holds no figure: give what `edgebench measure-device --json` printed there"
        raise DataError(f"--against {file} {why}")
    return {"name": str(document.get("name", file)), "gflops": figure}
