"""Small checkpoints of transformers, made with its own `save_pretrained`: drawn weights, no data."""

from __future__ import annotations

import functools
import json

import torch
import transformers
from transformers.utils import logging

from edgebench_kit.text.kinds import BYTES, WORDPIECE
from edgebench_kit.text.vocabularies import ENTRIES, train_tokenizer

NAMES = {
    "texts": ("bad", "so so", "good"),
    "tokens": ("O", "B-PER", "I-PER", "B-LOC", "I-LOC"),
    "pictures": ("ant", "bee", "cat", "dog", "eel"),
}
SMALL = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
}
LAYERS = {"hidden_size": 32, "num_hidden_layers": 4, **SMALL}
TEXTS = {
    "albert": ("Albert", {**SMALL, "embedding_size": 16}),
    "bert": ("Bert", {**SMALL, "pad_token_id": 0}),
    "deberta-v2": (
        "DebertaV2",
        {**SMALL, "relative_attention": True, "pos_att_type": ["p2c", "c2p"], "type_vocab_size": 0},
    ),
    "distilbert": ("DistilBert", {"dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 64}),
    "electra": ("Electra", {**SMALL, "embedding_size": 16}),
    "mobilebert": (
        "MobileBert",
        {
            **SMALL,
            "embedding_size": 16,
            "true_hidden_size": 16,
            "intra_bottleneck_size": 16,
            "num_feedforward_networks": 2,
        },
    ),
    "mpnet": ("MPNet", {**SMALL, "pad_token_id": 1}),
    "roberta": ("Roberta", {**SMALL, "pad_token_id": 1, "type_vocab_size": 1}),
    "xlm-roberta": ("XLMRoberta", {**SMALL, "pad_token_id": 1, "type_vocab_size": 1}),
}
"""By family how its classes begin, and what makes its network small."""
OF_BYTES = ("mpnet", "roberta", "xlm-roberta")
"""Those that are given a vocabulary of bytes, whose padding is 1."""
PATCHES = {**SMALL, "image_size": 32, "patch_size": 8}
PICTURES = {
    "beit": ("Beit", PATCHES),
    "convnext": ("ConvNext", {"hidden_sizes": [8, 12, 16, 24], "depths": [1, 1, 2, 1]}),
    "deit": ("DeiT", PATCHES),
    "mobilenet_v2": ("MobileNetV2", {"depth_multiplier": 0.35, "image_size": 64}),
    "mobilevit": (
        "MobileViT",
        {
            "hidden_sizes": [16, 24, 32],
            "neck_hidden_sizes": [8, 8, 16, 16, 24, 24, 32],
            "image_size": 64,
            "num_attention_heads": 4,
        },
    ),
    "regnet": (
        "RegNet",
        {"embedding_size": 8, "hidden_sizes": [8, 16, 24, 32], "depths": [1, 1, 2, 1]}
        | {"groups_width": 8},
    ),
    "resnet": (
        "ResNet",
        {"embedding_size": 8, "hidden_sizes": [8, 16, 24, 32], "depths": [2, 2, 2, 2]}
        | {"layer_type": "basic"},
    ),
    "swin": (
        "Swin",
        {"image_size": 32, "patch_size": 2, "embed_dim": 16, "depths": [2, 2], "window_size": 4}
        | {"num_heads": [2, 4]},
    ),
    "vit": ("ViT", PATCHES),
}
SIDES = {"convnext": 64, "mobilenet_v2": 64, "mobilevit": 64, "regnet": 64, "resnet": 64}
"""The side of a picture, where it is not 32."""


def make_text_classifier(directory, family="bert", *, positions=66, **said):
    """Write a checkpoint that classifies texts, its tokenizer beside it, and return it."""
    begin, small = TEXTS[family]
    module = _make(
        f"{begin}ForSequenceClassification",
        f"{begin}Config",
        {"vocab_size": ENTRIES, "max_position_embeddings": positions, **small, **said},
        "texts",
    )
    module.save_pretrained(directory)
    make_tokenizer(family in OF_BYTES).save_pretrained(directory)
    return module


def make_word_classifier(directory, family="bert", *, positions=66, **said):
    """Write a checkpoint that classifies words, its tokenizer beside it, and return it."""
    begin, small = TEXTS[family]
    module = _make(
        f"{begin}ForTokenClassification",
        f"{begin}Config",
        {"vocab_size": ENTRIES, "max_position_embeddings": positions, **small, **said},
        "tokens",
    )
    module.save_pretrained(directory)
    make_tokenizer(family in OF_BYTES).save_pretrained(directory)
    if family in OF_BYTES:
        _let_words_begin_with_spaces(directory)
    return module


def _let_words_begin_with_spaces(directory):
    """Write into a tokenizer of bytes what transformers wants of one that is given single words."""
    for name in ("tokenizer.json", "tokenizer_config.json"):
        held = json.loads((directory / name).read_text())
        (held if "config" in name else held["pre_tokenizer"])["add_prefix_space"] = True
        (directory / name).write_text(json.dumps(held))


def make_picture_classifier(directory, family="vit", *, save=True, **said):
    """Write a checkpoint that classifies pictures, its recipe beside it, and return it."""
    begin, small = PICTURES[family]
    module = _make(
        f"{begin}ForImageClassification", f"{begin}Config", {**small, **said}, "pictures"
    )
    module.save_pretrained(directory)
    side = SIDES.get(family, 32)
    make_processor(side).save_pretrained(directory)
    return module


def make_processor(side):
    """Return transformers' own preparation of pictures, that needs Pillow alone."""
    from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

    return ViTImageProcessorPil(size={"height": side, "width": side})


@functools.cache
def make_tokenizer(of_bytes):
    """Return a tokenizer that was trained on the made sentences."""
    kind = BYTES if of_bytes else WORDPIECE
    opening = {"bos_token": "<s>", "eos_token": "</s>"} if of_bytes else {}
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=train_tokenizer(kind),
        pad_token=kind.padding,
        unk_token="<unk>" if of_bytes else "[UNK]",
        cls_token=kind.opening,
        sep_token=kind.closing,
        mask_token="<mask>" if of_bytes else "[MASK]",
        model_input_names=["input_ids", "attention_mask"] + ["token_type_ids"] * (not of_bytes),
        **opening,
    )


def _make(network, configuration, said, task):
    """Make a network whose answers differ from text to text and from picture to picture."""
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    names = dict(enumerate(NAMES[task]))
    numbers = {name: number for number, name in names.items()}
    made = getattr(transformers, configuration)(**{"id2label": names, "label2id": numbers, **said})
    torch.manual_seed(0)
    module = getattr(transformers, network)(made).eval()
    with torch.no_grad():
        for weights in module.parameters():
            if weights.ndim == 2:
                weights.normal_(std=0.2)
    return module
