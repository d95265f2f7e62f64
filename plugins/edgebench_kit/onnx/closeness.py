"""How far the outputs of a graph are from those of another, on the same inputs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray


LEAST_SAME = 0.9
"""The share of equal answers under which a doubt is due."""
MOST_ERROR = 0.1
"""The error over the signal above which a doubt is due: noise of -20 dB."""


@attrs.frozen(kw_only=True)
class Closeness:
    """What one output of two graphs has in common, added up sample by sample.

    *error* and *signal* are sums of squares, of the difference and of the output that is right.
    """

    name: str
    axis: int | None = None
    """The axis of the classes; None where the output names no class by its largest value."""
    error: float = 0.0
    signal: float = 0.0
    same: int = 0
    answers: int = 0
    lost: int = 0
    """How many numbers are none, or infinite, that should be some."""
    reshaped: int = 0
    """How many inputs gave an output of another shape."""

    def add(self, right: NDArray[Any], other: NDArray[Any]) -> Closeness:
        """Return the closeness with what the two graphs gave for one more input."""
        if right.dtype.kind not in "fiub":
            return self
        if right.shape != other.shape:
            return attrs.evolve(self, reshaped=self.reshaped + 1)
        if right.dtype.kind != "f":
            return self._count_same(right, other)
        closeness = self._add_error(right, other)
        if self.axis is None or right.ndim <= self.axis or right.shape[self.axis] < 2:
            return closeness
        return closeness.add(right.argmax(axis=self.axis), other.argmax(axis=self.axis))

    def _add_error(self, right: NDArray[Any], other: NDArray[Any]) -> Closeness:
        import numpy as np

        sound = np.isfinite(right)
        both = sound & np.isfinite(other)
        kept, given = right[both].astype("f8"), other[both].astype("f8")
        return attrs.evolve(
            self,
            error=self.error + float(((given - kept) ** 2).sum()),
            signal=self.signal + float((kept**2).sum()),
            lost=self.lost + int((sound & ~both).sum()),
        )

    def _count_same(self, right: NDArray[Any], other: NDArray[Any]) -> Closeness:
        same = self.same + int((right == other).sum())
        return attrs.evolve(self, same=same, answers=self.answers + right.size)

    @property
    def relative_error(self) -> float:
        """The norm of the difference over that of the output; infinite where that is nothing."""
        if not self.error:
            return 0.0
        return float((self.error / self.signal) ** 0.5) if self.signal else float("inf")

    @property
    def same_answer(self) -> float | None:
        """The share of equal answers; None where the output gives none."""
        return self.same / self.answers if self.answers else None

    def list_faults(self) -> Iterator[str]:
        """Yield what is worth a doubt, with its figures."""
        if self.lost:
            yield f"{self.lost} numbers of {self.name!r} are infinite or none"
        if self.reshaped:
            yield f"{self.name!r} has another shape for {self.reshaped} of them"
        if self.same_answer is not None and self.same_answer < LEAST_SAME:
            yield (
                f"{self.name!r} gives the same answer in {self.same_answer:.2f} of "
                f"{self.answers} places, under {LEAST_SAME}"
            )
        if self.relative_error > MOST_ERROR:
            yield (
                f"the error of {self.name!r} is {self.relative_error:.2f} of its signal, "
                f"over {MOST_ERROR}"
            )


def measure_error(wanted: Sequence[NDArray[Any]], got: Sequence[NDArray[Any]]) -> float:
    """Return the squares of the differences over those of what is wanted, added up over outputs.

    Only floats count. A difference that is no number is larger than any.
    """
    import numpy as np

    floats = [pair for pair in zip(wanted, got, strict=True) if pair[0].dtype.kind == "f"]
    pairs = [(one.astype("f8"), other.astype("f8")) for one, other in floats]
    error = sum(float(((one - other) ** 2).sum()) for one, other in pairs)
    signal = sum(float((one**2).sum()) for one, _ in pairs)
    return float(np.nan_to_num(error / signal if signal else error, nan=1e300, posinf=1e300))
