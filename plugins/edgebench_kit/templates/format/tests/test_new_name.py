"""What every format promises."""

from edgebench.testing import FormatContract

import edgebench_new_name


class TestNewName(FormatContract):
    plugins = [edgebench_new_name]
    name = "new-name"
