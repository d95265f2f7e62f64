from edgebench.measure.station.null_host import make_null_piece
from edgebench.measure.transport.pace import now
from edgebench.measure.transport.wire import Kind, Message


def test_a_null_piece_answers_any_request_with_nothing():
    piece = make_null_piece()
    watch = piece.watch(())
    message = Message(kind=Kind.REQUEST, samples=1, body=[b"anything"])
    answer = piece.answer_message(piece.compute(message, watch, now()), 3, watch.all_marks())
    assert (answer.kind, answer.request, list(answer.body)) == (Kind.ANSWER, 3, [b""])
    # Every step is there, so its bracket is paid as a real piece pays it.
    assert [mark.name for mark in answer.marks] == [
        "decode",
        "preprocess",
        "inference-0",
        "postprocess",
    ]
