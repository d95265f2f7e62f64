"""The scoring driver against a host that is a thread of this test."""

import threading

import attrs
import numpy as np
import pytest
import zmq

from edgebench import Metric, Model
from edgebench.measure.station import scorer as module
from edgebench.measure.station.driver import RequestFailed
from edgebench.measure.station.scorer import WINDOW, Scorer
from edgebench.measure.transport.pace import now
from edgebench.measure.transport.port import Port, connect, socket
from edgebench.measure.transport.wire import CODES, Kind, Mark, Message, Shaped
from edgebench.parts.errors import CaseFailed

MODEL = Model(
    name="m", summary="A model.", build=print, postprocess=lambda outputs, _: outputs["y"][0, 0]
)
NEAR = Metric(
    name="near",
    count=lambda prediction, answer: [abs(float(prediction) - answer), 1.0],
    value=lambda counts: counts[0] / counts[1],
)


class Split:
    """A split whose payload is its own number, and whose answer is ten times that."""

    def __init__(self, count):
        self.count = count

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        return np.asarray([index], np.float32).tobytes()

    def answer(self, index):
        return index * 10.0


@pytest.fixture
def host():
    """Give what starts a host that answers out of order, and a connection to it."""
    threads = []
    with zmq.Context() as context, socket(context, zmq.ROUTER) as bound:
        number = bound.bind_to_random_port("tcp://127.0.0.1")
        port = connect(context, f"tcp://127.0.0.1:{number}", ("local-hop", 0))
        port.socket.setsockopt(zmq.RCVTIMEO, 20_000)
        near = Port(socket=bound, phase=("local-hop", 0))

        def start(requests, together=1, fails=None):
            def serve():
                held = []
                for count in range(requests):
                    held.append(near.receive(now()))
                    if len(held) == together or count == requests - 1:
                        for arrival in reversed(held):
                            near.send(answer(arrival.message, fails), arrival.peer)
                        held.clear()

            threads.append(threading.Thread(target=serve))
            threads[-1].start()
            return port

        with port.socket:
            yield start
            for thread in threads:
                thread.join()


def answer(message, fails):
    if message.request == fails:
        return Message(kind=Kind.ERROR, request=message.request, body=[b"too hot on x in stage 0"])
    values = np.concatenate([np.frombuffer(body, np.float32) for body in message.body])[:, None]
    return Message(
        kind=Kind.TENSORS,
        request=message.request,
        samples=message.samples,
        marks=[Mark(CODES["exited"], 2, 1), Mark(CODES["decode"], 0, 5)],
        tensors=[Shaped("y", "float32", values.shape)],
        body=[values * 10],
    )


def scoring(port, count, batch=1, metrics=(NEAR,), **more):
    return Scorer(
        port=port,
        payloads=Split(count),
        batch=batch,
        model=MODEL,
        variant="v",
        metrics=metrics,
        **{"samples": count, **more},
    )


@pytest.mark.parametrize(("count", "batch"), [(10, 1), (10, 2), (10, 4), (3, 8), (1, 1)])
def test_every_sample_counts_once_in_its_order(host, count, batch):
    requests = -(-count // batch)
    scorer = scoring(host(requests), count, batch)
    assert scorer.send_split() == count
    facts, raw = zip(*scorer.arrays(), strict=True)
    assert list(facts) == [
        {"metric": "near", "dtype": "float64", "shape": (count, 2)},
        {"output": "y", "dtype": "float32", "shape": (count, 1)},
    ]
    np.testing.assert_array_equal(raw[0], [[0.0, 1.0]] * count)
    np.testing.assert_array_equal(raw[1][:, 0], np.arange(count) * 10)
    assert scorer.exited == {2: requests}


def test_answers_may_come_in_any_order(host):
    scorer = scoring(host(9, together=3), 9)
    scorer.send_split()
    np.testing.assert_array_equal([counts[0] for counts in scorer.counts["near"]], [0.0] * 9)


def test_no_more_than_a_few_requests_are_under_way(host, monkeypatch):
    sent = []
    monkeypatch.setattr(
        module.Port, "send", lambda port, message, *_: sent.append(message.request) or 0
    )
    scorer = scoring(host(0), 50)
    scorer.port.socket.setsockopt(zmq.RCVTIMEO, 50)
    with pytest.raises(zmq.Again):
        scorer.send_split()
    assert sent == [0, 1, 2, 3]


def test_a_host_that_cannot_answer_ends_the_scoring(host):
    with pytest.raises(RequestFailed, match="too hot on x in stage 0"):
        scoring(host(4, fails=2), 4).send_split()


def test_a_metric_whose_counts_vary_in_length_is_named(host):
    vary = attrs.evolve(NEAR, count=lambda prediction, answer: [1.0] * (1 + int(answer > 10)))
    with pytest.raises(CaseFailed, match="metric near counts 2 numbers for sample 2, and 1 for"):
        scoring(host(4), 4, metrics=[vary]).send_split()


@pytest.mark.parametrize(
    "made",
    [
        lambda y: y,
        lambda y: np.asarray([[1, y]]),
        lambda y: {"boxes": [(1, float(y))]},
        float,
    ],
)
def test_predictions_that_are_no_numbers_are_counted(host, made):
    def postprocess(outputs, variant):
        value = outputs["y"][0, 0]
        return made({20: np.nan, 30: np.inf}.get(int(value), value))

    scorer = scoring(host(5), 5, metrics=[attrs.evolve(NEAR, count=lambda *_: [0.0, 1.0])])
    model = attrs.evolve(MODEL, postprocess=postprocess)
    scorer = attrs.evolve(scorer, model=model)
    scorer.send_split()
    assert scorer.not_finite == [2, 3]


def test_outputs_are_kept_for_the_first_samples_only(host, monkeypatch):
    monkeypatch.setattr(module, "KEPT_SAMPLES", 3)
    scorer = scoring(host(8), 8)
    scorer.send_split()
    assert [kept["y"][0, 0] for kept in scorer.kept] == [0, 10, 20]
    assert len(scorer.counts["near"]) == 8


def test_outputs_are_kept_as_far_as_there_is_room(host, monkeypatch):
    monkeypatch.setattr(module, "KEPT_BYTES", 9)
    scorer = scoring(host(8), 8)
    scorer.send_split()
    assert len(scorer.kept) == 2


def test_there_is_room_for_the_first_however_large(host, monkeypatch):
    monkeypatch.setattr(module, "KEPT_BYTES", 1)
    scorer = scoring(host(8), 8)
    scorer.send_split()
    assert len(scorer.kept) == 1


def test_without_metrics_nothing_is_judged(host):
    scorer = scoring(host(2), 2, metrics=())
    scorer.send_split()
    assert [what.get("output") for what, _ in scorer.arrays()] == ["y"]


@pytest.mark.parametrize("batch", [1, 2])
def test_no_more_samples_are_sent_than_are_wanted(host, batch):
    scorer = scoring(host(-(-3 // batch)), 8, batch, samples=3)
    assert scorer.send_split() == 3
    assert [counts[0] for counts in scorer.counts["near"]] == [0.0] * 3


def test_outputs_of_another_shape_than_the_first_are_not_kept(host):
    scorer = scoring(host(0), 8)
    for sample, shape in enumerate([(1, 1), (1, 2), (1, 1)]):
        scorer._judge(sample, {"y": np.full(shape, sample, np.float32)})
    assert [kept["y"][0, 0] for kept in scorer.kept] == [0, 2]


def test_nothing_is_sent_after_the_time_is_up(host):
    # What is under way when it ends is still waited for.
    scorer = scoring(host(WINDOW), 50, bound_s=1e-9)
    assert scorer.send_split() == WINDOW
    assert len(scorer.counts["near"]) == WINDOW


@pytest.mark.parametrize("batch", [1, 2])
def test_what_is_counted_is_reported_as_it_comes(host, monkeypatch, batch):
    monkeypatch.setattr(module, "REPORT_S", 0)
    seen = []
    scoring(host(-(-5 // batch)), 5, batch, report=lambda *said: seen.append(said)).send_split()
    assert seen == [(done, 5) for done in ([1, 2, 3, 4, 5] if batch == 1 else [2, 4, 5])]


def test_reports_are_so_few_that_they_are_no_load(host, monkeypatch):
    monkeypatch.setattr(module, "REPORT_S", 3600)
    seen = []
    scoring(host(8), 8, report=lambda *said: seen.append(said)).send_split()
    assert seen == []
