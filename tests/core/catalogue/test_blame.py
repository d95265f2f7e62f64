"""What a part is blamed for, and what it is not."""

import errno
import os
from types import ModuleType

import pytest

from edgebench import CaseFailed, Dataset, Registry, hookimpl
from edgebench.catalogue.blame import blame
from edgebench.catalogue.plugins import Plugins


@pytest.fixture
def plugins():
    module = ModuleType("shelf")

    @hookimpl
    def edgebench_datasets():
        yield Dataset(name="rows", summary="Rows.", samples=lambda split, seed: [])

    module.edgebench_datasets = edgebench_datasets
    return Plugins.of(Registry(), [module])


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_nobody_is_to_blame_for_a_full_disk(plugins, number):
    with pytest.raises(OSError, match=os.strerror(number)), blame(plugins, Dataset, "rows"):
        raise OSError(number, os.strerror(number))


def test_other_errors_of_the_system_name_whose_code_it_was(plugins):
    with (
        pytest.raises(CaseFailed, match="^dataset rows .*shelf.*: FileNotFoundError: "),
        blame(plugins, Dataset, "rows"),
    ):
        raise FileNotFoundError(errno.ENOENT, "not there", "rows.csv")
