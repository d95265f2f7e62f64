"""Programs of `torch.export` that somebody else made: what is in the archive, and a clean copy.

Torch runs what such a file says: pickles, compiled libraries, and texts in its graph. So nothing of
it goes to torch but what was looked at here, without torch, and written out again.
"""

from __future__ import annotations

import json
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

import attrs

from edgebench import DataError
from edgebench_kit.torch.program_payloads import Payload, read_payloads

SCHEMA = 8
"""The version of the graph's schema that torch reads; its second number only adds."""
ARCHIVE = b"0"
"""The version of the layout of the archive."""
LARGEST_GRAPH = 2**29
"""Bytes of a graph's text from which on it is none: that of a model of 1,000 layers is 2**24."""
COMPILED = frozenset(
    (".so", ".o", ".a", ".dll", ".dylib", ".cpp", ".cubin", ".hsaco", ".ptx", ".spv", ".metallib")
)
"""The endings of code, and of the sources of such."""
COMPILED_FOLDERS = ("data/aotinductor/", "data/executorch/", "data/mtia/")
EXAMPLES = "data/sample_inputs/"
DAMAGED = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, NotImplementedError)
"""What reading an archive raises where it is none, beside errors of texts and places in them."""


@attrs.frozen(kw_only=True)
class ProgramFile:
    """A program as its file holds it: nothing of it is torch's object yet."""

    path: Path
    document: dict[str, Any]
    """The text of the graph, parsed; of no other form than JSON can have."""
    weights: tuple[Payload, ...]
    """Its parameters and buffers."""
    constants: tuple[Payload, ...]
    """Tensors that are neither."""
    examples: bool
    """Whether example inputs lie with it, which are a pickle and are not read."""

    @property
    def graph(self) -> dict[str, Any]:
        """The nodes and the values between them."""
        return dict(self.document["graph_module"]["graph"])

    @property
    def signature(self) -> dict[str, Any]:
        """What its inputs and outputs are."""
        return dict(self.document["graph_module"]["signature"])


def read_program(path: Path) -> ProgramFile:
    """Read a program's graph, and see that its tensors are there; they are not read.

    Raises:
        DataError: It is no such file, is damaged, or holds something that would be run.
    """
    with open_archive(path) as archive:
        members = _list_members(archive, path)
        name = _find_model(members, path)
        document = _read_json(archive, members[f"models/{name}.json"], path)
        _check_versions(archive, members, document, path)
        return ProgramFile(
            path=path,
            document=document,
            weights=_read_payloads(archive, members, f"data/weights/{name}_weights_config", path),
            constants=_read_payloads(
                archive, members, f"data/constants/{name}_constants_config", path
            ),
            examples=any(one.startswith(EXAMPLES) and members[one].file_size for one in members),
        )


def copy_program(program: ProgramFile, document: Mapping[str, Any], target: Path) -> None:
    """Write a program anew: *document* as its graph, its tensors, and nothing else.

    Raises:
        DataError: A tensor's bytes are damaged.
    """
    with open_archive(program.path) as archive, zipfile.ZipFile(target, "w") as copy:
        members = _list_members(archive, program.path)
        for name, content in _list_texts(program, document):
            copy.writestr(f"program/{name}", content)
        for folder, payloads in (("weights", program.weights), ("constants", program.constants)):
            for name in sorted({f"data/{folder}/{one.file}" for one in payloads}):
                _copy_member(archive, members[name], copy, f"program/{name}")


def _list_texts(
    program: ProgramFile, document: Mapping[str, Any]
) -> Iterator[tuple[str, bytes | str]]:
    yield "archive_format", "pt2"
    yield "archive_version", ARCHIVE
    yield "byteorder", "little"
    yield ".data/version", "6\n"
    yield "models/model.json", json.dumps(document)
    yield f"{EXAMPLES}model.pt", b""
    for folder, payloads in (("weights", program.weights), ("constants", program.constants)):
        config = {"config": {one.name: one.entry for one in payloads}}
        yield f"data/{folder}/model_{folder}_config.json", json.dumps(config)


def _copy_member(
    archive: zipfile.ZipFile, member: zipfile.ZipInfo, copy: zipfile.ZipFile, name: str
) -> None:
    with archive.open(member) as source, copy.open(name, "w", force_zip64=True) as target:
        while part := source.read(2**22):
            target.write(part)


@contextmanager
def open_archive(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open the archive that a program is, and say of whatever is wrong with it which file it is.

    Raises:
        DataError: It is none, or is damaged.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except DataError:
        raise
    except (*DAMAGED, ValueError, LookupError) as error:
        raise DataError(
            f"{path} is no program of torch.export, or is truncated or damaged: {error}"
        ) from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error


def _list_members(archive: zipfile.ZipFile, path: Path) -> dict[str, zipfile.ZipInfo]:
    """Return the members of an archive by their names below its only folder.

    Raises:
        DataError: They are not as torch writes them, or one of them would be run.
    """
    entries = [one for one in archive.infolist() if not one.filename.endswith("/")]
    names = [one.filename for one in entries]
    if min((entry.header_offset for entry in entries), default=0):
        # What was found is an archive within this one: the end that lists the members is lost.
        raise DataError(f"{path} is no program of torch.export, or is truncated or damaged")
    if "serialized_exported_program.json" in names:
        raise DataError(
            f"{path} is of the layout that torch wrote before 2.9, whose weights are a pickle, and "
            "pickles are not opened; load it with the torch that made it and save it with a newer "
            "one"
        )
    for entry in entries:
        _check_member(entry, path)
    roots = {one.partition("/")[0] for one in names}
    if len(roots) != 1 or len(set(names)) < len(names):
        raise DataError(f"{path} is no program of torch.export: its members lie as none does")
    if sum(one.file_size for one in entries) > path.stat().st_size:
        raise DataError(f"{path} says that its members are larger than the file; it is damaged")
    members = {one.filename.partition("/")[2]: one for one in entries}
    for name in members:
        _refuse_code(name, path)
    return members


def _check_member(entry: zipfile.ZipInfo, path: Path) -> None:
    place = PurePosixPath(entry.filename)
    if place.is_absolute() or ".." in place.parts or "\\" in entry.filename:
        raise DataError(
            f"{path} has a member {entry.filename!r}, whose name leads out of it; torch writes none"
        )
    if entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & 1:
        raise DataError(
            f"{path} has a compressed or encrypted member, {entry.filename!r}; torch.export.save "
            "writes none: give the file that it wrote"
        )


def _refuse_code(name: str, path: Path) -> None:
    """Refuse a member that is compiled, or a pickle of more than example inputs."""
    place = PurePosixPath(name)
    if place.suffix in COMPILED or name.startswith(COMPILED_FOLDERS):
        raise DataError(
            f"{path} holds compiled code, {name} (as aoti_compile_and_package writes it), and no "
            "code of a file is run; give what torch.export.save writes of the same program"
        )
    if place.suffix in {".pt", ".pkl"} and not name.startswith(EXAMPLES):
        raise DataError(
            f"{path} holds a pickle, {name}, and pickles are not opened; give what "
            "torch.export.save of torch 2.9 or newer writes"
        )


def _find_model(members: Mapping[str, zipfile.ZipInfo], path: Path) -> str:
    """Return the name of the archive's only program, or of the one called `model`."""
    found = [
        one.removeprefix("models/").removesuffix(".json")
        for one in members
        if one.startswith("models/") and one.endswith(".json")
    ]
    if not found:
        raise DataError(f"{path} is no program of torch.export: it has no graph (models/*.json)")
    if len(found) > 1 and "model" not in found:
        raise DataError(f"{path} holds {len(found)} programs ({', '.join(found)}); save one a file")
    return "model" if "model" in found else found[0]


def _read_json(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, path: Path) -> dict[str, Any]:
    if entry.file_size > LARGEST_GRAPH:
        raise DataError(f"{path}: {entry.filename} has {entry.file_size} bytes, more than a graph")
    try:
        found = json.loads(archive.read(entry))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: {entry.filename} is no JSON text: {error}") from error
    if not isinstance(found, dict):
        raise DataError(f"{path}: {entry.filename} holds no object of JSON")
    return found


def _check_versions(
    archive: zipfile.ZipFile,
    members: Mapping[str, zipfile.ZipInfo],
    document: Mapping[str, Any],
    path: Path,
) -> None:
    kept = {
        name: archive.read(members[name]) if name in members else b""
        for name in ("archive_format", "archive_version", "byteorder")
    }
    if kept["archive_format"] != b"pt2" or kept["byteorder"] not in (b"little", b""):
        raise DataError(f"{path} is no archive of the format pt2 in little-endian order")
    if kept["archive_version"] != ARCHIVE:
        said = kept["archive_version"][:20].decode(errors="replace")
        raise DataError(f"{path} is of archive version {said!r}, and torch reads 0: save it again")
    version = document.get("schema_version")
    major = version.get("major") if isinstance(version, dict) else None
    if major != SCHEMA:
        made = document.get("torch_version") or "unknown"
        raise DataError(
            f"{path} has a graph of schema {major} (torch {str(made)[:40]}), and {SCHEMA} is read; "
            "load it with the torch that made it and save it with torch 2.9 or newer"
        )


def _read_payloads(
    archive: zipfile.ZipFile, members: Mapping[str, zipfile.ZipInfo], name: str, path: Path
) -> tuple[Payload, ...]:
    if (entry := members.get(f"{name}.json")) is None:
        raise DataError(f"{path} is no program of torch.export: it lacks {name}.json")
    folder = name.rpartition("/")[0]
    sizes = {
        one.rpartition("/")[2]: member.file_size
        for one, member in members.items()
        if one.startswith(f"{folder}/")
    }
    return read_payloads(_read_json(archive, entry, path), sizes, path)
