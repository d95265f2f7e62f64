"""What every dataset promises."""

from edgebench.testing import DatasetContract

import edgebench_new_name


class TestNewName(DatasetContract):
    plugins = [edgebench_new_name]
    name = "new-name"
