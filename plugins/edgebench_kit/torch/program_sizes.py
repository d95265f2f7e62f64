"""Sizes in the text of a program: numbers, symbols, and expressions of symbols."""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Mapping
from typing import Any

import attrs

Size = int | str
"""A number, or the text of an expression of symbols."""


class _Unknown(Exception):
    """An expression holds a symbol or a function that is not known."""


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "Integer": int,
    "Float": lambda text, **_: float(text),
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


def read_size(said: Mapping[str, Any]) -> Size:
    """Return a size as a program's text has it: a number, or the text of an expression.

    Raises:
        KeyError: It is neither.
    """
    return int(said["as_int"]) if "as_int" in said else str(said["as_expr"]["expr_str"])


def name_symbol(size: Size) -> str | None:
    """Return the symbol that a size is; None for a number and for an expression of some."""
    if isinstance(size, int):
        return None
    node = ast.parse(size, mode="eval").body
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Symbol":
        return _read_symbol(node)
    return None


def list_symbols(size: Size) -> set[str]:
    """Return the symbols that stand in a size."""
    if isinstance(size, int):
        return set()
    return {
        _read_symbol(node)
        for node in ast.walk(ast.parse(size, mode="eval"))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Symbol"
    }


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
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_compute(node.operand, known)
    if isinstance(node, ast.Name) and node.id in known:
        return known[node.id]
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        if node.func.id == "Symbol":
            return _look_up(_read_symbol(node), known)
        if node.func.id in FUNCTIONS:
            # What the precision of a float is said to be does not matter here.
            return FUNCTIONS[node.func.id](*(_compute(one, known) for one in node.args))
    raise _Unknown


def _look_up(symbol: str, known: Mapping[str, int]) -> int:
    if symbol not in known:
        raise _Unknown
    return known[symbol]


def _read_symbol(node: ast.Call) -> str:
    first = node.args[0] if node.args else None
    return str(first.value) if isinstance(first, ast.Constant) else ""


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
