"""The devices of libraries of execution providers, each library asked in a process of its own.

A library that is loaded takes what it needs of the process for good, and one that lacks its driver
may end it: `python -m edgebench_kit.onnx.provider_devices PATH` loads one and says what it offers.
"""

from __future__ import annotations

import functools
import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import attrs

from edgebench import CaseFailed
from edgebench_kit.onnx.provider_libraries import ProviderLibrary, find_libraries, register

if TYPE_CHECKING:
    import subprocess

MARK = "edgebench-devices:"
LIMIT_S = 20.0
"""For all libraries together: whoever asks a backend waits a minute."""
ENDING = "executionprovider"


@attrs.frozen
class Offer:
    """What a library says in its process."""

    devices: tuple[str, ...] = ()
    why_not: str = ""
    """Why it could not be asked."""


class Devices(Sequence[str]):
    """Devices of which those beyond the first few are looked for when they are asked for."""

    def __init__(self, known: Sequence[str], look: Callable[[], Sequence[str]]) -> None:
        """Take those that are known, and what finds the others."""
        self._known = known
        self._look = look

    def __iter__(self) -> Iterator[str]:
        """Yield those that are known, then those that are found."""
        yield from self._known
        yield from self._look()

    def __len__(self) -> int:
        """Return how many there are."""
        return len(list(iter(self)))

    @overload
    def __getitem__(self, at: int) -> str: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[str]: ...
    def __getitem__(self, at: int | slice) -> str | Sequence[str]:
        """Return that at an index."""
        if isinstance(at, int) and 0 <= at < len(self._known):
            return self._known[at]
        return list(iter(self))[at]


def name_provider(provider: str) -> str:
    """Return the short name of a provider: `openvino` of `OpenVINOExecutionProvider`."""
    parts = [one.removesuffix(ENDING) for one in provider.lower().split(".")]
    return ".".join(filter(None, parts))


def name_devices(devices: Sequence[Any]) -> Mapping[str, Any]:
    """Return what a library offers by name: its provider, what it runs on, a number for others.

    So `openvino.gpu` is the first such device, `openvino.gpu.1` the second.
    """
    named: dict[str, Any] = {}
    for one in devices:
        name = f"{name_provider(one.ep_name)}.{one.device.type.name.lower()}"
        same = sum(other == name or other.startswith(f"{name}.") for other in named)
        named[f"{name}.{same}" if same else name] = one
    return named


@functools.cache
def list_offers() -> Mapping[ProviderLibrary, Offer]:
    """Return what each installed library offers here, or why that is not known; asked once."""
    started = [(one, _start(one)) for one in find_libraries()]
    until = time.monotonic() + LIMIT_S
    return {one: _hear(process, until) for one, process in started}


def _start(library: ProviderLibrary) -> subprocess.Popen[str]:
    # Imported here because whoever lists backends starts no process.
    import subprocess

    return subprocess.Popen(
        [sys.executable, "-P", "-m", "edgebench_kit.onnx.provider_devices", str(library.path)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _hear(process: subprocess.Popen[str], until: float) -> Offer:
    import subprocess

    with process:
        try:
            out, err = process.communicate(timeout=max(until - time.monotonic(), 0.1))
        except subprocess.TimeoutExpired:
            process.kill()
            return Offer(why_not=f"it did not say within {LIMIT_S:g} s what it offers")
    for line in out.splitlines():
        if line.startswith(MARK):
            said = json.loads(line.removeprefix(MARK))
            return Offer(tuple(said["devices"]), said["why_not"])
    last = (err.strip().splitlines() or ["it said nothing"])[-1]
    return Offer(why_not=f"loading it ended the process, status {process.returncode}: {last}")


def main(argv: Sequence[str]) -> int:
    """Load the library that the first argument names, and print what it offers."""
    try:
        offer = Offer(tuple(name_devices(register(ProviderLibrary(path=Path(argv[0]))))))
    except CaseFailed as failure:
        offer = Offer(why_not=str(failure).partition(": ")[2])
    print(MARK + json.dumps(attrs.asdict(offer)), flush=True)  # noqa: T201 - its whole purpose
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
