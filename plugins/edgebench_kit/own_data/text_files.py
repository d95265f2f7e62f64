"""Text files in whatever encoding they are: decoded, or the line named at which they are not."""

from __future__ import annotations

import codecs
from pathlib import Path

from edgebench import DataError

MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""What editors put before a text, and what it says. That of UTF-32 begins with that of UTF-16."""


def read_file(path: Path, most: int = -1) -> bytes:
    """Return the first bytes of a file, or all.

    Raises:
        DataError: It cannot be read.
    """
    try:
        if path.exists() and not (path.is_file() or path.is_dir()):
            raise DataError(
                f"{path} is a pipe or a device; give a file, which is read more than once"
            )
        with path.open("rb") as file:
            return file.read(most)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error


def decode_text(path: Path, found: bytes, encoding: str = "", *, whole: bool = True) -> str:
    """Decode what was read of a file: as is said, as its mark says, or from UTF-8.

    Of a beginning (not *whole*) the last character may be cut off.

    Raises:
        DataError: It is not so encoded, and in which line; or no encoding is called so.
    """
    marked = next((name for mark, name in MARKS if found.startswith(mark)), "")
    name = encoding or marked or "utf-8"
    if name.lower().replace("_", "-") in ("utf-8", "utf8") and marked == "utf-8-sig":
        name = marked
    try:
        b" ".decode(name, errors="ignore")  # which knows what is none of texts, as `hex`
        text = codecs.getincrementaldecoder(name)().decode(found, final=whole)
    except UnicodeError as error:
        raise DataError(_explain(path, found, name, bool(encoding), error)) from error
    except (LookupError, ValueError) as error:  # a name with a byte of zero is no value
        said = encoding if encoding.isprintable() else ascii(encoding)
        raise DataError(f"encoding={said}: no encoding of texts is called so") from error
    if not encoding and not marked and "\0" in text:
        raise DataError(
            f"{path} holds bytes of zero, as UTF-16 without a mark does; if it is text, say "
            "encoding=utf-16-le"
        )
    return text


def _explain(path: Path, found: bytes, name: str, said: bool, error: UnicodeError) -> str:
    """Say which line is not what it should be, and what may be done."""
    start = getattr(error, "start", 0)
    # What is before the place is decodable, and its lines can be counted.
    before = found[:start].decode(name, errors="replace")
    byte = f" (byte 0x{found[start]:02x})" if start < len(found) else ""
    remedy = (
        "give another encoding, or none for UTF-8"
        if said
        else "say which encoding it is, as encoding=cp1252; if only some lines are so, mend them"
    )
    return f"{path}: line {before.count(chr(10)) + 1} is not {name.upper()}{byte}; {remedy}"
