"""What is said where a runtime has not the device that it is asked for."""

from __future__ import annotations

from collections.abc import Sequence

from edgebench import CaseFailed


def say_missing(device: str, has: Sequence[str], lacking: Sequence[str] = ()) -> str:
    """Say that there is no such device, what there is, and why others are not."""
    what = f"no device {device!r}" if device else "no device"
    return "; ".join([f"{what} here; it has {', '.join(has) or 'none'}", *lacking])


def require_device(runtime: str, device: str, has: Sequence[str]) -> None:
    """Raise if a device is not among those that a runtime has.

    Raises:
        CaseFailed: It is not.
    """
    if device not in has:
        raise CaseFailed(f"{runtime} has {say_missing(device, has)}")
