"""Where the classes lie in an output whose largest value is the answer."""

from __future__ import annotations


def guess_classes_axis(dimensions: int) -> int | None:
    """Return the axis that classes are usually along, by an output's number of dimensions.

    The second of (samples, classes) and of (samples, classes, height, width), the last of (samples,
    steps, classes); None where there are no two.
    """
    if dimensions < 2:
        return None
    return 2 if dimensions == 3 else 1


def choose_classes_axis(stated: int | None, dimensions: int) -> int | None:
    """Return the axis that is stated, as `Pipeline.classes` states it, else the usual one.

    None where there is none, which is stated by 0.
    """
    return guess_classes_axis(dimensions) if stated is None else stated or None
