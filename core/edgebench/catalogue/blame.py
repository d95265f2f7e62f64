"""Who is to blame: a part that fails at its work is named with its plugin and distribution."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from edgebench.catalogue.plugins import Plugins
from edgebench.catalogue.rows import WORDS
from edgebench.parts.errors import CaseFailed, EdgebenchError, one_line
from edgebench.parts.part import Part

FULL = (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def blame(plugins: Plugins, kind: type[Part], name: str) -> Iterator[None]:
    """Name a part in whatever its code raises meanwhile, or what it gave makes others raise.

    What already says what is wrong for another reason passes: a case that is not possible, a
    user's file that is not what it must be, a disk that is full.

    Raises:
        CaseFailed: Something else was raised; the exception behind it is its cause.
        OSError: There is no room left to write.
    """
    try:
        yield
    except EdgebenchError as error:
        if type(error) not in (EdgebenchError, CaseFailed):
            raise
        cause = error.__cause__ or error
        raise CaseFailed(f"{name_part(plugins, kind, name)}: {error}", error.log) from cause
    except (Exception, SystemExit) as error:
        if isinstance(error, OSError) and error.errno in FULL:
            raise
        raise CaseFailed(f"{name_part(plugins, kind, name)}: {one_line(error)}") from error


def name_part(plugins: Plugins, kind: type[Part], name: str) -> str:
    """Name a part with its plugin, unless that is called so too, and what brings that."""
    owner = plugins.owner(kind, name)
    plugin = "" if owner.name == name or owner.given else f"{owner.name}, "
    return f"{WORDS[kind]} {name} ({plugin}{owner.where})"
