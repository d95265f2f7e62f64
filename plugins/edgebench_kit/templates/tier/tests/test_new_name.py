"""What every tier promises."""

from edgebench.testing import TierContract

import edgebench_new_name


class TestNewName(TierContract):
    plugins = [edgebench_new_name]
    name = "new-name"
