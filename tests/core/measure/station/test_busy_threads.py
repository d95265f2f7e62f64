"""How many threads run the sessions of a host."""

import threading
from time import thread_time
from types import SimpleNamespace

import attrs
import pytest

from edgebench.measure.station import busy_threads
from edgebench.measure.station.busy_threads import BusyThreads, count_workers
from edgebench.measure.station.null_host import make_null_piece
from edgebench.sessions.state import unwrap

MS = 1_000_000


def burn(seconds=0.03):
    until = thread_time() + seconds
    while thread_time() < until:
        sum(range(1000))


class Burning:
    def __init__(self, threads):
        self.threads = threads

    def run(self, inputs):
        others = [threading.Thread(target=burn) for _ in range(self.threads - 1)]
        for one in others:
            one.start()
        burn()
        for one in others:
            one.join()
        return inputs


@pytest.mark.parametrize(
    ("used", "said"),
    [
        ([100 * MS], 1),
        ([100 * MS, 0, 5 * MS], 1),
        ([5 * MS, 95 * MS], 1),
        ([50 * MS, 50 * MS], 2),
        ([20 * MS] * 4, 4),
        ([15 * MS, 4 * MS], None),
        ([], None),
    ],
)
def test_those_who_did_nearly_all_of_the_work(used, said):
    assert count_workers(used) == said


def test_what_is_done_in_the_first_run_alone_does_not_count(monkeypatch):
    monkeypatch.setattr(busy_threads, "_read_others", lambda: {"7": 900 * MS})
    busy = counted(Burning(1))
    for _ in range(3):
        busy.piece.stages[0].session.run({})
    assert busy.finish() == 1


def test_what_its_other_threads_did_meanwhile(monkeypatch):
    seen = iter([{"7": 900 * MS}, {"7": 960 * MS, "8": 60 * MS}])
    monkeypatch.setattr(busy_threads, "_read_others", lambda: next(seen))
    busy = counted(Burning(1))
    for _ in range(3):
        busy.piece.stages[0].session.run({})
    assert busy.finish() == 3


def test_threads_that_live_on_are_read_of_the_kernel():
    gates, over = threading.Barrier(2, timeout=10), threading.Event()

    def share():
        gates.wait()
        burn()
        gates.wait()

    def work():
        for _ in range(3):
            share()
        over.wait(10)

    pool = threading.Thread(target=work)
    pool.start()
    busy = counted(SimpleNamespace(run=lambda _: share()))
    for _ in range(3):
        busy.piece.stages[0].session.run({})
    assert busy.finish() == 2
    over.set()
    pool.join()


def test_once_finished_a_session_is_run_as_it_is():
    session = Burning(1)
    busy = counted(session)
    assert unwrap(busy.piece.stages[0].session) is session
    assert busy.finish() is None
    assert busy.piece.stages[0].session.run == session.run


def counted(session):
    piece = make_null_piece()
    return BusyThreads(attrs.evolve(piece, stages=[attrs.evolve(piece.stages[0], session=session)]))
