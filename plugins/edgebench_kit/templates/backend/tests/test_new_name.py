"""What every backend promises."""

from edgebench.testing import BackendContract

import edgebench_new_name


class TestNewName(BackendContract):
    plugins = [edgebench_new_name]
    name = "new-name"
