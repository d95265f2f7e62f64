"""An ONNX file with a user's own pictures or texts: what is said, sent and refused."""

from __future__ import annotations

import csv
import json

import numpy as np
import onnxruntime
import pytest
from PIL import Image
from tokenizers import Tokenizer

from edgebench import DataError
from edgebench.cli import parse_words
from edgebench.cli.asking import Asker
from edgebench.cli.subject_choice import choose_subject
from edgebench.parts.errors import EdgebenchError
from edgebench_kit.text.sentences import pack_sentences
from edgebench_kit.vision.recipes import Recipe

from .. import foreign

SHORT = ("--backend", "onnxruntime", "--blocks", "1", "--requests", "5")
COLOURS = {"red": 0, "green": 1, "blue": 2}
WORDS = ["[PAD]", "[UNK]", *(f"w{number}" for number in range(40))]


@pytest.fixture
def photos(tmp_path):
    """Pictures that are mostly of one colour, in a folder for each."""
    drawn = np.random.default_rng(0)
    for number in range(60):
        name = list(COLOURS)[number % 3]
        picture = drawn.integers(0, 120, (int(drawn.integers(40, 90)), 70, 3), np.uint8)
        picture[..., COLOURS[name]] += 100
        file = tmp_path / "photos" / name / f"{number}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(file)
    return tmp_path / "photos"


def net(path):
    foreign.pixels(path, ["N", 3, "H", "W"])
    (path.parent / "config.json").write_text(
        '{"id2label": {"0": "Red", "1": "Green", "2": "Blue"}}'
    )
    recipe = {"image_processor_type": "ViTImageProcessor", "size": {"height": 24, "width": 32}}
    (path.parent / "preprocessor_config.json").write_text(json.dumps(recipe))
    return Recipe.read(recipe)


def test_pictures_travel_as_they_lie_and_are_counted_right(cli, photos, tmp_path):
    recipe = net(tmp_path / "net" / "m.onnx")
    said = cli(
        *("run", "--json", "--model", "net/m.onnx", "--data", "photos"),
        *("--operator", "identity", "--operator", "sptq", "--placement", "cloud", *SHORT),
    )
    assert said.status == 0, said.err
    assert "60 pictures in 3 classes" in said.err
    assert "as preprocessor_config.json beside it says" in said.err
    cases = said.cases()
    assert {case["status"] for case in cases.values()} == {"ok"}
    plain = cases["identity cloud onnxruntime"]
    assert plain["accuracy_samples"] == {"top1": 48}
    sizes = sorted(file.stat().st_size for file in photos.rglob("*.jpg"))
    # A few bytes are the message's own.
    assert sizes[0] <= plain["request_bytes"] <= sizes[-1] + 400
    session = onnxruntime.InferenceSession(tmp_path / "net" / "m.onnx")
    right = 0
    for file in photos.rglob("*.jpg"):
        made = recipe.apply(np.asarray(Image.open(file).convert("RGB")))
        right += session.run(None, {"photo": made})[0].argmax() == COLOURS[file.parent.name]
    # Of all, while the case counts those of the test split.
    assert abs(plain["accuracy"]["top1"] - right / 60) < 0.25


def test_texts_become_tokens_where_they_arrive(cli, tmp_path):
    foreign.text(tmp_path / "m.onnx")
    Tokenizer.from_str(json.dumps({
        "version": "1.0", "added_tokens": [], "normalizer": None, "post_processor": None,
        "decoder": None, "truncation": None, "padding": None,
        "pre_tokenizer": {"type": "Whitespace"},
        "model": {"type": "WordLevel", "unk_token": "[UNK]",
                  "vocab": {word: number for number, word in enumerate(WORDS)}},
    })).save(str(tmp_path / "tokenizer.json"))  # fmt: skip
    drawn = np.random.default_rng(0)
    texts = [" ".join(drawn.choice(WORDS[2:], drawn.integers(2, 12))) for _ in range(60)]
    with (tmp_path / "texts.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerows([("text", "label"), *((text, i % 2) for i, text in enumerate(texts))])
    said = cli(
        *("run", "--json", "--model", 'm.onnx(dims="seq=8")', "--data", "texts.csv"),
        *("--operator", "identity", "--placement", "mobile", *SHORT),
    )
    assert said.status == 0, said.err
    (case,) = said.json["cases"]
    assert (case["status"], case["accuracy_samples"]) == ("ok", {"top1": 48})
    sizes = sorted(len(pack_sentences(text)) for text in texts)
    assert sizes[0] <= case["request_bytes"] <= sizes[-1] + 400


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ("net/m.onnx(preprocess=none)", "the dimension 'H' of input 'photo' has no number"),
        ("plain/m.onnx", "say how a request becomes its input: preprocess=imagenet"),
        ("plain/m.onnx(preprocess=imagenet)", "which is which cannot be told; give classes=FILE"),
        (
            "plain/m.onnx(preprocess=imagenet,classes=two.txt)",
            "names 2 classes and the model has 3",
        ),
        (
            "plain/m.onnx(preprocess=net)",
            "makes (N, 3, 24, 32) of a picture, and the input 'photo'",
        ),
        ("plain/m.onnx(preprocess=r.json)", "'sise' is no key of a recipe"),
        ("plain/m.onnx(preprocess=imagenet,metric=miou)", "metric=miou is not for pictures"),
        ("plain/m.onnx(preprocess=imagenet,metric=f1)", "m.onnx has 3 classes; metric=top1 is of"),
        ("plain/m.onnx(preprocess=side.json,classes=three.txt)", "the recipe makes (N, 3, "),
    ],
)
@pytest.mark.parametrize("command", ["plan", "run"])
def test_a_mistake_is_one_line_when_it_is_planned(
    here, mistaken, photos, tmp_path, command, model, words
):
    net(tmp_path / "net" / "m.onnx")
    foreign.pixels(tmp_path / "plain" / "m.onnx", ["N", 3, 64, 64])
    (tmp_path / "two.txt").write_text("red\ngreen\n")
    (tmp_path / "three.txt").write_text("red\ngreen\nblue\n")
    (tmp_path / "side.json").write_text('{"resize": 64}')
    (tmp_path / "r.json").write_text('{"sise": 3}')
    mistaken(here(command, "--model", model, "--data", photos.name, *SHORT), words)


@pytest.fixture
def settle(tmp_path, monkeypatch):
    """Settle the model and the data as `init` does on a terminal, and return what was said too."""
    monkeypatch.chdir(tmp_path)

    def choose(words, *answers):
        said, heard = [], iter([*(f"{one}\n" for one in answers), ""])
        args, common = parse_words(["init", *words, "--backend", "onnxruntime"])
        found = choose_subject(args, common, Asker(say=said.append, hear=lambda: next(heard)))
        return found[:2], "".join(said)

    return choose


def test_init_asks_how_pictures_become_inputs_as_soon_as_they_are_named(settle, photos, tmp_path):
    foreign.pixels(tmp_path / "m.onnx", ["N", 3, 24, 32])
    (tmp_path / "classes.txt").write_text("red\ngreen\nblue\n")
    found, said = settle((), "1", "photos", "1", "classes.txt")
    assert found == (("./m.onnx(preprocess=imagenet)",), "./photos(classes=./classes.txt)")
    assert "say how a request becomes its input" in said
    assert "   1  imagenet\n" in said
    assert "Which preprocess (DIR or FILE.json)" in said
    assert "LABEL_0" in said
    assert "Which classes (FILE)" in said


def test_init_offers_no_recipe_as_data_and_asks_again_for_what_is_refused(settle, photos, tmp_path):
    net(tmp_path / "m.onnx")
    (tmp_path / "prep.json").write_text('{\n "size": 3}\n')
    (tmp_path / "lines.json").write_text('{"a": 1}\n{"a": 2}\n')
    (tmp_path / "list.json").write_text(' [{"a": 1}]')
    for name in ("edgebench.db", "edgebench.db-wal", "edgebench.toml", "mine.py", ".hidden"):
        (tmp_path / name).touch()
    (tmp_path / "__pycache__").mkdir()
    found, said = settle((), "m.onx", "", "./m.onnx", "nothing", "", "1")
    assert found == (("./m.onnx",), "./photos")
    assert "no model is called 'm.onx'" in said
    assert "there is no file or directory 'nothing'" in said
    asked = said[said.rindex("Which data") :]
    offered = asked[: asked.index(">")].split("\n")[1:]
    assert [line.split()[1] for line in offered if line.strip()] == [
        "photos", "lines.json", "list.json"]  # fmt: skip


def test_what_options_say_is_mended_by_what_is_asked_or_refused(settle, photos, tmp_path):
    foreign.pixels(tmp_path / "m.onnx", ["N", 3, 24, 32])
    (tmp_path / "config.json").write_text('{"id2label": {"0": "Red", "1": "Green", "2": "Blue"}}')
    words = ("--model", "m.onnx", "--data", "photos")
    assert settle(words, "imagenet")[0] == (("./m.onnx(preprocess=imagenet)",), "./photos")
    with pytest.raises(DataError, match="say how a request becomes its input"):
        settle(words, "")
    with pytest.raises(EdgebenchError, match="nothing"):
        settle(("--model", "m.onnx", "--data", "nothing"))


def test_init_offers_all_that_an_error_names(settle, tmp_path):
    foreign.pixels(tmp_path / "m.onnx", ["N", 3, 24, 32])
    arrays = {"photo": np.zeros((6, 3, 24, 32), np.float32), "labels": np.arange(6) % 3}
    np.savez(tmp_path / "d.npz", **arrays)
    found, said = settle(("--model", "m.onnx", "--data", "d.npz"), "2")
    assert found == (("./m.onnx(metric=top5)",), "./d.npz")
    asked = said[said.index("Which metric") :]
    assert [line.split()[1] for line in asked.splitlines() if line.startswith("   ")] == [
        "top1", "top5", "accuracy", "f1", "miou"]  # fmt: skip


def test_init_asks_for_what_else_an_error_names(settle, tmp_path):
    foreign.pixels(tmp_path / "m.onnx", ["N", 3, "H", "W"])
    found, said = settle(("--model", "m.onnx"), "", '"H=24 W=32"')
    assert found == (('./m.onnx(dims="H=24 W=32")',), "")
    assert 'Which dims ("H=128 W=128"); nothing to leave it out?' in said
