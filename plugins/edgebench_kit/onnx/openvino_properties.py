"""How OpenVINO is asked to compile for a device, for one with others behind it, or for its choice.

A property that a plugin of it does not follow is often taken without a word, so all are read back.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

AUTO = "auto"
"""The device by which it chooses one by itself."""
BY_DEVICE = "DEVICE_PROPERTIES"
UNREAD = frozenset(["CACHE_DIR"])
"""What it keeps and does not tell."""


@attrs.frozen(kw_only=True)
class Asked:
    """What a graph is compiled for, and with what."""

    target: str
    """As the runtime writes it, `HETERO:GPU,CPU`."""
    by_device: Mapping[str, Mapping[str, Any]]
    """By each device that may run it, its properties."""

    @classmethod
    def of(cls, devices: Sequence[str], properties: Sequence[Mapping[str, Any]]) -> Asked:
        """Ask for the first device and those behind it, or for a choice among the rest of `auto`.

        Args:
            devices: As the runtime lists them in small letters, perhaps `auto` before them.
            properties: Those of each device that is no `auto`.
        """
        plain = [one.upper() for one in devices if one != AUTO]
        kind = "AUTO:" if AUTO in devices else "HETERO:" if len(plain) > 1 else ""
        by_device = dict(zip(plain, properties, strict=True))
        return cls(target=kind + ",".join(plain), by_device=by_device)

    def write(self, more: Mapping[str, Any] = MappingProxyType({})) -> dict[str, Any]:
        """Return what is given to the compiler, with *more* for each device."""
        whole = {device: {**asked, **more} for device, asked in self.by_device.items()}
        if ":" not in self.target:
            return whole[self.target]
        found: dict[str, Any] = {BY_DEVICE: whole}
        if self.target.startswith("AUTO"):
            if len(whole) > 1:
                # Else it begins on the processor, and goes on on the device once that has compiled.
                # Where there is but the processor, it would not take that for a choice.
                found |= {"ENABLE_STARTUP_FALLBACK": False, "ENABLE_RUNTIME_FALLBACK": False}
            hints = {asked["PERFORMANCE_HINT"] for asked in self.by_device.values()}
            found["PERFORMANCE_HINT"] = hints.pop()
        return found

    def list_refused(self, compiled: Any) -> Iterator[tuple[str, str, Any, Any]]:
        """Yield what was not taken: the device, the property, what it is and what was asked.

        Only the devices are asked that the compiled graph runs on.
        """
        several = ":" in self.target
        told = compiled.get_property(BY_DEVICE) if several else {}
        for device in compiled.get_property("EXECUTION_DEVICES"):
            asked = self.by_device.get(device) or self.by_device[device.partition(".")[0]]
            for name in asked.keys() - UNREAD:
                got = _plain(told[device].get(name) if several else compiled.get_property(name))
                if got != asked[name]:
                    yield device.lower(), name, got, asked[name]


def _plain(value: Any) -> Any:
    """Return what the runtime tells as what it is asked with: a name for what it has a type for."""
    if hasattr(value, "get_type_name"):
        return value.get_type_name()
    return getattr(value, "name", value)
