"""A backend with what its promises are checked on: a stage that it reads, and its sessions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from edgebench.parts.errors import CaseFailed, EdgebenchError, one_line
from edgebench.parts.places import Backend, Session
from edgebench.testing.contracts.comparing import COARSE, TOLERANCES, copy, is_far, is_near
from edgebench.testing.contracts.contract import Contract, NotChecked
from edgebench.testing.contracts.opening import Bed, ask_usable, find_bed, find_reference


class BackendTrial(Contract):
    """What the promises of a backend stand on."""

    kind = Backend

    @property
    def written(self) -> Sequence[str]:
        """The options that it is tried with: the defaults first, unless it has no use without."""
        return super().written if self.part.loads else tuple(self.options)

    def once(self, key: str, make: Callable[[], Any]) -> Any:
        """Return what was made under a key, or raise what making it raised, the first time."""
        if key not in self.tried:
            try:
                self.tried[key] = make()
            except EdgebenchError as error:
                self.tried[key] = error
        if isinstance(self.tried[key], EdgebenchError):
            raise self.tried[key]
        return self.tried[key]

    def bed(self) -> Bed:
        """Return the backend with a stage that it reads, and the options that it is tried with.

        Raises:
            NotChecked: There is none, or it is not said where that stage has been loaded.
        """
        part, written = self.part, next(iter(self.written), "")
        if not part.loads and not written:
            raise NotChecked(
                "it runs what others have loaded: where that is has to be said as options"
            )
        try:
            bed: Bed = self.once("bed", lambda: find_bed(self.bench, part, self.model, written))
        except EdgebenchError as error:
            raise NotChecked(str(error)) from error
        return bed

    def why_not(self) -> str:
        """Return why the backend is not usable on this machine; empty if it is."""
        bed, devices = self.bed(), list(self.part.devices())
        if not devices:
            return "it has no device here"
        return str(
            self.once("usable", lambda: ask_usable(self.bench, bed.case, self.part, devices[0]))
        )

    def bed_usable(self) -> Bed:
        """Return the same of a backend that is usable here.

        Raises:
            NotChecked: It is not, or it does not open, which another promise tells of.
        """
        if why := self.why_not():
            raise NotChecked(f"it is not usable here: {why}")
        if why := self.once("opens", self._why_not_open):
            raise NotChecked(f"it does not open: {why}")
        return self.bed()

    def _why_not_open(self) -> str:
        try:
            with self.bed().open():
                return ""
        except Exception as error:  # noqa: BLE001 (whatever a runtime raises)
            return say(error)

    @contextmanager
    def open(self, written: str = "", threads: int = 1) -> Iterator[tuple[Bed, Session]]:
        """Open a stage.

        Raises:
            NotChecked: It is not usable here, or never opens, which another promise tells of.
            AssertionError: It does not open with these options.
        """
        bed = self.bed_usable()
        opened = bed.open(written, threads=threads)
        try:
            session = opened.__enter__()
        except Exception as error:
            how = f"with ({written}) " if written else ""
            raise AssertionError(f"{how}it does not open: {say(error)}") from error
        try:
            yield bed, session
        except BaseException as error:
            if not opened.__exit__(type(error), error, error.__traceback__):
                raise
        else:
            opened.__exit__(None, None, None)

    # --- what its numbers should be --------------------------------------------------------------

    def reference(self) -> tuple[str, dict[str, Any]]:
        """Return another backend, and what it gives for the examples.

        Raises:
            EdgebenchError: There is none that can say.
        """
        bed = self.bed()
        found: tuple[str, dict[str, Any]] = self.once("reference", lambda: find_reference(bed))
        return found

    def find_allowed(self, written: str = "") -> tuple[str, float]:
        """Return the precision that it claims, and how far outputs may be off in that."""
        precision = self.part.precision(self.read_options(written))
        return precision, TOLERANCES.get(precision, COARSE)

    def must_differ(self, one: int, other: int) -> bool:
        """Say whether its outputs for two samples differ for sure, as a second way shows.

        Another backend says so where it gives numbers, and else this one itself, where each sample
        is the first that a session is given. Labels may be equal, whatever the inputs.
        """
        return self._differ_elsewhere(one, other) or not is_near(
            self.once(f"first {one}", lambda: self._run_first(one)),
            self.once(f"first {other}", lambda: self._run_first(other)),
        )

    def _differ_elsewhere(self, one: int, other: int) -> bool:
        try:
            _, wanted = self.reference()
        except EdgebenchError:
            # Nobody else can say.
            return False
        bed = self.bed()
        count = len(next(iter(bed.examples.values())))
        told = [(wanted[spec.name], spec.dtype) for spec in bed.stage.outputs]
        # What gives numbers in place of labels says nothing of those.
        rows = [array for array, dtype in told if array.dtype.name == dtype and len(array) == count]
        _, allowed = self.find_allowed()
        return any(is_far(array[one], array[other], allowed) for array in rows)

    def _run_first(self, place: int) -> dict[str, Any]:
        """Return what it gives for a sample in a session that has seen no other."""
        with self.open() as (bed, session):
            return copy(session.run(bed.feed(place)))


def say(error: BaseException) -> str:
    """Return an error in one line, and its type unless it is one of ours."""
    said = isinstance(error, CaseFailed)
    return str(error) if said else one_line(error)
