"""Sizes in the text of a program: numbers, symbols, and expressions of symbols."""

from __future__ import annotations

import ast
import math
import operator
import re
from collections.abc import Callable, Mapping
from typing import Any

import attrs

Size = int | str
"""A number, or the text of an expression of symbols."""


class _Unknown(Exception):
    """An expression holds a symbol or a function that is not known."""


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "Integer": int,
    "Rational": lambda above, below: above / below,
    "Add": lambda *terms: sum(terms),
    "Mul": lambda *factors: math.prod(factors),
    "Max": max,
    "Min": min,
    "Abs": abs,
    "Mod": lambda a, b: a % b,
    "PythonMod": lambda a, b: a % b,
    "ModularIndexing": lambda a, b, c: a // b % c,
    "FloorDiv": lambda a, b: a // b,
    "CleanDiv": lambda a, b: a // b,
    "CeilDiv": lambda a, b: -(-a // b),
    "IntTrueDiv": lambda a, b: a / b,
    "FloatTrueDiv": lambda a, b: a / b,
    "CeilToInt": math.ceil,
    "FloorToInt": math.floor,
    "TruncToInt": math.trunc,
    "TruncToFloat": lambda a: float(math.trunc(a)),
    "RoundToInt": round,
    "ToFloat": float,
    "Identity": lambda a: a,
}
"""What expressions of sizes call, as far as numbers come of it."""
OPERATORS: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
"""The same, as older versions write them."""
SYMBOL = re.compile(r"z?[su]f?\d+", re.ASCII)
"""A symbol without a call, as these write it."""


def read_size(said: Mapping[str, Any]) -> Size:
    """Return a size as a program's text has it: a number, or the text of an expression.

    Raises:
        KeyError: It is neither.
    """
    return int(said["as_int"]) if "as_int" in said else str(said["as_expr"]["expr_str"])


def name_symbol(size: Size) -> str | None:
    """Return the symbol that a size is; None for a number and for an expression of some."""
    return None if isinstance(size, int) else _read_symbol(ast.parse(size, mode="eval").body)


def list_symbols(size: Size) -> set[str]:
    """Return the symbols that stand in a size."""
    if isinstance(size, int):
        return set()
    return set(filter(None, map(_read_symbol, ast.walk(ast.parse(size, mode="eval")))))


def compute_size(size: Size, known: Mapping[str, int]) -> int | None:
    """Return a size where its symbols are *known*; None where one is not, or it is no number."""
    if isinstance(size, int):
        return size
    try:
        found = _compute(ast.parse(size, mode="eval").body, known)
        whole = int(found)
    except (_Unknown, ArithmeticError, TypeError, ValueError):
        return None
    return whole if found == whole else None


def _compute(node: ast.AST, known: Mapping[str, int]) -> Any:
    if isinstance(node, ast.Constant) and not isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_compute(node.operand, known)
    if isinstance(node, ast.BinOp) and type(node.op) in OPERATORS:
        return OPERATORS[type(node.op)](_compute(node.left, known), _compute(node.right, known))
    if (symbol := _read_symbol(node)) and symbol in known:
        return known[symbol]
    # What the precision of a float is said to be does not matter here.
    if (text := _read_text(node, "Float")) is not None:
        return float(text)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in FUNCTIONS:
        return FUNCTIONS[node.func.id](*(_compute(one, known) for one in node.args))
    raise _Unknown


def _read_symbol(node: ast.AST) -> str | None:
    """Return the symbol that a part of an expression is, as a name alone or called one."""
    if isinstance(node, ast.Name):
        return node.id if SYMBOL.fullmatch(node.id) else None
    return _read_text(node, "Symbol")


def _read_text(node: ast.AST, name: str) -> str | None:
    """Return what a function is called with, if a part of an expression calls the one named."""
    if not isinstance(node, ast.Call) or getattr(node.func, "id", "") != name or not node.args:
        return None
    first = node.args[0]
    return str(first.value) if isinstance(first, ast.Constant) else None


@attrs.frozen
class SizeRange:
    """What a symbol may be."""

    least: int = 0
    most: int | None = None


def read_ranges(document: Mapping[str, Any]) -> dict[str, SizeRange]:
    """Return by symbol what a program says that it may be."""
    found = {}
    for symbol, said in dict(document.get("range_constraints") or {}).items():
        low, high = said.get("min_val"), said.get("max_val")
        # Whatever holds in no number of 32 bits is no bound.
        bound = high if isinstance(high, int) and high < 2**31 else None
        found[symbol] = SizeRange(low if isinstance(low, int) else 0, bound)
    return found
