"""What an importer promises."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from edgebench.parts.errors import EdgebenchError, one_line
from edgebench.parts.places import Importer
from edgebench.records.imported import Imported
from edgebench.testing.contracts.contract import Contract, NotChecked, doubt, hold

NONSENSE = "~~ no result ~~"


class ImporterContract(Contract):
    """What an importer promises: foreign files, and one of its own if `sample` names it."""

    kind = Importer
    sample: ClassVar[Path | None] = None
    """A file or a directory that it reads."""

    def test_it_claims_only_what_it_reads(self) -> None:
        """It does not claim files and directories of others, and is not upset by them."""
        importer: Importer = self.part
        for what, path in self._foreign().items():
            try:
                claimed = importer.claims(path)
            except Exception as error:
                raise AssertionError(f"of {what}, claims raises {one_line(error)}") from error
            hold(not claimed, f"it claims {what}")

    def test_it_reads_its_own(self) -> None:
        """It claims its own files, and reads one result or more from them."""
        sample = self._sample()
        hold(self.part.claims(sample), f"it does not claim {sample.name}")
        found = list(self.part.read(sample))
        hold(found, f"it reads no result from {sample.name}")
        wrong = [one for one in found if not isinstance(one, Imported)]
        hold(not wrong, f"it reads {type(wrong[0]).__name__ if wrong else ''}, not Imported")

    def test_it_refuses_garbage_with_its_place(self) -> None:
        """Of a file of its own with a line of nonsense it names the file and the line."""
        sample, tried = self._sample(), 0
        for file in [sample] if sample.is_file() else sorted(sample.rglob("*")):
            if not file.is_file():
                continue
            for place, damaged in self._damage(sample, file):
                if not self.part.claims(place):
                    continue
                tried += 1
                self._refuse(place, damaged)
        if not tried:
            raise NotChecked("it claims none of its files once a line of it is nonsense")

    def _refuse(self, place: Path, damaged: Path) -> None:
        try:
            list(self.part.read(place))
        except EdgebenchError as error:
            hold(damaged.name in str(error), f"it does not name the file: {error}")
            if "line" not in str(error):
                doubt(f"it does not name the line: {error}")
        except Exception as error:
            raise AssertionError(
                f"of a line of nonsense it raises {one_line(error)}, not an EdgebenchError with "
                "the file and the line"
            ) from error
        else:
            raise AssertionError(f"it takes a line of nonsense in {damaged.name}")

    def _damage(self, sample: Path, file: Path) -> list[tuple[Path, Path]]:
        """Return copies of the sample, each with a line of nonsense in one file."""
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
        found = []
        for number in sorted({len(lines) // 2, len(lines) - 1} - {0}):
            place = self.bench.make_place("damaged") / sample.name
            if sample.is_dir():
                shutil.copytree(sample, place)
                damaged = place / file.relative_to(sample)
            else:
                shutil.copyfile(sample, place)
                damaged = place
            damaged.write_text("\n".join([*lines[:number], NONSENSE, *lines[number + 1 :], ""]))
            found.append((place, damaged))
        return found

    def _sample(self) -> Path:
        if self.sample is None:
            raise NotChecked("no file that it reads is named: say `sample`")
        return Path(self.sample)

    def _foreign(self) -> Mapping[str, Path]:
        """Return what is nobody's result, by what it is."""
        place = self.bench.make_place("foreign")
        files: dict[str, Any] = {
            "an empty file": ("empty.txt", b""),
            "a file of bytes": ("bytes.bin", bytes(range(256)) * 8),
            "a text": ("text.txt", b"Nothing was measured.\n" * 20),
            "a table of something else": ("table.csv", b"a,b,c\n1,2,3\n"),
            "a document of something else": ("document.json", b'{"what": "else"}'),
        }
        found: dict[str, Path] = {}
        for what, (name, content) in files.items():
            (place / "files").mkdir(exist_ok=True)
            (place / "files" / name).write_bytes(content)
            found[what] = place / "files" / name
        (place / "none").mkdir()
        return {**found, "an empty directory": place / "none", "a directory": place / "files"}
