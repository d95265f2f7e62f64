"""Files that the options of a backend name, as part of what identifies a case."""

from __future__ import annotations

from edgebench.cases.case import BackendChoice
from edgebench.cases.chain import structure
from edgebench.catalogue.plugins import Plugins
from edgebench.parts.places import Backend
from edgebench.store.digests import digest_paths


def find_files(choice: BackendChoice, plugins: Plugins) -> list[dict[str, str]]:
    """Return what is in the files that a backend's options name; nothing where they name none.

    At the same path may lie what was built anew. What is not there is left out, and fails the case
    where it is opened.
    """
    options = plugins.get(Backend, choice.name).options
    found = digest_paths(structure(options, choice.options, choice.name))
    return [found] if found else []
