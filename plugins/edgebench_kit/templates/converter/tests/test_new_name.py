"""What every converter promises."""

from edgebench.testing import ConverterContract

import edgebench_new_name


class TestNewName(ConverterContract):
    plugins = [edgebench_new_name]
    name = "new-name"
