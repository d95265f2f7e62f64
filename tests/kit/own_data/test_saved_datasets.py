"""What `save_to_disk` of `datasets` writes is read by pyarrow alone.

The files here are written as `datasets` 5.2 writes them: streams of arrow, with the features and
the names of the files in JSON beside them.
"""

import io
import json

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from edgebench import DataError
from edgebench_kit.own_data import saved_datasets
from edgebench_kit.own_data.finding import find_data
from edgebench_kit.own_data.options import DataOptions
from edgebench_kit.text.sentences import pack_sentences

SPLITS = ("training", "calibration", "validation", "test")
TEXT = {"dtype": "string", "_type": "Value"}
CLASSES = {"names": ["neg", "pos"], "_type": "ClassLabel"}


def saved(path, features, columns, shards=1):
    """Write columns as a saved dataset, in so many files."""
    path.mkdir(parents=True)
    table = pa.table(columns)
    names = [f"data-{n:05}-of-{shards:05}.arrow" for n in range(shards)]
    for number, name in enumerate(names):
        share = -(-len(table) // shards)
        part = table.slice(number * share, share)
        with (
            pa.OSFile(str(path / name), "wb") as file,
            pa.ipc.new_stream(file, table.schema) as out,
        ):
            out.write_table(part, max_chunksize=7)
    (path / "dataset_info.json").write_text(json.dumps({"citation": "", "features": features}))
    state = {"_data_files": [{"filename": name} for name in names], "_split": None}
    (path / "state.json").write_text(json.dumps(state))
    return path


def texts(path, count=40, start=0, labels=(0, 1), shards=1):
    numbers = range(start, start + count)
    columns = {
        "sentence": [f"s {n} ä" for n in numbers],
        "label": [labels[n % len(labels)] for n in numbers],
        "idx": list(numbers),
    }
    features = {"sentence": TEXT, "label": CLASSES, "idx": {"dtype": "int32", "_type": "Value"}}
    return saved(path, features, columns, shards)


def encoded(number):
    file = io.BytesIO()
    pixels = np.random.default_rng(number).integers(0, 256, (6, 9, 3), np.uint8)
    Image.fromarray(pixels).save(file, "JPEG")
    return file.getvalue()


def found(path, **options):
    return find_data(path, DataOptions(**options))


def everything(data, classes):
    numbers = data.number_classes(classes)
    return [one for split in SPLITS for one in data.samples(split, 0, numbers)]


def refused(path, model_classes=("neg", "pos")):
    with pytest.raises(DataError) as error:
        found(path).look(model_classes)
    assert len(str(error.value).splitlines()) == 1
    return str(error.value)


@pytest.mark.parametrize("shards", [1, 3])
def test_texts_have_the_names_of_their_classes(tmp_path, shards):
    data = found(texts(tmp_path / "moods", shards=shards))
    assert (data.kind, data.classes) == ("texts", ("neg", "pos"))
    assert data.look(("pos", "neg"))[0] == (
        "moods: 40 texts in 2 classes (neg 20, pos 20), from 'sentence', labels from 'label'; first: "
        "row 0 of moods, 's 0 ä', neg"
    )
    expected = {(pack_sentences(f"s {n} ä"), 1 - n % 2) for n in range(40)}
    assert set(everything(data, ("pos", "neg"))) == expected


def test_splits_are_used_and_one_without_labels_stays_out(tmp_path):
    texts(tmp_path / "train")
    texts(tmp_path / "validation", 10, 100)
    texts(tmp_path / "test", 10, 200, labels=(-1,))
    (tmp_path / "dataset_dict.json").write_text('{"splits": ["train", "validation", "test"]}')
    first, second = found(tmp_path).look(("neg", "pos"))
    assert ": 50 texts in 2 classes (neg 25, pos 25)" in first
    assert second.startswith(
        "test 10, calibration 4, validation 4, training 32 (its own splits, what"
    )
    assert second.endswith("test has no labels and stays out")


def test_a_single_split_is_taken_whatever_it_is_called(tmp_path):
    texts(tmp_path / "everything")
    (tmp_path / "dataset_dict.json").write_text('{"splits": ["everything"]}')
    assert found(tmp_path).look(("neg", "pos"))[1].startswith("test 32, calibration 4")
    texts(tmp_path / "more")
    assert found(tmp_path).look(("neg", "pos"))[1].endswith("; more/ beside the splits stays out")
    (tmp_path / "dataset_dict.json").write_text('{"splits": ["everything", "more"]}')
    assert "of which none is called train, validation or test" in refused(tmp_path)


def test_pictures_are_the_bytes_that_were_saved(tmp_path):
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    cells = [{"bytes": encoded(n), "path": f"{n}.jpg"} for n in range(40)]
    columns = {"image": pa.array(cells, kind), "labels": [n % 2 for n in range(40)]}
    features = {"image": {"_type": "Image"}, "labels": CLASSES}
    data = found(saved(tmp_path / "flowers", features, columns, shards=2))
    assert data.kind == "pictures"
    assert "row 0 of flowers, 9x6 pixels, neg" in data.look(("neg", "pos"))[0]
    assert set(everything(data, ("neg", "pos"))) == {(encoded(n), n % 2) for n in range(40)}
    cells[3] = {"bytes": None, "path": "/etc/passwd"}
    columns["image"] = pa.array(cells, kind)
    said = refused(saved(tmp_path / "elsewhere", features, columns))
    assert "as row 3 of elsewhere (its picture is in a file elsewhere; save the dataset" in said


@pytest.mark.parametrize("kind", ["List", "Sequence"])
def test_words_have_a_label_each(tmp_path, kind):
    inner = {"names": ["O", "B-PER"], "_type": "ClassLabel"}
    features = {
        "tokens": {"feature": TEXT, "_type": kind},
        "ner_tags": {"feature": inner, "_type": kind},
    }
    columns = {"tokens": [["Ada", f"s{n}"] for n in range(40)], "ner_tags": [[1, 0]] * 40}
    data = found(saved(tmp_path / "ner", features, columns))
    assert (data.kind, data.classes) == ("tokens", ("B-PER", "O"))
    assert data.look(("O", "B-PER"))
    assert {tuple(answer) for _, answer in everything(data, ("O", "B-PER"))} == {(1, 0)}


def test_the_one_column_of_classes_is_that_of_the_labels(tmp_path):
    features = {"sentence": TEXT, "stimmung": CLASSES, "quelle": TEXT}
    columns = {"sentence": ["a", "b"], "stimmung": [0, 1], "quelle": ["x", "y"]}
    assert found(saved(tmp_path / "d", features, columns)).classes == ("neg", "pos")


def test_a_dataset_of_another_order_than_its_files_is_refused(tmp_path):
    path = texts(tmp_path / "d")
    state = json.loads((path / "state.json").read_text())
    (path / "state.json").write_text(json.dumps({**state, "_indices_files": [{"filename": "i"}]}))
    assert "save it again, dataset.flatten_indices().save_to_disk(...)" in refused(path)


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("dataset_info.json", "{", "dataset_info.json is no JSON"),
        ("dataset_info.json", "[]", "dataset_info.json is no object of JSON"),
        ("dataset_info.json", "{}", "names no features; save the dataset again"),
        ("dataset_info.json", '{"features": {"x": 1}}', "names no features"),
        (
            "dataset_info.json",
            '{"features": {"a": {}, "b": {}, "c": {}}}',
            "there are 'a', 'b', 'c'",
        ),
        ("state.json", "{}", "names no arrow files"),
        ("state.json", '{"_data_files": [{"filename": "../x.arrow"}]}', "names no arrow files"),
        ("state.json", '{"_data_files": [{"filename": "x.arrow"}]}', "x.arrow is no arrow file"),
        ("state.json", '{"_data_files": ["x.arrow"]}', "names no arrow files"),
        ("data-00000-of-00001.arrow", "x", "is no arrow file of the dataset"),
        ("data-00000-of-00001.arrow", "", "is no arrow file of the dataset"),
    ],
)
def test_what_is_damaged_is_one_line(tmp_path, file, content, said):
    path = texts(tmp_path / "d")
    (path / file).write_text(content)
    assert said in refused(path)


def test_without_pyarrow_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr(saved_datasets, "find_spec", lambda name: None)
    assert refused(texts(tmp_path / "d")).endswith("pip install 'edgebench[parquet]'")
