"""Texts of users in Markdown: shown as they are, with nothing made of them."""

from __future__ import annotations

import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from edgebench import escape_markdown


@given(st.text(st.sampled_from("a1 @#*_`|<>&\\[]()~$-+=.:/w!{}\n"), min_size=1))
def test_what_is_shown_is_the_text(text):
    shown = MarkdownIt("commonmark").enable(["strikethrough"]).render(escape_markdown(text))
    words = html.unescape(re.sub(r"</?p>", "", shown)).replace("\u200b", "")
    assert " ".join(words.split()) == " ".join(text.split())


@pytest.mark.parametrize(
    "text", ["see https://evil.example", "http://x", "ftp://x", "www.evil.example", "WWW.x.org"]
)
def test_an_address_is_no_link(text):
    """The extension of GitHub begins at what is taken out here."""
    written = escape_markdown(text)
    assert "://" not in written
    assert "www." not in written.lower()


def test_nobody_is_mentioned():
    """GitHub looks for `@name` and `#1` in what is shown."""
    shown = html.unescape(escape_markdown("@org/team org/repository#12 a@b"))
    assert not re.search(r"[@#]\w", shown)
