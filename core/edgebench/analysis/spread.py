"""What few numbers say of their middle, and what the spread of many cases says of each."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

TRIMMED = 0.2
"""Share of the numbers left out at each end of a trimmed mean."""
FEWEST_TO_TRIM = 8
"""Of 5 to 7 numbers what is left is so few that the interval holds the truth in 92 of 100."""
LEAST_SHARE = 1e-5
"""No variance counts as less than this share of the middle one: equal numbers have none, of which
no logarithm can be taken."""


@attrs.frozen
class Estimate:
    """The middle of some numbers, and how far it may lie from the true one."""

    middle: float
    variance: float
    """Of the middle, not of the numbers."""
    freedom: float
    """Degrees of freedom of the variance; 0 where one number says nothing of it."""

    @property
    def error(self) -> float:
        """The standard error of the middle."""
        return math.sqrt(self.variance)


def estimate(values: Sequence[float]) -> Estimate:
    """Return the 20 % trimmed mean of numbers with Yuen's variance; of fewer than 8, the mean.

    A few wild blocks then move neither the middle nor its error. Yuen 1974, Biometrika 61,
    165-170; the variance of the winsorized numbers over h (h - 1), h numbers being left.
    """
    import numpy as np

    numbers = np.sort(np.asarray(values, dtype=float))
    count = len(numbers)
    cut = int(TRIMMED * count) if count >= FEWEST_TO_TRIM else 0
    left = count - 2 * cut
    kept = numbers[cut : count - cut]
    held = np.clip(numbers, kept[0], kept[-1])
    spread = float(((held - held.mean()) ** 2).sum())
    variance = spread / (left * (left - 1)) if left > 1 else 0.0
    return Estimate(float(kept.mean()), variance, left - 1)


@attrs.frozen
class Prior:
    """What the variances of many like cases say of any one of them."""

    variance: float
    freedom: float
    """As many degrees of freedom that is worth; 0 where the cases are too few to tell."""

    @classmethod
    def fit(cls, found: Sequence[Estimate], most: float) -> Prior:
        """Fit the scaled inverse chi-square distribution that the variances were drawn from.

        By the moments of their logarithms: Smyth 2004, Statistical Applications in Genetics and
        Molecular Biology 3(1), section 6.2. *most* caps the degrees of freedom, as the variances
        of cases that share their rounds hold no more together.
        """
        import numpy as np

        known = [one for one in found if one.freedom > 0]
        variances = np.array([one.variance for one in known])
        if len(known) < 2 or not variances.any():
            return cls(0.0, 0.0)
        return cls(*_fit(variances, known[0].freedom, most))

    def moderate(self, own: Estimate, times: float = 1.0) -> Estimate:
        """Return an estimate whose variance is weighed with the prior's, taken so many *times*."""
        freedom = self.freedom + own.freedom
        if not freedom:
            return own
        variance = self.freedom * times * self.variance + own.freedom * own.variance
        return Estimate(own.middle, variance / freedom, freedom)


def _fit(variances: np.ndarray, freedom: float, most: float) -> tuple[float, float]:
    import numpy as np
    from scipy.special import digamma, polygamma

    half = freedom / 2
    floor = LEAST_SHARE * float(np.median(variances[variances > 0]))
    logs = np.log(np.maximum(variances, floor)) - digamma(half) + math.log(half)
    excess = float(logs.var(ddof=1)) - float(polygamma(1, half))
    worth = min(most, 2 * _invert_trigamma(excess)) if excess > 0 else most
    shift = float(digamma(worth / 2)) - math.log(worth / 2)
    return math.exp(float(logs.mean()) + shift), worth


def _invert_trigamma(value: float) -> float:
    """Return x whose trigamma is *value*, by Newton's method on 1 / trigamma (Smyth, appendix)."""
    from scipy.special import polygamma

    x = 0.5 + 1 / value
    for _ in range(50):
        slope = float(polygamma(1, x))
        step = slope * (1 - slope / value) / float(polygamma(2, x))
        x += step
        if abs(step) < 1e-9 * x:
            break
    return x


def find_t(freedom: float, tail: float = 0.025) -> float:
    """Return the quantile of Student's t that so large a share lies above."""
    from scipy.special import stdtrit

    # Of more it is the normal's, to all digits that anyone prints.
    return float(-stdtrit(min(freedom, 1e6), tail))


def find_p(t: float, freedom: float) -> float:
    """Return the two-sided p value of a t statistic."""
    from scipy.special import stdtr

    return float(2 * stdtr(freedom, -abs(t)))
