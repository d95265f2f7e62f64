"""This machine's own figure: what one of its threads does in a product of float32 matrices."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from statistics import median, quantiles

import attrs

from edgebench.parts.errors import EdgebenchError
from edgebench.records.environment import find_processor
from edgebench.survey.kept import find_place, keep_longer, read_file, write_file

YARDSTICK = "edgebench.measure.station.yardstick"
SECONDS = 2.0
PATIENCE_S = 60.0
"""How much longer than asked for it may take: on a slow board numpy alone is read for seconds."""
THREADS = (
    "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)  # fmt: skip
"""What libraries of linear algebra ask for how many threads they may use."""
LEAST, MOST = 1e-3, 1e6
"""Figures that a thread can have, in 10^9 operations a second."""
WIDE = 0.1
"""Spread of the rounds, as a share of their median, from which on a figure is doubted."""
SAME = 0.05
"""Share by which a new figure may differ from the one that is kept and count as the same."""
IDENTIFYING = re.compile(
    r"^(vendor_id|cpu family|model|model name|stepping|cache size|flags|Features|Hardware"
    r"|CPU (?:implementer|architecture|variant|part|revision))\s*:.*$",
    re.MULTILINE,
)
"""The lines of /proc/cpuinfo that say which processor it is, and not how it is just now."""


@attrs.frozen(kw_only=True)
class MachineSpeed:
    """What was measured of one thread, in 10^9 operations a second of float32."""

    gflops: float
    """The median of the rounds."""
    low: float
    high: float
    """Nine of ten rounds lie between the two."""
    rounds: int
    numpy: str
    blas: str

    @property
    def spread(self) -> float:
        """How far nine of ten rounds reach, as a share of their median."""
        return (self.high - self.low) / self.gflops


def measure_machine(seconds: float = SECONDS) -> MachineSpeed:
    """Measure one thread of this machine for so many seconds, in a process of its own.

    Raises:
        EdgebenchError: The process did not end as it should.
    """
    argv = [sys.executable, "-P", "-m", YARDSTICK, str(seconds)]
    env = {**os.environ, **dict.fromkeys(THREADS, "1")}
    patience = seconds + PATIENCE_S
    try:
        done = subprocess.run(
            argv, env=env, capture_output=True, text=True, timeout=patience, check=True
        )
    except subprocess.TimeoutExpired as error:
        why = f"this machine's speed was not measured within {patience:.0f} s"
        raise EdgebenchError(f"{why}; give fewer --seconds, or try again") from error
    except subprocess.CalledProcessError as error:
        said = (error.stderr or "").strip().splitlines() or [f"status {error.returncode}"]
        raise EdgebenchError(f"this machine's speed could not be measured: {said[-1]}") from error
    found = json.loads(done.stdout)
    low, *_, high = quantiles(found["rounds"], n=20, method="inclusive")
    return MachineSpeed(
        gflops=float(f"{median(found['rounds']):.3g}"),
        low=low,
        high=high,
        rounds=len(found["rounds"]),
        numpy=found["numpy"],
        blas=found["blas"],
    )


def find_gflops(tell: Callable[[str], None], *, measure: bool = True) -> float | None:
    """Return this machine's own figure: the one that is kept, else one that is measured and kept.

    Kept, as the speeds of tiers, and with them what is made for them, must not change from one
    command to the next. Where it is not to *measure*, None is returned in place of a new one.

    Raises:
        EdgebenchError: It cannot be measured, or not be kept.
    """
    if (kept := _read_kept()) is not None or not measure:
        return kept
    tell(f"edgebench: measuring this machine's speed once, as a tier states gflops: {SECONDS:g} s")
    found = measure_machine()
    write_file(_find_file(), {"gflops": found.gflops})
    said = f"edgebench: this machine does {found.gflops:g} GFLOPS a thread; kept"
    doubt = "; its rounds differ much: measure again when it is idle, with measure-device"
    tell(said + (doubt if found.spread > WIDE else ""))
    return found.gflops


def keep(found: MachineSpeed) -> float | None:
    """Keep a figure of this machine, where none is kept that is about the same.

    Returned is the one that was kept and is another; None where there was none.

    Raises:
        EdgebenchError: It cannot be kept.
    """
    kept = _read_kept()
    if kept is not None and abs(kept - found.gflops) <= SAME * found.gflops:
        return None
    write_file(_find_file(), {"gflops": found.gflops})
    return kept


def _read_kept() -> float | None:
    file = _find_file()
    kept = read_file(file)
    gflops = kept.get("gflops") if isinstance(kept, dict) else None
    # What no machine does was not written here.
    if not isinstance(gflops, float) or not LEAST <= gflops <= MOST:
        return None
    keep_longer(file)
    return gflops


def _find_file() -> Path:
    return find_place() / f"speed-{identify_processor()}.json"


def identify_processor(root: Path = Path("/")) -> str:
    """Return a digest of the processor, and of the numpy that uses it with its BLAS.

    *root* is where the kernel's files are.
    """
    try:
        said = (root / "proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        said = ""
    lines = sorted({match[0] for match in IDENTIFYING.finditer(said)})
    known = [*lines, str(find_processor(root)), os.uname().machine, version("numpy"), _read_build()]
    return hashlib.sha256("\n".join(known).encode()).hexdigest()[:16]


def _read_build() -> str:
    """Return the file in which numpy keeps what it was built with, its BLAS among that."""
    # Importing numpy, to be told the same, takes longer than all that `list` does.
    found = find_spec("numpy")
    file = Path(found.origin).with_name("__config__.py") if found and found.origin else None
    return file.read_text(encoding="utf-8", errors="replace") if file and file.is_file() else ""
