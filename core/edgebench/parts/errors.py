"""Every error a user can meet.

```
EdgebenchError          the user's mistake, or the machine's lack: one line, status 2
├── UnknownName         no part is called so; the nearest known name is offered
├── NameClash           two plugins offer the same name; both are named
├── PluginFault         a plugin does not load, or what it yields is nonsense
├── RegistryError       registry.toml (or a user's own) is wrong: file, line, key
├── ChainError          a chain that cannot be written or applied, with the reason
├── OptionError         an option that a part does not take, or of the wrong type
├── Missing             something known that is not installed; says what to install
├── DataError           a dataset that is not what it must be: empty, overlapping splits
├── StoreError          the artifact store cannot be used
├── DatabaseError       the results database cannot be used
└── CaseFailed          a case that failed while it was prepared or measured; a row with its reason
    └── CaseSkipped     a case that turned out not to be possible; a row with its reason
```

Anything else that escapes is edgebench's own bug and keeps its traceback.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class EdgebenchError(Exception):
    """A mistake of the user's, said in one line that names the thing, the place and the remedy."""

    def __init__(self, reason: str, log: str = "") -> None:
        """Keep the reason, and what the processes in which it came up had printed."""
        super().__init__(reason)
        self.log = log


class UnknownName(EdgebenchError):
    """A name that no installed or known part has."""

    @classmethod
    def among(cls, kind: str, name: str, known: Iterable[str]) -> UnknownName:
        """Say that no *kind* is called *name*, and which of the *known* names comes nearest."""
        said = f"no {kind} is called {name!r}" if name else f"the name of a {kind} is missing"
        return cls(f"{said}{nearest(name, known)}")


class NameClash(EdgebenchError):
    """Two plugins that offer the same name."""


class PluginFault(EdgebenchError):
    """A plugin that does not load, or that yields what no hook allows."""


class RegistryError(EdgebenchError):
    """A registry file that is malformed, with its file, line and key."""


class ChainError(EdgebenchError):
    """A chain that cannot be parsed, or cannot be applied to a model, with the reason."""


class OptionError(EdgebenchError):
    """An option that its part does not take, or a value of the wrong type."""


class Missing(EdgebenchError):
    """Something known that is not installed here, with the command that brings it."""


class DataError(EdgebenchError):
    """A dataset that is not what it must be."""


class StoreError(EdgebenchError):
    """An artifact store that cannot be read or written."""


class DatabaseError(EdgebenchError):
    """A results database that cannot be opened, is in use, or is another program's."""


class CaseFailed(EdgebenchError):
    """One case failed; the suite goes on and its row keeps the reason."""


class CaseSkipped(CaseFailed):
    """One case turned out, while it was prepared, not to be possible; its row keeps the reason."""


class Stopped(KeyboardInterrupt):
    """The user asked for an end, and what was under way was ended for it; no mistake, no fault."""


def nearest(name: str, known: Iterable[str]) -> str:
    """Return the end of a sentence that offers the nearest *known* name, or lists a few."""
    names = sorted(set(known))
    by_letters = {one.casefold(): one for one in names}
    within = [one for one in by_letters if len(name) > 2 and name.casefold() in one]
    if len(close := get_close_matches(name.casefold(), by_letters, 1, 0.6) or within) == 1:
        return f"; did you mean {by_letters[close[0]]!r}?"
    if not names:
        return "; none is known"
    shown = ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")
    return f"; known are: {shown}"


def one_line(error: BaseException) -> str:
    """Return an error that is not the user's in one line: its type and the first line it says."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
