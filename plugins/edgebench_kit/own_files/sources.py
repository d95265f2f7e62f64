"""Where it is written how a request becomes the inputs of a file: beside it, or where one says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import attrs

from edgebench import DataError
from edgebench_kit.text.tokenizer_files import SETTINGS
from edgebench_kit.text.tokenizer_files import WHOLE as TEXTS
from edgebench_kit.vision.recipes import PICTURES, WHOLE, Recipe, Size, find_processor

LABELS = "config.json"
BESIDE = (WHOLE, PICTURES, TEXTS, *SETTINGS, LABELS)
IMAGENET, NONE = "imagenet", "none"


def to_preprocess(said: Any) -> Any:
    """Return what stands in an option `preprocess`: a word as it is, else a path, made whole.

    The processes that prepare work in directories of their own.
    """
    return said if said in ("", IMAGENET, NONE) else Path(said).absolute()


def list_beside(file: Path) -> list[Path]:
    """Return the files beside a model's file that say how its requests and answers are meant."""
    return [path for path in look_beside(file) if path]


def look_beside(said: object) -> tuple[Path | None, ...]:
    """Return the files beside another that may be read with it, each at its own place, else None.

    None of what is no file: a directory counts by all that it holds.
    """
    if not isinstance(said, Path) or said.is_dir():
        return ()
    return tuple(path if path.is_file() else None for path in map(said.with_name, BESIDE))


@attrs.frozen(kw_only=True)
class Source:
    """Where it is written how pictures or texts become a file's inputs."""

    pictures: Path | None = None
    """A recipe, of ours or of transformers."""
    texts: Path | None = None
    """A `tokenizer.json`."""
    imagenet: bool = False
    """Whether pictures are read as torchvision's weights of ImageNet have them."""
    found: bool = False
    """Whether nobody said so: the files lie beside the model's."""

    def read_recipe(self, size: Size | None = None) -> Recipe | None:
        """Return what is done to pictures, to *size* where that is left open; None if not said.

        Raises:
            DataError: It cannot be read, or something in it is not understood.
        """
        if self.imagenet:
            return Recipe.imagenet(size) if size else Recipe.imagenet()
        return Recipe.read_file(self.pictures) if self.pictures else None

    def __bool__(self) -> bool:
        """Whether anything is written anywhere."""
        return bool(self.pictures or self.texts or self.imagenet)

    @property
    def where(self) -> str:
        """What to call it by."""
        if self.imagenet:
            return "preprocess=imagenet"
        return " and ".join(str(path) for path in (self.pictures, self.texts) if path)

    @property
    def told(self) -> str:
        """Where it is written, in a phrase for the end of a sentence."""
        if self.found:
            names = " and ".join(path.name for path in (self.pictures, self.texts) if path)
            return f"as {names} beside it says"
        return f"as {self.where} says"


def find_source(file: Path, said: object) -> Source:
    """Return where it is written for a model's file, given its option `preprocess`.

    Raises:
        DataError: Nothing is written where it was said to be.
    """
    if said == NONE:
        return Source()
    if said == IMAGENET:
        return Source(imagenet=True)
    if not isinstance(said, Path):
        return _look_into(file.parent, found=True)
    if said.is_dir():
        if source := _look_into(said):
            return source
        raise DataError(
            f"preprocess: {said} holds no {PICTURES} and no {TEXTS}; transformers writes them: "
            "processor.save_pretrained(DIR), or tokenizer.save_pretrained(DIR)"
        )
    if not said.is_file():
        raise DataError(
            f"preprocess is {IMAGENET}, {NONE}, a directory or a file, and {said} is not there"
        )
    return Source(texts=said) if _is_tokenizer(said) else Source(pictures=said)


def _look_into(directory: Path, *, found: bool = False) -> Source:
    texts = path if (path := directory / TEXTS).is_file() else None
    return Source(pictures=find_processor(directory), texts=texts, found=found)


def _is_tokenizer(path: Path) -> bool:
    """Say whether a file of JSON is a tokenizer and no recipe; what is no JSON is none."""
    if path.name == TEXTS:
        return True
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(document, dict) and {"model", "added_tokens"} <= set(document)
