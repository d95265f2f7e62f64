"""Write what parts promise into `docs/testing.md`, below its mark, from the contracts' docstrings.

With `--check` nothing is written, and the status is 1 if the page is not what it would be.
"""

from __future__ import annotations

import inspect
import sys
from pathlib import Path

from edgebench.catalogue.rows import KINDS
from edgebench.testing.checking.checker import find_contract
from edgebench.testing.contracts.contract import Contract, list_promises
from edgebench.testing.field_texts import read_field_texts

PAGE = Path(__file__).with_name("testing.md")
MARK = "<!-- Below: made from the contracts by `python docs/write_promises.py`. -->\n"


def main(words: list[str]) -> int:
    """Write the page, or hold it against the contracts."""
    before, mark, _ = PAGE.read_text(encoding="utf-8").partition(MARK)
    page = before + mark + write_promises()
    if "--check" in words:
        return int(PAGE.read_text(encoding="utf-8") != page)
    PAGE.write_text(page, encoding="utf-8")
    return 0


def write_promises() -> str:
    """Return a section for what all promise, and one for each kind."""
    parts = ["\n## Every part\n", *_list(list_promises(Contract)), "", *_write_fields(Contract)]
    for kind in KINDS:
        contract = find_contract(kind)
        own = list_promises(contract).items() - list_promises(Contract).items()
        promises = {
            name: text for name, text in list_promises(contract).items() if (name, text) in own
        }
        parts += [f"## `{contract.__name__}`\n", f"{inspect.cleandoc(contract.__doc__ or '')}\n"]
        parts += [*_list(promises), "", *_write_fields(contract)]
    return "\n".join(parts).rstrip("\n") + "\n"


def _list(promises: dict[str, str]) -> list[str]:
    return [f"- {text} (`{name}`)" for name, text in promises.items()]


def _write_fields(contract: type[Contract]) -> list[str]:
    """Return the class attributes that a test may set, each with its text."""
    inner, own = {"kind", "bench", "tried", "source"}, contract.__annotations__
    found = read_field_texts(contract).items()
    texts = {name: text for name, text in found if name in own and name not in inner}
    if not texts:
        return []
    rows = [f"| `{name}` | {text} |" for name, text in texts.items()]
    return ["A test may say:", "", "| attribute | |", "|---|---|", *rows, ""]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
