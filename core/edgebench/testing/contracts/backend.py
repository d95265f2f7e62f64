"""What a backend promises."""

from __future__ import annotations

import gc
import statistics
import time
from itertools import pairwise
from typing import Any

from edgebench.parts.errors import EdgebenchError, one_line
from edgebench.parts.places import Session
from edgebench.sessions.outputs import WrongOutput, check_outputs, find_sizes
from edgebench.testing.contracts.afresh import Crashed
from edgebench.testing.contracts.backend_trial import BackendTrial, say
from edgebench.testing.contracts.comparing import USUAL, compare, copy, is_near, is_same
from edgebench.testing.contracts.contract import NotChecked, doubt, hold
from edgebench.testing.contracts.opening import Bed, ask_usable
from edgebench.testing.contracts.processors import count_busy_threads, read_memory
from edgebench.testing.contracts.running import run_afresh
from edgebench.testing.contracts.spoiling import GARBAGE, spoil

PAIRS = 50
RATIO = 1.5
"""How many times slower a changed input may be than the same one, before that is doubted."""
ROUNDS, SETTLED = 20, 6
"""How often a stage is opened and closed, and after how many of these memory is settled."""
SLACK = 4 * 2**20
"""Bytes by which memory may grow meanwhile, whatever the size of the stage."""


class BackendContract(BackendTrial):
    """What a backend promises: a stage that it reads, opened as on a host, with real inputs."""

    # --- promises --------------------------------------------------------------------------------

    def test_it_names_devices_and_versions(self) -> None:
        """It names its devices, and the versions of what it runs with, as texts."""
        devices = list(self.part.devices())
        wrong = [one for one in devices if not isinstance(one, str) or not one]
        hold(not wrong, f"devices gives {wrong[:1]}, which is no name of a device")
        if self.why_not():
            raise NotChecked(self.why_not())
        versions = self.part.versions()
        for name, version in dict(versions).items():
            hold(
                isinstance(name, str) and isinstance(version, str) and version,
                f"versions gives {version!r} for {name!r}, not a text",
            )
        if not versions:
            doubt("versions is empty: results cannot say what it ran with")

    def test_usable_is_true(self) -> None:
        """On each device of which it says that it is usable, it opens and runs."""
        bed, devices = self.bed(), list(self.part.devices())
        if not devices:
            raise NotChecked("it has no device here")
        for device in devices:
            why = ask_usable(self.bench, bed.case, self.part, device)
            try:
                with bed.open(device=device) as session:
                    session.run(bed.feed())
            except Exception as error:  # noqa: BLE001 (whatever a runtime raises)
                hold(why, f"it says that {device} is usable here, and it fails: {say(error)}")
            else:
                if why:
                    doubt(f"it says that {device} is not usable ({why}), and yet it runs")

    def test_its_outputs_are_as_announced(self) -> None:
        """What comes back has the names, element types and shapes that the stage announces."""
        for written in self.written:
            with self.open(written) as (bed, session):
                for count in (1, 2) if bed.is_open else (1,):
                    feed = bed.feed(count=count)
                    try:
                        given = session.run(feed)
                        check_outputs(bed.stage.outputs, given, find_sizes(bed.stage.inputs, feed))
                    except WrongOutput as error:
                        raise AssertionError(f"for a batch of {count} {error}") from error

    def test_its_numbers_are_right(self) -> None:
        """Its outputs are another backend's, as near as the precision that it claims allows."""
        try:
            name, wanted = self.reference()
        except EdgebenchError as error:
            raise NotChecked(str(error)) from error
        for written in self.written:
            precision, allowed = self.find_allowed(written)
            with self.open(written) as (_, session):
                bed = self.bed()
                count = len(next(iter(bed.examples.values()))) if bed.is_open else 1
                given = session.run(bed.feed(count=count))
                compare(
                    {spec.name: given[spec.inside] for spec in bed.stage.outputs},
                    {spec.name: wanted[spec.name][:count] for spec in bed.stage.outputs},
                    allowed,
                    f"that of {name}, {precision}",
                    USUAL.get(precision),
                )

    def test_nothing_is_cached(self) -> None:
        """Other inputs give other outputs, and an array that is changed in place counts as such."""
        with self.open() as (bed, session):
            count = len(next(iter(bed.examples.values())))
            feeds = [bed.feed(place) for place in range(count)]
            given = [copy(session.run(feed)) for feed in feeds]
            other = next((n for n in range(count) if not is_near(given[0], given[n])), None)
            if other is not None:
                self._check_changed(session, bed, given, other)
                self._doubt_times(session, bed)
        for one, two in pairwise(range(count)):
            if not is_same(feeds[one], feeds[two]) and is_near(given[one], given[two]):
                hold(
                    not self.must_differ(one, two),
                    "for two different inputs it gives the same outputs: it keeps what it gave "
                    "before",
                )
        if other is None:
            raise NotChecked(
                f"its outputs are the same for each of {count} inputs, and nothing shows that they "
                "should not be"
            )

    def test_its_outputs_are_its_callers(self) -> None:
        """A second run does not change what the first gave, and inputs stay as they were."""
        with self.open() as (bed, session):
            feed = bed.feed(0)
            kept = copy(feed)
            given = session.run(feed)
            before = copy(given)
            session.run(bed.feed(1))
            hold(is_same(given, before), "a second run changes the arrays that the first gave")
            hold(is_same(feed, kept), "it changes the arrays that it is given")

    def test_it_keeps_to_its_threads(self) -> None:
        """No more threads use processor time than it was given."""
        bed = self.bed_usable()
        feed = bed.feed(count=len(next(iter(bed.examples.values()))) if bed.is_open else 1)
        for threads in (1, 2):
            with self.open(threads=threads) as (_, session):
                session.run(feed)
                busy = count_busy_threads(lambda: session.run(feed))
            hold(busy <= threads, f"given {threads} threads, it computes with {busy}")
            if busy < threads:
                doubt(f"given {threads} threads, it computes with {busy}")

    def test_two_sessions_at_once(self) -> None:
        """Two sessions that are open at once give what each gives alone."""
        with self.open() as (bed, one):
            alone = copy(one.run(bed.feed(0)))
            with bed.open() as two:
                two.run(bed.feed(1))
                hold(
                    is_near(one.run(bed.feed(0)), alone),
                    "while a second session is open, the first gives other outputs",
                )
            hold(
                is_near(one.run(bed.feed(0)), alone),
                "once a second session is closed, the first gives other outputs",
            )

    def test_closing_releases_memory(self) -> None:
        """A stage that is opened, run and closed many times leaves no memory behind."""
        bed, held = self.bed_usable(), []
        for _ in range(ROUNDS):
            with bed.open() as session:
                session.run(bed.feed())
            del session
            gc.collect()
            held.append(read_memory())
        rounds = ROUNDS - SETTLED
        # What is left behind is so each time; an allocator takes and gives back in leaps.
        steps = [after - before for before, after in pairwise(held[SETTLED - 1 :])]
        grown = round(rounds * statistics.median(steps))
        allowed = max(SLACK, rounds * (bed.stage.size or 0) // 2)
        hold(
            grown <= allowed,
            f"{rounds} times opened and closed, a stage of {bed.stage.size or 0:,} bytes leaves "
            f"{grown:,} bytes behind",
        )

    def test_it_closes_after_an_error(self) -> None:
        """An error meanwhile comes through, and the stage can be opened again."""
        bed = self.bed_usable()
        with self.open() as (_, session):
            wanted = copy(session.run(bed.feed()))
        ours = RuntimeError("something else went wrong")
        try:
            with bed.open():
                raise ours
        except RuntimeError as error:
            hold(error is ours, f"closing after an error raises another: {one_line(error)}")
        else:
            raise AssertionError("an error while a session is open does not come through")
        with bed.open() as session:
            hold(_fails(session), "it runs without the inputs that the stage reads")
            hold(is_near(session.run(bed.feed()), wanted), "after an error it gives other outputs")

    def test_it_runs_in_a_fresh_process(self) -> None:
        """Compiled where it compiles, a stage opens and runs in a process that opens files only."""
        bed = self.bed_usable()
        try:
            run_afresh(self.bench, bed.case, bed.path, [bed.examples if bed.is_open else _one(bed)])
        except EdgebenchError as error:
            raise AssertionError(f"in a fresh process it fails: {error}") from error

    def test_it_refuses_what_it_does_not_read(self) -> None:
        """A file that is garbage, or cut off, is an error: no crash, and no answer."""
        bed = self.bed_usable()
        if not self.part.loads:
            raise NotChecked("it opens no file: it runs what others have loaded")
        for content, what in ((GARBAGE, "garbage"), (None, "cut off")):
            try:
                run_afresh(self.bench, bed.case, spoil(self.bench, bed.path, content), [_one(bed)])
            except Crashed as error:
                raise AssertionError(f"of a file that is {what}, {error}") from error
            except EdgebenchError:
                continue
            raise AssertionError(f"of a file that is {what} it gives outputs")

    # --- what they stand on ----------------------------------------------------------------------

    def _check_changed(
        self, session: Session, bed: Bed, given: list[dict[str, Any]], other: int
    ) -> None:
        """See that an array counts as another once it holds another sample."""
        changed = bed.feed(0)
        session.run(changed)
        for name, array in bed.feed(other).items():
            changed[name][...] = array
        came = session.run(changed)
        hold(
            not is_near(came, given[0]) or is_near(came, given[other]),
            "for an array that was changed in place it gives what it gave before the change",
        )

    def _doubt_times(self, session: Session, bed: Bed) -> None:
        feeds, times = [bed.feed(0), bed.feed(1)], {True: list[float](), False: list[float]()}
        for number in range(PAIRS):
            for same in (False, True):
                begin = time.perf_counter()
                session.run(feeds[number % 2])
                times[same].append(time.perf_counter() - begin)
        ratio = statistics.median(
            changed / same for changed, same in zip(times[False], times[True], strict=True)
        )
        if ratio > RATIO:
            doubt(f"a changed input takes {ratio:.1f} times as long as the same one again")


def _fails(session: Session) -> bool:
    """Say whether a session refuses to run without inputs."""
    try:
        session.run({})
    except Exception:  # noqa: BLE001 (whatever a runtime raises)
        return True
    return False


def _one(bed: Bed) -> dict[str, Any]:
    return {name: array[:1] for name, array in bed.examples.items()}
