"""The texts that stand under the fields of a class: what a field is, for people."""

from __future__ import annotations

import ast
import inspect
import textwrap
from itertools import pairwise


def read_field_texts(kind: type) -> dict[str, str]:
    """Return the texts that stand under the fields of a class and its bases, by field."""
    texts: dict[str, str] = {}
    for base in reversed(kind.__mro__[:-1]):
        texts.update(_read_own_texts(base))
    return texts


def _read_own_texts(kind: type) -> dict[str, str]:
    try:
        (made,) = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
    except (OSError, TypeError):
        # A class made without source, as in a console, has no texts to show.
        return {}
    texts: dict[str, str] = {}
    for statements in pairwise(made.body if isinstance(made, ast.ClassDef) else ()):
        match statements:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                texts[name] = " ".join(text.split())
    return texts
