"""Pictures as people have them: in folders of classes, named by a table, or with masks."""

import csv
import io
import os
import shutil

import numpy as np
import pytest
from PIL import Image

from edgebench import DataError, Unreadable
from edgebench.store import splits
from edgebench_kit.own_data import looks
from edgebench_kit.own_data.datasets import make_dataset
from edgebench_kit.own_data.finding import find_data
from edgebench_kit.own_data.options import DataOptions

SPLITS = ("training", "calibration", "validation", "test")
FLOWERS = ("daisy", "rose")


def encoded(number, form="JPEG", size=(9, 6), **saved):
    """Encode a picture of its own, of a width and a height."""
    rng = np.random.default_rng(number)
    file = io.BytesIO()
    Image.fromarray(rng.integers(0, 256, (size[1], size[0], 3), np.uint8)).save(file, form, **saved)
    return file.getvalue()


def fill(folder, numbers, name="{}.jpg"):
    folder.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        (folder / name.format(number)).write_bytes(encoded(number))
    return folder


def flowers(root, count=10, start=0):
    for place, name in enumerate(FLOWERS):
        low = start + place * count
        fill(root / name, range(low, low + count))
    return root


def found(path, **options):
    return find_data(path, DataOptions(**options))


def everything(data, classes=FLOWERS):
    numbers = data.number_classes(classes)
    return [one for split in SPLITS for one in data.samples(split, 0, numbers)]


def refused(path, model_classes=FLOWERS, **options):
    with pytest.raises(DataError) as error:
        found(path, **options).look(model_classes)
    assert len(str(error.value).splitlines()) == 1
    return str(error.value)


# --- a folder for each class ---------------------------------------------------------------------


def test_folders_are_classes_and_requests_are_the_bytes_of_files(tmp_path):
    root = flowers(tmp_path / "photos", 50)
    data = found(root)
    assert (data.kind, data.classes) == ("pictures", FLOWERS)
    assert data.look(("rose", "tulip", "daisy")) == (
        (
            "photos: 100 pictures in 2 classes (daisy 50, rose 50); first: daisy/0.jpg, 9x6 pixels, "
            "daisy"
        ),
        (
            "test 80, calibration 10, validation 10, training 0 (no splits of its own: by digest, "
            "seed 0); 1 of the model's 3 classes has no sample (tulip)"
        ),
    )
    files = {
        (path.read_bytes(), ("daisy", "rose").index(path.parent.name))
        for path in root.rglob("*.jpg")
    }
    assert set(everything(data)) == files


def test_no_name_of_a_file_moves_a_picture_to_another_split(tmp_path):
    data = found(flowers(tmp_path / "a"))
    for number in range(20):
        folder = tmp_path / "b" / FLOWERS[number // 10]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{99 - number} ü ß.JPEG").write_bytes(encoded(number))
    assert everything(data) == everything(found(tmp_path / "b"))


def test_what_systems_leave_behind_is_not_seen(tmp_path):
    root = flowers(tmp_path / "photos")
    (root / ".DS_Store").touch()
    (root / "Thumbs.db").touch()
    (root / "README.txt").touch()
    (root / "daisy" / "._0.jpg").touch()
    (root / "daisy" / "desktop.ini").touch()
    fill(root / "__MACOSX" / "daisy", [1])
    (root / ".git").mkdir()
    (root / "empty").mkdir()
    first, second = found(root).look(FLOWERS)
    assert "20 pictures in 2 classes" in first
    assert second.endswith("no pictures in empty")


def test_endings_links_and_names_of_any_kind_are_read(tmp_path):
    root = flowers(tmp_path / "Bilder für mich")
    (root / "daisy" / "0.jpg").rename(root / "daisy" / "Größe, 1 (2).JPG")
    (root / "daisy" / "1.jpg").rename(root / "daisy" / "x.PNG")
    elsewhere = tmp_path / "elsewhere.jpg"
    elsewhere.write_bytes(encoded(77))
    (root / "rose" / "link.jpg").symlink_to(elsewhere)
    (tmp_path / "far").mkdir()
    shutil.move(root / "rose", tmp_path / "far" / "rose")
    (root / "rose").symlink_to(tmp_path / "far" / "rose")
    data = found(root)
    assert "21 pictures in 2 classes (daisy 10, rose 11)" in data.look(FLOWERS)[0]
    assert encoded(77) in {payload for payload, _ in everything(data)}


def test_an_orientation_is_left_in_the_file(tmp_path):
    root = flowers(tmp_path / "photos")
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = encoded(50, exif=exif)
    (root / "daisy" / "0.jpg").write_bytes(turned)
    data = found(root)
    assert "daisy/0.jpg, 6x9 pixels" in data.look(FLOWERS)[0]
    assert turned in {payload for payload, _ in everything(data)}


def test_copies_are_dropped_and_counted(tmp_path):
    root = flowers(tmp_path / "photos")
    shutil.copy(root / "daisy" / "0.jpg", root / "daisy" / "again.jpg")
    assert "; 1 duplicate dropped" in found(root).look(FLOWERS)[1]
    shutil.copy(root / "daisy" / "0.jpg", root / "rose" / "other.jpg")
    assert (
        "daisy/0.jpg and rose/other.jpg hold the same with two labels, 'daisy' and 'rose'"
        in refused(root)
    )


def test_splits_as_folders_are_used(tmp_path):
    flowers(tmp_path / "Train", 50)
    flowers(tmp_path / "val", 5, 200)
    flowers(tmp_path / "test", 10, 300)
    shutil.copy(tmp_path / "Train" / "rose" / "50.jpg", tmp_path / "test" / "rose" / "50.jpg")
    data = found(tmp_path)
    first, second = data.look(FLOWERS)
    assert "131 pictures in 2 classes (daisy 65, rose 66); first: Train/daisy/0.jpg" in first
    assert second == (
        "test 20, calibration 10, validation 10, training 90 (its own splits, calibration from "
        "training by digest, seed 0); 1 duplicate dropped"
    )
    held = {payload for payload, _ in data.samples("test", 0, data.number_classes(FLOWERS))}
    assert held == {encoded(number) for number in range(300, 320)}


def test_a_class_may_be_called_as_a_split_is(tmp_path):
    for place, name in enumerate(("train", "bus")):
        fill(tmp_path / name, range(place * 10, place * 10 + 10))
    assert found(tmp_path).classes == ("bus", "train")
    flowers(tmp_path / "test", 3, 100)
    assert "which is a split, and beside it bus/ with pictures" in refused(tmp_path)


def test_a_split_without_labels_stays_out(tmp_path):
    flowers(tmp_path / "train", 20)
    flowers(tmp_path / "val", 5, 200)
    fill(tmp_path / "test", range(300, 310))
    assert found(tmp_path).look(FLOWERS)[1].endswith("test has no labels and stays out")


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda root: fill(root, range(3)), "holds 3 pictures and no labels; put those of each class into a folder of its name, or add labels.csv"),
        (lambda root: fill(flowers(root), [99]), "holds folders of classes (daisy, rose) and beside them 1 pictures without one, as 99.jpg"),
        (lambda root: fill(flowers(root) / "rose" / "red", [99]), "rose holds the folder red with pictures: a folder of a class holds its pictures and no folders"),
        (lambda root: flowers(root / "all"), "holds one folder; give "),
        (lambda root: fill(root / "daisy", range(3)), "all labels are 'daisy'; with one class no accuracy says anything"),
        (lambda root: [fill(root / split, range(3)) for split in ("train", "test")], "no labels in test and train: "),
        (lambda root: [flowers(root / split) for split in ("test", "testing")], "are both called like the test split"),
        (lambda root: (flowers(root) / "tulpe").mkdir() or fill(root / "tulpe", [50]), "the label 'tulpe' is none of the model's 2 classes"),
        (lambda root: (root.mkdir(), (root / "notes.md").touch()), "holds notes.md; give a folder for each class"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_folder_is_one_line(tmp_path, make, said):
    make(tmp_path / "photos")
    assert said in refused(tmp_path / "photos")


@pytest.mark.parametrize("options", [{"text": "x"}, {"label": "x"}, {"encoding": "utf-8"}])
def test_options_that_say_nothing_of_the_data_are_refused(tmp_path, options):
    said = f"{next(iter(options))} is not used for the {{}} in {tmp_path / 'data'}; leave it out"
    for make in (flowers, lambda root: flowers(root / "train") and flowers(root / "test", 3, 50)):
        make(tmp_path / "data")
        assert refused(tmp_path / "data", **options) == said.format("pictures")
        shutil.rmtree(tmp_path / "data")
    with_masks(tmp_path / "data")
    assert refused(tmp_path / "data", "abc", **options) == said.format("masks")


def test_an_option_that_calibration_data_uses_is_none_too_many(tmp_path):
    flowers(tmp_path / "data")
    more = fill(tmp_path / "more", range(50, 60))
    rows = "".join(f"{number}.jpg,x,{FLOWERS[number % 2]}\n" for number in range(50, 60))
    (more / "labels.csv").write_text(f"file,one,two\n{rows}")
    assert found(tmp_path / "data", calibration=more, label="two").look(FLOWERS)
    assert "label is not used for the pictures in" in refused(tmp_path / "data", label="two")
    other = flowers(tmp_path / "other", 5, 100)
    said = refused(tmp_path / "data", calibration=other, label="two")
    assert "label is not used for the pictures in" in said


def test_a_share_to_train_on_is_not_taken_of_data_with_splits(tmp_path):
    flowers(tmp_path / "train", 10)
    flowers(tmp_path / "test", 10, 100)
    assert refused(tmp_path, training=0.5) == (
        f"training is of data without splits of its own, and {tmp_path} has such; leave it out"
    )
    shutil.rmtree(tmp_path / "test")
    assert "training 10 (" in found(tmp_path, training=0.5).look(FLOWERS)[1]


# --- what does not decode ------------------------------------------------------------------------


def test_less_than_one_in_a_hundred_may_be_broken_and_is_counted(tmp_path):
    root = flowers(tmp_path / "photos", 60)
    (root / "rose" / "70.jpg").write_bytes(encoded(70)[:200])
    data = found(root)
    _first, second = data.look(FLOWERS)
    assert "; 1 cannot be read, as rose/70.jpg (the file cannot be read: " in second
    (lost,) = [one for one in everything(data) if isinstance(one, Unreadable)]
    assert lost.name == "rose/70.jpg"
    (root / "rose" / "71.jpg").write_bytes(b"no picture")
    said = refused(root)
    assert "2 of 120 cannot be read, as rose/70.jpg" in said
    assert said.endswith("mend or remove them, less than 1% is tolerated")


def test_a_picture_of_16_bits_is_named_as_it_would_become_white(tmp_path):
    root = flowers(tmp_path / "photos")
    deep = np.arange(54, dtype=np.uint16).reshape(6, 9) * 1000
    Image.fromarray(deep).save(root / "daisy" / "x.png")
    assert "daisy/x.png (its grey values have 16 bits, and pictures have 8; " in refused(root)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("x.jpg", b"", "the file is no JPEG or PNG file"),
        ("x.png", b"\x89PNG\r\n\x1a\n", "the file"),
        ("x.jpg", b"GIF89a", "the file is no JPEG or PNG file"),
        ("x.webp", b"RIFF", "it is neither JPEG nor PNG; convert it"),
        ("x.HEIC", b"", "it is neither JPEG nor PNG; convert it"),
    ],
)
def test_what_is_no_picture_is_named(tmp_path, name, content, reason):
    root = flowers(tmp_path / "photos")
    (root / "daisy" / name).write_bytes(content)
    assert f"1 of 21 cannot be read, as daisy/{name} ({reason}" in refused(root)


def test_a_name_that_is_no_text_is_shown_all_the_same(tmp_path):
    root = flowers(tmp_path / "photos")
    (root / "daisy" / "0.jpg").rename(root / "daisy" / os.fsdecode(b"\xff\n.jpg"))
    (root / "daisy" / "1.jpg").write_bytes(b"")
    said = refused(root)
    assert said.isprintable()
    assert found(root).groups.items[-11].name == "daisy/? .jpg"


def test_links_that_lead_nowhere_are_named(tmp_path):
    root = flowers(tmp_path / "photos")
    (root / "daisy" / "x.jpg").symlink_to(root / "nowhere")
    assert "daisy/x.jpg (it is a link that leads nowhere)" in refused(root)


def test_a_file_that_may_not_be_read_is_named(tmp_path):
    root = flowers(tmp_path / "photos")
    (root / "daisy" / "0.jpg").chmod(0)
    if os.access(root / "daisy" / "0.jpg", os.R_OK):
        pytest.skip("whoever runs this may read all files")
    assert "daisy/0.jpg (the file cannot be read: Permission denied)" in refused(root)


def test_of_many_pictures_some_are_drawn_evenly_and_judged_by_share(tmp_path, monkeypatch):
    monkeypatch.setattr(looks, "DECODED", 20)
    root = flowers(tmp_path / "photos", 100)
    read = []
    plain = looks.read_item
    monkeypatch.setattr(
        looks,
        "read_item",
        lambda kind, item, *rest: read.append(item.name) or plain(kind, item, *rest),
    )
    found(root).look(FLOWERS)
    assert len(read) == 20
    assert sum(name.startswith("daisy") for name in read) == 10
    (root / "rose" / "100.jpg").write_bytes(b"no picture")
    assert "1 of 20 looked at cannot be read, as rose/100.jpg" in refused(root)


# --- a table of labels ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "header", "name"),
    [
        ("labels.csv", ["file", "label"], "{}.jpg"),
        ("labels.csv", None, "{}.jpg"),
        ("metadata.csv", ["file_name", "class"], "{}.jpg"),
        ("labels.csv", ["id", "breed"], "{}"),
        ("labels.csv", ["id", "kind of flower"], "{}"),
        ("Labels.CSV", ["path", "label"], "./{}.jpg"),
        ("labels.csv", ["path", "label"], "C:\\photos\\{}.jpg"),
        ("labels.csv", ["path", "label"], "/content/drive/photos/{}.jpg"),
        ("anything.csv", ["name", "label"], "{}.jpg"),
    ],
)  # fmt: skip
def test_a_table_beside_pictures_has_their_labels(tmp_path, table, header, name):
    root = fill(tmp_path / "photos", range(20))
    with (root / table).open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerows([header] if header else [])
        writer.writerows([name.format(number), FLOWERS[number % 2]] for number in range(20))
    data = found(root)
    assert data.kind == "pictures"
    assert set(everything(data)) == {(encoded(number), number % 2) for number in range(20)}
    assert "0.jpg, 9x6 pixels, daisy" in data.look(FLOWERS)[0]


def test_a_table_alone_that_names_pictures_is_refused(tmp_path):
    # What is not part of what was given could change, and nobody would notice.
    fill(tmp_path, range(3))
    (tmp_path / "labels.csv").write_text("file,label\n0.jpg,rose\n1.jpg,daisy\n")
    said = refused(tmp_path / "labels.csv")
    assert (
        "labels.csv names pictures; give the folder that holds it and them, or text=COLUMN" in said
    )
    assert found(tmp_path / "labels.csv", text="file").kind == "texts"


@pytest.mark.parametrize("table", ["labels.csv", "anything.csv"])
def test_a_table_names_pictures_in_folders_below(tmp_path, table):
    for folders in (("images",), ("images/a", "images/b"), ("a", "b")):
        root = tmp_path / folders[-1].replace("/", " ")
        for number in range(20):
            fill(root / folders[number % len(folders)], [number])
        rows = "".join(f"{number}.jpg,{FLOWERS[number % 2]}\n" for number in range(20))
        (root / table).write_text(f"image,label\n{rows}")
        data = found(root)
        assert set(everything(data)) == {(encoded(number), number % 2) for number in range(20)}


def test_a_name_of_two_pictures_is_none_and_no_other_folder_is_taken(tmp_path):
    fill(tmp_path / "a", range(10))
    fill(tmp_path / "b", range(100, 110))
    for number in range(10):
        (tmp_path / "b" / f"{100 + number}.jpg").rename(tmp_path / "b" / f"{number}.jpg")
    rows = "".join(f"a/{number}.jpg,{FLOWERS[number % 2]}\n" for number in range(10))
    (tmp_path / "labels.csv").write_text(f"image,label\n{rows}3.jpg,rose\nc/4.jpg,rose\n")
    said = refused(tmp_path)
    assert (
        "2 of 12 cannot be read, as line 12 of labels.csv (there are several pictures '3.jpg')"
        in said
    )


@pytest.mark.parametrize("name", ["cats/{}.jpg", "/old/cats/{}.jpg", "/old/only/{}.jpg"])
def test_of_a_name_that_ends_two_paths_no_shorter_end_is_taken(tmp_path, name):
    for place, folder in enumerate(("x/cats", "y/cats", "x/only", ".")):
        for number in range(3):
            file = fill(tmp_path / folder, [10 * place + number]) / f"{10 * place + number}.jpg"
            file.rename(tmp_path / folder / f"{number}.jpg")
    rows = "".join(f"{name.format(number)},{FLOWERS[number % 2]}\n" for number in range(3))
    (tmp_path / "labels.csv").write_text(f"image,label\n{rows}0.jpg,rose\n1.jpg,daisy\n")
    why = "there is no picture" if "only" in name else "there are several pictures"
    said = f"3 of 5 cannot be read, as line 2 of labels.csv ({why} '{name}')"
    assert said.format(0) in refused(tmp_path)


def test_pictures_without_a_row_stay_out_and_are_said(tmp_path):
    root = fill(tmp_path / "photos", range(20))
    rows = "".join(f"{number}.jpg,{FLOWERS[number % 2]}\n" for number in range(18))
    (root / "labels.csv").write_text(f"image,label\n{rows}")
    assert (
        found(root)
        .look(FLOWERS)[1]
        .endswith("; 2 pictures have no label in a table, as 18.jpg, and stay out")
    )


def test_tables_of_splits_name_pictures(tmp_path):
    fill(tmp_path / "images", range(30))
    for name, numbers in (("train", range(20)), ("test", range(20, 30))):
        rows = "".join(f"{number},{FLOWERS[number % 2]}\n" for number in numbers)
        (tmp_path / f"{name}.csv").write_text(f"id,label\n{rows}")
    assert (
        found(tmp_path)
        .look(FLOWERS)[1]
        .startswith("test 10, calibration 2, validation 2, training 16")
    )


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("labels.json", '{"0": "daisy", "1": "rose"}'),
        ("labels.csv", "number,label\n0,daisy\n1,rose\n"),
        ("metadata.csv", "file,width,height\n0.jpg,9,6\n1.jpg,9,6\n"),
        ("train.csv", "text,label\na,b\n"),
    ],
)
def test_a_table_that_labels_nothing_leaves_the_folders_to_say_it(tmp_path, name, content):
    flowers(tmp_path / "flat")
    flowers(tmp_path / "split" / "train")
    flowers(tmp_path / "split" / "test", start=100)
    for root in (tmp_path / "flat", tmp_path / "split"):
        if (root.name, name) != ("flat", "train.csv"):
            (root / name).write_text(content)
        data = found(root)
        assert (data.kind, data.classes) == ("pictures", FLOWERS)


def test_a_table_beside_folders_of_pictures_may_label_them(tmp_path):
    flowers(tmp_path)
    rows = "".join(f"{n}.jpg,{'ab'[n % 2]}\n" for n in range(20))
    (tmp_path / "labels.csv").write_text(f"file,label\n{rows}")
    assert found(tmp_path).classes == ("a", "b")


@pytest.mark.parametrize("name", ["{}", "{}.jpg"])
def test_names_without_endings_label_pictures_in_folders_of_classes(tmp_path, name):
    root = flowers(tmp_path / "flowers")
    rows = "".join(f"{name.format(n)},{FLOWERS[n % 2]}\n" for n in range(19))
    (root / "labels.csv").write_text(f"id,label\n{rows}")
    first, second = found(root).look(FLOWERS)
    assert "19 pictures in 2 classes (daisy 10, rose 9), from 'id', labels from 'label'" in first
    assert "10 labels differ from the folders' names" in second
    assert "1 picture has no label in a table, as rose/19.jpg, and stays out" in second


@pytest.mark.parametrize("name", ["{}", "{}.jpg"])
def test_a_table_labels_what_lies_in_folders_of_splits(tmp_path, name):
    root = fill(tmp_path / "dogs" / "train", range(20)).parent
    fill(root / "test", range(100, 105))
    rows = "".join(f"{name.format(n)},{FLOWERS[n % 2]}\n" for n in range(20))
    (root / "labels.csv").write_text(f"id,breed\n{rows}")
    (root / "sample_submission.csv").write_text("id,daisy,rose\n100,0.5,0.5\n101,0.5,0.5\n")
    first, second = found(root).look(FLOWERS)
    assert "20 pictures in 2 classes (daisy 10, rose 10), from 'id', labels from 'breed'" in first
    assert "5 pictures have no label in a table, as test/100.jpg, and stay out" in second


def test_folders_of_splits_are_no_classes_whatever_a_table_of_labels_lacks(tmp_path):
    for split in ("train", "test"):
        fill(tmp_path / split, range(5))
    (tmp_path / "labels.csv").write_text("id,label\n0,rose\n1,daisy\n2,rose\n")
    assert "labels.csv: 0 is there twice below" in refused(tmp_path)
    fill(tmp_path / "train", [10, 11])
    (tmp_path / "labels.csv").write_text("id,a,b\n10,rose,x\n11,daisy,y\n")
    assert "no column is known to hold labels" in refused(tmp_path)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("labels.csv", "number,label\n0,daisy\n1,rose\n"),
        ("labels.csv", "number,label\n3,daisy\n3,rose\n2,daisy\n"),
        ("Label.tsv", "class\tcount\nx\t10\nx\t11\nx\t200\nx\t201\nx\t202\n"),
        ("metadata.csv", "file,width,height\n0.jpg,9,6\n1.jpg,9,6\n"),
        ("annotations.csv", "id,by\na,me\nb,me\n"),
    ],
)
def test_a_table_of_labels_that_is_not_used_is_said(tmp_path, name, content):
    root = flowers(tmp_path / "flowers")
    plain = found(root).look(FLOWERS)
    (root / name).write_text(content)
    note = f"{name} is not used: it labels no pictures here, one each"
    assert found(root).look(FLOWERS) == (plain[0], f"{plain[1]}; {note}")


def test_masks_go_before_a_table_that_names_pictures_without_endings(tmp_path):
    root = with_masks(tmp_path / "street", end="_mask")
    plain = found(root).look("abc")
    rows = "".join(f"{n},{n % 3}\n" for n in range(20))
    (root / "metadata.csv").write_text(f"id,depth\n{rows}")
    note = "metadata.csv is not used: the masks are"
    assert found(root).look("abc") == (plain[0], f"{plain[1]}; {note}")


def test_tables_of_splits_label_the_pictures_in_folders_of_splits(tmp_path):
    for split, numbers in (("train", range(20)), ("test", range(20, 30))):
        fill(tmp_path / split, numbers)
        rows = "".join(f"{number},{FLOWERS[number % 2]}\n" for number in numbers)
        (tmp_path / f"{split}.csv").write_text(f"id,label\n{rows}")
    assert found(tmp_path).look(FLOWERS)[1].startswith("test 10, calibration 2")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("file,label\nx.jpg,rose\n", "labels.csv: no column names pictures below "),
        ("file,a,b\n0.jpg,rose,x\n", "no column is known to hold labels; there are 'file', 'a', 'b'; say label=COLUMN"),
        ("file,label\n0.jpg,rose\n1.jpg,daisy\n0.jpg,\n", "1 of 3 cannot be read, as 0.jpg (it has no label)"),
        ("file,label\n0.jpg,rose\n0.jpg,daisy\n", "0.jpg and 0.jpg hold the same with two labels, 'rose' and 'daisy'"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_table_of_labels_is_one_line(tmp_path, content, said):
    root = fill(tmp_path / "photos", range(2))
    (root / "labels.csv").write_text(content)
    assert said in refused(root)


def test_a_column_of_addresses_makes_no_pictures_of_texts(tmp_path):
    rows = "".join(f"good {n},http://x.y/{n}.jpg,{FLOWERS[n % 2]}\n" for n in range(10))
    (tmp_path / "t.csv").write_text(f"text,url,label\n{rows}")
    assert found(tmp_path / "t.csv").kind == "texts"


# --- masks ---------------------------------------------------------------------------------------


def mask(path, values, mode="L"):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(values, np.uint8)).convert(mode).save(path)


def shapes(number):
    """Make a mask of its own of three classes, some of it ignored."""
    values = np.random.default_rng(number).integers(0, 3, (6, 9))
    values[0, 0] = 255
    return values


def with_masks(root, count=20, folders=("images", "masks"), end=""):
    for number in range(count):
        fill(root / folders[0], [number])
        mask(root / folders[1] / f"{number}{end}.png", shapes(number))
    return root


@pytest.mark.parametrize(
    ("folders", "end"),
    [(("images", "masks"), ""), (("Images", "Masks"), "_mask"), ((".", "."), "_mask")],
)
def test_masks_are_answers(tmp_path, folders, end):
    data = found(with_masks(tmp_path / "street", folders=folders, end=end))
    assert (data.kind, data.classes) == ("masks", ())
    first, second = data.look(("a", "b", "c"))
    assert first.startswith("street: 20 pictures with masks of 0 to 2; first: ")
    assert second.startswith("test 16, calibration 2, validation 2, training 0")
    dataset = make_dataset(data, ("a", "b", "c"), metrics=tuple)
    samples = [one for split in SPLITS for one in dataset.samples(split, 0)]
    assert len(samples) == 20
    for payload, answer in samples:
        (number,) = [n for n in range(20) if encoded(n) == payload]
        assert answer.dtype == np.uint8
        assert np.array_equal(answer, shapes(number))


def test_masks_in_splits_are_answers(tmp_path):
    with_masks(tmp_path / "train", 20)
    for number in range(100, 105):
        fill(tmp_path / "val" / "images", [number])
        mask(tmp_path / "val" / "masks" / f"{number}.png", shapes(number))
    assert (
        found(tmp_path)
        .look("abc")[1]
        .startswith("test 5, calibration 2, validation 2, training 16")
    )


def test_masks_of_splits_may_lie_below_those_of_all(tmp_path):
    for split, numbers in (("training", range(20)), ("validation", range(100, 105))):
        for number in numbers:
            fill(tmp_path / "images" / split, [number])
            mask(tmp_path / "annotations" / split / f"{number}.png", shapes(number))
    first, second = found(tmp_path).look("abc")
    assert "25 pictures with masks of 0 to 2; first: training/0.jpg, 9x6 pixels" in first
    assert second.startswith("test 5, calibration 2, validation 2, training 16")
    (tmp_path / "labels.csv").write_text("number,label\n0,road\n1,sky\n")
    note = "labels.csv is not used: the masks are"
    assert found(tmp_path).look("abc") == (first, f"{second}; {note}")


def test_pictures_without_masks_that_stay_out_are_said(tmp_path):
    for split, numbers in (("train", range(20)), ("val", range(100, 105))):
        for number in numbers:
            fill(tmp_path / "images" / split, [number])
            mask(tmp_path / "masks" / split / f"{number}.png", shapes(number))
    plain = found(tmp_path).look("abc")
    for name, numbers in (("test", range(200, 203)), ("extra", range(300, 302)), (".", [400, 401])):
        fill(tmp_path / "images" / name, numbers)
    (tmp_path / "images" / "drafts").mkdir()
    mask(tmp_path / "masks" / "calib" / "1.png", shapes(1))
    notes = (
        "images/extra has no masks and stays out (2 pictures)",
        "images/test has no masks and stays out (3 pictures)",
        "images holds 2 pictures in no split, as 400.jpg, which stay out",
        "masks/calib has no pictures and stays out (1 mask)",
    )
    assert found(tmp_path).look("abc") == (plain[0], "; ".join([plain[1], *notes]))


def test_folders_of_pictures_beside_those_with_masks_are_said(tmp_path):
    root = with_masks(tmp_path / "street")
    plain = found(root).look("abc")
    fill(root / "images" / "extra", range(200, 203))
    note = "images/extra has no masks and stays out (3 pictures)"
    assert found(root).look("abc") == (plain[0], f"{plain[1]}; {note}")


def test_a_mask_of_two_pictures_is_refused(tmp_path):
    root = with_masks(tmp_path / "street")
    fill(root / "images", [3, 77], "{}.png")
    said = refused(root, "abc")
    assert f"{root / 'images' / '3.jpg'} and 3.png are both the picture of 3.png in masks" in said
    (root / "images" / "3.png").unlink()
    fill(root / "images", [77])
    assert "2 of 22 cannot be read, as images/77.jpg (it has no mask)" in refused(root, "abc")


def test_a_mask_lies_as_its_picture_is_seen(tmp_path):
    root = with_masks(tmp_path / "street")
    exif = Image.Exif()
    exif[0x0112] = 6
    (root / "images" / "3.jpg").write_bytes(encoded(3, exif=exif))
    assert "images/3.jpg (its mask has 9x6 pixels and the picture 6x9)" in refused(root, "abc")
    mask(root / "masks" / "3.png", shapes(3).T)
    assert found(root).look("abc")


def test_what_is_wrong_with_masks_is_one_line(tmp_path):
    root = with_masks(tmp_path / "street")
    (root / "masks" / "3.png").unlink()
    assert "1 of 20 cannot be read, as images/3.jpg (it has no mask)" in refused(root, "abc")
    mask(root / "masks" / "3.png", shapes(3)[:4])
    assert "images/3.jpg (its mask has 9x4 pixels and the picture 9x6)" in refused(root, "abc")
    mask(root / "masks" / "3.png", shapes(3), "RGB")
    assert "(its mask 3.png holds colours (RGB), not class numbers)" in refused(root, "abc")
    mask(root / "masks" / "3.png", shapes(3) + 3)
    assert "(its mask 3.png holds" in refused(root, "abc")
    for number in range(20):
        mask(root / "masks" / f"{number}.png", np.full((6, 9), 255 * (number % 2)))
    assert "masks hold 0 and 255 alone, and 255 says that a pixel does not count" in refused(
        root, "abc"
    )


def test_a_table_that_contradicts_the_folders_names_is_told(tmp_path):
    root = flowers(tmp_path / "flowers", 10)
    rows = [f"{one.relative_to(root)},rose" for one in sorted((root / "daisy").iterdir())[:3]]
    rows += [f"{one.relative_to(root)},Daisy" for one in sorted((root / "daisy").iterdir())[3:]]
    rows += [f"{one.relative_to(root)},rose" for one in sorted((root / "rose").iterdir())]
    (root / "labels.csv").write_text("\n".join(["file,label", *rows]) + "\n")
    told = found(root).look(FLOWERS)[1]
    assert "3 labels differ from the folders' names, as rose of daisy/0.jpg" in told
    # Folders that are called like no label say nothing.
    (root / "daisy").rename(root / "a")
    (root / "rose").rename(root / "b")
    (root / "labels.csv").write_text(
        "\n".join(["file,label", *rows]).replace("daisy/", "a/").replace("rose/", "b/")
    )
    assert "differ" not in found(root).look(FLOWERS)[1]


def test_numbers_that_are_names_of_classes_are_taken_for_no_numbers(tmp_path):
    root = tmp_path / "digits"
    for number in range(8, 13):
        fill(root / str(number), [2 * number, 2 * number + 1])
    names = tmp_path / "names.txt"
    names.write_text("8\n9\n10\n11\n12\n")
    data = found(root, classes=names)
    silent = [f"LABEL_{number}" for number in range(5)]
    assert data.number_classes(silent)["8"] == 0
    assert "class numbers" not in data.look(silent)[1]
    first = tmp_path / "first"
    for number in range(11):
        fill(first / str(number), [2 * number, 2 * number + 1])
    assert "class numbers" not in found(first).look([str(number) for number in range(11)])[1]
    said = found(first).look(["zero", "1", *"abcdefghi"])[1]
    assert "labels are taken for class numbers: 0 is zero, 2 is a, 3 is b" in said


def test_numbers_that_text_orders_otherwise_are_told_where_the_model_has_no_names(tmp_path):
    for number in range(11):
        fill(tmp_path / "digits" / str(number), [2 * number, 2 * number + 1])
    told = "labels are taken for class numbers; where the model learned folders in the order of text (0, 1, 10 and 8 more), classes=FILE says so"
    silent = [f"LABEL_{number}" for number in range(11)]
    assert told in found(tmp_path / "digits").look(silent)[1]
    assert told in found(tmp_path / "digits").look(())[1]
    names = tmp_path / "names.txt"
    names.write_text("\n".join(sorted(map(str, range(11)))))
    data = found(tmp_path / "digits", classes=names)
    assert data.number_classes(silent)["10"] == 2
    assert told not in data.look(silent)[1]
    shutil.rmtree(tmp_path / "digits" / "10")
    assert told not in found(tmp_path / "digits").look(silent)[1]


def test_a_link_to_a_directory_that_it_lies_in_is_not_followed(tmp_path):
    root = flowers(tmp_path / "flowers")
    (root / "val").symlink_to(".")
    (root / "train").symlink_to("..")
    (root / "rose" / "more").symlink_to(root)
    assert "20 pictures in 2 classes" in found(root).look(FLOWERS)[0]
    empty = tmp_path / "empty"
    empty.mkdir()
    (empty / "val").symlink_to(".")
    assert "empty holds val; give a folder for each class" in refused(empty)
    # Others lead on.
    (tmp_path / "linked").mkdir()
    for name in FLOWERS:
        (tmp_path / "linked" / name).symlink_to(root / name)
    assert "20 pictures in 2 classes" in found(tmp_path / "linked").look(FLOWERS)[0]


# --- without labels, where none are asked for -----------------------------------------------------


def without(path, **options):
    data = find_data(path, DataOptions(**options), labelled=False)
    return data, data.look(())


def test_pictures_need_no_labels_where_none_are_asked_for(tmp_path):
    root = fill(tmp_path / "photos", range(40))
    refused(root)
    data, (line, splits) = without(root, calibration=fill(tmp_path / "more", range(50, 60)))
    assert line == "photos: 40 pictures without answers; first: 0.jpg, 9x6 pixels"
    assert splits.startswith("test 36, calibration 10, validation 4, training 0")
    assert {answer for _, answer in everything(data, ())} == {0}
    (root / "sizes.csv").write_text("file,width,height\n0.jpg,9,6\n")
    assert without(root)[1][0] == line


def test_labels_and_masks_are_left_out_where_none_are_asked_for(tmp_path):
    root = flowers(tmp_path / "photos", 20)
    fill(root / "daisy", [99])
    fill(root / "rose", [99])
    assert "two labels" in refused(root)
    data, (line, splits) = without(root)
    assert line == "photos: 42 pictures without answers; first: daisy/0.jpg, 9x6 pixels"
    assert "1 duplicate dropped" in splits
    assert len(everything(data, ())) == 41
    for part in ("images", "masks"):
        fill(tmp_path / "scenes" / part, range(5))
    data, (line, _) = without(tmp_path / "scenes")
    assert (data.kind, line.partition(";")[0]) == ("pictures", "scenes: 5 pictures without answers")


def test_splits_need_no_labels_where_none_are_asked_for(tmp_path):
    for split, numbers in (("train", range(20)), ("test", range(20, 30))):
        fill(tmp_path / "photos" / split, numbers)
    data, _ = without(tmp_path / "photos")
    assert len(data.division.splits["test"]) == 10
    assert [len(list(data.samples(one, 0, {"": 0}))) for one in SPLITS] == [16, 2, 2, 10]


# --- arrays ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("there", "kind"),
    [
        (["0.npy", "1.npy", ".ipynb_checkpoints/0.npy", "notes/how.md"], "arrays"),
        (["0.NPZ"], "arrays"),
        (["0.npy", "1.npy", "2.npy", "index.csv", "look.png"], "arrays"),
        (["mean.npy", "daisy/0.jpg", "rose/1.jpg"], "pictures"),
        (["mean.npy", "std.npy", "train/daisy/0.jpg", "train/rose/1.jpg"], "pictures"),
    ],
)
def test_arrays_are_what_is_meant_where_they_are_most(tmp_path, there, kind):
    for name in there:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encoded(int(path.stem)) if path.suffix == ".jpg" else b"")
    assert found(tmp_path).kind == kind


def test_one_array_beside_pictures_with_a_table_is_not_what_is_meant(tmp_path):
    fill(tmp_path, range(4))
    rows = [f"{n}.jpg,{FLOWERS[n % 2]}" for n in range(4)]
    (tmp_path / "labels.csv").write_text("\n".join(["file,label", *rows]))
    np.save(tmp_path / "mean.npy", np.zeros(3))
    assert found(tmp_path).kind == "pictures"


def test_data_is_tolerated_as_far_as_what_is_kept_of_it():
    assert looks.MOST_UNREADABLE == splits.MOST_UNREADABLE
