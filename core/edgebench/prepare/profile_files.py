"""Profiles as files: an entry of the artifact store holds one."""

from __future__ import annotations

import json
from pathlib import Path

from edgebench.parts.documents import from_document, to_document
from edgebench.parts.pipeline import Profile

FILE = "profile.json"


def write_profile(profile: Profile, directory: Path) -> None:
    """Write a profile into an empty directory."""
    (directory / FILE).write_text(json.dumps(to_document(profile), indent=1))


def read_profile(directory: Path) -> Profile:
    """Read what `write_profile` wrote."""
    return from_document(Profile, json.loads((directory / FILE).read_text()))
