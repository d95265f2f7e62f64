"""A piece in this process: exits, batches, merging, and what it refuses."""

import attrs
import numpy as np
import pytest

from edgebench import Exit, Model
from edgebench.measure.station.piece import OpenStage, Piece
from edgebench.measure.station.watch import Watch
from edgebench.measure.transport.pace import now
from edgebench.measure.transport.wire import CODES, Kind, Message, WireError, unpack
from edgebench.sessions.outputs import WrongOutput

from ..conftest import frames_of

SURE = Exit(condition="sure", answer=["early"], threshold=0.5)


@attrs.frozen
class Doubling:
    """A session that gives twice what it is given, how sure it is, and ten times the same."""

    names: tuple

    def run(self, inputs):
        given = inputs[next(iter(inputs))]
        known = {"sure": given[:, 0], "early": given * 10}
        return {name: known.get(name, given * 2) for name in self.names}


def model(**changes):
    plain = {"name": "tiny", "summary": "A model.", "build": print}
    return Model(
        **{
            **plain,
            "decode": lambda payload, _: np.frombuffer(payload, np.float32),
            "preprocess": lambda row, _: {"input": row[None]},
            "postprocess": lambda outputs, _: next(iter(outputs.values()))[0],
            "encode": lambda row: row.tobytes(),
            **changes,
        }
    )


def opened(pipeline, number, slowdown=1.0, **changes):
    stages = [
        OpenStage.of(
            at,
            stage := pipeline.stages[at],
            Doubling(tuple(spec.inside for spec in stage.outputs)),
        )
        for at in pipeline.pieces[number]
    ]
    return Piece(
        pipeline=pipeline,
        number=number,
        stages=stages,
        model=model(**changes),
        variant="default",
        slowdown=slowdown,
    )


@pytest.fixture
def two(prepared, spec):
    """Two stages; samples may leave after the first, if their first number is at least a half."""
    return prepared(
        [([spec("h", 4), spec("sure"), spec("early", 4)], SURE), ([spec("logits", 4)], None)]
    )


def samples_of(*first):
    return [np.asarray([value, 1, 2, 3], np.float32) for value in first]


def request(*payloads, raw=False):
    return Message(
        kind=Kind.REQUEST,
        raw=raw,
        samples=len(payloads),
        body=[memoryview(payload.tobytes()) for payload in payloads],
    )


def sent(message):
    """Return a message as the next host gets it."""
    return unpack(frames_of(message, sent=1))


def compute(piece, message):
    watch = piece.watch(message.marks)
    return piece.compute(message, watch, now()), watch


def noted(watch):
    return [mark.name for mark in watch.all_marks()]


def through(pipeline, message):
    """Take a request through two pieces and back, as two hosts would."""
    first, second = (opened(pipeline, number) for number in (0, 1))
    batch, watch = compute(first, message)
    if batch.samples:
        forwarded = sent(first.forward_message(batch, 7, watch))
        beyond, further = compute(second, forwarded)
        assert beyond.samples == []
        first.merge(batch, sent(second.answer_message(beyond, 7, further.all_marks())))
    return first.answer_message(batch, 7, watch.all_marks()), batch


def test_samples_leave_or_go_on_and_answers_keep_their_order(two):
    payloads = samples_of(0.9, 0.1, 0.7, 0.2)
    answer, batch = through(two, request(*payloads))
    wanted = [payloads[0] * 10, payloads[1] * 4, payloads[2] * 10, payloads[3] * 4]
    assert [bytes(body) for body in answer.body] == [row.tobytes() for row in wanted]
    assert (answer.kind, answer.request, answer.samples) == (Kind.ANSWER, 7, 4)
    assert batch.samples == [1, 3]


def test_raw_outputs_are_merged_under_the_pipelines_names(two):
    payloads = samples_of(0.1, 0.9, 0.2)
    answer, _ = through(two, request(*payloads, raw=True))
    assert [(tensor.name, tensor.shape) for tensor in answer.tensors] == [("logits", (3, 4))]
    wanted = np.stack([payloads[0] * 4, payloads[1] * 10, payloads[2] * 4])
    np.testing.assert_array_equal(answer.body[0], wanted)


def test_only_the_samples_that_stay_cross_the_cut(two):
    first = opened(two, 0)
    batch, watch = compute(first, request(*samples_of(0.9, 0.1, 0.7)))
    forwarded = first.forward_message(batch, 0, watch)
    assert forwarded.samples == 1
    assert [(tensor.name, tensor.shape) for tensor in forwarded.tensors] == [("h", (1, 4))]
    assert forwarded.size == 16
    assert {mark.name: mark.value for mark in forwarded.marks}["exited-0"] == 2


def test_nothing_is_left_to_run_once_all_have_left(prepared, spec):
    one = prepared(
        [([spec("h", 4), spec("sure"), spec("early", 4)], SURE), ([spec("logits", 4)], None)],
        cuts=(),
    )
    batch, watch = compute(opened(one, 0), request(*samples_of(0.9, 0.8)))
    assert batch.samples == []
    assert "inference-1" not in noted(watch)


def test_stages_of_one_piece_run_after_one_another(prepared, spec):
    pipeline = prepared([([spec("a", 4)], None), ([spec("b", 4)], None)], cuts=())
    piece = opened(pipeline, 0)
    batch, watch = compute(piece, request(*samples_of(1, 2)))
    answer = piece.answer_message(batch, 0, watch.all_marks())
    assert bytes(answer.body[1]) == (samples_of(2)[0] * 4).tobytes()
    assert noted(watch) == ["decode", "preprocess", "inference-0", "inference-1", "postprocess"]
    assert watch.inference == sum(m.value for m in watch.marks if m.code == CODES["inference"])


def test_what_only_passes_through_is_carried_along(prepared, spec):
    pipeline = prepared(
        [([spec("a", 4)], None), ([spec("b", 4)], None), ([spec("c", 4)], None)], cuts=(1, 2)
    )
    last = attrs.evolve(pipeline.stages[2], inputs=[spec("a", 4), spec("b", 4)])
    pipeline = pipeline.replaced([*pipeline.stages[:2], last])
    middle = opened(pipeline, 1)
    batch, watch = compute(opened(pipeline, 0), request(*samples_of(1)))
    forwarded = sent(opened(pipeline, 0).forward_message(batch, 0, watch))
    batch, watch = compute(middle, forwarded)
    assert [tensor.name for tensor in middle.forward_message(batch, 0, watch).tensors] == ["a", "b"]


def test_a_slower_tier_waits_after_all_that_it_computes(two):
    slow, late = opened(two, 0, slowdown=3.0), []
    for _ in range(10):
        batch, watch = compute(slow, request(*samples_of(0.1)))
        assert batch.samples == [0]
        *phases, wait = watch.all_marks()
        assert wait.name == "emulated-wait"
        late.append(wait.value - 2 * sum(mark.value for mark in phases))
    # A busy machine may wake it late, but never early, nor late each time.
    assert 0 <= min(late) <= 2_000_000


def test_no_wait_is_noted_where_none_is_emulated(two):
    assert "emulated-wait" not in noted(compute(opened(two, 0), request(*samples_of(0.1)))[1])


def test_a_phase_lasts_from_its_begin_until_now():
    watch = Watch()
    begin = now() - 1000
    end = watch.note_and_wait(CODES["decode"], 0, begin)
    assert watch.marks[0].value == end - begin >= 1000


def test_a_tensor_of_another_type_than_announced_is_refused_at_once(two):
    class Wide(Doubling):
        def run(self, inputs):
            return {name: out.astype(np.float64) for name, out in super().run(inputs).items()}

    piece = opened(two, 0)
    stages = [attrs.evolve(one, session=Wide(one.session.names)) for one in piece.stages]
    piece = attrs.evolve(piece, stages=stages)
    said = r"'h' as float64 of shape .1, 4., not as float32 of shape .*, which is announced"
    with pytest.raises(WrongOutput, match=f"{said}$"):
        compute(piece, request(*samples_of(0.1)))
    piece = attrs.evolve(piece, announced_by="tiny:small after shrink")
    with pytest.raises(WrongOutput, match=rf"{said} \(by tiny:small after shrink\)$"):
        compute(piece, request(*samples_of(0.1)))


def test_outputs_are_checked_once_where_requests_are_timed(two):
    wide = {"of": np.float32}
    piece = opened(two, 0, preprocess=lambda row, _: {"input": row[None].astype(wide["of"])})
    compute(piece, request(*samples_of(0.1)))
    wide["of"] = np.float64
    batch, watch = compute(piece, request(*samples_of(0.1)))
    with pytest.raises(TypeError, match="'h' came out as float64, not float32"):
        piece.forward_message(batch, 0, watch)


def test_preprocessing_must_give_what_the_pipeline_reads(two):
    piece = opened(two, 0, preprocess=lambda row, _: {"image": row[None]})
    with pytest.raises(KeyError, match="no 'input' among what it gave: image"):
        compute(piece, request(*samples_of(0.1)))


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (lambda row: row[None].astype(np.float64), "'input' as float64 of shape"),
        (lambda row: row[None, None], r"'input' as float32 of shape \(1, 1, 4\), not as float32"),
        (lambda row: row[None, :-1], "'input' as float32 of shape"),
        (lambda row: row[None].tolist(), "'input' as a list"),
    ],
)
def test_what_preprocessing_gives_wrong_is_not_blamed_on_a_backend(two, made, said):
    piece = opened(two, 0, preprocess=lambda row, _: {"input": made(row)})
    with pytest.raises(WrongOutput, match=f"^it gave {said}"):
        compute(piece, request(*samples_of(0.1)))


def test_an_answer_for_another_number_of_samples_is_refused(two):
    first = opened(two, 0)
    batch, _ = compute(first, request(*samples_of(0.1, 0.9)))
    with pytest.raises(WireError, match="2 answers for 1 samples"):
        first.merge(batch, Message(kind=Kind.ANSWER, samples=2, body=[b"", b""]))


def test_raw_outputs_outlive_a_session_that_reuses_its_memory(prepared, spec):
    pipeline = prepared([([spec("y", 4)], None)])
    memory = np.zeros((1, 4), np.float32)

    class Reusing:
        def run(self, inputs):
            memory[:] = inputs["input"]
            return {"y": memory}

    stage = OpenStage.of(0, pipeline.stages[0], Reusing())
    piece = attrs.evolve(opened(pipeline, 0), stages=(stage,))
    one, _ = compute(piece, request(*samples_of(1), raw=True))
    compute(piece, request(*samples_of(2), raw=True))
    np.testing.assert_array_equal(one.answers[0]["y"], samples_of(1)[0][None])
