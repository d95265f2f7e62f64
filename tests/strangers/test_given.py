"""What a user gives: weights in a file, a dataset's directory, a file's options and its inputs."""

from __future__ import annotations

from textwrap import dedent

import numpy as np
import pytest

from edgebench.records.database import Database

GIVEN = """
    import attrs

    from edgebench import (Dataset, DataError, Metric, Model, Pipeline, Stage, TensorSpec, Unreadable,
                           Variant, hookimpl)

    WIDE, CLASSES = 8, 3

    def metric():
        return Metric(name="accuracy", count=lambda s, a: [float(s.argmax() == a), 1.0],
                      value=lambda counts: counts[0] / counts[1])

    # --- a dataset that its owner ships as a directory ------------------------------------------

    def opened(directory):
        import pathlib, sys

        with pathlib.Path(__file__).with_name("opened-by").open("a") as file:
            file.write(" ".join(sys.orig_argv) + "\\n")
        files = sorted(directory.glob("*.txt"))
        if not files:
            raise DataError(f"field-points: {directory} holds no *.txt; write one row a file")

        def samples(split, seed):
            import io
            import numpy as np

            training = [] if (directory / "none to train on").exists() else files[:60]
            parts = {"training": training, "validation": files[60:80], "test": files[80:]}
            for file in parts.get(split, ()):
                try:
                    *row, answer = map(float, file.read_text().split())
                except ValueError as error:
                    yield Unreadable(name=file.name, reason="not numbers")
                    continue
                buffer = io.BytesIO()
                np.save(buffer, np.asarray(row, np.float32))
                yield buffer.getvalue(), int(answer)

        return Dataset(name="field-points", summary="Rows of files.", samples=samples,
                       metrics=lambda: [metric()], from_directory=opened)

    @hookimpl
    def edgebench_datasets():
        yield Dataset(name="field-points", summary="Rows of files.", from_directory=opened,
                      metrics=lambda: [metric()], layout="one *.txt a row")

    # --- a model whose resources its requests need, and whose weights may be a file -------------

    def build(variant, weights):
        import numpy as np

        if weights.kind == "file":
            matrix = np.loadtxt(weights.path, dtype=np.float32)
            if matrix.shape != (WIDE, CLASSES):
                raise DataError(f"{weights.path}: shape {matrix.shape}, not {(WIDE, CLASSES)}")
        else:
            matrix = np.random.default_rng(weights.seed).normal(size=(WIDE, CLASSES))
        stage = Stage(format="toy-matrix", live=matrix.astype(np.float32),
                      inputs=[TensorSpec(name="input", dtype="float32", shape=("batch", WIDE))],
                      outputs=[TensorSpec(name="scores", dtype="float32", shape=("batch", CLASSES))])
        return Pipeline(model="scaled", variant=variant, stages=[stage], outputs=["scores"],
                        resources={"scale.txt": b"2.0"})

    def bind(model, variant, resources):
        scale = float(resources["scale.txt"])
        return attrs.evolve(model, preprocess=lambda row, _: {"input": row[None] * scale})

    def unscaled(row, variant):
        raise AssertionError("its resources were not bound")

    @hookimpl
    def edgebench_models():
        yield Model(name="scaled", summary="One matrix.", build=build, format="toy-matrix",
                    variants=[Variant(name="small", weights=["random", "trained", "file"],
                                      dataset="field-points",
                                      stand_in="toy-points")],
                    preprocess=unscaled, bind=bind,
                    loss=lambda outputs, answers: 0.0)
"""


@pytest.fixture
def run(cli, toy, tmp_path):
    file = tmp_path / "given.py"
    file.write_text(dedent(GIVEN))

    def words(*words, plugins=()):
        more = [word for each in plugins for word in ("--plugin", each)]
        return cli("run", "--plugin", toy, "--plugin", file, *more, "--backend", "toy-numpy",
                   "--blocks", "1", "--requests", "5", "--json", *words)  # fmt: skip

    return words


def one(said):
    assert said.status == 0, said.err
    (case,) = said.json["cases"]
    return case


@pytest.fixture
def field(tmp_path):
    """A directory of the dataset, one file of which may be broken."""

    def make(count=200, broken=0):
        place = tmp_path / "field"
        place.mkdir()
        rng = np.random.default_rng(3)
        centres = rng.normal(size=(3, 8)) * 3
        for number in range(count):
            row = centres[number % 3] + rng.normal(scale=0.1, size=8)
            text = " ".join(f"{x:.6f}" for x in row) + f" {number % 3}"
            place.joinpath(f"{number:03}.txt").write_text("?" if number < broken else text)
        return place

    return make


def test_inputs_that_stand_in_give_no_accuracy(run, tmp_path):
    np.savetxt(tmp_path / "w.txt", np.ones((8, 3)))
    words = ("--weights", f"file:{tmp_path / 'w.txt'}", "--operator", "toy-round")
    case = one(run("--model", "scaled", *words))
    assert case["dataset"] == "toy-points"
    assert case["accuracy"] == {}
    assert case["no_accuracy"] == (
        "inputs of toy-points stand in for field-points; give --data field-points=DIR"
    )
    assert case["inputs"] == "toy-points (stands in for field-points)"
    assert case["agreement"]["samples"] == 16


def test_random_weights_are_compared_on_a_few_samples(run, field):
    cut = ("--operator", "toy-cut", "--placement", "mobile-edge")
    case = one(run("--model", "scaled", "--data", f"field-points={field()}", *cut))
    assert (case["no_accuracy"], case["agreement"]["samples"]) == ("random weights", 16)


def test_a_model_is_trained_and_scored_on_a_directory_that_is_given(run, field):
    said = run("--model", "scaled", "--weights", "trained", "--data", f"field-points={field()}")
    case = one(said)
    assert (case["dataset"], case["inputs"]) == ("field-points", "field-points")
    assert case["accuracy"]["accuracy"] == 1.0
    assert case["accuracy_samples"]["accuracy"] == 120


TRAINS = """
    from edgebench import Operator, hookimpl

    def apply(pipeline, context):
        return pipeline.replaced([context.fit(stage) for stage in pipeline.stages])

    @hookimpl
    def edgebench_operators():
        yield Operator(name="train-on", summary="Train on.", apply=apply, needs=["training"],
                       reads=["toy-matrix"])
"""


def test_what_trains_is_skipped_where_a_directory_has_nothing_to_train_on(run, field, tmp_path):
    place, plugin = field(), tmp_path / "trains.py"
    plugin.write_text(dedent(TRAINS))
    words = ["--model", "scaled", "--data", f"field-points={place}"]
    words += ["--operator", "train-on", "--operator", "identity"]
    assert len(run(*words, plugins=[plugin]).json["cases"]) == 2
    (place / "none to train on").touch()
    said = run(*words, plugins=[plugin])
    by_chain = {case["chain"]: case for case in said.json["cases"]}
    assert by_chain["identity"]["status"] == "ok"
    assert by_chain["train-on"]["status"] == "skipped"
    left = by_chain["train-on"]
    assert (
        f"field-points in {place} has no training samples: looked for one *.txt a row"
        in left["reason"]
    )


def test_no_host_needs_the_directory_that_is_given(run, field, tmp_path):
    one(run("--model", "scaled", "--weights", "trained", "--data", f"field-points={field()}"))
    opened = (tmp_path / "opened-by").read_text()
    assert "edgebench.prepare.worker" in opened
    assert "edgebench.measure" not in opened


def test_what_cannot_be_read_is_counted_and_named(run, field):
    words = ("--model", "scaled", "--weights", "trained", "--data")
    case = one(run(*words, f"field-points={field(broken=1)}"))
    doubt = "1 of 200 inputs could not be read: 000.txt (not numbers)"
    assert doubt in case["doubts"]


def test_too_much_that_cannot_be_read_is_a_mistake(run, field):
    said = run("--model", "scaled", "--weights", "trained",
               "--data", f"field-points={field(broken=2)}")  # fmt: skip
    assert (said.status, said.out) == (2, "")
    # On a slow machine it says how far it is, too.
    lines = said.err.splitlines(keepends=True)
    assert "".join(line for line in lines if "keeping its splits: " not in line) == (
        "edgebench: dataset field-points: 2 of 200 inputs cannot be read, as 000.txt (not "
        "numbers); mend or remove them, less than 1% is tolerated\n"
    )


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("--data", "field-points=nowhere"), "nowhere is no directory; it must be one with one *.txt a row"),
        (("--data", "field-points=."), "holds no *.txt; write one row a file"),
        (("--data", "toy-points=."), "toy-points is made here and takes no directory"),
        (("--data", "wild-points=."), "no dataset is called 'wild-points'; did you mean 'field-points'?"),
        (("--data", "field-points"), "the directory of field-points is written field-points=DIR"),
        (("--data", "nowhere"), "--data: there is no file or directory 'nowhere'"),
        (("--data", "."), "holds no *.txt; write one row a file"),
        (("--data", "field-points=.", "--data", "field-points=.."), "--data field-points is given twice"),
        (("--input-data", "."), "holds no *.txt; write one row a file"),
        (("--input-data", "nowhere"), "--input-data: there is no file or directory 'nowhere'"),
        (("--weights", "file:nowhere"), "--weights file: there is no file or directory 'nowhere'"),
        (("--weights", "file"), "weights from a file are written file:PATH"),
        (("--weights", "random:x"), "weights 'random' take no path; only file:PATH does"),
        (("--weights", "hub"), "scaled:small has no weights 'hub'; it has random, trained, file:PATH"),
    ],
)  # fmt: skip
def test_a_mistake_in_what_is_given_is_one_clear_line(run, words, line):
    said = run("--model", "scaled", *words)
    assert (said.status, said.out) == (2, "")
    assert said.err.count("\n") == 1
    assert line in said.err


def test_a_weight_file_that_does_not_fit_is_said_before_anything_is_measured(run, tmp_path):
    np.savetxt(tmp_path / "w.txt", np.ones((8, 4)))
    said = run("--model", "scaled", "--weights", f"file:{tmp_path / 'w.txt'}")
    assert (said.status, said.out) == (2, "")
    assert said.err == f"edgebench: {tmp_path / 'w.txt'}: shape (8, 4), not (8, 3)\n"
    with Database.open(tmp_path / "edgebench.db") as database:
        assert database.read_runs() == ()


FAULTY = """
    from edgebench import Model, Variant, hookimpl

    def build(variant, weights):
        print("looking for a way")
        raise RuntimeError("no way")

    @hookimpl
    def edgebench_models():
        yield Model(name="faulty", summary="Fails.", build=build, format="toy-matrix",
                    dataset="toy-points", variants=[Variant(name="small", weights=["file"])])
"""


def test_a_model_that_fails_to_be_built_of_a_file_costs_no_other_its_run(run, cli, tmp_path):
    np.savetxt(tmp_path / "w.txt", np.ones((8, 3)))
    (tmp_path / "faulty.py").write_text(dedent(FAULTY))
    said = run("--model", "faulty", "--model", "scaled", "--weights", f"file:{tmp_path / 'w.txt'}",
               plugins=[tmp_path / "faulty.py"])  # fmt: skip
    assert said.status == 1, said.err
    cases = {case["model"]: case for case in said.json["cases"]}
    assert (cases["scaled"]["status"], cases["scaled"]["samples"]) == ("ok", 5)
    assert (cases["faulty"]["status"], cases["faulty"]["reason"]) == (
        "failed", f"model faulty ({tmp_path / 'faulty.py'}): RuntimeError: no way",
    )  # fmt: skip
    assert "looking for a way" in cli("logs", cases["faulty"]["id"]).out


def test_data_that_no_model_uses_is_refused(run, field, tmp_path):
    said = run("--model", "toy", "--data", f"field-points={field()}")
    assert (said.status, said.out) == (2, "")
    assert said.err == (
        "edgebench: --data field-points: no model that is to be run is measured on field-points\n"
    )


TABLE = """
    import attrs

    from edgebench import Dataset, DataError, Metric, Model, Pipeline, Stage, TensorSpec, hookimpl

    @attrs.frozen(kw_only=True)
    class Options:
        factor: float = 1.0
        metric: str = ""

    def from_file(path, options):
        import numpy as np

        matrix = np.loadtxt(path, delimiter=",", dtype=np.float32) * options.factor
        other = np.loadtxt(path.with_suffix(".more"), dtype=np.float32)
        specs = [TensorSpec(name=n, dtype="float32", shape=("batch", size))
                 for n, size in zip(("signal", "levels"), matrix.shape)]
        stage = Stage(format="toy-matrix", inputs=specs[:1], outputs=specs[1:],
                      live=(matrix + other).astype(np.float32))
        return Pipeline(model="table", variant="default", stages=[stage], outputs=["levels"])

    def inputs(path, options, data):
        import io
        import numpy as np

        given = dict(np.load(data)) if data else {"signal": np.eye(5, dtype=np.float32)}
        if "signal" not in given:
            raise DataError(f"{data}: has no array 'signal'")

        def samples(split, seed):
            for row, values in enumerate(given["signal"] if split == "test" else ()):
                buffer = io.BytesIO()
                np.savez(buffer, signal=values)
                yield buffer.getvalue(), int(given["labels"][row]) if "labels" in given else 0

        metric = Metric(name="top1", count=lambda s, a: [float(s.argmax() == a), 1.0],
                        value=lambda counts: counts[0] / counts[1])
        return Dataset(name="signals", summary="Of the file.", samples=samples,
                       metrics=lambda: [metric] if options.metric else [])

    def build(variant, weights):
        raise AssertionError("it has a file")

    @hookimpl
    def edgebench_models():
        yield Model(name="table", summary="Any table.", build=build, files=["*.csv"],
                    from_file=from_file, inputs=inputs, options=Options, format="toy-matrix",
                    beside=lambda path: [path.with_suffix(".more")])
"""


@pytest.fixture
def table(run, tmp_path):
    plugin = tmp_path / "table.py"
    plugin.write_text(dedent(TABLE))
    np.savetxt(tmp_path / "My Table.csv", np.eye(5, 2), delimiter=",")
    np.savetxt(tmp_path / "My Table.more", np.zeros((5, 2)))
    return lambda *words: run(*words, plugins=[plugin])


def test_a_file_brings_its_options_and_its_inputs(table, tmp_path):
    rows = np.eye(5, dtype=np.float32)[[0, 1, 0, 1]]
    np.savez(tmp_path / "in.npz", signal=rows, labels=[0, 1, 0, 0])
    case = one(
        table("--model", "My Table.csv(metric=top1,factor=3)", "--input-data", tmp_path / "in.npz")
    )
    assert (case["model"], case["variant"]) == ("table", "my-table")
    assert case["accuracy"] == {"top1": 0.75}
    assert case["inputs"] == "signals"
    plain = one(table("--model", "My Table.csv"))
    assert plain["no_accuracy"] == "no labelled inputs"
    assert plain["id"] != case["id"]


def test_what_lies_beside_a_file_is_part_of_what_it_is(table, tmp_path):
    first = one(table("--model", "My Table.csv"))
    np.savetxt(tmp_path / "My Table.more", np.ones((5, 2)))
    second = one(table("--model", "My Table.csv"))
    assert first["artifact"] != second["artifact"]


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["My Table.csv(colour=red)"], "My Table.csv has no option 'colour'"),
        (["My Table.csv(factor=much)"], "My Table.csv: factor must be a number, not 'much'"),
        (["My Table.csv(factor)"], "an option written key=value is expected"),
        (["table"], "table is a model that is a file; give the path of one (*.csv)"),
        (["My Table.csv", "--weights", "random"], "My Table.csv brings its own weights"),
        (["My Table.csv", "--input-data", "bad.npz"], "bad.npz: has no array 'signal'"),
    ],
)
def test_a_mistake_in_a_files_options_is_one_clear_line(table, tmp_path, words, line):
    np.savez(tmp_path / "bad.npz", other=np.zeros((2, 5)))
    said = table("--model", *words)
    assert (said.status, said.out) == (2, "")
    assert said.err.count("\n") == 1, said.err
    assert line in said.err


def test_a_path_may_hold_brackets(table, tmp_path):
    for end in (".csv", ".more"):
        (tmp_path / f"My Table{end}").rename(tmp_path / f"My (1){end}")
    assert one(table("--model", "My (1).csv"))["variant"] == "my-1"
    assert one(table("--model", "My (1).csv(factor=2)"))["variant"] == "my-1"


def test_what_was_said_of_a_file_sets_its_results_apart(table):
    said = table("--model", "My Table.csv", "--model", "My Table.csv(factor=3)", "--blocks", "2")
    assert said.status == 0, said.err
    assert [case["options"] for case in said.json["cases"]] == [{}, {"factor": "3.0"}]
    ids = [case["id"] for case in said.json["cases"]]
    assert [(one["title"].split(",")[0], one["cases"]) for one in said.json["decisions"]] == [
        ("table:my-table", ids[:1]),
        ("table:my-table(factor=3.0)", ids[1:]),
    ]


def test_a_case_whose_file_has_gone_is_not_measured_again(table, cli, toy, tmp_path):
    reading = "beside=lambda path: path.open().close() or ["
    (tmp_path / "table.py").write_text(dedent(TABLE).replace("beside=lambda path: [", reading))
    case = one(table("--model", "My Table.csv"))
    (tmp_path / "My Table.csv").rename(tmp_path / "elsewhere.csv")
    said = cli("run", "--plugin", toy, "--plugin", tmp_path / "given.py",
               "--plugin", tmp_path / "table.py", "--case", case["id"])  # fmt: skip
    assert (said.status, said.out) == (2, "")
    assert said.err == (
        f"edgebench: no file or directory is called '{tmp_path / 'My Table.csv'}'\n"
    )


DRAWING = """
    from edgebench import Model, Pipeline, Stage, TensorSpec, hookimpl

    def from_file(path, options):
        import numpy as np

        matrix = np.loadtxt(path, delimiter=",", dtype=np.float32)
        specs = [TensorSpec(name=n, dtype="float32", shape=("batch", size))
                 for n, size in zip(("file", "levels"), matrix.shape)]
        stage = Stage(format="toy-matrix", inputs=specs[:1], outputs=specs[1:], live=matrix)
        return Pipeline(model="plain", variant="default", stages=[stage], outputs=["levels"])

    @hookimpl
    def edgebench_models():
        yield Model(name="plain", summary="Any table.", build=print, files=["*.csv"],
                    from_file=from_file, format="toy-matrix")
"""


def test_an_input_may_have_any_name(run, tmp_path):
    (tmp_path / "plain.py").write_text(dedent(DRAWING))
    np.savetxt(tmp_path / "t.csv", np.eye(5, 2), delimiter=",")
    case = one(run("--model", "t.csv", plugins=[tmp_path / "plain.py"]))
    assert (case["inputs"], case["samples"]) == ("random inputs", 5)
