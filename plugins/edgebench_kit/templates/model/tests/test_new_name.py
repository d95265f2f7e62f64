"""What every model promises."""

from edgebench.testing import ModelContract

import edgebench_new_name


class TestNewName(ModelContract):
    plugins = [edgebench_new_name]
    name = "new-name"
