"""Parts of the other kinds that break a promise are told by that promise and no other."""

from __future__ import annotations

import pytest

GOOD = {
    "dataset": """
        samples, metrics = toy.samples, toy.metrics

        @hookimpl
        def edgebench_datasets():
            yield Dataset(name="bad", summary="Bad.", samples=samples, metrics=metrics)

        @hookimpl
        def edgebench_models():
            yield Model(name="of-bad", summary="Bad.", build=toy.build, format="toy-matrix",
                        variants=[Variant(name="one", parameters=24, weights=["random"])],
                        dataset="bad")
    """,
    "tier": """
        facts = {"cpus": 4, "memory": 2**30, "source": "its data sheet"}

        @hookimpl
        def edgebench_tiers():
            yield Tier(name=name, summary="Bad.", **facts)
    """,
    "format": """
        save, load, more = toy.save, toy.load, {}

        @hookimpl
        def edgebench_formats():
            yield Format(name="bad", summary="Bad.", save=save, load=load, **more)

        @hookimpl
        def edgebench_converters():
            yield Converter(name="to-bad", summary="Bad.", source="toy-matrix", target="bad",
                            convert=lambda stage, _: attrs.evolve(
                                stage.changed(stage.live), format="bad"))

        @hookimpl
        def edgebench_backends():
            yield Backend(name="reads-bad", summary="Bad.", open=toy.open_session, formats=["bad"])
    """,
    "converter": """
        def convert(stage, examples):
            return attrs.evolve(stage.changed(stage.live), format="bad-format")

        @contextmanager
        def open_session(stage, device, threads, options):
            with toy.open_session(stage, device, threads, options) as session:
                yield session

        @hookimpl
        def edgebench_formats():
            yield Format(name="bad-format", summary="Bad.", save=toy.save, load=toy.load)

        @hookimpl
        def edgebench_converters():
            yield Converter(name="bad", summary="Bad.", source="toy-matrix",
                            target="bad-format", convert=lambda *given: convert(*given))

        @hookimpl
        def edgebench_backends():
            yield Backend(name="reads-bad", summary="Bad.", formats=["bad-format"],
                          open=lambda *given: open_session(*given))
    """,
    "trainer": """
        def fit(stage, loss, training, validation, budget, seed, progress, teacher=None):
            import numpy as np

            weights = (stage.live + seed).astype("float32")
            for epoch in range(6):
                loss({"scores": np.full(3, 6.0 - epoch)}, np.zeros(3))
                progress(epoch, 6, "an epoch")
            return stage.changed(weights)

        @hookimpl
        def edgebench_models():
            yield Model(name="bad-model", summary="Bad.", build=build, format="bad-format",
                        variants=[Variant(name="one", weights=["random"])],
                        dataset="toy-points",
                        loss=lambda outputs, answers: ((outputs["scores"] - answers) ** 2).mean())

        def build(variant, weights):
            made = toy.build(variant, weights)
            stages = [attrs.evolve(stage, format="bad-format") for stage in made.stages]
            return attrs.evolve(made, model="bad-model", stages=stages)

        @hookimpl
        def edgebench_formats():
            yield Format(name="bad-format", summary="Bad.", save=toy.save, load=toy.load)

        @hookimpl
        def edgebench_trainers():
            yield Trainer(name="bad", summary="Bad.", format="bad-format",
                          fit=lambda stage, loss, training, validation, budget, seed, progress,
                          teacher=None: fit(stage, loss, training, validation, budget, seed,
                                            progress, teacher))
    """,
    "reporter": """
        def render(results):
            return "\\n".join([results.run.id, *(one.case.label for one in results.results)])

        @hookimpl
        def edgebench_reporters():
            yield Reporter(name="bad", summary="Bad.", render=lambda results: render(results))
    """,
    "importer": """
        def claims(path):
            return path.is_file() and path.read_bytes().startswith(b"seconds\\n")

        def read(path):
            import numpy as np

            values = []
            for number, line in enumerate(path.read_text().splitlines()[1:], start=2):
                try:
                    values.append(float(line))
                except ValueError:
                    raise DataError(f"{path}, line {number}: no number: {line!r}") from None
            yield Imported(model="toy:small", chain="identity", placement="mobile",
                           backend="theirs", fabric="bench", latency_s=np.array(values),
                           measured="once", origin=str(path))

        @hookimpl
        def edgebench_importers():
            yield Importer(name="bad", summary="Bad.", claims=lambda path: claims(path),
                           read=lambda path: read(path))
    """,
    "model": """
        build, more = toy.build, {}
        parameters = 24

        def preprocess(decoded, variant):
            return {"input": decoded[None]}

        @hookimpl
        def edgebench_models():
            yield Model(name="bad", summary="Bad.", build=lambda *given: build(*given),
                        variants=[Variant(name="one", parameters=parameters, weights=["random"])],
                        dataset="toy-points", format="toy-matrix",
                        preprocess=lambda *given: preprocess(*given), **more)
    """,
    "fabric": """
        import os
        import subprocess
        import sys

        @attrs.frozen
        class Spawned:
            pid: int
            log: object

        @attrs.define
        class Host:
            tier: Tier
            threads: int = 1
            slowdown: float = 1.0
            paced: bool = True
            enforced: dict = attrs.field(
                factory=lambda: dict.fromkeys(["cpu", "memory", "bandwidth", "delay"], "not"))
            started: list = attrs.field(factory=list)

            def facts(self):
                return HostFacts(tier=self.tier.name, cpus=1, memory=2**30)

            def put(self, directory):
                return directory

            def spawn(self, argv, env, log):
                with log.open("ab") as file:
                    started = subprocess.Popen(argv, stdout=file, stderr=file,
                                               env={**os.environ, **env}, start_new_session=own)
                started.returncode = 0
                self.started.append(started)
                after(self, argv, env)
                return Spawned(started.pid, log)

        own = True

        def after(host, argv, env):
            pass

        @contextmanager
        def open_hosts(tiers, links):
            hosts = {tier.name: Host(tier) for tier in tiers}
            try:
                yield hosts
            finally:
                for started in (one for host in hosts.values() for one in host.started):
                    started.returncode = None
                    if started.poll() is None:
                        os.killpg(started.pid, 9) if own else started.kill()
                        started.wait()

        @hookimpl
        def edgebench_fabrics():
            yield Fabric(name="bad", summary="Bad.", open=lambda *given: open_hosts(*given))
    """,
}
"""A sound part of each kind; what stands before its offer, a broken one says otherwise."""

NO_OPTIONS = {"test_its_options_are_explained", "test_its_options_refuse_nonsense"}

BROKEN = [
    ("dataset", "test_its_splits_share_no_payload", """
        def samples(split, seed):
            return toy.samples("training" if split == "test" else split, seed)
     """),
    ("dataset", "test_its_order_is_fixed", """
        def samples(split, seed):
            import random

            found = list(toy.samples(split, seed))
            random.shuffle(found)
            return found
     """),
    ("dataset", "test_its_samples_are_payloads_and_answers", """
        def samples(split, seed):
            for payload, answer in toy.samples(split, seed):
                yield payload, {"answer": answer} if split == "training" else answer
     """),
    ("dataset", "test_it_can_be_measured_on", """
        def samples(split, seed):
            return toy.samples(split, seed) if split != "test" else ()
     """),
    ("dataset", "test_its_metrics_are_told_apart", """
        def metrics():
            return toy.metrics() * 2
     """),
    ("dataset", "test_its_metrics_take_answers", """
        def metrics():
            accuracy, = toy.metrics()
            return [attrs.evolve(accuracy, count=lambda scores, answer: [scores[answer["class"]]])]
     """),
    ("dataset", "test_its_metrics_take_answers", """
        def metrics():
            accuracy, = toy.metrics()
            return [attrs.evolve(accuracy, count=lambda scores, answer: [1.0] * (1 + answer))]
     """),
    ("dataset", "test_its_metrics_take_answers", """
        def metrics():
            accuracy, = toy.metrics()
            return [attrs.evolve(accuracy, value=lambda counts: 100 * counts[1] / counts[1])]
     """),
    ("tier", "test_its_facts_are_sound", "facts = {**facts, 'memory': 8}"),
    ("tier", "test_its_facts_are_sound", "facts = {**facts, 'threads': 5}"),
    ("format", "test_it_uses_no_pickle", """
        def save(stage, directory):
            import pickle

            (directory / "matrix.pkl").write_bytes(pickle.dumps(stage.live))
            return ["matrix.pkl"]

        def load(stage, rebuild):
            import pickle

            return pickle.loads(stage.file.read_bytes())

        @contextmanager
        def open_session(stage, device, threads, options):
            yield toy.ToySession(load(stage, None), stage.inputs[0].inside, ["scores"])

        toy = attrs.make_class("Toy", ["open_session"])(open_session)
     """),
    ("format", "test_it_uses_no_pickle", """
        def save(stage, directory):
            import numpy as np

            np.savez(directory / "matrix.npz", rows=np.array([*stage.live, None], dtype=object))
            return ["matrix.npz"]

        def load(stage, rebuild):
            import numpy as np

            with np.load(stage.file, allow_pickle=True) as file:
                return np.stack(file["rows"][:-1])
     """),
    ("format", "test_it_writes_what_it_names", """
        def save(stage, directory):
            (directory / "notes.txt").write_text("beside")
            return toy.save(stage, directory)
     """),
    ("format", "test_what_it_kept_is_kept_again_the_same", """
        def load(stage, rebuild):
            return toy.load(stage, rebuild) * 2
     """),
    ("format", "test_it_refuses_a_damaged_file", """
        def save(stage, directory):
            (directory / "matrix.raw").write_bytes(stage.live.tobytes())
            return ["matrix.raw"]

        def load(stage, rebuild):
            import numpy as np

            content = stage.file.read_bytes()
            held = np.frombuffer(content[: len(content) // 4 * 4], np.float32)
            return np.resize(held, (8, 3))
     """),
    ("format", "test_it_tells_what_is_in_a_stage", """
        more = {"describe": lambda stage: Contents(nodes={'matrix': -1})}
     """),
    ("converter", "test_its_outputs_are_the_same", """
        def convert(stage, examples):
            return attrs.evolve(stage.changed(stage.live * 1.5), format="bad-format")
     """),
    ("converter", "test_what_it_is_given_stays", """
        def convert(stage, examples):
            made = attrs.evolve(stage.changed(stage.live.copy()), format="bad-format")
            stage.live[...] = 0
            return made
     """),
    ("converter", "test_it_converts", """
        def convert(stage, examples):
            inputs = [attrs.evolve(spec, dtype="float64") for spec in stage.inputs]
            return attrs.evolve(stage.changed(stage.live), format="bad-format", inputs=inputs)
     """),
    ("converter", "test_its_batch_stays_open", """
        @contextmanager
        def open_session(stage, device, threads, options):
            with toy.open_session(stage, device, threads, options) as session:
                class Fixed:
                    def run(self, inputs):
                        if len(inputs["input"]) < 8:
                            raise RuntimeError("this graph takes 8 samples")
                        return session.run(inputs)

                yield Fixed()
     """),
    ("trainer", "test_the_loss_falls", """
        def fit(stage, loss, training, validation, budget, seed, progress, teacher=None):
            import numpy as np

            for epoch in range(6):
                loss({"scores": np.full(3, 1.0 + epoch)}, np.zeros(3))
                progress(epoch, 6, "an epoch")
            return stage.changed(stage.live * 2)
     """),
    ("trainer", "test_the_same_seed_trains_the_same", """
        good = fit

        def fit(stage, loss, *others):
            import numpy as np

            made = good(stage, loss, *others)
            return stage.changed(made.live + np.random.default_rng().normal(size=(8, 3)))
     """),
    ("trainer", "test_what_it_is_given_stays", """
        good = fit

        def fit(stage, loss, *others):
            made = good(stage, loss, *others)
            stage.live[...] = 0
            return made
     """),
    ("reporter", "test_it_writes_no_figure_that_is_none", """
        def render(results):
            return "mean " + str(float("nan") if not results.results else 1.0)
     """),
    ("importer", "test_it_claims_only_what_it_reads", """
        good = claims

        def claims(path):
            return good(path) or path.suffix == ".csv"
     """),
    ("importer", "test_it_refuses_garbage_with_its_place", """
        good = read

        def read(path):
            try:
                yield from good(path)
            except DataError:
                raise ValueError("no number") from None
     """),
    ("model", "test_its_parameters_are_true", "parameters = 25"),
    ("model", "test_the_same_seed_builds_the_same", """
        def build(variant, weights):
            import numpy as np

            made = toy.build(variant, weights)
            stage, = made.stages
            noise = np.random.default_rng().normal(size=(8, 3)).astype("float32")
            return made.replaced([stage.changed(stage.live + noise)])
     """),
    ("model", "test_its_answers_are_taken", """
        more = {"postprocess": lambda outputs, variant: "an answer",
                "encode": lambda prediction: prediction.encode()}
     """),
    ("fabric", "test_its_processes_can_be_killed", "own = False"),
    ("fabric", "test_nothing_is_left_when_it_closes", """
        good = open_hosts

        @contextmanager
        def open_hosts(tiers, links):
            with good(tiers, links) as hosts:
                yield hosts
                for host in hosts.values():
                    host.started.clear()
     """),
    ("fabric", "test_nothing_is_left_when_it_closes", """
        good = open_hosts

        @contextmanager
        def open_hosts(tiers, links):
            helper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"],
                                      start_new_session=True)
            helper.returncode = 0
            with good(tiers, links) as hosts:
                yield hosts
     """),
    ("fabric", "test_nothing_is_left_when_it_closes", """
        from contextlib import suppress

        good = open_hosts

        @contextmanager
        def open_hosts(tiers, links):
            with good(tiers, links) as hosts, suppress(BaseException):
                yield hosts
     """),
    ("fabric", "test_nothing_is_left_when_it_closes", """
        good = open_hosts

        @contextmanager
        def open_hosts(tiers, links):
            try:
                with good(tiers, links) as hosts:
                    yield hosts
            except BaseException:
                raise RuntimeError("something was wrong") from None
     """),
    ("fabric", "test_it_puts_and_spawns", """
        import pathlib, tempfile

        def put(self, directory):
            return pathlib.Path(tempfile.gettempdir())

        Host.put = put
     """),
]  # fmt: skip


@pytest.fixture
def sample(tmp_path):
    """What the importer reads."""
    path = tmp_path / "theirs.csv"
    path.write_text("seconds\n0.5\n0.25\n0.125\n")
    return path


def written(kind, *more):
    """Return a plugin of a kind: what it says, what says otherwise, and then what it offers."""
    before, mark, offer = GOOD[kind].partition("        @hookimpl")
    return before, "        name = 'bad'\n", *more, mark + offer


@pytest.mark.parametrize("kind", GOOD)
def test_a_sound_part_holds_every_promise(verdicts, sample, kind):
    found = verdicts(kind, *written(kind), data=sample if kind == "importer" else None)
    assert {name: one.why for name, one in found.items() if one.status == "not held"} == {}
    unchecked = {name for name, one in found.items() if one.status == "not checked"}
    assert unchecked <= {*NO_OPTIONS, "test_its_parameters_are_true"}


@pytest.mark.parametrize(("kind", "promise", "text"), BROKEN)
def test_a_promise_that_is_broken_is_told(broken, sample, kind, promise, text):
    why = broken(kind, *written(kind, text), data=sample if kind == "importer" else None)
    assert list(why) == [promise], why


def test_a_tier_whose_name_cannot_be_placed_is_told(broken):
    text = written("tier", "name = 'far-cloud'")
    assert list(broken("tier", *text, name="far-cloud")) == ["test_its_name_can_be_placed"]


def test_what_a_reporter_keeps_beside_its_caller_is_not_left_there(verdicts, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.iterdir())
    render = (
        "def render(results):\n    open('kept', 'a').write('1')\n    return open('kept').read()"
    )
    found = verdicts("reporter", *written("reporter", render))
    assert [one.why for one in found.values() if one.status == "not held"] == []
    assert sorted(tmp_path.iterdir()) == [*before, tmp_path / "bad_plugin.py"]


def test_a_reporter_that_fails_is_told_with_what_it_was_given(broken):
    text = written("reporter", "def render(results):\n    return results.results[0].case.label")
    why = broken("reporter", *text)
    assert "of a run with nothing it fails: IndexError" in why["test_it_lays_out_any_run"]


def test_a_converter_is_told_what_ran_what_it_makes(broken):
    turn = """
        def convert(stage, examples):
            return attrs.evolve(stage.changed(stage.live * 1.5), format="bad-format")
     """
    why = broken("converter", *written("converter", turn))["test_its_outputs_are_the_same"]
    assert (
        "away from the source's (run on reads-bad, the source on toy-numpy), whose largest" in why
    )
