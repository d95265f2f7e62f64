"""A whole world of numpy, as a stranger's plugin: nothing here needs a framework.

A model, its dataset, trainer, formats, converter, operators and backends, each of the fewest lines
that do real work: to be seen beside a plugin under test, or begun from.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from edgebench import (
    Backend,
    Budget,
    Context,
    Converter,
    Dataset,
    Format,
    HostFacts,
    Metric,
    Model,
    Operator,
    Pipeline,
    Session,
    Split,
    Stage,
    Tensors,
    TensorSpec,
    Trainer,
    Usable,
    Variant,
    Weights,
    hookimpl,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

WIDE, CLASSES = 8, 3


def spec(name: str, width: int) -> TensorSpec:
    """Return the specification of rows of 32-bit floats."""
    return TensorSpec(name=name, dtype="float32", shape=("batch", width))


def build(variant: str, weights: Weights) -> Pipeline:
    """Build the one matrix that the model is."""
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


def samples(split: str, seed: int) -> Iterator[tuple[bytes, int]]:
    """Yield points that scatter round the centres of their classes."""
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


def metrics() -> Sequence[Metric]:
    """Return the share of right answers."""
    return [
        Metric(
            name="accuracy",
            count=lambda scores, answer: [float(scores.argmax() == answer), 1.0],
            value=lambda counts: float(counts[0] / counts[1]),
        )
    ]


def fit(
    stage: Stage,
    loss: Callable[..., Any],
    training: Split,
    validation: Split,
    budget: Budget,
    seed: int,
    progress: Callable[[int, int, str], None],
    teacher: Stage | None = None,
) -> Stage:
    """Fit by least squares: a convex loss needs no epochs."""
    import numpy as np

    rows = list(training)
    inputs = np.concatenate([tensors["input"] for tensors, _ in rows])
    wanted = np.eye(CLASSES, dtype=np.float32)[[answer for _, answer in rows]]
    matrix = np.linalg.lstsq(inputs, wanted, rcond=None)[0].astype(np.float32)
    progress(1, 1, f"fitted on {len(rows)}, checked on {len(validation)}")
    return stage.changed(matrix)


def save(stage: Stage, directory: Path) -> Sequence[str]:
    """Write the matrix as a numpy file."""
    import numpy as np

    np.save(directory / "matrix.npy", stage.live)
    return ["matrix.npy"]


def load(stage: Stage, rebuild: Callable[[], Any]) -> Any:
    """Read the matrix."""
    import numpy as np

    return np.load(stage.file)


@attrs.define
class ToySession:
    """A matrix, loaded."""

    matrix: NDArray[Any]
    read: str
    """The name of what it multiplies."""
    written: Sequence[str]
    """The names of what it writes: the products, or as `sure` the lead of the best of them."""

    def run(self, inputs: Tensors) -> Tensors:
        """Multiply a batch."""
        import numpy as np

        scores = inputs[self.read] @ self.matrix
        best = np.sort(scores, axis=1)
        sure = best[:, -1] - best[:, -2]
        return {name: sure if name == "sure" else scores for name in self.written}


@contextmanager
def open_session(stage: Stage, device: str, threads: int, options: Any) -> Iterator[Session]:
    """Load the matrix."""
    import numpy as np

    written = [spec.inside for spec in stage.outputs]
    yield ToySession(np.load(stage.file), stage.inputs[0].inside, written)


@attrs.frozen(kw_only=True)
class RoundOptions:
    """How weights are rounded."""

    digits: int = 2
    """Decimal places that are kept."""
    samples: int = 10
    """Inputs of the calibration split that are looked at."""


def rounded(pipeline: Pipeline, context: Context) -> Pipeline:
    """Round the weights, in units of the largest input."""
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


def cut(pipeline: Pipeline, context: Context) -> Pipeline:
    """Factor the matrix in two, so that what crosses is narrower than the input."""
    import numpy as np

    (stage,) = pipeline.stages
    left, sizes, right = np.linalg.svd(stage.live, full_matrices=False)
    middle = spec("middle", CLASSES)
    front = attrs.evolve(stage.changed((left * sizes).astype(np.float32)), outputs=[middle])
    back = attrs.evolve(stage.changed(right.astype(np.float32)), inputs=[middle])
    return pipeline.replaced([front, back], cuts=[1])


def seal(stage: Stage, examples: Tensors) -> Stage:
    """Keep the same matrix in the other format."""
    return attrs.evolve(stage.changed(stage.live), format="toy-sealed")


def usable(facts: HostFacts, device: str) -> Usable:
    """Refuse one tier, so that there is a reason to be shown."""
    return facts.tier != "cloud" or "not on cloud"


@hookimpl
def edgebench_models() -> Iterator[Model]:
    """Offer the matrix."""
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
def edgebench_datasets() -> Iterator[Dataset]:
    """Offer the points."""
    yield Dataset(
        name="toy-points", summary="Points round three centres.", samples=samples, metrics=metrics
    )


@hookimpl
def edgebench_trainers() -> Iterator[Trainer]:
    """Offer least squares."""
    yield Trainer(name="toy-trainer", summary="Least squares.", format="toy-matrix", fit=fit)


@hookimpl
def edgebench_formats() -> Iterator[Format]:
    """Offer two formats that differ in name alone."""
    for name in ("toy-matrix", "toy-sealed"):
        yield Format(name=name, summary="A numpy file.", save=save, load=load)


@hookimpl
def edgebench_converters() -> Iterator[Converter]:
    """Offer the way from one to the other."""
    yield Converter(
        name="toy-seal",
        summary="Seal a matrix.",
        source="toy-matrix",
        target="toy-sealed",
        convert=seal,
    )


@hookimpl
def edgebench_operators() -> Iterator[Operator]:
    """Offer one that changes, one that cuts, and one that only reads the other format."""
    yield Operator(
        name="toy-round",
        summary="Round the weights.",
        apply=rounded,
        options=RoundOptions,
        needs=["calibration"],
        reads=["toy-matrix"],
    )
    yield Operator(
        name="toy-cut",
        summary="Cut in two.",
        apply=cut,
        reads=["toy-matrix"],
        cuts=lambda _: 1,
    )
    yield Operator(
        name="toy-seal",
        summary="Leave only what is sealed.",
        apply=lambda pipeline, _: pipeline,
        may_keep=True,
        reads=["toy-sealed"],
        writes="toy-sealed",
    )


@hookimpl
def edgebench_backends() -> Iterator[Backend]:
    """Offer one for each format."""
    yield Backend(
        name="toy-numpy",
        summary="numpy.",
        open=open_session,
        formats=["toy-matrix"],
        versions=lambda: {"toy": "1"},
    )
    yield Backend(
        name="toy-chip",
        summary="Sealed only, not in the cloud.",
        open=open_session,
        formats=["toy-sealed"],
        usable=usable,
    )
