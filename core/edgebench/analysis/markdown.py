"""Texts of users in Markdown, as they are."""

from __future__ import annotations

import re

SPECIAL = re.compile(
    r"[\\`*_{}\[\]|<>&~$]|^[-+=\d]|(?P<mark>[@#])(?=\w)|[@#]|:(?=//)|(?<=\bwww)\.", re.IGNORECASE
)
"""What Markdown, or GitHub, would take for more than a character; some at the beginning alone."""
APART = "&#8203;"
"""A space of no width. GitHub looks for names and numbers in what is shown: no other way of writing
the character before them keeps it from mentioning them."""


def escape_markdown(text: str) -> str:
    """Return a text that GitHub Flavored Markdown shows as it is, in one line.

    Addresses in it are no links (https://github.github.com/gfm/#autolinks-extension-), and nobody
    is mentioned.
    """
    return SPECIAL.sub(_refer, " ".join(text.split()))


def _refer(found: re.Match[str]) -> str:
    return f"&#{ord(found[0])};{APART if found['mark'] else ''}"
