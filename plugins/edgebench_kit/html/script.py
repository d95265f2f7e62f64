"""Takes the script of the charts from the package that is installed, fit to stand in a page."""

from __future__ import annotations

import base64
import hashlib
import re
from importlib.resources import files

import attrs

_END = re.compile(r"<(?=/script|!--|script)", re.IGNORECASE)
"""What would end a script in a page, or change how it is read, were it not written otherwise."""


@attrs.frozen
class Script:
    """A script that stands in a page, and what lets it run there and no other."""

    text: str
    digest: str
    """As a Content Security Policy has it (W3C CSP 3, hash-source): `sha256-` and base64."""

    @classmethod
    def of(cls, text: str) -> Script:
        """Return a script that is fit to stand in a page."""
        # Within texts and patterns, the only places where it can occur, `\x3c` is the same.
        fit = _END.sub(r"\\x3c", text)
        found = base64.b64encode(hashlib.sha256(fit.encode("utf-8")).digest())
        return cls(fit, f"sha256-{found.decode('ascii')}")


def find_charting() -> Script:
    """Return the script that draws charts, as the installed package ships it, its licence above."""
    package = files("bokeh")
    script = package.joinpath("server", "static", "js", "bokeh.min.js").read_text("utf-8")
    licence = package.joinpath("LICENSE.txt").read_text("utf-8").replace("*/", "* /")
    return Script.of(f"/*!\n{licence}*/\n{script}")


def find_own() -> Script:
    """Return the script of the page itself."""
    return Script.of(files(__package__ or "").joinpath("templates", "report.js").read_text("utf-8"))
