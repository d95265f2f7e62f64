"""What fills a text up, and where, is as transformers has it of the same files."""

import json

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

from edgebench import DataError, TensorSpec
from edgebench_kit.own_files.sources import Source
from edgebench_kit.own_files.text_requests import fit_tokenizer
from edgebench_kit.text.kinds import WORDPIECE

SAID = {"pad_token": "<pad>", "padding_side": "left", "truncation_side": "left"}


@pytest.mark.framework
@pytest.mark.parametrize(
    ("held", "said"),
    [(("a", "right"), SAID), (("<pad>", "left"), {}), (("a", "right"), {"pad_token": "<pad>"})],
)
def test_what_is_said_beside_a_tokenizer_goes_before_what_it_holds(tmp_path, held, said):
    transformers = pytest.importorskip("transformers")
    words = {word: number for number, word in enumerate(("a", "b", "c", "d", "<unk>", "<pad>"))}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token=list(words)[4]))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    token, side = held
    tokenizer.enable_padding(pad_id=words[token], pad_token=token, direction=side)
    tokenizer.enable_truncation(3, direction=side)
    path = tmp_path / "tokenizer.json"
    tokenizer.save(str(path))
    (tmp_path / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "PreTrainedTokenizerFast", **said})
    )
    spec = TensorSpec(name="input_ids", dtype="int64", shape=(1, 3))
    request = fit_tokenizer([spec], Source(texts=path), {}, "m.onnx")
    own = transformers.PreTrainedTokenizerFast.from_pretrained(tmp_path)
    for text in ("b", "b c", "a b c d"):
        wanted = own(text, padding="max_length", truncation=True, max_length=3)["input_ids"]
        assert request.preprocess((text,))["input_ids"].tolist() == [wanted]


@pytest.mark.framework
@pytest.mark.parametrize("said", [{}, {"do_lower_case": False}, {"strip_accents": False}])
def test_a_text_is_cut_as_the_settings_beside_a_tokenizer_say(tmp_path, said):
    transformers = pytest.importorskip("transformers")
    words = [*WORDPIECE.special, "leo", "Leo", "é", "e"]
    numbers = {word: number for number, word in enumerate(words)}
    transformers.BertTokenizer(numbers).save_pretrained(tmp_path)
    beside = tmp_path / "tokenizer_config.json"
    beside.write_text(json.dumps(json.loads(beside.read_text()) | said))
    names = ("input_ids", "attention_mask", "token_type_ids")
    specs = [TensorSpec(name=name, dtype="int64", shape=(1, 8)) for name in names]
    request = fit_tokenizer(specs, Source(texts=tmp_path / "tokenizer.json"), {}, "m.onnx")
    own = transformers.AutoTokenizer.from_pretrained(tmp_path)
    for texts in (("Leo é",), ("leo é Leo é Leo é Leo", "É")):
        wanted = own(*texts, padding="max_length", truncation=True, max_length=8)
        got = request.preprocess(texts)
        assert {name: got[name].tolist() for name in names} == {
            name: [wanted[name]] for name in names
        }


def make_tokenizer(path, **said):
    words = {"a": 0, "[UNK]": 1, "[PAD]": 2}
    model = {"type": "WordLevel", "vocab": words, "unk_token": "[UNK]"}
    parts = ("truncation", "padding", "normalizer", "pre_tokenizer", "post_processor", "decoder")
    whole = {"version": "1.0", "added_tokens": [], **dict.fromkeys(parts), "model": model}
    path.write_text(json.dumps(whole | said))
    spec = TensorSpec(name="input_ids", dtype="int64", shape=(1, 3))
    return fit_tokenizer([spec], Source(texts=path), {}, "m.onnx")


def test_a_tokenizer_that_panics_is_refused_in_a_line(tmp_path):
    path = tmp_path / "tokenizer.json"
    damaged = {"type": "Precompiled", "precompiled_charsmap": "CAAAAP////////8A"}
    with pytest.raises(DataError, match=r"tokenizer\.json: the tokenizer cannot cut .*damaged"):
        make_tokenizer(path, normalizer=damaged)


def test_a_text_that_a_tokenizer_cannot_cut_is_named(tmp_path):
    vocabulary = {"type": "WordLevel", "vocab": {"a": 0, "[PAD]": 1}, "unk_token": "[UNK]"}
    request = make_tokenizer(tmp_path / "tokenizer.json", model=vocabulary)
    assert request.preprocess(("a",))["input_ids"].tolist() == [[0, 1, 1]]
    for call in (request.preprocess, request.shortens):
        with pytest.raises(DataError, match="cannot cut the text 'b': .*Missing"):
            call(("b",))
