"""The tokenizer in a directory that transformers wrote: opened as transformers would open it.

A class of tokenizers that `tokenizer_config.json` names makes much anew of what `tokenizer.json`
holds, by the settings beside it. BERT's and RoBERTa's classes are followed; another's settings are
held against what the file holds.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from edgebench import DataError
from edgebench_kit.files.documents import read_beside
from edgebench_kit.text.cutting import encode, explain
from edgebench_kit.text.kinds import BYTES, WORDPIECE, Kind, frame, set_steps

if TYPE_CHECKING:
    from pathlib import Path

    from tokenizers import Tokenizer

WHOLE = "tokenizer.json"
SETTINGS = ("tokenizer_config.json", "special_tokens_map.json")
"""What lies beside it."""
PLAIN = "PreTrainedTokenizerFast"
"""The class that takes a tokenizer as it lies there."""
AS_THEY_LIE = ("PreTrainedTokenizer", "PythonBackend", "TokenizersBackend")
"""Its names, without `Fast`."""
OF_BERT = ("Bert", "DistilBert", "Electra", "LayoutLM", "Lxmert", "MobileBert", "SqueezeBert")
CLASSES: Mapping[str, Kind] = {
    **{f"{name}Tokenizer": WORDPIECE for name in OF_BERT},
    **{f"{name}Tokenizer": BYTES for name in ("Bart", "LED", "Longformer", "Mvp", "Roberta")},
}
FLAGS = {
    "do_lower_case": "lowercase",
    "strip_accents": "strip_accents",
    "tokenize_chinese_chars": "handle_chinese_chars",
    "add_prefix_space": "add_prefix_space",
}
"""What settings say of cutting, and what it is called in the steps that do it."""
FLAGGED = ("BertNormalizer", "ByteLevel")
"""Those steps."""
SIDES = ("left", "right")


def read_settings(directory: Path) -> dict[str, Any]:
    """Return what lies beside a tokenizer of how it cuts, frames and fills up.

    A token that is written with how it is cut out of a text is the token alone; those that nobody
    says are the class's.

    Raises:
        DataError: A file cannot be read, or says something that means nothing.
    """
    place = directory / SETTINGS[0]
    said = read_beside(place)
    if "added_tokens_decoder" not in said:
        # In transformers the older file then goes before.
        said |= read_beside(directory / SETTINGS[1])
    for key, value in said.items():
        if key.endswith("_token") and isinstance(value, dict):
            said[key] = value.get("content")
    said = {key: value for key, value in said.items() if value is not None}
    for key, value in said.items():
        if key in ("tokenizer_class", *BYTES.tokens) and not isinstance(value, str):
            raise DataError(f"{place}: {key} is a text, not {value!r}")
        if key in FLAGS and not isinstance(value, bool):
            raise DataError(f"{place}: {key} is true or false, not {value!r}")
        if key in ("padding_side", "truncation_side") and value not in SIDES:
            raise DataError(f"{place}: {key} is left or right, not {value!r}")
    kind = CLASSES.get(said.get("tokenizer_class", "").removesuffix("Fast"))
    return said if kind is None else {**kind.tokens, **said}


def read_whole(path: Path) -> Tokenizer:
    """Open a `tokenizer.json` as it lies there.

    Raises:
        DataError: It cannot be read.
    """
    if find_spec("tokenizers") is None:
        raise DataError(f"{path} is read by the package tokenizers: pip install tokenizers")
    from tokenizers import Tokenizer

    try:
        return Tokenizer.from_file(str(path))
    except BaseException as error:
        remedy = "write it again with save_pretrained"
        raise explain(error, f"the tokenizer {path} cannot be read", remedy) from error


def open_whole(path: Path, said: Mapping[str, Any], kind: Kind | None = None) -> Tokenizer:
    """Open a `tokenizer.json` as the class does that its settings name.

    *said* is what `read_settings` returned; *kind* is of whom it is where they name no class.

    Raises:
        DataError: It cannot be read, or what it holds contradicts its settings in what versions of
            transformers answer differently.
    """
    tokenizer = read_whole(path)
    name = (said.get("tokenizer_class") or "").removesuffix("Fast")
    if name in AS_THEY_LIE:
        return tokenizer
    kind = CLASSES.get(name) if name else kind
    if kind is None:
        _check_flags(tokenizer, said, path)
    else:
        _follow_class(tokenizer, kind, said, path)
    return tokenizer


def check_length(tokenizer: Any, length: int, where: object, *, pairs: bool = True) -> None:
    """See that there is room for a token of a text, and of a pair where there are some.

    Raises:
        DataError: There is not.
    """
    added = tokenizer.num_special_tokens_to_add(is_pair=pairs)
    if length <= added:
        what = "a pair of texts" if pairs else "a text"
        raise DataError(
            f"{where} frames {what} with {added} tokens, and the inputs take {length}; have them "
            f"take {added + 1} or more"
        )


def set_length(
    tokenizer: Any,
    length: int,
    *,
    padding: str,
    type_id: int = 0,
    filled: str = "right",
    cut: str = "right",
) -> None:
    """Have a tokenizer fill up with *padding* and cut to one length, of a pair the longer first.

    *filled* and *cut* are the sides where it does, *type_id* the number of the text, of a pair,
    that what fills up counts to.
    """
    tokenizer.enable_truncation(length, strategy="longest_first", direction=cut)
    tokenizer.enable_padding(
        length=length,
        pad_id=tokenizer.token_to_id(padding),
        pad_token=padding,
        pad_type_id=type_id,
        direction=filled,
    )


def _check_flags(tokenizer: Tokenizer, said: Mapping[str, Any], path: Path) -> None:
    """Raise if a tokenizer cuts otherwise than its settings say, whoever is right."""
    for part in ("normalizer", "pre_tokenizer"):
        for step in _list_steps(_describe(tokenizer, part)):
            for key in FLAGS if step.get("type") in FLAGGED else ():
                held = step.get(FLAGS[key], said.get(key))
                if said.get(key) not in (None, held):
                    raise DataError(
                        f"{path.with_name(SETTINGS[0])} says {key} {json.dumps(said[key])}, and "
                        f"{path} has {FLAGS[key]} {json.dumps(held)}; write into both what the "
                        "model was trained with"
                    )


def _follow_class(tokenizer: Tokenizer, kind: Kind, said: Mapping[str, Any], path: Path) -> None:
    """Have a tokenizer cut as its class makes it of its vocabulary and the settings beside it.

    Raises:
        DataError: There is more to it than the settings of cutting, which all versions follow:
            what else a file holds 4 keeps, and 5 makes anew.
    """
    named, name = kind.name_tokens(said), said.get("tokenizer_class", "tokenizer of its kind")
    for token in (named["cls_token"], named["sep_token"]):
        if tokenizer.token_to_id(token) is None:
            raise DataError(f"{path} is no {name} but of another kind: it has no {token}")
    held = _show(tokenizer)
    set_steps(tokenizer, kind, said)
    frame(tokenizer, kind, said)
    made = {**_show(tokenizer), **kind.model}
    if kind is WORDPIECE:
        made["unk_token"] = named["unk_token"]
    for part, one in made.items():
        if held[part] != one:
            raise DataError(
                f"{path} has the {part} {held[part]!r}, and a {name} {one!r}, so that versions of "
                f'transformers read it differently; write "tokenizer_class": "{PLAIN}" into '
                f"{path.with_name(SETTINGS[0])} to have it as it lies there, or load it with "
                "transformers and save it again"
            )


def _show(tokenizer: Any) -> dict[str, Any]:
    """Return what of a tokenizer its class decides, beside the settings of cutting."""
    model = tokenizer.model
    return {
        "model": type(model).__name__,
        **{name: getattr(model, name, None) for name in WORDPIECE.model if name != "model"},
        "unk_token": model.unk_token,
        **{
            part: _describe(tokenizer, part).get("type") for part in ("normalizer", "pre_tokenizer")
        },
        "frame": _show_frame(tokenizer, ("",)),
        "frame of a pair": _show_frame(tokenizer, ("", "")),
    }


def _show_frame(tokenizer: Tokenizer, texts: tuple[str, ...]) -> str:
    """Return the tokens put around texts, each with the number of its text."""
    made = encode(tokenizer, texts)
    told = zip(made.tokens, made.type_ids, made.attention_mask, strict=True)
    return " ".join(f"{token}:{number}" for token, number, own in told if own)


def _describe(tokenizer: Tokenizer, part: str) -> dict[str, Any]:
    """Return one part of a tokenizer as JSON has it; without keys where there is none."""
    found = getattr(tokenizer, part)
    return {} if found is None else dict(json.loads(found.__getstate__()))


def _list_steps(described: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the steps of which a part of a tokenizer is made, however deep they lie."""
    yield described
    for key in ("normalizers", "pretokenizers"):
        for step in described.get(key, ()):
            yield from _list_steps(step)
