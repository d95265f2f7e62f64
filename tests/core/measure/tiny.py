"""A stranger's plugin of numpy alone: a model, a dataset, and a backend that fails as asked."""

from __future__ import annotations

import io
import os
import signal
import time
from contextlib import contextmanager

import attrs

from edgebench import Backend, Dataset, Metric, Model, hookimpl


@attrs.frozen(kw_only=True)
class TinyOptions:
    stage: int = -1
    """The stage, by the number in its file's name, that misbehaves."""
    at: int = 1
    """Which of its runs it misbehaves in."""
    how: str = ""
    """raise, hang, kill, chatter."""
    sleep_ms: float = 0.0


@attrs.define
class TinySession:
    weights: object
    names: list[str]
    options: TinyOptions
    wicked: bool
    runs: int = 0

    def run(self, inputs):
        self.runs += 1
        if self.wicked and self.runs == self.options.at:
            misbehave(self.options.how)
        time.sleep(self.options.sleep_ms / 1e3)
        given = next(iter(inputs.values()))
        known = {"sure": given[:, 0], "early": given * 10}
        return {name: known.get(name, given @ self.weights) for name in self.names}


class TellingSession(TinySession):
    def explain(self):
        misbehave(self.options.how if self.wicked else "")
        return [f"{len(self.names)} outputs"]

    def doubts(self):
        return ["its threads are its own"]

    def assignment(self):
        if self.wicked:
            return {"chip": "conv"}
        return {"chip": ["conv", "relu"], "processor": [f"gemm {self.names[0]}"]}


def misbehave(how):
    if how == "raise":
        raise RuntimeError("the chip is on fire\nand smokes")
    if how == "hang":
        time.sleep(3600)
    if how == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "chatter":
        os.write(1, b"garbage\x00\xff" * 50_000)


@contextmanager
def open_matrix(stage, device, threads, options):
    import numpy as np

    wicked = stage.directory.name == f"stage-{options.stage}"
    if wicked and options.at == 0:
        raise OSError("no such chip")
    names = [spec.inside for spec in stage.outputs]
    kind = TellingSession if device == "telling" else TinySession
    yield kind(np.load(stage.file), names, options, wicked)


def compile_matrix(stage, device, threads, options, directory):
    import numpy as np

    misbehave(options.how)
    np.save(directory / "compiled.npy", np.load(stage.file))
    return attrs.evolve(stage, files=["compiled.npy"], directory=directory)


def samples(split, seed):
    import numpy as np

    numbers = np.random.default_rng([seed, len(split)])
    for _ in range({"test": 24}.get(split, 2)):
        values = numbers.random(4, dtype=np.float32)
        file = io.BytesIO()
        np.save(file, values)
        yield file.getvalue(), int(values.argmax())


def same(prediction, answer):
    return [float(prediction.argmax() == answer), 1.0]


def metrics():
    return [Metric(name="accuracy", count=same, value=lambda counts: counts[0] / counts[1])]


@hookimpl
def edgebench_models():
    yield Model(name="tiny", summary="A product of matrices.", build=print, dataset="tiny-rows")


@hookimpl
def edgebench_datasets():
    yield Dataset(name="tiny-rows", summary="Rows of numbers.", samples=samples, metrics=metrics)


@hookimpl
def edgebench_backends():
    common = {"open": open_matrix, "formats": ["tiny-matrix"], "options": TinyOptions}
    yield Backend(name="tiny", summary="numpy.", versions=lambda: {"tiny": "1"}, **common)
    yield Backend(name="tiny-compiler", summary="Compiles.", compile=compile_matrix, **common)
