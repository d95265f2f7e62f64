"""The steps that pip is asked for: what else a row may have written there is not done."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgebench.catalogue.rows import PluginRow
from edgebench.parts.errors import Missing
from edgebench.survey.installing import list_steps


def list_commands(install):
    row = PluginRow(
        name="shrink",
        module="acme.shrink",
        requires=("acme",),
        install=install,
        events=True,
        file=Path("acme.toml"),
    )
    return [step.command for step in list_steps(row)]


@pytest.mark.parametrize(
    "install",
    [
        "pip install acme",
        "pip install 'acme[gpu]>=1.2' other",
        "pip install 'acme; python_version < \"3.13\"'",
        "pip install 'acme @ https://example.org/acme.whl'",
    ],
)
def test_requirements_are_installed(install):
    assert list_commands(install) == [f"python -m {install}"]


@pytest.mark.parametrize(
    ("install", "why"),
    [
        ("pip install", "names nothing to install"),
        ("pip install --index-url=http://example.org acme", "'--index-url=http://example.org'"),
        ("pip install acme --pre", "'--pre'"),
        ("pip install -r acme.txt", "'-r'"),
        ("pip install acme; rm -rf x", "'acme;'"),
        ("pip install acme ; ls", "';'"),
        ("pip install acme && ls", "'&&'"),
        ('pip install "acme', "cannot be read"),
        ("pip uninstall -y acme", "pip does not bring the plugin shrink"),
        ("", "install the packages acme"),
    ],
)
def test_nothing_else_is_done(install, why):
    with pytest.raises(Missing) as refused:
        list_commands(install)
    assert why in str(refused.value)
    assert install in str(refused.value)
    assert "\n" not in str(refused.value)
