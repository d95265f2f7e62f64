"""Seconds of computing and bytes of each hop, fitted to medians of one strategy at several rates.

`latency = compute + sum over hops of bytes x 8 / rate + 2 x delay`, none of them negative: the
least squares of Lawson and Hanson (1974, Solving Least Squares Problems, chapter 23), of relative
deviations, as medians at low rates are many times those at high ones.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import attrs

from edgebench.analysis.draws import Resampling

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edgebench.analysis.result import Result
    from edgebench.cases.case import Case

DRAWS = 200
"""Of so many resamples a fit is made: the interval of one needs no more."""


@attrs.frozen(eq=False)
class Fit:
    """What fits the medians of one strategy under several links."""

    results: Sequence[Result]
    varied: tuple[int, ...]
    """The hops whose rate was varied, by their place in the route."""

    @cached_property
    def rows(self) -> NDArray[Any]:
        """What multiplies computing seconds and bytes, shape (settings, 1 + varied hops)."""
        import numpy as np

        return np.array([self._row(one.case) for one in self.results])

    def _row(self, case: Case) -> list[float]:
        return [1.0, *(8 / case.links[hop].rate for hop in self.varied)]

    @cached_property
    def found(self) -> NDArray[Any]:
        """Seconds of computing and of hops that were not varied, then bytes, (1 + varied,)."""
        import numpy as np

        medians = np.array([one.median for one in self.results], dtype=float)
        return self._solve(medians)

    @property
    def residual(self) -> float:
        """The largest deviation of a fitted median from the measured one, relative to that."""
        import numpy as np

        measured = np.array([one.median for one in self.results], dtype=float)
        fitted = self.rows @ self.found + self._delays
        return float(np.max(np.abs(fitted / measured - 1)))

    @property
    def basis(self) -> str:
        """What it rests on, in words."""
        points, unknown = len(self.results), len(self.found)
        sure = "as many as are fitted, so nothing checks them" if points == unknown else ""
        off = sure or f"off by at most {self.residual:.1%}"
        sent = " and ".join(f"{count / 1e6:.3g} MB" for count in self.found[1:].tolist())
        fixed = len(self.varied) < len(self.results[0].case.links)
        rest = "computing and links of one rate" if fixed else "computing"
        return f"{points} medians at several rates, {off}: {self.found[0]:.3g} s of {rest}, {sent}"

    def predict(self, wanted: Case) -> tuple[float, float, float] | str:
        """Return the median in seconds under the links of a case, and its 95 % interval.

        In place of them, why not: a link is another that was not varied.
        """
        import numpy as np

        first = self.results[0].case.links
        for hop, (old, new) in enumerate(zip(first, wanted.links, strict=True)):
            if hop not in self.varied and old.rate != new.rate:
                return f"{'-'.join(new.between)} was measured at one rate only; a fit needs two"
        row = np.array(self._row(wanted))
        delay = sum(2 * link.delay for link in wanted.links)
        drawn = np.array([row @ self._solve(medians) for medians in self._medians])
        low, high = np.quantile(drawn, (0.025, 0.975)) + delay
        median = float(row @ self.found) + delay
        return median, min(median, float(low)), max(median, float(high))

    @cached_property
    def _medians(self) -> NDArray[Any]:
        """Medians of resamples, shape (draws, settings)."""
        drawn: NDArray[Any] = Resampling(self.results).find("latency.median").values[:DRAWS]
        return drawn

    @property
    def _delays(self) -> NDArray[Any]:
        import numpy as np

        return np.array([sum(2 * link.delay for link in one.case.links) for one in self.results])

    def _solve(self, medians: NDArray[Any]) -> NDArray[Any]:
        from scipy.optimize import nnls

        weighed = self.rows / medians[:, None]
        found: NDArray[Any] = nnls(weighed, (medians - self._delays) / medians)[0]
        return found


def fit_rates(results: Sequence[Result]) -> Fit | str:
    """Return what fits the medians of one strategy under several links; or why that cannot be.

    Each hop whose rate was varied is one unknown, computing another: as many medians are needed at
    least, and rates that do not all vary together.
    """
    import numpy as np

    hops = range(len(results[0].case.links))
    varied = tuple(hop for hop in hops if len({one.case.links[hop].rate for one in results}) > 1)
    fit = Fit(results, varied)
    if not varied:
        return "it was measured at one rate only, and its phases are not known; a fit needs two"
    if np.linalg.matrix_rank(fit.rows / fit.rows.max(axis=0)) < len(varied) + 1:
        return (
            f"{len(results)} medians do not tell {len(varied)} hops and computing apart; measure "
            "at other rates"
        )
    return fit
