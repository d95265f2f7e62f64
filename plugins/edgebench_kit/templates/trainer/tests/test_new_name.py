"""What every trainer promises."""

from edgebench.testing import TrainerContract

import edgebench_new_name


class TestNewName(TrainerContract):
    plugins = [edgebench_new_name]
    name = "new-name"
