"""A tokenizer cuts as transformers' AutoTokenizer has it of the same files, or is refused."""

import json

import pytest
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from edgebench import DataError
from edgebench_kit.text.kinds import BYTES, WORDPIECE, frame, set_steps
from edgebench_kit.text.tokenizer_files import (
    CLASSES,
    SETTINGS,
    WHOLE,
    check_length,
    open_whole,
    read_settings,
    read_whole,
)

WORDS = ("hello", "Hello", "##s", "caf", "##é", "##e", "你", "好", "你好", "##好")
SPELT = ("h", "i", "Ġ", "Ġh", "Ġhi", "hi")
TEXTS = (("Hello café",), ("hello 你好", "Hellos"), ("hi hi",), ("hi", "hi"), ("[MASK] hi",))


def write(directory, kind, held=None, **said):
    """Write a tokenizer of a kind that was saved with *held*, and settings beside it."""
    numbers = {one: number for number, one in enumerate((*kind.special, *WORDS, *SPELT))}
    if kind is WORDPIECE:
        unknown = kind.tokens["unk_token"]
        tokenizer = Tokenizer(models.WordPiece(numbers, unk_token=unknown))
    else:
        tokenizer = Tokenizer(models.BPE(numbers, [("h", "i"), ("Ġ", "h"), ("Ġ", "hi")]))
    set_steps(tokenizer, kind, held or {})
    frame(tokenizer, kind, {})
    tokenizer.save(str(directory / WHOLE))
    (directory / SETTINGS[0]).write_text(json.dumps(said))
    return tokenizer


def rewrite(directory, tokenizer):
    tokenizer.save(str(directory / WHOLE))


def open_own(directory, kind=None):
    return open_whole(directory / WHOLE, read_settings(directory), kind)


def cut(tokenizer, texts):
    made = tokenizer.encode(*texts)
    return made.ids, made.attention_mask


def refused(directory, kind=None):
    with pytest.raises(DataError) as error:
        open_own(directory, kind)
    assert "\n" not in str(error.value)
    return str(error.value)


OF_WORDS = [
    {},
    {"do_lower_case": False},
    {"strip_accents": False},
    {"strip_accents": True, "do_lower_case": False},
    {"tokenize_chinese_chars": False},
    {"do_lower_case": True, "strip_accents": None},
]
OF_BYTES = [{}, {"add_prefix_space": True}, {"add_prefix_space": False}]
NAMED = [
    *(("BertTokenizer", WORDPIECE, held, said) for held in OF_WORDS for said in OF_WORDS),
    *((f"{name}Fast", WORDPIECE, {}, OF_WORDS[1]) for name in CLASSES if CLASSES[name] is WORDPIECE),
    *((name, BYTES, held, said) for name in CLASSES for held in OF_BYTES for said in OF_BYTES
      if CLASSES[name] is BYTES),
    *(("PreTrainedTokenizerFast", WORDPIECE, {}, said) for said in OF_WORDS),
    *((name, BYTES, OF_BYTES[1], OF_BYTES[2])
      for name in ("PreTrainedTokenizerFast", "TokenizersBackend", "PreTrainedTokenizer")),
]  # fmt: skip


@pytest.mark.framework
@pytest.mark.parametrize(("name", "kind", "held", "said"), NAMED)
def test_a_tokenizer_cuts_as_the_class_does_that_its_settings_name(
    tmp_path, name, kind, held, said
):
    transformers = pytest.importorskip("transformers")
    write(tmp_path, kind, held, tokenizer_class=name, **kind.tokens, **said)
    own, theirs = open_own(tmp_path), transformers.AutoTokenizer.from_pretrained(tmp_path)
    for texts in TEXTS:
        wanted = theirs(*texts)
        assert cut(own, texts) == (wanted["input_ids"], wanted["attention_mask"])


@pytest.mark.framework
@pytest.mark.parametrize("kind", [WORDPIECE, BYTES], ids=["wordpiece", "bytes"])
@pytest.mark.parametrize("said", [{}, {"do_lower_case": False, "add_prefix_space": True}])
def test_where_no_class_is_named_it_is_that_of_the_network(tmp_path, kind, said):
    transformers = pytest.importorskip("transformers")
    write(tmp_path, kind, **kind.tokens, **said)
    family = "bert" if kind is WORDPIECE else "roberta"
    (tmp_path / "config.json").write_text(json.dumps({"model_type": family}))
    own, theirs = open_own(tmp_path, kind), transformers.AutoTokenizer.from_pretrained(tmp_path)
    for texts in TEXTS:
        assert cut(own, texts)[0] == theirs(*texts)["input_ids"]


@pytest.mark.framework
@pytest.mark.parametrize("decoded", [{}, {"added_tokens_decoder": {}}])
def test_of_two_files_that_name_a_token_the_one_goes_before_that_does_in_transformers(
    tmp_path, decoded
):
    transformers = pytest.importorskip("transformers")
    write(tmp_path, WORDPIECE, tokenizer_class="BertTokenizer", **WORDPIECE.tokens, **decoded)
    (tmp_path / SETTINGS[1]).write_text(json.dumps({"pad_token": {"content": "[MASK]"}}))
    wanted = transformers.AutoTokenizer.from_pretrained(tmp_path).pad_token
    assert read_settings(tmp_path)["pad_token"] == wanted
    assert wanted == ("[PAD]" if decoded else "[MASK]")


@pytest.mark.framework
@pytest.mark.parametrize("kind", [WORDPIECE, BYTES], ids=["wordpiece", "bytes"])
def test_a_token_that_nobody_says_is_the_class_s(tmp_path, kind):
    transformers = pytest.importorskip("transformers")
    name = "BertTokenizer" if kind is WORDPIECE else "RobertaTokenizer"
    whole = write(tmp_path, kind, tokenizer_class=name)
    whole.enable_padding(pad_token=WORDS[0], pad_id=5)
    rewrite(tmp_path, whole)
    theirs, said = transformers.AutoTokenizer.from_pretrained(tmp_path), read_settings(tmp_path)
    assert {part: said[part] for part in kind.tokens} == {
        part: getattr(theirs, part) for part in kind.tokens
    }
    for texts in TEXTS:
        assert cut(open_own(tmp_path), texts)[0] == theirs(*texts)["input_ids"]


# --- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", [{}, {"tokenizer_class": "MPNetTokenizer"}])
@pytest.mark.parametrize(
    ("kind", "said", "held"),
    [
        (WORDPIECE, {"do_lower_case": False}, "lowercase true"),
        (WORDPIECE, {"strip_accents": True}, "strip_accents null"),
        (WORDPIECE, {"tokenize_chinese_chars": False}, "handle_chinese_chars true"),
        (BYTES, {"add_prefix_space": True}, "add_prefix_space false"),
    ],
)
def test_another_class_is_refused_where_its_settings_contradict_what_the_file_holds(
    tmp_path, name, kind, said, held
):
    whole = write(tmp_path, kind, **name, **said)
    ((key, value),) = said.items()
    assert refused(tmp_path) == (
        f"{tmp_path / SETTINGS[0]} says {key} {json.dumps(value)}, and {tmp_path / WHOLE} has "
        f"{held}; write into both what the model was trained with"
    )
    step = "normalizer" if kind is WORDPIECE else "pre_tokenizer"
    package = normalizers if kind is WORDPIECE else pre_tokenizers
    setattr(whole, step, package.Sequence([getattr(whole, step)]))
    rewrite(tmp_path, whole)
    assert held in refused(tmp_path)
    write(tmp_path, kind, said, **name, **said)
    assert open_own(tmp_path).get_vocab()


def spoil_frame(whole):
    whole.post_processor = processors.BertProcessing(("[SEP]", 3), ("[MASK]", 4))


def spoil_normalizer(whole):
    whole.normalizer = normalizers.Sequence([normalizers.NFC(), whole.normalizer])


def spoil_pre_tokenizer(whole):
    whole.pre_tokenizer = pre_tokenizers.Whitespace()


def spoil_model(whole):
    whole.model = models.WordPiece(whole.get_vocab(), unk_token=WORDPIECE.tokens["mask_token"])


def drop_frame(whole):
    whole.post_processor = processors.TemplateProcessing("$A", "$A $B", [])


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (spoil_frame, "frame '[MASK]:0 [SEP]:0', and a BertTokenizer '[CLS]:0 [SEP]:0'"),
        (drop_frame, "frame '', and a BertTokenizer '[CLS]:0 [SEP]:0'"),
        (spoil_normalizer, "normalizer 'Sequence', and a BertTokenizer 'BertNormalizer'"),
        (spoil_pre_tokenizer, "pre_tokenizer 'Whitespace', and a BertTokenizer 'BertPreTokenizer'"),
        (spoil_model, "unk_token '[MASK]', and a BertTokenizer '[UNK]'"),
    ],
)
def test_a_class_that_would_drop_what_a_tokenizer_holds_is_refused(tmp_path, spoil, told):
    whole = write(tmp_path, WORDPIECE, tokenizer_class="BertTokenizer")
    open_own(tmp_path)
    spoil(whole)
    rewrite(tmp_path, whole)
    assert f"{tmp_path / WHOLE} has the {told}" in (said := refused(tmp_path))
    assert 'write "tokenizer_class": "PreTrainedTokenizerFast" into' in said
    (tmp_path / SETTINGS[0]).write_text('{"tokenizer_class": "PreTrainedTokenizerFast"}')
    assert cut(open_own(tmp_path), ("",)) == cut(whole, ("",))


@pytest.mark.parametrize(
    ("token", "told"),
    [
        ("hello", "frame '[CLS]:0 [SEP]:0', and a BertTokenizer 'hello:0 [SEP]:0'"),
        ("none", "is no BertTokenizer but of another kind: it has no none"),
    ],
)
def test_a_token_that_is_said_to_frame_texts_and_does_not_is_refused(tmp_path, token, told):
    write(tmp_path, WORDPIECE, tokenizer_class="BertTokenizer", cls_token=token)
    assert told in refused(tmp_path)


def test_a_tokenizer_of_another_kind_than_its_class_is_refused(tmp_path):
    write(tmp_path, WORDPIECE, tokenizer_class="RobertaTokenizer", **WORDPIECE.tokens)
    assert "model 'WordPiece', and a RobertaTokenizer 'BPE'" in refused(tmp_path)


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("pad_token", 3, "pad_token is a text, not 3"),
        ("cls_token", {"content": ["a"]}, "cls_token is a text, not ['a']"),
        ("tokenizer_class", [], "tokenizer_class is a text, not []"),
        ("do_lower_case", "false", "do_lower_case is true or false, not 'false'"),
        ("add_prefix_space", 1, "add_prefix_space is true or false, not 1"),
        ("padding_side", "up", "padding_side is left or right, not 'up'"),
        ("truncation_side", ["left"], "truncation_side is left or right, not ['left']"),
    ],
)
def test_a_setting_that_means_nothing_is_named(tmp_path, key, value, told):
    write(tmp_path, WORDPIECE, **{key: value})
    assert refused(tmp_path) == f"{tmp_path / SETTINGS[0]}: {told}"


@pytest.mark.parametrize("content", ["", "{", "[]", '{"model": 3}'])
def test_a_damaged_tokenizer_is_refused_in_a_line(tmp_path, content):
    (tmp_path / WHOLE).write_text(content)
    with pytest.raises(
        DataError, match=r"the tokenizer .*tokenizer\.json cannot be read: "
    ) as error:
        read_whole(tmp_path / WHOLE)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("kind", "added"), [(WORDPIECE, 3), (BYTES, 4)])
def test_a_length_has_room_for_a_token_of_a_text(tmp_path, kind, added):
    tokenizer = write(tmp_path, kind)
    check_length(tokenizer, added + 1, "it")
    check_length(tokenizer, 3, "it", pairs=False)
    with pytest.raises(DataError) as error:
        check_length(tokenizer, added, "it")
    assert str(error.value) == (
        f"it frames a pair of texts with {added} tokens, and the inputs take {added}; have them "
        f"take {added + 1} or more"
    )
    with pytest.raises(DataError, match="it frames a text with 2 tokens, and the inputs take 2"):
        check_length(tokenizer, 2, "it", pairs=False)
