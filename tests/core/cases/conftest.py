"""What planning tests share."""

from __future__ import annotations

import pytest

from edgebench.cases.usable import Answer


@pytest.fixture
def answering():
    """Answer for backends from a table of refusals by backend and tier, and start no process."""

    def make(refusals):
        def ask(plugins, devices, hosts):
            return {
                name: Answer(
                    devices=("cpu",),
                    why_not={
                        device: {tier: refusals.get((name, tier), "") for tier in hosts}
                        for device in wanted
                    },
                )
                for name, wanted in devices.items()
            }

        return ask

    return make
