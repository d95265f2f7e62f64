"""What every importer promises."""

from edgebench.testing import ImporterContract

import edgebench_new_name


class TestNewName(ImporterContract):
    plugins = [edgebench_new_name]
    name = "new-name"
