"""Write `docs/documents.md`: the fields of every JSON document that a command prints.

With `--check` nothing is written, and the status is 1 if the page is not what it would be.
"""

from __future__ import annotations

import json
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from importlib.resources import files
from itertools import starmap
from pathlib import Path
from typing import Any

import attrs
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
WORDS = tomllib.loads(Path(__file__).with_name("fields.toml").read_text(encoding="utf-8"))
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


@attrs.frozen
class Place:
    """A section of the page: that of a document, or of a definition that its schema shares."""

    document: str
    section: str
    defs: Schema

    def explain(self, path: str, schema: Schema) -> str:
        """Return what a field means: by its schema, by its place, or by its name alone."""
        by_name = WORDS.get(re.split(r"(?<!p99)\.", path)[-1], "")
        return schema.get("description") or WORDS.get(f"{self.section} {path}", by_name)


def _write_document(name: str, schema: Schema) -> Iterator[str]:
    yield f"## {name}\n"
    title = re.sub(r"^(edgebench .+ --json)$", r"What `\1` prints", schema["title"])
    yield f"{write_sentence(title)} {schema.get('description', '')}".rstrip() + "\n"
    defs = schema.get("$defs", {})
    yield from _write_object(Place(name, name, defs), schema)
    for part, made in defs.items():
        if "properties" in made:
            section = _call(name, part)
            yield f"### {section}\n"
            if text := made.get("description"):
                yield f"{write_sentence(text)}\n"
            yield from _write_object(Place(name, section, defs), made)


def _write_object(place: Place, schema: Schema) -> Iterator[str]:
    for one in schema.get("oneOf", [schema]):
        if one is not schema:
            yield f"{write_sentence(one.get('description', ''))}\n"
        yield write_table(["field", "type", "means"], _write_fields(place, one, ""))


def _write_fields(place: Place, schema: Schema, path: str) -> Iterator[list[str]]:
    """Yield a row for each field, those of objects within it behind it."""
    for field, said in schema.get("properties", {}).items():
        made = said if isinstance(said, Mapping) else {}  # `true`, which allows all
        whole = f"{path}{field}"
        shown = f"`{whole}`" if field in schema.get("required", ()) else f"[`{whole}`]"
        yield [shown, _write_type(place, made), write_sentence(place.explain(whole, made))]
        for end, inner in _open(made):
            yield from _write_fields(place, inner, f"{whole}{end}.")


def _open(schema: Schema) -> Iterator[tuple[str, Schema]]:
    """Yield the objects that a field holds, with what is written behind its name for them."""
    if "properties" in schema:
        yield "", schema
    for key, end in (("items", "[]"), ("additionalProperties", "{}")):
        if isinstance(inner := schema.get(key), Mapping):
            yield from ((f"{end}{more}", found) for more, found in _open(inner))
    for one in schema.get("anyOf", ()):
        yield from _open(one)


def _write_type(place: Place, schema: Schema) -> str:
    if "$ref" in schema:
        part = schema["$ref"].rpartition("/")[2]
        if "properties" not in place.defs[part]:
            return _write_type(place, place.defs[part])
        called = _call(place.document, part)
        return f"[{called}](#{called.replace(':', '').replace(' ', '-')})"
    if "const" in schema:
        return f"`{json.dumps(schema['const'])}`"
    if "enum" in schema:
        return ", ".join(f"`{json.dumps(value)}`" for value in schema["enum"])
    if "anyOf" in schema:
        said = sorted((_write_type(place, one) for one in schema["anyOf"]), key="null".__eq__)
        return " or ".join(said)
    kinds = schema.get("type", "anything")
    listed = [kinds] if isinstance(kinds, str) else kinds
    return " or ".join(_write_kind(place, kind, schema) for kind in listed)


def _write_kind(place: Place, kind: str, schema: Schema) -> str:
    items, values = schema.get("items"), schema.get("additionalProperties")
    if kind == "array" and items:
        return f"list of {_write_type(place, items)}"
    if kind == "object" and isinstance(values, Mapping):
        return f"mapping to {_write_type(place, values)}"
    return PLAIN.get(kind, kind)


def _call(document: str, part: str) -> str:
    """Name what documents share with a word of their own, as headings are links."""
    kind = re.sub("^an? ", "of kind ", part)
    return f"{document}: {kind.replace('_', ' ')}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
