"""What every importer promises."""

from pathlib import Path

from edgebench.testing import ImporterContract

import edgebench_new_name


class TestNewName(ImporterContract):
    plugins = [edgebench_new_name]
    name = "new-name"
    sample = Path(__file__).with_name("latencies.csv")
