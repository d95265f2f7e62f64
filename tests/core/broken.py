"""Plugins that are broken, each with what is said of it."""

SHRINK = """\
from edgebench import Operator, hookimpl

@hookimpl
def edgebench_operators():
    yield Operator(name="shrink", summary="Halve every layer.", apply=print)
"""

BROKEN = {
    "raises": ("raise RuntimeError('no\\nluck')", "does not load: RuntimeError: no luck"),
    "silent": ("raise KeyError", "does not load: KeyError"),
    "leaves": ("import sys; sys.exit(3)", "does not load: SystemExit: 3"),
    "syntax": ("def", "does not load: SyntaxError: "),
    "misspelt": (
        SHRINK.replace("edgebench_operators", "edgebench_operatros"),
        "implements an unknown hook 'edgebench_operatros'; did you mean 'edgebench_operators'?",
    ),
    "argument": (
        SHRINK.replace("edgebench_operators()", "edgebench_operators(registri)"),
        "implements a hook wrongly: Argument(s) {'registri'} are declared",
    ),
    "unmarked": (
        SHRINK.replace("@hookimpl", ""),
        "defines edgebench_operators without @hookimpl",
    ),
    "empty": ("", "implements no hook"),
    "newer": (
        SHRINK + "EDGEBENCH_API = (3, 0)",
        "needs version 3.0 of the plugin interface; this is 2.1",
    ),
    "older": (
        SHRINK + "EDGEBENCH_API = (1, 0)",
        "needs version 1.0 of the plugin interface; this is 2.1",
    ),
    "minor": (
        SHRINK + "EDGEBENCH_API = (2, 99)",
        "needs version 2.99 of the plugin interface; this is 2.1",
    ),
    "version": (SHRINK + "EDGEBENCH_API = '1'", "declares EDGEBENCH_API = '1', not two whole"),
    "fails": (
        SHRINK + "    raise OSError('late')",
        "fails in edgebench_operators: OSError: late",
    ),
    "nonsense": (
        SHRINK.replace("    yield Operator(", "    yield dict("),
        "yields {'name': 'shrink', 'summary': 'Halve every layer.', ",
    ),
    "wrongkind": (
        SHRINK.replace("edgebench_operators", "edgebench_tiers"),
        "from edgebench_tiers, which takes Tier",
    ),
    "notiterable": (
        SHRINK.replace("yield", "return"),
        "fails in edgebench_operators: TypeError: 'Operator' object is not iterable",
    ),
    "refused": (
        SHRINK.replace('"shrink"', '"Shrink It"'),
        "fails in edgebench_operators: ValueError: name must be lower-case words joined by '-'",
    ),
    "twice": (SHRINK + SHRINK.splitlines()[-1], "yields the operator 'shrink' twice"),
}
