import attrs
import numpy as np
import pytest

from edgebench.cases.case import BackendChoice
from edgebench.measure.station.opening import open_piece
from edgebench.measure.station.orders import HostOrder, Work
from edgebench.parts.errors import OptionError, UnknownName


@pytest.fixture
def work(source, prepared, spec):
    def make(stages=1, cuts=(), **changes):
        pipeline = prepared([([spec(f"h{n}", 4)], None) for n in range(stages)], cuts)
        plain = Work(
            source=source.to_json(),
            artifact=pipeline.stages[0].directory.parent,
            piece=0,
            model="tiny",
            variant="default",
            backend=BackendChoice("tiny"),
            threads=1,
        )
        return attrs.evolve(plain, **changes)

    return make


def test_a_piece_is_opened_with_what_it_took(work):
    with open_piece(work(slowdown=3.0)) as loaded:
        assert set(loaded.cold_s) == {"import", "load"}
        assert all(seconds > 0 for seconds in loaded.cold_s.values())
        assert loaded.versions == {"tiny": "1"}
        assert loaded.piece.slowdown == 3.0
        assert loaded.piece.model.name == "tiny"
        assert loaded.piece.last


def test_all_stages_of_a_piece_and_no_others_are_opened(work):
    with open_piece(work(stages=3, cuts=(2,))) as first:
        assert [stage.number for stage in first.piece.stages] == [0, 1]
        assert not first.piece.last
        assert [spec.name for spec in first.piece.leaving] == ["h1"]
    with open_piece(work(stages=3, cuts=(2,), piece=1)) as second:
        assert [stage.number for stage in second.piece.stages] == [2]
        assert [spec.name for spec in second.piece.arriving] == ["h1"]


def test_options_are_structured_for_the_backend(work):
    choice = BackendChoice("tiny", "", (("sleep_ms", "0.5"), ("stage", "4")))
    with open_piece(work(backend=choice)) as loaded:
        options = loaded.piece.stages[0].session.options
        assert (options.sleep_ms, options.stage) == (0.5, 4)


def test_an_option_of_the_wrong_type_is_refused(work):
    choice = BackendChoice("tiny", "", (("stage", "first"),))
    with (
        pytest.raises(
            OptionError, match="the backend tiny: stage must be a whole number, not 'first'"
        ),
        open_piece(work(backend=choice)),
    ):
        pass


def test_a_backend_that_is_not_there_is_named(work):
    with (
        pytest.raises(UnknownName, match="no backend is called 'tinny'"),
        open_piece(work(backend=BackendChoice("tinny"))),
    ):
        pass


def test_tensors_are_mapped_to_the_names_inside_the_file(prepared, spec, work):
    pipeline = prepared([([attrs.evolve(spec("out", 4), port="y")], None)])
    with open_piece(work(artifact=pipeline.stages[0].directory.parent)) as loaded:
        opened = loaded.piece.stages[0]
        assert opened.feeds == (("input", "input"),)
        assert opened.gives == (("out", "y"),)
        got = opened.session.run({"input": np.ones((1, 4), np.float32)})
        assert list(got) == ["y"]


def test_a_host_opens_its_piece_without_what_reads_documents(work, python):
    given = work()
    program = """
        import sys
        from edgebench.measure.station.opening import open_piece
        from edgebench.measure.station.orders import HostOrder

        with open_piece(HostOrder.read(sys.argv[1]).work) as opened:
            print(opened.versions, "cattrs" in sys.modules)
        """
    order = HostOrder(name="host", tier="mobile", controller="", parent=0, work=given)
    file = order.write(given.artifact.parent)
    done = python(program, file)
    assert (done.stdout, done.stderr) == ("{'tiny': '1'} False\n", "")
