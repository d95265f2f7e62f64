"""How a stage is opened: on which device of which backend, with how many threads and options."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any

import attrs

from edgebench.cases.case import BackendChoice
from edgebench.parts.errors import CaseFailed
from edgebench.parts.pipeline import Stage
from edgebench.parts.places import Backend, Session
from edgebench.sessions.state import StatefulSession, expose_states

MOST_DEVICES = 1000


@attrs.frozen(kw_only=True)
class Opening:
    """A backend with all that it needs to open or compile a stage."""

    backend: Backend
    device: str
    threads: int
    """How many its sessions may use."""
    options: Any
    """An instance of the backend's options class."""
    code: str = ""
    """A digest of the backend's code, by which what that compiles is found again."""

    @classmethod
    def of(cls, backend: Backend, choice: BackendChoice, threads: int, code: str = "") -> Opening:
        """Fill in what a choice leaves to its backend: the device, and options not written.

        Raises:
            CaseFailed: No device is chosen, and the backend has none here.
        """
        return cls(
            backend=backend,
            device=choice.device or _first_device(backend),
            threads=threads,
            options=_options(backend, choice),
            code=code,
        )

    @contextmanager
    def session(self, stage: Stage) -> Iterator[Session]:
        """Open a stage; the session, which keeps its states, is closed when the context ends."""
        if not stage.states:
            with self.backend.open(stage, self.device, self.threads, self.options) as session:
                yield session
            return
        whole = expose_states(stage)
        with self.backend.open(whole, self.device, self.threads, self.options) as session:
            yield StatefulSession(session, stage.states)


def list_devices(backend: Backend) -> tuple[str, ...]:
    """Return the devices that a backend finds on this machine, the default first.

    Raises:
        CaseFailed: What it gives are no names.
    """
    found = backend.devices()
    # A text alone would be taken for a name a letter; what never ends for a list.
    given = [found] if isinstance(found, str) else list(islice(found, MOST_DEVICES))
    wrong = [one for one in given if not isinstance(one, str) or not one]
    if isinstance(found, str) or wrong:
        what = repr(found if isinstance(found, str) else wrong[0])
        raise CaseFailed(f"devices gives {what}, which is no list of names of devices")
    return tuple(given)


def _first_device(backend: Backend) -> str:
    devices = list_devices(backend)
    if not devices:
        raise CaseFailed(f"{backend.name} has no device here")
    return devices[0]


def _options(backend: Backend, choice: BackendChoice) -> Any:
    if not choice.options:
        return backend.options()
    # Structuring options imports what a host that was given none need not load.
    from edgebench.cases.chain import structure

    return structure(backend.options, choice.options, f"the backend {choice.name}")
