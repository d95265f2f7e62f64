"""What the programs that write pages share: tables of Markdown, and how a page is kept or held."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path


def keep(name: str, text: str, words: Sequence[str]) -> int:
    """Write a page of `docs/`; with `--check` return 1 if it would be another."""
    page = Path(__file__).with_name(name)
    if "--check" in words:
        return int(page.read_text(encoding="utf-8") != text)
    page.write_text(text, encoding="utf-8")
    return 0


def write_table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table of Markdown; what separates its columns is escaped in its cells."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join(f"| {' | '.join(map(_write_cell, line))} |\n" for line in lines)


def _write_cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())


def write_sentence(text: str) -> str:
    """Return a text of a line as a sentence."""
    return f"{text[:1].upper()}{text[1:]}{'' if text[-1] in '.?!' else '.'}" if text else ""
