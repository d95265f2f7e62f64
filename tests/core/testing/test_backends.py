"""A backend that breaks a promise is told by that promise and no other."""

from __future__ import annotations

import pytest

SESSION = """
    def compute(session, inputs):
        scores = inputs[session.read] @ session.matrix
        return {name: scores for name in session.written}

    @attrs.define
    class Session:
        matrix: object
        read: str
        written: list
        threads: int
        kept: dict = attrs.field(factory=dict)

        def run(self, inputs):
            return answer(self, inputs)

    @contextmanager
    def open_good(stage, device, threads, options):
        import numpy as np

        written = [spec.inside for spec in stage.outputs]
        yield Session(np.load(stage.file), stage.inputs[0].inside, written, threads)

    open_session, answer, more = open_good, compute, {"versions": lambda: {"bad": "1"}}
"""
OFFER = """
    @hookimpl
    def edgebench_backends():
        yield Backend(name="bad", summary="Bad.", open=open_session, formats=["toy-matrix"],
                      **more)
"""
CASES = {
    "test_nothing_is_cached": [
        """
    def answer(session, inputs):
        kept = session.kept.setdefault(len(inputs.get(session.read, [])), {})
        if not kept:
            kept.update(compute(session, inputs))
        return {name: array.copy() for name, array in kept.items()}
    """,
        """
    def answer(session, inputs):
        key = id(inputs[session.read])
        if key not in session.kept:
            session.kept[key] = inputs, compute(session, inputs)
        return session.kept[key][1]
    """,
        """
    KEPT = {}

    def answer(session, inputs):
        count = len(inputs.get(session.read, []))
        if count not in KEPT:
            KEPT[count] = compute(session, inputs)
        return {name: array.copy() for name, array in KEPT[count].items()}
    """,
    ],
    "test_it_keeps_to_its_threads": [
        """
    from concurrent.futures import ThreadPoolExecutor
    POOL = ThreadPoolExecutor(4)

    def answer(session, inputs):
        def spin(_):
            import hashlib

            hashlib.sha256(bytes(200_000)).digest()

        list(POOL.map(spin, range(16)))
        return compute(session, inputs)
    """
    ],
    "test_usable_is_true": [
        """
    @contextmanager
    def open_session(stage, device, threads, options):
        raise RuntimeError("the chip is not plugged in")
        yield
    """,
        """
    more |= {"devices": lambda: ["cpu", "chip"]}

    @contextmanager
    def open_session(stage, device, threads, options):
        if device == "chip":
            raise RuntimeError("the chip is not plugged in")
        with open_good(stage, device, threads, options) as session:
            yield session
    """,
    ],
    "test_its_outputs_are_its_callers": [
        """
    def answer(session, inputs):
        import numpy as np

        name, = session.written
        scores = compute(session, inputs)[name]
        buffer = session.kept.setdefault(len(scores), np.empty_like(scores))
        buffer[...] = scores
        return {name: buffer}
    """,
        """
    def answer(session, inputs):
        scores = compute(session, inputs)
        inputs[session.read][...] = 0
        return scores
    """,
    ],
    "test_its_numbers_are_right": [
        """
    def answer(session, inputs):
        return {name: array * 1.01 for name, array in compute(session, inputs).items()}
    """
    ],
    "test_its_outputs_are_as_announced": [
        """
    def answer(session, inputs):
        return {n: array.astype("float64") for n, array in compute(session, inputs).items()}
    """
    ],
    "test_closing_releases_memory": [
        """
    LEAKED = []

    @contextmanager
    def open_session(stage, device, threads, options):
        LEAKED.append(bytearray(b"x" * 2**20))
        with open_good(stage, device, threads, options) as session:
            yield session
    """
    ],
    "test_it_closes_after_an_error": [
        """
    @contextmanager
    def open_session(stage, device, threads, options):
        with open_good(stage, device, threads, options) as session:
            try:
                yield session
            except Exception:
                pass
    """,
        """
    def answer(session, inputs):
        import numpy as np

        read = inputs.get(session.read, np.zeros((1, 8), np.float32))
        return compute(session, {session.read: read})
    """,
    ],
    "test_it_refuses_what_it_does_not_read": [
        """
    @contextmanager
    def open_session(stage, device, threads, options):
        import numpy as np

        try:
            with open_good(stage, device, threads, options) as session:
                yield session
        except ValueError:
            yield Session(np.zeros((8, 3), np.float32), stage.inputs[0].inside, ["scores"], 1)
    """,
        """
    @contextmanager
    def open_session(stage, device, threads, options):
        import os

        if not stage.file.read_bytes().startswith(b"\\x93NUMPY"):
            os.abort()
        with open_good(stage, device, threads, options) as session:
            yield session
    """,
    ],
    "test_two_sessions_at_once": [
        """
    OPENED = []

    @contextmanager
    def open_session(stage, device, threads, options):
        with open_good(stage, device, threads, options) as session:
            OPENED.append(session)
            session.matrix = session.matrix.copy()
            try:
                yield session
            finally:
                for each in OPENED:
                    each.matrix[...] = 0
    """
    ],
    "test_it_runs_in_a_fresh_process": [
        """
    import os
    HERE = os.getpid()

    @contextmanager
    def open_session(stage, device, threads, options):
        if os.environ.get("BAD_PID", str(HERE)) != str(HERE):
            raise RuntimeError("opened where it was not made")
        os.environ["BAD_PID"] = str(HERE)
        with open_good(stage, device, threads, options) as session:
            yield session
    """
    ],
    "test_it_names_devices_and_versions": [
        """
    more |= {"versions": lambda: {"bad": 1}}
    """
    ],
}


def test_a_sound_backend_holds_every_promise(verdicts):
    found = verdicts("backend", SESSION, OFFER)
    unchecked = {name for name, one in found.items() if one.status == "not checked"}
    assert unchecked == {"test_its_options_are_explained", "test_its_options_refuse_nonsense"}
    assert [one.why for one in found.values() if one.status == "not held"] == []


@pytest.mark.parametrize(
    ("promise", "number"), [(name, n) for name, texts in CASES.items() for n in range(len(texts))]
)
def test_a_promise_that_is_broken_is_told(broken, promise, number, monkeypatch):
    monkeypatch.delenv("BAD_PID", raising=False)
    why = broken("backend", SESSION, CASES[promise][number], OFFER)
    assert list(why) == [promise], why


LEAK = """
    LEAKED = []

    @contextmanager
    def open_session(stage, device, threads, options):
        LEAKED.append([bytearray(b"x" * 100_000) for _ in range(10)])
        with open_good(stage, device, threads, options) as session:
            yield session
"""


def test_a_leak_into_memory_that_the_process_has_spare_is_told(broken):
    # Too small to be mapped one by one; the last keeps what is freed below it from going back.
    *spare, last = [bytearray(b"x" * 100_000) for _ in range(1000)]
    del spare
    assert list(broken("backend", SESSION, LEAK, OFFER)) == ["test_closing_releases_memory"]
    del last


def test_sums_that_round_otherwise_from_run_to_run_are_no_cache(verdicts):
    noisy = """
    def answer(session, inputs):
        import numpy as np

        noise = np.random.default_rng().normal(scale=1e-7, size=3)
        scores = compute(session, inputs)
        return {name: (array * (1 + noise)).astype("float32") for name, array in scores.items()}
    """
    found = verdicts("backend", SESSION, noisy, OFFER)
    assert {name: one.why for name, one in found.items() if one.status == "not held"} == {}
    assert found["test_nothing_is_cached"].status == "held"


LABELS = """
    import numpy as np

    def build(variant, weights):
        made = toy.build(variant, weights)
        outputs = [TensorSpec(name="scores", dtype="int64", shape=("batch", 3))]
        stages = [attrs.evolve(stage, outputs=outputs) for stage in made.stages]
        return attrs.evolve(made, model="labels", stages=stages)

    @hookimpl
    def edgebench_models():
        yield Model(name="labels", summary="Labels.", build=build, format="toy-matrix",
                    variants=[Variant(name="one", weights=["random"])], dataset="toy-points")

    def answer(session, inputs):
        scores = inputs[session.read] @ session.matrix
        return {name: label(scores) for name in session.written}
"""


def check_labels(verdicts, label):
    text = LABELS + f"\n    def label(scores):\n        return {label}\n"
    found = verdicts("backend", SESSION, text, OFFER, model="labels")
    return found["test_nothing_is_cached"]


def test_labels_that_are_equal_for_two_inputs_are_no_cache(verdicts):
    # The first two samples have one label, a later one another.
    found = check_labels(verdicts, "np.repeat(scores.argmax(1)[:, None] // 2, 3, axis=1)")
    assert (found.status, found.why) == ("held", "")


def test_labels_that_are_equal_for_all_inputs_show_nothing(verdicts):
    found = check_labels(verdicts, "np.zeros_like(scores, np.int64)")
    assert found.status == "not checked"
    assert "the same for each of" in found.why


def test_a_backend_without_a_device_has_nothing_to_open(verdicts):
    found = verdicts("backend", SESSION, '    more |= {"devices": list}', OFFER)
    assert {name: one.why for name, one in found.items() if one.status == "not held"} == {}
    usable = found["test_usable_is_true"]
    assert (usable.status, usable.why) == ("not checked", "it has no device here")


def test_numbers_that_are_farther_than_usual_are_doubted(verdicts):
    """What computes in f16 and claims f32 may be within what is allowed."""
    rough = """
    def answer(session, inputs):
        scores = compute(session, inputs)
        return {name: (array * 1.0003).astype("float32") for name, array in scores.items()}
    """
    found = verdicts("backend", SESSION, rough, OFFER)["test_its_numbers_are_right"]
    assert found.status == "held"
    (said,) = found.doubts
    assert "less than 5e-05 of that is usual" in said
    plain = verdicts("backend", SESSION, OFFER)["test_its_numbers_are_right"]
    assert plain.doubts == ()
