"""Classifiers made of a checkpoint: looked at, built with its weights, and made again without."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from edgebench import (
    Budget,
    DataError,
    Look,
    Model,
    Pipeline,
    Stage,
    TensorSpec,
    Weights,
)
from edgebench_kit.checkpoints import own_tokenizers, requests
from edgebench_kit.checkpoints.configurations import (
    WRITTEN,
    Configuration,
    check_head,
    check_parts,
    read_configuration,
)
from edgebench_kit.checkpoints.families import STUDENT, check_shapes, describe_variant, halve
from edgebench_kit.checkpoints.networks import (
    list_inputs,
    load_network,
    load_student,
    make_network,
    make_settings,
)
from edgebench_kit.checkpoints.stored_weights import find_weights, has_header, read_shapes
from edgebench_kit.checkpoints.word_requests import word_cross_entropy
from edgebench_kit.text.tokenizing import RESOURCE
from edgebench_kit.torch.classification import cross_entropy
from edgebench_kit.torch.modules import count_parameters
from edgebench_kit.vision.recipes import PICTURES, Recipe, find_processor

if TYPE_CHECKING:
    from torch import nn

OUTPUT = "logits"
WIDE = 512
"""Values of a token from which on an encoder is trained on in small steps, as BERT is."""
CONVOLUTIONAL = frozenset(("mobilenet_v1", "mobilenet_v2", "regnet", "resnet"))
"""Families that bear larger steps, having normalisation by batches."""


def read_checkpoint(
    directory: Path, *, length: int | None = None, student: str = ""
) -> Configuration:
    """Return what is made of a checkpoint, as far as its configuration says.

    *length* is the tokens of a text, *student* the name of the student that is made in its place.

    Raises:
        DataError: It is of no classifier, or needs what is not done here.
    """
    found = read_configuration(directory)
    if found.task in WRITTEN:
        found = attrs.evolve(found, length=length)
    elif length is not None:
        raise DataError(f"length is of texts, and {directory} classifies pictures; leave it out")
    else:
        found = attrs.evolve(found, picture=read_recipe(directory).size)
    if student not in ("", STUDENT):
        raise DataError(f"student={student}: a checkpoint has one student, {STUDENT!r}")
    if student:
        halve(found)  # which refuses a family of which nothing is known
    return found


def read_recipe(directory: Path) -> Recipe:
    """Return how pictures are prepared for a checkpoint.

    Raises:
        DataError: Nothing beside the weights says it, or it is not understood.
    """
    path = find_processor(directory)
    if path is None:
        raise DataError(
            f"{directory} has no {PICTURES}, so that nothing says how pictures are resized and "
            "normalised; save the image processor beside the weights"
        )
    recipe = Recipe.read_file(path)
    return attrs.evolve(recipe, layout="nchw")


def look_at(directory: Path, *, length: int | None = None, student: str = "") -> Look:
    """See whether a checkpoint can be made, as far as that shows without the framework.

    Raises:
        DataError: It cannot.
    """
    found = read_checkpoint(directory, length=length, student=student)
    files, path = find_weights(directory), directory / "config.json"
    shapes = read_shapes(files) if has_header(files) else {}
    if shapes:
        check_parts(found.settings, len(shapes), path)
        check_head(found, shapes, path)
    if found.task in WRITTEN:
        own_tokenizers.check_tokenizer(directory, found)
    made = halve(found)[0] if student else found
    try:
        describe_variant("default", made)
        if shapes:
            check_shapes(found, shapes)
    except DataError as error:
        raise DataError(f"{path}: {error}") from error
    return Look(configuration=made.to_text())


def list_files(directory: Path) -> list[Path]:
    """Return the files of a checkpoint that decide what it gives."""
    described = [
        path
        for path in sorted(directory.iterdir())
        if path.suffix in (".json", ".txt", ".model") and path.is_file()
    ]
    return [*described, *find_weights(directory)]


def build_checkpoint(
    model: str, directory: Path, *, length: int | None = None, student: str = ""
) -> Pipeline:
    """Build the classifier in a directory as a pipeline of one stage, with its weights.

    It reads the network's own inputs, int64 of shape (batch, length) or `pixel_values`, float32 of
    shape (batch, 3, height, width), and writes `logits`, float32 of shape (batch, classes), or of
    shape (batch, length, classes) where words are classified.

    Raises:
        DataError: It cannot be made, or does not run.
    """
    whole = read_checkpoint(directory, length=length, student=student)
    resources: dict[str, bytes] = {}
    if whole.task in WRITTEN:
        written, names = own_tokenizers.write_own(directory, whole)
        length = own_tokenizers.read_length(written)
        settings = dict(whole.settings)
        if make_settings(whole, str(directory)).pad_token_id is None:
            # Else what reads the last token of a text takes what fills it up for that.
            settings["pad_token_id"] = own_tokenizers.read_padding(written)
        whole = attrs.evolve(whole, length=length, tensors=names, settings=settings)
        resources = {RESOURCE: written}
    found, module = whole, load_network(whole, directory)
    if student:
        found, sources = halve(whole)
        module = load_student(module, found, sources, str(directory))
    recipe = None if resources else read_recipe(directory)
    resources |= requests.describe_request(
        list_inputs(module), recipe, words=found.task == "tokens"
    )
    pipeline = _make_pipeline(model, found, module)
    _check_answer(pipeline.stages[0], resources.get(RESOURCE), found, directory)
    doubts = (
        _check_filling(module, whole, resources[RESOURCE], directory)
        if whole.task == "texts"
        else ()
    )
    return attrs.evolve(pipeline, resources=resources, doubts=doubts)


def _make_pipeline(model: str, found: Configuration, module: nn.Module) -> Pipeline:
    """Describe a network as a pipeline of one stage."""
    if found.task in WRITTEN:
        dtype, shape = "int64", ("batch", found.length or own_tokenizers.LENGTH)
    else:
        dtype, shape = "float32", ("batch", 3, *(found.picture or ("height", "width")))
    specs = [TensorSpec(name=name, dtype=dtype, shape=shape) for name in list_inputs(module)]
    places = shape[1:] if found.task == "tokens" else ()
    logits = TensorSpec(name=OUTPUT, dtype="float32", shape=("batch", *places, len(found.classes)))
    stage = Stage(
        format="torch-module",
        inputs=specs,
        outputs=[logits],
        live=module,
        model=model,
        configuration=found.to_text(),
        parameters=count_parameters(module),
    )
    return Pipeline(model=model, variant="default", stages=[stage], outputs=[OUTPUT])


def _check_answer(
    stage: Stage, written: bytes | None, found: Configuration, directory: Path
) -> None:
    """See that a network takes what its requests become, and answers with its classes.

    *written* is its tokenizer as `own_tokenizers.write_tokenizer` wrote it, None of pictures.

    Raises:
        DataError: It does not.
    """
    import torch

    module: nn.Module = stage.live
    if written:
        # Some look for the token that ends a text, which is in none but tokenized ones.
        (filled, _), _ = own_tokenizers.tokenize_word(written, list_inputs(module))
        made = [torch.tensor(one) for one in filled]
    else:
        (spec,) = stage.inputs
        made = [torch.ones([1, *(one if isinstance(one, int) else 224 for one in spec.shape[1:])])]
    try:
        with torch.no_grad():
            given = tuple(module(*made).shape)
    except Exception as error:  # whatever a network stumbles over
        reason = next(iter(str(error).strip().splitlines()), "")
        raise DataError(
            f"the {found.architecture} in {directory} does not run on {stage.inputs[0].name} of "
            f"shape {tuple(made[0].shape)}: {type(error).__name__}: {reason[:300]}"
        ) from error
    if given != (1, *stage.outputs[0].shape[1:]):
        raise DataError(
            f"the {found.architecture} in {directory} answers with a tensor of shape {given}, and "
            f"config.json names {len(found.classes)} classes"
        )


def _check_filling(
    module: nn.Module, found: Configuration, written: bytes, directory: Path
) -> tuple[str, ...]:
    """See that a text is answered alike whether it is filled up or not, as far as files decide it.

    What they do not decide, as in families that mix all positions, is returned as a doubt.

    Raises:
        DataError: It is not, and what the files say of filling up may be why.
    """
    import torch

    tokens, padding = own_tokenizers.tokenize_word(written, list_inputs(module))
    with torch.no_grad():
        filled, alone = (module(*map(torch.tensor, one)) for one in tokens)
    if torch.allclose(filled, alone, rtol=1e-2, atol=1e-3, equal_nan=True):
        return ()
    says = f"{directory} answers otherwise to a text that is filled up to {found.length} tokens"
    if found.settings.get("pad_token_id") is None:
        raise DataError(
            f"{says}: config.json names no pad_token_id, so that what fills up is taken for text; "
            f'write "pad_token_id": {padding["pad_id"]} there, or give a checkpoint that has it'
        )
    if padding["direction"] == "left":
        raise DataError(
            f"{says} on its left, which moves the positions of its own tokens; write "
            '"padding_side": "right" in tokenizer_config.json'
        )
    differs = float((filled - alone).abs().max())
    doubt = (
        f"a text that is filled up to {found.length} tokens on its {padding['direction']} is "
        f"answered otherwise than alone, by {differs:.2g} in a logit: a {found.family} reads what "
        "fills up too"
    )
    return (doubt,)


def describe_configured(model: Model, variant: str, written: str) -> Model:
    """Return the record of what one configuration says, which is made without its weights."""
    found = Configuration.from_text(written)
    one = describe_variant(variant, found)

    def build(name: str, weights: Weights) -> Pipeline:
        module = make_network(found, f"{model.name}:{name}", weights.seed)
        return _make_pipeline(model.name, found, module)

    return attrs.evolve(
        model,
        build=build,
        variants=[one],
        loss=word_cross_entropy if found.task == "tokens" else cross_entropy,
        budget=_choose_budget(found),
    )


def _choose_budget(found: Configuration) -> Budget:
    """Return what training a checkpoint on may cost: fine-tuning, slower the wider it is."""
    width = found.settings.get("hidden_size", found.settings.get("dim", WIDE))
    small = found.family in CONVOLUTIONAL or width < WIDE
    return Budget(
        epochs=10, seconds=900, batch=16, learning_rate=5e-4 if small else 5e-5, patience=3
    )
