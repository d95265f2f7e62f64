"""What planning tests share."""

from __future__ import annotations

import pytest

from edgebench.cases.usable import Answer


@pytest.fixture
def answering():
    """Answer for backends from a table of refusals by backend and tier, and start no process.

    What is asked is noted in a list, where one is given: the devices of the backends by name.
    """

    def make(refusals, asked=None):
        def ask(plugins, devices, hosts):
            if asked is not None:
                asked.append({name: list(wanted) for name, wanted in devices.items()})
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
