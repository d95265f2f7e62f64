"""How the requests of a model that is a file become its inputs: as pictures, texts or tensors.

What runs with a request needs numpy, Pillow and tokenizers and no framework.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from edgebench import DataError, Model, Tensors, TensorSpec
from edgebench_kit.own_files.picture_requests import (
    PictureRequest,
    find_picture_input,
    fit_recipe,
    propose_picture_sizes,
)
from edgebench_kit.own_files.sources import Source
from edgebench_kit.own_files.text_requests import TextRequest, find_text_inputs, fit_tokenizer

RESOURCE = "request.json"
"""The name under which a pipeline keeps how its requests become inputs."""
ARCHIVE = b"PK\x03\x04"
"""What a payload of tensors, a `.npz`, begins with, and no picture or text does."""
Request = PictureRequest | TextRequest
KINDS: Mapping[str, type[PictureRequest | TextRequest]] = {
    "pictures": PictureRequest,
    "texts": TextRequest,
}


@attrs.frozen
class Prepared:
    """How requests become the inputs of a file, or why they can only be tensors."""

    request: Request | None = None
    lacking: str = ""
    """Why there is none, where something was found that would have been one."""

    @property
    def resources(self) -> dict[str, bytes]:
        """What a pipeline keeps of it."""
        if self.request is None:
            return {}
        return {RESOURCE: json.dumps(self.request.to_document()).encode()}


def propose_sizes(source: Source, specs: Sequence[TensorSpec]) -> dict[str, int]:
    """Return sizes for open dimensions of inputs, by input and axis (`x.2`), as a recipe has them.

    *specs* are the inputs that are part of a request, what is open in them a text. Nothing is
    proposed where nothing fits, which `prepare_requests` says.
    """
    spec = find_picture_input(specs)
    if spec is None:
        return {}
    try:
        sizes = propose_picture_sizes(spec, source)
    except DataError:
        return {}
    return {f"{spec.name}.{axis}": size for axis, size in sizes.items()}


def prepare_requests(
    source: Source, specs: Sequence[TensorSpec], rows: Mapping[str, int], file: object
) -> Prepared:
    """Return how requests become inputs by a source, whose every dimension is a number.

    *rows* are by input how many rows the table has that it picks from, where that is known; *file*
    is what to call the model by in messages.

    Raises:
        DataError: Somebody said what it is to be, and it does not fit. What was merely found and
            does not fit is left out, and why is kept.
    """
    if not source:
        return Prepared()
    try:
        return Prepared(_fit(source, specs, rows, file))
    except DataError as error:
        if not source.found:
            raise
        return Prepared(lacking=str(error))


def _fit(
    source: Source, specs: Sequence[TensorSpec], rows: Mapping[str, int], file: object
) -> Request:
    if spec := find_picture_input(specs):
        return fit_recipe(spec, source, file)
    if find_text_inputs(specs):
        return fit_tokenizer(specs, source, rows, file)
    told = ", ".join(f"{spec.name!r} ({spec.dtype} of {len(spec.shape)} axes)" for spec in specs)
    raise DataError(
        f"{source.where} makes one input of a picture, or input_ids, attention_mask and "
        f"token_type_ids of a text, and the inputs of {file} are {told}; inputs that are the same "
        "in every request can be fixed"
    )


def bind_requests(model: Model, variant: str, resources: Mapping[str, bytes]) -> Model:
    """Return the record whose callables decode requests as a pipeline says.

    Those of *model* itself are kept for payloads of tensors.

    Raises:
        DataError: What the pipeline says cannot be read.
    """
    if RESOURCE not in resources:
        return model
    try:
        document = json.loads(resources[RESOURCE])
        request = KINDS[document["kind"]].from_document(document)
    except (ValueError, LookupError, TypeError) as error:
        raise DataError(f"{model.name}:{variant} has no {RESOURCE} that can be read") from error

    def decode(payload: bytes, variant: str) -> Any:
        # Random requests, and arrays of a user's own, are tensors, whatever else could be sent.
        if payload.startswith(ARCHIVE):
            return model.decode(payload, variant)
        return request.decode(payload)

    def preprocess(decoded: Any, variant: str) -> Tensors:
        if isinstance(decoded, dict):
            return model.preprocess(decoded, variant)
        return request.preprocess(decoded)

    bound = attrs.evolve(model, decode=decode, preprocess=preprocess)
    return _bind_shortening(bound, request) if isinstance(request, TextRequest) else bound


def _bind_shortening(model: Model, request: TextRequest) -> Model:
    def shortens(decoded: Any, variant: str) -> bool:
        return not isinstance(decoded, dict) and request.shortens(decoded)

    return attrs.evolve(model, shortens=shortens)
