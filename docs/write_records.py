"""Write `docs/records.md`: every public record with its fields, and the text under each.

With `--check` nothing is written, and the status is 1 if the page is not what it would be.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from textwrap import dedent
from typing import Any

import attrs

import edgebench

PAGE = Path(__file__).with_name("records.md")
HEAD = """\
# Records

What hooks yield and are given: each field with its type, its default and what it means.
[Hooks](hooks.md) says which hook yields which; all of them are imported from `edgebench`. Records
are frozen, and `attrs.evolve(record, field=value)` makes a changed copy.

This page is made from the sources by `python docs/write_records.py`.
"""


def main(words: list[str]) -> int:
    """Write the page, or hold it against the sources."""
    page = write_page()
    if "--check" in words:
        return int(PAGE.read_text(encoding="utf-8") != page)
    PAGE.write_text(page, encoding="utf-8")
    return 0


def write_page() -> str:
    """Return the page as the sources have it."""
    return "\n".join([HEAD, *(_write_class(each) for each in find_classes())])


def find_classes() -> list[type]:
    """Return the public classes that have fields or methods to tell of, by name."""
    public = [getattr(edgebench, name) for name in sorted(dir(edgebench)) if name[0] != "_"]
    classes = [one for one in public if isinstance(one, type)]
    return [one for one in classes if not issubclass(one, Exception)]


def _write_class(kind: type) -> str:
    parts = [f"## `{kind.__name__}`\n", f"{inspect.cleandoc(kind.__doc__ or '')}\n"]
    if rows := list(_write_fields(kind)):
        parts += ["| field | type | default | |", "|---|---|---|---|", *rows, ""]
    parts += _write_methods(kind)
    return "\n".join(parts)


def _write_fields(kind: type) -> Iterator[str]:
    if not attrs.has(kind):
        return
    texts = {name: text for each in reversed(kind.__mro__) for name, text in _read_texts(each)}
    for field in attrs.fields(kind):
        if field.init and not field.name.startswith("_"):
            cells = (f"`{field.name}`", f"`{_name_type(field.type)}`", _write_default(field),
                     texts.get(field.name, ""))  # fmt: skip
            yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _name_type(kind: Any) -> str:
    return kind.__name__ if isinstance(kind, type) else str(kind)


def _write_default(field: attrs.Attribute[Any]) -> str:
    default = field.default
    if default is attrs.NOTHING:
        return "required"
    if isinstance(default, attrs.Factory):  # type: ignore[arg-type]
        return "" if default.takes_self else f"`{_write_value(default.factory())}`"
    return f"`{_write_value(default)}`"


def _write_value(value: Any) -> str:
    if isinstance(value, type):
        return value.__name__
    return "a function" if callable(value) else re.sub(r" at 0x\w+", "", repr(value))


def _read_texts(kind: type) -> Iterator[tuple[str, str]]:
    """Yield the fields of a class that a text stands under, with that text in one line."""
    for node, text in _read_body(kind):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield node.target.id, text


def _read_body(kind: type) -> Iterator[tuple[ast.stmt, str]]:
    try:
        (tree,) = ast.parse(dedent(inspect.getsource(kind))).body
    except (OSError, TypeError):
        return
    for node, after in pairwise(tree.body if isinstance(tree, ast.ClassDef) else ()):
        match after:
            case ast.Expr(value=ast.Constant(value=str(text))):
                yield node, " ".join(text.split())


def _write_methods(kind: type) -> Iterator[str]:
    """Yield each public method and property with its signature and what it says of itself."""
    for name, member in vars(kind).items():
        function = getattr(member, "fget", None) or getattr(member, "func", None) or member
        function = getattr(function, "__func__", function)
        if name.startswith("_") or not inspect.isfunction(function) or not function.__doc__:
            continue
        signature = str(inspect.signature(function)) if function is member else ""
        called = re.sub(r"^\(self(, )?", "(", signature).replace("'", "")
        yield f"`{name}{called}`: {' '.join(inspect.cleandoc(function.__doc__).split())}\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
