"""Write `docs/documents.md`: the fields of every JSON document that a command prints.

With `--check` nothing is written, and the status is 1 if the page is not what it would be.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from importlib.resources import files
from itertools import starmap
from typing import Any

from generated import keep, write_sentence, write_table

HEAD = """\
# JSON documents

With `--json` each command prints one document on standard output and nothing else there. Its
schema ships with edgebench, in `edgebench/schemas/` of the package; below are the fields that it
allows, and a document has no others. Times are in seconds, sizes in bytes; what is not known is
`null`. `schema` is the version of a document: it rises where a program that reads the document
could notice a change.

`a.b` is the field `b` of the object `a`, `a[]` an entry of the list `a`, and `a{}` a value of the
mapping `a`, whose names are data. A field in brackets may be missing.

This page is made from the schemas by `python docs/write_documents.py`.
"""
PLAIN = {
    "integer": "whole number",
    "string": "text",
    "boolean": "true or false",
    "array": "list",
}
Schema = Mapping[str, Any]


def main(words: list[str]) -> int:
    """Write the page, or hold it against the schemas."""
    return keep("documents.md", write_page(), words)


def write_page() -> str:
    """Return the page as the schemas have it."""
    folder = files("edgebench").joinpath("schemas")
    found = sorted((path for path in folder.iterdir()), key=lambda path: path.name)
    schemas = {path.name.removesuffix(".json"): json.loads(path.read_text()) for path in found}
    return "\n".join([HEAD, *(text for each in starmap(_write_document, schemas.items())
                              for text in each)])  # fmt: skip


def _write_document(name: str, schema: Schema) -> Iterator[str]:
    yield f"## {name}\n"
    title = re.sub(r"^(edgebench .+ --json)$", r"What `\1` prints", schema["title"])
    yield f"{write_sentence(title)} {schema.get('description', '')}".rstrip() + "\n"
    defs = schema.get("$defs", {})
    yield from _write_object(name, schema, defs)
    for part, made in defs.items():
        if "properties" in made:
            yield f"### {_call(name, part)}\n"
            if text := made.get("description"):
                yield f"{write_sentence(text)}\n"
            yield from _write_object(name, made, defs)


def _write_object(name: str, schema: Schema, defs: Schema) -> Iterator[str]:
    for one in schema.get("oneOf", [schema]):
        if one is not schema:
            yield f"{write_sentence(one.get('description', ''))}\n"
        rows = _write_fields(name, one, "", defs)
        yield write_table(["field", "type", "means"], rows)


def _write_fields(name: str, schema: Schema, path: str, defs: Schema) -> Iterator[list[str]]:
    """Yield a row for each field, those of objects within it behind it."""
    for field, said in schema.get("properties", {}).items():
        made = said if isinstance(said, Mapping) else {}  # `true`, which allows all
        whole = f"{path}{field}"
        shown = f"`{whole}`" if field in schema.get("required", ()) else f"[`{whole}`]"
        kind = _write_type(name, made, defs)
        yield [shown, kind, write_sentence(made.get("description", ""))]
        for end, inner in _open(made):
            yield from _write_fields(name, inner, f"{whole}{end}.", defs)


def _open(schema: Schema) -> Iterator[tuple[str, Schema]]:
    """Yield the objects that a field holds, with what is written behind its name for them."""
    if "properties" in schema:
        yield "", schema
    for key, end in (("items", "[]"), ("additionalProperties", "{}")):
        if isinstance(inner := schema.get(key), Mapping):
            yield from ((f"{end}{more}", found) for more, found in _open(inner))
    for one in schema.get("anyOf", ()):
        yield from _open(one)


def _write_type(name: str, schema: Schema, defs: Schema) -> str:
    if "$ref" in schema:
        part = schema["$ref"].rpartition("/")[2]
        if "properties" not in defs[part]:
            return _write_type(name, defs[part], defs)
        called = _call(name, part)
        return f"[{called}](#{called.replace(':', '').replace(' ', '-')})"
    if "const" in schema:
        return f"`{json.dumps(schema['const'])}`"
    if "enum" in schema:
        return ", ".join(f"`{json.dumps(value)}`" for value in schema["enum"])
    if "anyOf" in schema:
        said = sorted((_write_type(name, one, defs) for one in schema["anyOf"]), key="null".__eq__)
        return " or ".join(said)
    kinds = schema.get("type", "anything")
    return " or ".join(
        _write_kind(name, kind, schema, defs)
        for kind in ([kinds] if isinstance(kinds, str) else kinds)
    )


def _write_kind(name: str, kind: str, schema: Schema, defs: Schema) -> str:
    items, values = schema.get("items"), schema.get("additionalProperties")
    if kind == "array" and items:
        return f"list of {_write_type(name, items, defs)}"
    if kind == "object" and isinstance(values, Mapping):
        return f"mapping to {_write_type(name, values, defs)}"
    return PLAIN.get(kind, kind)


def _call(document: str, part: str) -> str:
    """Name what documents share with a word of their own, as headings are links."""
    kind = re.sub("^an? ", "of kind ", part)
    return f"{document}: {kind.replace('_', ' ')}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
