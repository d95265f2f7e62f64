"""What every fabric promises."""

from edgebench.testing import FabricContract

import edgebench_new_name


class TestNewName(FabricContract):
    plugins = [edgebench_new_name]
    name = "new-name"
