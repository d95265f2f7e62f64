"""What a tier promises."""

from __future__ import annotations

import math

from edgebench.parts.places import Tier
from edgebench.testing.contracts.contract import Contract, doubt, hold

LEAST_MEMORY, MOST_MEMORY = 2**16, 2**50
"""Bytes between which a machine's memory lies: 64 KiB and a pebibyte."""
MOST_SPEED = 100.0
"""How many times faster than one of ours a thread may be, before it is doubted."""


class TierContract(Contract):
    """What a tier promises: facts, which a report shows and a fabric pretends."""

    kind = Tier

    def test_its_name_can_be_placed(self) -> None:
        """Its name holds no `-`, which joins tiers in a placement."""
        hold("-" not in self.part.name, f"{self.part.name!r} cannot be told from two tiers")

    def test_its_facts_are_sound(self) -> None:
        """Its processors, memory, speed and threads are those of a machine that can be."""
        tier = self.part
        hold(
            all(isinstance(number, int) for number in (tier.cpus, tier.memory, tier.threads)),
            "processors, bytes and threads are whole numbers",
        )
        hold(
            LEAST_MEMORY <= tier.memory <= MOST_MEMORY,
            f"its memory is {tier.memory:,} bytes; memory is given in bytes",
        )
        hold(
            tier.threads <= tier.cpus,
            f"its stages may use {tier.threads} threads, and it has {tier.cpus} processors",
        )
        if tier.speed is not None:
            hold(math.isfinite(tier.speed), f"its speed is {tier.speed}")
            if tier.speed > MOST_SPEED:
                doubt(f"one of its threads is {tier.speed:g} times as fast as one of ours")

    def test_its_facts_have_a_source(self) -> None:
        """It says where its facts come from."""
        if not self.part.source:
            doubt("it does not say where its facts come from")
