"""A whole world of numpy, as a stranger's plugin file: nothing here needs a framework."""

from __future__ import annotations

import io
from contextlib import contextmanager
from itertools import islice

import attrs

from edgebench import (
    Backend,
    Converter,
    Dataset,
    Format,
    Metric,
    Model,
    Operator,
    Pipeline,
    Stage,
    TensorSpec,
    Trainer,
    Variant,
    hookimpl,
)

WIDE, CLASSES = 8, 3


def spec(name, width):
    return TensorSpec(name=name, dtype="float32", shape=("batch", width))


def build(variant, weights):
    import numpy as np

    matrix = np.random.default_rng(weights.seed).normal(size=(WIDE, CLASSES)).astype(np.float32)
    stage = Stage(
        format="toy-matrix",
        inputs=[spec("input", WIDE)],
        outputs=[spec("scores", CLASSES)],
        live=matrix,
        parameters=matrix.size,
    )
    return Pipeline(model="toy", variant=variant, stages=[stage], outputs=["scores"])


def samples(split, seed):
    import numpy as np

    sizes = {"training": 120, "calibration": 20, "validation": 30, "test": 60}
    rng = np.random.default_rng([seed, *split.encode()])
    centres = np.random.default_rng(7).normal(size=(CLASSES, WIDE))
    for index in range(sizes.get(split, 0)):
        answer = index % CLASSES
        row = (centres[answer] + rng.normal(scale=0.8, size=WIDE)).astype(np.float32)
        file = io.BytesIO()
        np.save(file, row)
        yield file.getvalue(), answer


def metrics():
    return [
        Metric(
            name="accuracy",
            count=lambda scores, answer: [float(scores.argmax() == answer), 1.0],
            value=lambda counts: counts[0] / counts[1],
        )
    ]


def fit(stage, loss, training, validation, budget, seed, progress, teacher=None):
    """Fit by least squares: a convex loss needs no epochs."""
    import numpy as np

    rows = list(training)
    inputs = np.concatenate([tensors["input"] for tensors, _ in rows])
    wanted = np.eye(CLASSES, dtype=np.float32)[[answer for _, answer in rows]]
    matrix = np.linalg.lstsq(inputs, wanted, rcond=None)[0].astype(np.float32)
    progress(1, 1, f"fitted on {len(rows)}, checked on {len(validation)}")
    return stage.changed(matrix)


def save(stage, directory):
    import numpy as np

    np.save(directory / "matrix.npy", stage.live)
    return ["matrix.npy"]


def load(stage, rebuild):
    import numpy as np

    return np.load(stage.file)


@attrs.define
class Session:
    matrix: object
    read: str
    written: list

    def run(self, inputs):
        import numpy as np

        scores = inputs[self.read] @ self.matrix
        best = np.sort(scores, axis=1)
        sure = best[:, -1] - best[:, -2]
        return {name: sure if name == "sure" else scores for name in self.written}


@contextmanager
def open_session(stage, device, threads, options):
    import numpy as np

    written = [spec.inside for spec in stage.outputs]
    yield Session(np.load(stage.file), stage.inputs[0].inside, written)


@attrs.frozen(kw_only=True)
class RoundOptions:
    digits: int = 2
    """Decimal places that are kept."""
    samples: int = 10
    """Inputs of the calibration split that are looked at."""


def rounded(pipeline, context):
    import numpy as np

    seen = [
        tensors["input"]
        for tensors, _ in islice(context.inputs("calibration"), context.options.samples)
    ]
    scale = float(np.abs(np.concatenate(seen)).max())
    stages = [
        stage.changed(
            np.round(stage.live / scale, context.options.digits) * scale, precision="int8"
        )
        for stage in pipeline.stages
    ]
    return pipeline.replaced([attrs.evolve(s, live=s.live.astype(np.float32)) for s in stages])


def cut(pipeline, context):
    """Factor the matrix in two, so that what crosses is narrower than the input."""
    import numpy as np

    (stage,) = pipeline.stages
    left, sizes, right = np.linalg.svd(stage.live, full_matrices=False)
    middle = spec("middle", CLASSES)
    front = attrs.evolve(stage.changed((left * sizes).astype(np.float32)), outputs=[middle])
    back = attrs.evolve(stage.changed(right.astype(np.float32)), inputs=[middle])
    return pipeline.replaced([front, back], cuts=[1])


def sealed(stage, examples):
    return attrs.evolve(stage.changed(stage.live), format="toy-sealed")


@hookimpl
def edgebench_models():
    yield Model(
        name="toy",
        summary="One matrix.",
        build=build,
        variants=[Variant(name="small", parameters=WIDE * CLASSES, weights=["trained", "random"])],
        dataset="toy-points",
        format="toy-matrix",
        loss=lambda outputs, answers: ((outputs["scores"] - answers) ** 2).mean(),
    )


@hookimpl
def edgebench_datasets():
    yield Dataset(
        name="toy-points", summary="Points round three centres.", samples=samples, metrics=metrics
    )


@hookimpl
def edgebench_trainers():
    yield Trainer(name="toy-trainer", summary="Least squares.", format="toy-matrix", fit=fit)


@hookimpl
def edgebench_formats():
    for name in ("toy-matrix", "toy-sealed"):
        yield Format(name=name, summary="A numpy file.", save=save, load=load)


@hookimpl
def edgebench_converters():
    yield Converter(name="toy-seal", summary="Seal a matrix.", source="toy-matrix",
                    target="toy-sealed", convert=sealed)  # fmt: skip


@hookimpl
def edgebench_operators():
    yield Operator(name="toy-round", summary="Round the weights.", apply=rounded,
                   options=RoundOptions, needs=["calibration"], reads=["toy-matrix"])  # fmt: skip
    yield Operator(name="toy-cut", summary="Cut in two.", apply=cut, reads=["toy-matrix"],
                   cuts=lambda options: 1)  # fmt: skip
    yield Operator(name="toy-seal", summary="Leave only what is sealed.", apply=lambda p, c: p,
                   may_keep=True, reads=["toy-sealed"], writes="toy-sealed")  # fmt: skip


@hookimpl
def edgebench_backends():
    yield Backend(name="toy-numpy", summary="numpy.", open=open_session, formats=["toy-matrix"],
                  versions=lambda: {"toy": "1"})  # fmt: skip
    yield Backend(name="toy-chip", summary="Sealed only, not in the cloud.", open=open_session,
                  formats=["toy-sealed"],
                  usable=lambda facts, device: facts.tier != "cloud" or "not on cloud")  # fmt: skip
