"""The text of a program's graph, held against what torch would run of it.

Torch looks up operators by the names in the text, evaluates sizes as Python expressions, and makes
Python code in which the names of values stand as they are. So each is let through only if it is one
of what `torch.export` itself writes.
"""

from __future__ import annotations

import ast
import keyword
import math
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from edgebench import DataError
from edgebench_kit.torch.program_payloads import PLAIN_NAME
from edgebench_kit.torch.program_sizes import SYMBOL

OPERATOR = re.compile(
    r"torch\.ops\.(aten|prims|quantized_decomposed)\.(_{0,2}[a-z]\w*)\.[A-Za-z]\w*", re.ASCII
)
"""The operators of torch's own libraries, with the one of several that share a name."""
REACHING_OUT = frozenset(("save", "from_file", "_print", "warn"))
"""Those among them that touch files or print."""
HIGHER = re.compile(
    r"torch\.ops\.higher_order\."
    r"(cond|while_loop|scan|associative_scan|map_impl|wrap_with_set_grad_enabled|wrap_with_autocast)"
)
"""Operators that take graphs, which are looked at as the whole is."""
NUMBERS = re.compile(
    r"_operator\.(eq|ne|le|ge|lt|gt|neg|pos|mul|add|sub|floordiv|mod|pow|truediv|and_|or_|not_"
    r"|lshift|rshift|getitem)|math\.(trunc|floor|ceil|sqrt)"
    r"|torch\.(sym_(not|int|float|ite|max|min|sqrt|sum)|_sym_sqrt)"
)
"""Functions of numbers, for sizes."""
FUNCTIONS = re.compile(
    "Symbol|Integer|Float|Rational|Add|Mul|Pow|Max|Min|Abs|Mod|PythonMod|ModularIndexing|FloorDiv"
    "|CleanDiv|CeilDiv|CeilToInt|FloorToInt|TruncToInt|TruncToFloat|RoundToInt|RoundDecimal|ToFloat"
    "|Identity|IntTrueDiv|FloatTrueDiv|PowByNatural|FloatPow|LShift|RShift|Where|Piecewise"
    "|ExprCondPair|IsNonOverlappingAndDenseIndicator|Equality|Unequality|Eq|Ne|GreaterThan|LessThan"
    "|StrictGreaterThan|StrictLessThan|Ge|Le|Gt|Lt|And|Or|Not"
)
"""What an expression of sizes may call."""
WORDS = re.compile(rf"true|false|oo|int_oo|{SYMBOL.pattern}", re.ASCII)
"""What stands in one without a call: symbols too, as older versions write them."""
EXPRESSION = (
    *(ast.Expression, ast.Call, ast.Name, ast.Load, ast.Constant, ast.keyword, ast.BinOp),
    *(ast.UnaryOp, ast.operator, ast.unaryop, ast.Compare, ast.cmpop, ast.Tuple),
)
QUOTED = re.compile(r"[\w.+\-]+", re.ASCII)
"""The names of symbols, and the digits of floats."""
LONGEST_EXPRESSION = 10_000
GROWING = ("Pow", "PowByNatural", "LShift")
CONSTANTS = ("Integer", "Float", "Rational")
MOST_GROWN = 64
"""By so much at most may powers of whole numbers multiply digits: they are computed to the last."""
DEVICES = re.compile(r"[a-z]+")
VALUES = ("tensor_values", "sym_int_values", "sym_bool_values", "sym_float_values")
"""Where a graph lists its values, by names."""


def check_graph(document: Mapping[str, Any], path: Path) -> None:
    """See that the text of a program holds nothing that torch would run but its own operators.

    Raises:
        DataError: It holds something else.
    """
    checks: dict[str, Callable[[Any, Path], None]] = {
        "target": _check_operator,
        "as_operator": _check_operator,
        "expr_str": _check_expression,
        "name": _check_name,
        "as_name": _check_name,
        **dict.fromkeys(("parameter_name", "buffer_name", "tensor_constant_name"), _check_place),
        **dict.fromkeys(VALUES, _check_names),
        "as_device": _check_device,
        "device": _check_device,
        "as_custom_obj": _refuse_object,
    }
    for key, value in _walk(document["graph_module"]):
        if key in checks:
            checks[key](value, path)


def _walk(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield each key of the objects in a value, with what stands there."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            yield from one.items()
            waiting.extend(one.values())
        elif isinstance(one, list):
            waiting.extend(one)


def _check_operator(said: Any, path: Path) -> None:
    found = OPERATOR.fullmatch(said) if isinstance(said, str) else None
    if found and found.group(2) not in REACHING_OUT:
        return
    if not isinstance(said, str) or not (HIGHER.fullmatch(said) or NUMBERS.fullmatch(said)):
        called = str(said)[:80].removeprefix("torch.ops.")
        raise DataError(
            f"{path} calls {called!r}, which is no operator that torch itself computes with; only "
            "code outside the file, or of none, could, and none is run: export the model without it"
        )


def _check_expression(said: Any, path: Path) -> None:
    """See that an expression of sizes is one: it is evaluated as Python."""
    if not isinstance(said, str) or not is_expression(said):
        raise DataError(f"{path} has the size {str(said)[:60]!r}, which is no expression of sizes")


def is_expression(text: str) -> bool:
    """Say whether a text is an expression of numbers and sizes, and calls nothing else."""
    if len(text) > LONGEST_EXPRESSION:
        return False
    try:
        tree = ast.parse(text, mode="eval")
        return all(map(_is_of_sizes, ast.walk(tree))) and _grow(tree) <= MOST_GROWN
    except (SyntaxError, ValueError, OverflowError, RecursionError, MemoryError):
        return False


def _grow(node: ast.AST) -> float:
    """Return by what factor powers within powers can multiply the digits of a number."""
    inner = max(map(_grow, ast.iter_child_nodes(node)), default=1.0)
    if not isinstance(node, ast.Call) or getattr(node.func, "id", "") not in GROWING:
        return inner
    if len(node.args) != 2 or node.keywords:
        return math.inf
    return inner * _read_exponent(node.args[1])


def _read_exponent(node: ast.AST) -> float:
    """Return the largest number in an exponent; infinite where it is none of numbers alone."""
    most = 1.0
    for one in ast.walk(node):
        if isinstance(one, ast.Constant):
            most = max(most, abs(float(str(one.value))))
        elif isinstance(one, ast.Name) and one.id not in CONSTANTS:
            return math.inf
    return most


def _is_of_sizes(node: ast.AST) -> bool:
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name) and bool(FUNCTIONS.fullmatch(node.func.id))
    if isinstance(node, ast.Name):
        return bool(FUNCTIONS.fullmatch(node.id) or WORDS.fullmatch(node.id))
    if isinstance(node, ast.Constant):
        plain = isinstance(node.value, int | float)
        return plain or (isinstance(node.value, str) and bool(QUOTED.fullmatch(node.value)))
    # Powers of numbers that nobody can hold are no sizes either.
    return isinstance(node, EXPRESSION) and not isinstance(node, ast.Pow | ast.LShift)


def _check_name(said: Any, path: Path) -> None:
    if said is None or (isinstance(said, str) and is_name(said)):
        return
    raise DataError(f"{path} names a value {str(said)[:60]!r}, as torch names none")


def is_name(text: str) -> bool:
    """Say whether a text is a name of a value, and nothing else of Python."""
    # Older versions leave the name of an operator's positional argument empty.
    return not text or (text.isascii() and text.isidentifier() and not keyword.iskeyword(text))


def _check_names(said: Any, path: Path) -> None:
    for name in said if isinstance(said, dict) else ():
        _check_name(name, path)


def _check_place(said: Any, path: Path) -> None:
    if not isinstance(said, str) or not PLAIN_NAME.fullmatch(said):
        raise DataError(f"{path} names a tensor {str(said)[:60]!r}, as torch names none")


def _check_device(said: Any, path: Path) -> None:
    kind = said.get("type") if isinstance(said, dict) else None
    if not isinstance(kind, str) or not DEVICES.fullmatch(kind):
        raise DataError(f"{path} computes on the device {str(said)[:60]!r}, which is none")


def _refuse_object(_: Any, path: Path) -> None:
    raise DataError(
        f"{path} computes with a custom object, which is a pickle, and pickles are not opened; "
        "export the model without it"
    )
