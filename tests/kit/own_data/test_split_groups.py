"""Which split a sample is of is read where data says it, and what stays out is told."""

import io
import json
import os

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from edgebench import DataError
from edgebench_kit.own_data.finding import find_data
from edgebench_kit.own_data.options import DataOptions

SPLITS = ("training", "calibration", "validation", "test")
CLASSES = ("a", "b")


def pictures(folder, numbers):
    folder.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        file = io.BytesIO()
        pixels = np.random.default_rng(number).integers(0, 256, (6, 9, 3), np.uint8)
        Image.fromarray(pixels).save(file, "PNG")
        (folder / f"{number}.png").write_bytes(file.getvalue())
    return folder


def classes(root, numbers):
    half = len(numbers) // 2
    for name, part in zip(CLASSES, (numbers[:half], numbers[half:]), strict=True):
        pictures(root / name, part)
    return root


def table(path, rows, header="text,label"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def texts(path, numbers, header="text,label"):
    return table(path, [f"t{n},{CLASSES[n % 2]}" for n in numbers], header)


def labels(path, names):
    rows = [f"{name},{CLASSES[place % 2]}" for place, name in enumerate(names)]
    return table(path, rows, "file,label")


def found(path, **options):
    return find_data(path, DataOptions(**options))


def told(path, **options):
    return found(path, **options).look(CLASSES)


def held(data):
    return {split: {one.name for one in data.division.splits[split]} for split in SPLITS}


def refused(path, **options):
    with pytest.raises(DataError) as error:
        found(path, **options).look(CLASSES)
    assert len(str(error.value).splitlines()) == 1
    return str(error.value)


# --- folders of splits below a table ------------------------------------------------------------


@pytest.mark.parametrize("above", [".", "images"])
@pytest.mark.parametrize("name", ["labels.csv", "anything.csv"])
def test_pictures_that_a_table_names_are_of_the_split_they_lie_in(tmp_path, above, name):
    names = []
    for split, numbers in (("Train", range(40)), ("val", range(40, 50)), ("test", range(50, 70))):
        pictures(tmp_path / above / split, numbers)
        names += [f"{split}/{number}.png" for number in numbers]
    labels(tmp_path / name, names)
    data = found(tmp_path)
    assert data.look(CLASSES)[1] == (
        "test 20, calibration 4, validation 10, training 36 (its own splits by the folders of the "
        "pictures, calibration from training by digest, seed 0)"
    )
    assert {name.split("/")[-2] for name in held(data)["test"]} == {"test"}
    assert {name.split("/")[-2] for name in held(data)["training"]} == {"Train"}


def test_a_folder_that_is_called_like_a_label_is_a_class(tmp_path):
    for folder, numbers in (("train", range(20)), ("bus", range(20, 40))):
        pictures(tmp_path / folder, numbers)
    rows = [f"{n}.png,{'train' if n < 20 else 'bus'}" for n in range(40)]
    table(tmp_path / "labels.csv", rows, "file,label")
    assert found(tmp_path).look(("train", "bus"))[1].startswith("test 32, calibration 4")


def test_pictures_in_and_beside_the_folders_of_splits_are_refused_unless_a_column_says_it(tmp_path):
    pictures(tmp_path / "train", range(20))
    pictures(tmp_path / "more", range(20, 30))
    names = [f"train/{n}.png" for n in range(20)] + [f"more/{n}.png" for n in range(20, 30)]
    labels(tmp_path / "labels.csv", names)
    assert (
        "train/0.png lies in the folder of a split, and 10 pictures lie in none, as more/20.png; "
        "move them, or say the split of each in a column split"
    ) in refused(tmp_path)
    rows = [
        f"{name},{CLASSES[n % 2]},{'test' * (n > 19) or 'train'}" for n, name in enumerate(names)
    ]
    table(tmp_path / "labels.csv", rows, "file,label,split")
    assert told(tmp_path)[1].startswith("test 10, calibration 2, validation 2, training 16")


def test_rows_without_labels_are_left_out_by_split(tmp_path):
    pictures(tmp_path / "train", range(20))
    pictures(tmp_path / "test", range(20, 30))
    rows = [f"train/{n}.png,{CLASSES[n % 2]}" for n in range(20)]
    rows += [f"test/{n}.png," for n in range(20, 30)]
    table(tmp_path / "labels.csv", rows, "file,label")
    assert told(tmp_path)[1].endswith("test has no labels and stays out")


# --- columns that say a split -------------------------------------------------------------------


@pytest.mark.parametrize("column", ["split", "Subset", "partition"])
def test_a_column_of_names_of_splits_is_used(tmp_path, column):
    words = ["train"] * 70 + ["valid"] * 10 + ["Test"] * 20
    rows = [f"t{n},{CLASSES[n % 2]},{word}" for n, word in enumerate(words)]
    data = found(table(tmp_path / "t.csv", rows, f"satz,label,{column}"))
    first, second = data.look(CLASSES)
    assert "from 'satz', labels from 'label'" in first
    assert second == (
        f"test 20, calibration 7, validation 10, training 63 (its own splits by the column "
        f"{column!r}, calibration from training by digest, seed 0)"
    )
    assert held(data)["test"] == {f"line {n} of t.csv" for n in range(82, 102)}


def test_a_column_in_which_some_are_no_splits_is_told_and_not_used(tmp_path):
    rows = [f"t{n},{CLASSES[n % 2]},{'train' if n < 50 else 'fold3'}" for n in range(100)]
    second = told(table(tmp_path / "t.csv", rows, "text,label,split"))[1]
    assert second.startswith("test 80, calibration 10, validation 10, training 0 (no splits of its")
    assert second.endswith("the column 'split' is not used for splits, of which 'fold3' is none")
    rows = [f"t{n},{CLASSES[n % 2]},x{n},{'train' if n < 50 else 'dev'}" for n in range(100)]
    second = told(table(tmp_path / "t.csv", rows, "text,label,subset,split"))[1]
    assert second.startswith("test 50, calibration 5, validation 5, training 40 (its own splits by")
    assert "subset" not in second


def test_rows_that_cannot_be_read_are_counted_where_a_column_says_splits(tmp_path):
    rows = [f"t{n},{CLASSES[n % 2]},{'train' if n < 200 else 'test'}" for n in range(400)]
    rows[7] = " ,a,train"
    rows[250] = "too,few"
    data = found(table(tmp_path / "t.csv", rows, "text,label,split"))
    assert "; 2 cannot be read, as line 9 of t.csv (it has no text)" in data.look(CLASSES)[1]
    assert {split: len(lost) for split, lost in data.division.unreadable.items()} == {
        "training": 1, "test": 1}  # fmt: skip


def test_a_column_of_splits_is_used_of_lines_of_json_and_of_saved_datasets(tmp_path):
    rows = [{"text": f"t{n}", "label": n % 2, "split": "train" if n < 50 else "test"}
            for n in range(80)]  # fmt: skip
    (tmp_path / "t.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    said = "test 30, calibration 5, validation 5, training 40 (its own splits by the column 'split'"
    assert told(tmp_path / "t.jsonl")[1].startswith(said)
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    saved(tmp_path / "d", columns)
    assert told(tmp_path / "d")[1].startswith(said)


def test_the_name_of_a_file_goes_before_a_column_in_it(tmp_path):
    rows = [f"t{n},{CLASSES[n % 2]},{'val' if n < 9 else 'train'}" for n in range(40)]
    table(tmp_path / "train.csv", rows, "text,label,split")
    texts(tmp_path / "test.csv", range(100, 120))
    assert told(tmp_path)[1].endswith("train.csv is one split, whatever the column 'split' may say")


# --- splits in files and folders of their own ---------------------------------------------------


@pytest.mark.parametrize("above", [".", "images"])
def test_a_table_of_a_split_names_the_pictures_in_the_folder_of_that_split(tmp_path, above):
    for split, first in (("train", 0), ("test", 100)):
        pictures(tmp_path / above / split, range(first, first + 20))
        for number in range(20):
            folder = tmp_path / above / split
            (folder / f"{first + number}.png").rename(folder / f"p{number}.png")
        labels(tmp_path / f"{split}.csv", [f"p{number}.png" for number in range(20)])
    data = found(tmp_path)
    second = data.look(CLASSES)[1]
    assert second.startswith("test 20, calibration 2, validation 2, training 16 (its own splits, ")
    assert second.endswith("seed 0)")
    assert all("test/p" in name for name in held(data)["test"])


def test_tables_of_splits_over_the_pictures_of_one_folder_leave_out_what_none_names(tmp_path):
    pictures(tmp_path / "train", range(32))
    labels(tmp_path / "train.csv", [f"{number}.png" for number in range(20)])
    labels(tmp_path / "val.csv", [f"{number}.png" for number in range(20, 30)])
    second = told(tmp_path)[1]
    assert second.startswith("test 10, calibration 2, validation 2, training 16 (its own splits, ")
    assert second.endswith("; 2 pictures have no label in a table, as train/30.png, and stay out")


def test_a_name_that_is_there_twice_is_said(tmp_path):
    for folder in ("a", "b"):
        pictures(tmp_path / folder, range(3))
    labels(tmp_path / "labels.csv", [f"{number}.png" for number in range(3)])
    assert "0.png is there twice below" in refused(tmp_path)


def test_where_tables_of_splits_have_other_columns_each_is_told(tmp_path):
    rows = [f"t{n},{n % 2},{CLASSES[n % 2]}" for n in range(30)]
    table(tmp_path / "train.csv", rows, "text,label,label_name")
    texts(tmp_path / "test.csv", range(100, 120))
    assert (
        "test.csv from 'text', labels from 'label'; train.csv from 'text', labels from 'label_name'"
    ) in told(tmp_path)[0]
    texts(tmp_path / "train.csv", range(30))
    assert ", from 'text', labels from 'label'; first: " in told(tmp_path)[0]


@pytest.mark.parametrize("columns", ["text,group", "text,score", "id,text,group"])
def test_a_split_without_the_column_of_labels_has_none_whatever_column_is_left(tmp_path, columns):
    left = columns.rpartition(",")[2]
    number = "0," if columns.startswith("id") else ""
    whole = f"{columns},label"
    rows = [f"{number}t{n},{n % 3},{CLASSES[n % 2]}" for n in range(30)]
    table(tmp_path / "train.csv", rows, whole)
    rows = [f"{number}v{n},0,{CLASSES[n % 2]}" for n in range(8)]
    table(tmp_path / "val.csv", rows, whole)
    table(tmp_path / "test.csv", [f"{number}u{n},{n % 2}" for n in range(12)], columns)
    first, second = told(tmp_path)[:2]
    assert ": 38 texts in 2 classes (a 19, b 19), from 'text', labels from 'label'; " in first
    assert "test.csv has no labels and stays out" in second
    assert held(found(tmp_path))["test"] == {f"line {n} of val.csv" for n in range(2, 10)}
    # By itself, the one column that is left holds labels.
    table(tmp_path / "test.csv", [f"{number}u{n},{CLASSES[n % 2]}" for n in range(30)], columns)
    assert f"labels from '{left}'" in told(tmp_path / "test.csv")[0]


@pytest.mark.parametrize("group", ["group", "other"])
def test_data_for_calibration_without_the_column_of_labels_is_refused(tmp_path, group):
    rows = [f"t{n},{n % 3},{CLASSES[n % 2]}" for n in range(30)]
    table(tmp_path / "data.csv", rows, f"text,{group},label")
    table(tmp_path / "cal.csv", [f"u{n},{n % 2}" for n in range(12)], "text,group")
    said = refused(tmp_path / "data.csv", calibration=tmp_path / "cal.csv")
    assert f"{tmp_path / 'cal.csv'} has no column 'label', where the labels are" in said


def test_data_that_is_its_own_for_calibration_leaves_nothing_to_test_on(tmp_path):
    texts(tmp_path / "data.csv", range(30))
    said = refused(tmp_path / "data.csv", calibration=tmp_path / "data.csv")
    assert "no sample is left for the test split" in said


def test_what_lies_beside_splits_and_stays_out_is_told(tmp_path):
    for place, split in enumerate(("train", "test", "more")):
        classes(tmp_path / split, range(place * 100, place * 100 + 40))
    pictures(tmp_path, [500])
    (tmp_path / "docs").mkdir()
    second = told(tmp_path)[1]
    assert second.endswith("seed 0); more/, 500.png beside the splits stay out")
    texts(tmp_path / "tables" / "train.csv", range(30))
    texts(tmp_path / "tables" / "extra.csv", range(30))
    assert told(tmp_path / "tables")[1].endswith("; extra.csv beside the splits stays out")


@pytest.mark.parametrize("lacking", ["file\n20.png\n", "file,label\n20.png,\n", None])
def test_a_folder_of_a_split_without_labels_stays_out_with_a_table_or_without(tmp_path, lacking):
    labels(pictures(tmp_path / "train", range(20)) / "labels.csv", [f"{n}.png" for n in range(20)])
    pictures(tmp_path / "test", [20])
    if lacking:
        (tmp_path / "test" / "list.csv").write_text(lacking)
    assert told(tmp_path)[1].endswith("test has no labels and stays out")
    (tmp_path / "train" / "labels.csv").unlink()
    assert "no labels in test" in refused(tmp_path)


# --- saved datasets -----------------------------------------------------------------------------


def saved(path, columns):
    path.mkdir(parents=True)
    arrow = pa.table(columns)
    with (
        pa.OSFile(str(path / "x.arrow"), "wb") as file,
        pa.ipc.new_stream(file, arrow.schema) as out,
    ):
        out.write_table(arrow)
    features = {name: {"_type": "Value"} for name in columns}
    features["label"] = {"_type": "ClassLabel", "names": CLASSES}
    (path / "dataset_info.json").write_text(json.dumps({"features": features}))
    (path / "state.json").write_text(json.dumps({"_data_files": [{"filename": "x.arrow"}]}))


def saved_texts(path, numbers):
    saved(path, {"text": [f"t{n}" for n in numbers], "label": [n % 2 for n in numbers]})


def test_splits_of_a_saved_dataset_are_those_that_it_names(tmp_path):
    for place, name in enumerate(("train", "test", "unsupervised", "validation")):
        saved_texts(tmp_path / name, range(place * 100, place * 100 + 40))
    names = tmp_path / "dataset_dict.json"
    names.write_text('{"splits": ["train", "test", "unsupervised"]}')
    second = told(tmp_path)[1]
    assert second.startswith("test 40, calibration 4, validation 4, training 32")
    assert second.endswith("; unsupervised/, validation/ beside the splits stay out")
    for wrong, said in (
        ('["train", "tset"]', "names the split 'tset', which is not saved beside it; save the"),
        ('["../test"]', "names the split '../test', which is not saved beside it"),
        ("[]", "dataset_dict.json names no splits; save the dataset again"),
        ("[1]", "dataset_dict.json names no splits; save the dataset again"),
    ):
        names.write_text(f'{{"splits": {wrong}}}')
        assert said in refused(tmp_path)


# --- calibration data of its own ----------------------------------------------------------------


def test_what_of_calibration_data_is_left_out_or_broken_is_told(tmp_path):
    data = classes(tmp_path / "data", range(40))
    given = classes(tmp_path / "cal", range(100, 400))
    (given / "empty").mkdir()
    (given / "a" / "x.png").write_bytes(b"no picture")
    second = told(data, calibration=given)[1]
    assert "; cal: 1 cannot be read, as a/x.png (the file is no JPEG or PNG file" in second
    assert "; cal: no pictures in empty" in second


def test_calibration_of_the_data_that_other_data_replaces_is_not_counted(tmp_path):
    for place, split in enumerate(("train", "test", "calibration")):
        classes(tmp_path / "data" / split, range(place * 100, place * 100 + 40))
        classes(tmp_path / "other" / split, range(500 + place * 100, 520 + place * 100))
    first, second = told(tmp_path / "data", calibration=tmp_path / "other")
    assert first.startswith("data: 80 pictures in 2 classes (a 40, b 40)")
    assert second.startswith("test 40, calibration 20, validation 4, training 36")
    assert "; 40 in its own calibration stay out; other: 40 in its other splits stay out" in second


def test_calibration_data_is_of_pairs_where_the_data_is(tmp_path):
    data = texts(tmp_path / "t.csv", range(30))
    rows = [f"t{n},u{n},{CLASSES[n % 2]}" for n in range(30)]
    pairs = table(tmp_path / "p.csv", rows, "text1,text2,label")
    assert "p.csv holds pairs of texts and " in refused(data, calibration=pairs)
    assert "t.csv holds texts and " in refused(pairs, calibration=data)


def test_a_label_that_no_class_is_called_is_told_of_the_data_it_is_in(tmp_path):
    data = texts(tmp_path / "t.csv", range(30))
    given = table(tmp_path / "c.csv", ["x,zz", "y,a"])
    assert f"{given}: the label 'zz' is none of the model's" in refused(data, calibration=given)
    assert f"{given}: the label 'zz' is none of the model's" in refused(given, calibration=data)
    # Numbers and names are understood of each, and not of both together.
    numbers = table(tmp_path / "n.csv", ["x,0", "y,1"])
    assert f"{data} and {numbers}: the label '0' is none" in refused(data, calibration=numbers)


# --- what is not read ---------------------------------------------------------------------------


@pytest.mark.parametrize("inside", ["", "train"])
def test_pictures_with_a_text_of_boxes_each_are_refused(tmp_path, inside):
    pictures(tmp_path / "images" / inside, range(3))
    (tmp_path / "labels" / inside).mkdir(parents=True)
    (tmp_path / "labels" / inside / "0.txt").write_text("0 1 1 1 1\n")
    said = refused(tmp_path)
    assert "holds labels/ with a text for each picture, as 0.txt, which is how YOLO keeps" in said


def test_pipes_are_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "t.csv")
    assert "t.csv is a pipe or a device; give a folder for each class" in refused(
        tmp_path / "t.csv"
    )
    assert "t.csv is a pipe or a device; give a file" in refused(tmp_path)
    data = texts(tmp_path / "data" / "t.csv", range(30))
    assert "t.csv is a pipe or a device; give a file" in refused(data, classes=tmp_path / "t.csv")
