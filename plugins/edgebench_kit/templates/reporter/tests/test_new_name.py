"""What every reporter promises."""

from edgebench.testing import ReporterContract

import edgebench_new_name


class TestNewName(ReporterContract):
    plugins = [edgebench_new_name]
    name = "new-name"
