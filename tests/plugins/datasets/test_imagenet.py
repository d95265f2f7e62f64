"""Every form in which people keep ImageNet's validation set gives the same class numbers."""

import io
import json

import numpy as np
import pytest
from PIL import Image

from edgebench import DataError, Unreadable
from edgebench_plugins.datasets import imagenet
from edgebench_plugins.datasets.imagenet import from_directory

WORDNET = [f"n{1440764 + 7 * n:08}" for n in range(1000)]
"""A thousand ids in sorted order."""


def encoded(number):
    file = io.BytesIO()
    Image.fromarray(np.full((4, 5, 3), number, np.uint8)).save(file, "PNG")
    return file.getvalue()


def write(root, names):
    """Write a picture for each name, the n-th of them in the colour n."""
    for number, name in enumerate(names):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(encoded(number))
    return root


def named(count):
    return [f"ILSVRC2012_val_{n + 1:08}.JPEG" for n in range(count)]


def answers(dataset):
    """Return the answers of the pictures in the order of their colours."""
    samples = [
        one for split in ("calibration", "validation", "test") for one in dataset.samples(split, 0)
    ]
    by_payload = dict(samples)
    return [by_payload[encoded(number)] for number in range(len(samples))]


def synsets(path):
    path.write_text("".join(f"{name} some, thing\n" for name in WORDNET))


def test_it_is_known_without_a_directory():
    (dataset,) = imagenet.edgebench_datasets()
    assert (dataset.name, dataset.samples, dataset.synthetic) == ("imagenet", None, False)
    assert [metric.name for metric in dataset.metrics()] == ["top1", "top5"]


def test_a_directory_gives_a_record_that_is_otherwise_the_same(tmp_path):
    write(tmp_path / "0", ["a.png"])
    (bare,) = imagenet.edgebench_datasets()
    got = from_directory(tmp_path)
    assert (got.name, got.metrics, got.layout) == (bare.name, bare.metrics, bare.layout)
    assert got.samples is not None


# --- a file of labels ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("labels", "given"),
    [("val.txt", ""), ("val/val.txt", ""), ("val/val.txt", "val"), ("caffe_val.txt", "")],
)
def test_a_list_of_names_and_numbers_labels_pictures(tmp_path, labels, given):
    write(tmp_path / "val", named(12))
    lines = [f"{name} {(n * 333) % 1000}\n" for n, name in enumerate(named(20))]
    (tmp_path / labels).write_text("".join(lines))
    assert answers(from_directory(tmp_path / given)) == [(n * 333) % 1000 for n in range(12)]


def test_what_lies_above_the_directory_that_is_given_is_no_part_of_it(tmp_path):
    # Whether it has changed since would not be noticed.
    write(tmp_path / "val", named(12))
    (tmp_path / "val.txt").write_text("".join(f"{name} 1\n" for name in named(12)))
    with pytest.raises(DataError, match="looks for labels of its pictures: val.txt"):
        from_directory(tmp_path / "val")


def test_a_list_may_name_paths_and_wordnet_ids(tmp_path):
    write(tmp_path / "val", named(3))
    lines = [f"val/{name} {WORDNET[n * 400]}\n" for n, name in enumerate(named(3))]
    (tmp_path / "val.txt").write_text("\n".join(lines))
    with pytest.raises(
        DataError, match=r"val.txt have no class numbers without the list of all 1000"
    ):
        from_directory(tmp_path)
    synsets(tmp_path / "synsets.txt")
    assert answers(from_directory(tmp_path)) == [0, 400, 800]


def test_the_form_of_kaggle(tmp_path):
    write(tmp_path / "ILSVRC/Data/CLS-LOC/val", named(3))
    rows = [
        f"ILSVRC2012_val_{n + 1:08},{WORDNET[999 - n]} 85 1 499 272 {WORDNET[5]} 1 2 3 4\n"
        for n in range(9)
    ]
    (tmp_path / "LOC_val_solution.csv").write_text("ImageId,PredictionString\n" + "".join(rows))
    synsets(tmp_path / "LOC_synset_mapping.txt")
    assert answers(from_directory(tmp_path)) == [999, 998, 997]


def test_kaggles_labels_need_its_synsets(tmp_path):
    write(tmp_path / "val", named(1))
    (tmp_path / "LOC_val_solution.csv").write_text("ImageId,PredictionString\na,n1 1 2\n")
    with pytest.raises(DataError, match=r"put LOC_synset_mapping.txt, synsets.txt or"):
        from_directory(tmp_path)
    synsets(tmp_path / "LOC_synset_mapping.txt")
    with pytest.raises(DataError, match="has the label 'n1'; class numbers are 0 to 999"):
        from_directory(tmp_path)
    (tmp_path / "LOC_val_solution.csv").write_text(f"ImageId,PredictionString\na,{WORDNET[0]}\nb\n")
    with pytest.raises(DataError, match=r"has the row \['b'\]"):
        from_directory(tmp_path)


KITS = {
    "ILSVRC2012_devkit_t12/data": ("ILSVRC2012_validation_ground_truth.txt",),
    "ILSVRC2014_devkit/data": (
        "ILSVRC2014_clsloc_validation_ground_truth.txt",
        "ILSVRC2014_clsloc_validation_blacklist.txt",
        "ILSVRC2014_det_validation_blacklist.txt",
    ),
    # ILSVRC2015 is one archive, given as the directory that holds Data/ too.
    "devkit/data": (
        "ILSVRC2015_clsloc_validation_ground_truth.txt",
        "ILSVRC2015_clsloc_validation_blacklist.txt",
        "ILSVRC2015_det_validation_blacklist.txt",
    ),
}
"""Where each development kit keeps its text files, and what they are called, the ids first."""
EVERY_KIT = pytest.mark.parametrize("place", KITS)


def kit(root, place):
    """Write a development kit's list of ids, whose order is not that of the class numbers."""
    ids, *others = KITS[place]
    (root / place).mkdir(parents=True)
    (root / place / ids).write_text("490\n1\n1000\n")
    for name in others:
        # Numbers of pictures, for detection also the class in which one does not count.
        lines = "36 n00007846\n50 n03001627\n" if "_det_" in name else "36\n50\n"
        (root / place / name).write_text(lines)
    return root / place


@EVERY_KIT
def test_ids_of_the_development_kit_are_not_taken_for_class_numbers(tmp_path, place):
    kit(write(tmp_path, [f"val/{name}" for name in named(3)]), place)
    with pytest.raises(DataError, match="are ILSVRC ids, 1 to 1000, which are not class numbers"):
        from_directory(tmp_path)


@EVERY_KIT
def test_ids_of_the_development_kit_are_translated_by_its_map(tmp_path, place):
    data = kit(write(tmp_path, [f"val/{name}" for name in named(3)]), place)
    order = np.random.default_rng(0).permutation(1000)
    lines = [f"{WORDNET[order[n]]} {n + 1} some_thing\n" for n in range(1000)]
    (data / "map_clsloc.txt").write_text("".join(lines))
    assert answers(from_directory(tmp_path)) == [order[489], order[0], order[999]]
    (data / KITS[place][0]).write_text("490\n0\n1\n")
    with pytest.raises(DataError, match="has '0', which is no ILSVRC id"):
        from_directory(tmp_path)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{} 1000", r"has the label '1000'; class numbers are 0 to 999, .* not ILSVRC ids"),
        ("{} -1", "has the label '-1'"),
        ("{} cat", "has the label 'cat'"),
        ("{}", "line 1 of .*val.txt is not a name and a label"),
        ("{} 1 2", "line 1 of .*val.txt is not a name and a label"),
        ("other.png 1", "1 of 1 pictures in .*val have no label in .*val.txt, as ILSVRC2012_val"),
    ],
)
def test_a_list_that_is_wrong_is_said(tmp_path, line, said):
    write(tmp_path / "val", named(1))
    (tmp_path / "val.txt").write_text(line.format(named(1)[0]))
    with pytest.raises(DataError, match=said) as caught:
        from_directory(tmp_path)
    assert "\n" not in str(caught.value)


def test_two_lists_are_one_too_many(tmp_path):
    write(tmp_path / "val", named(1))
    for name in ("a_val.txt", "b_val.txt"):
        (tmp_path / name).write_text(f"{named(1)[0]} 1\n")
    with pytest.raises(DataError, match="both a_val.txt and b_val.txt in .* leave one"):
        from_directory(tmp_path)


# --- folders of classes --------------------------------------------------------------------------


def test_folders_may_be_named_by_class_numbers(tmp_path):
    write(tmp_path, ["val/7/a.png", "val/0/b.jpg", "val/999/c.JPEG", "val/7/d.png"])
    assert answers(from_directory(tmp_path)) == [7, 0, 999, 7]
    write(tmp_path, ["val/1000/a.png"])
    with pytest.raises(DataError, match="has the label '1000'; class numbers are 0 to 999"):
        from_directory(tmp_path)


def test_a_thousand_wordnet_ids_are_numbered_in_their_order(tmp_path):
    for name in WORDNET:
        (tmp_path / "val" / name).mkdir(parents=True)
    write(tmp_path / "val", [f"{WORDNET[n]}/a.png" for n in (999, 0, 500)])
    assert answers(from_directory(tmp_path)) == [999, 0, 500]
    assert answers(from_directory(tmp_path / "val")) == [999, 0, 500]


def test_fewer_than_a_thousand_need_a_list_of_all(tmp_path):
    write(tmp_path / "val", [f"{WORDNET[n]}/a.png" for n in (999, 0, 500)])
    said = "3 class folders named by WordNet ids have no class numbers without the list of all 1000"
    with pytest.raises(DataError, match=said):
        from_directory(tmp_path)
    synsets(tmp_path / "synsets.txt")
    assert answers(from_directory(tmp_path)) == [999, 0, 500]


def test_the_list_may_be_that_of_keras(tmp_path):
    write(tmp_path, [f"{WORDNET[n]}/a.png" for n in (999, 0, 500)])
    index = tmp_path / "imagenet_class_index.json"
    index.write_text(json.dumps({str(n): [WORDNET[n], "thing"] for n in range(1000)}))
    assert answers(from_directory(tmp_path)) == [999, 0, 500]
    for wrong in ("[]", "{", '{"0": 5}', '{"0": []}'):
        index.write_text(wrong)
        with pytest.raises(DataError, match="imagenet_class_index.json is not an index of classes"):
            from_directory(tmp_path)


def test_a_list_of_other_classes_is_refused(tmp_path):
    write(tmp_path, [f"{WORDNET[0]}/a.png"])
    (tmp_path / "synsets.txt").write_text("n00000001\nn00000002\n")
    with pytest.raises(DataError, match="synsets.txt must list 1000 WordNet ids, and has 2"):
        from_directory(tmp_path)
    synsets(tmp_path / "synsets.txt")
    write(tmp_path, ["n99999999/a.png"])
    with pytest.raises(DataError, match="n99999999 is not among the known synsets"):
        from_directory(tmp_path)


def test_folders_of_other_names_are_refused(tmp_path):
    write(tmp_path, ["cats/a.png", "0/b.png"])
    with pytest.raises(DataError, match="the folder 'cats' in .* is named for no class"):
        from_directory(tmp_path)


# --- what is not there ---------------------------------------------------------------------------


def test_an_empty_directory_is_said(tmp_path):
    said = "imagenet looks for pictures in val/ or in class folders in {}; found {}"
    with pytest.raises(DataError) as caught:
        from_directory(tmp_path)
    assert str(caught.value) == said.format(tmp_path, "an empty directory")
    (tmp_path / "val").mkdir()
    with pytest.raises(DataError) as caught:
        from_directory(tmp_path)
    assert str(caught.value) == said.format(tmp_path / "val", "an empty directory")


def test_a_directory_that_is_not_there_is_said(tmp_path):
    with pytest.raises(DataError, match="nowhere; found no such directory"):
        from_directory(tmp_path / "nowhere")
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="file; found a file"):
        from_directory(tmp_path / "file")


def test_pictures_without_labels_are_refused(tmp_path):
    write(tmp_path / "val", named(2))
    with pytest.raises(
        DataError, match=r"labels of its pictures: val.txt .*; found ILSVRC2012_val"
    ):
        from_directory(tmp_path)


def test_a_picture_that_does_not_decode_is_named(tmp_path):
    write(tmp_path, ["0/a.png", "1/b.png"])
    (tmp_path / "1/c.jpg").write_bytes(b"nothing")
    samples = list(from_directory(tmp_path).samples("test", 0))
    assert [one for one in samples if isinstance(one, Unreadable)] == [
        Unreadable(name="1/c.jpg", reason="the file is no JPEG or PNG file")
    ]
    assert len(samples) == 3


def test_the_same_pictures_are_in_the_same_splits_however_they_are_labelled(tmp_path):
    one = write(tmp_path / "one/val", named(40))
    (one / "val.txt").write_text("".join(f"{name} {n}\n" for n, name in enumerate(named(40))))
    other = write(tmp_path / "other", [f"{n}/{n}.png" for n in range(40)])
    for split in ("calibration", "validation", "test"):
        got = [list(from_directory(root).samples(split, 0)) for root in (one.parent, other)]
        assert got[0] == got[1] != []


# --- training ------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["train", "ILSVRC/Data/CLS-LOC/train"])
def test_folders_of_train_are_trained_on_under_the_same_numbers(tmp_path, place):
    val = place.replace("train", "val")
    names = [f"{val}/{WORDNET[n]}/v{n}.JPEG" for n in (3, 500, 999)]
    names += [f"{place}/{WORDNET[n]}/t{n}.{k}.JPEG" for n in (3, 500, 999) for k in range(4)]
    write(tmp_path, names)
    synsets(tmp_path / "LOC_synset_mapping.txt")
    dataset = from_directory(tmp_path)
    assert sorted(answer for _, answer in dataset.samples("training", 0)) == sorted(
        [3, 500, 999] * 4
    )
    assert answers(dataset) == [3, 500, 999]


def test_without_train_there_is_nothing_to_train_on(tmp_path):
    write(tmp_path / "0", ["a.png"])
    assert list(from_directory(tmp_path).samples("training", 0)) == []


def test_a_class_that_is_trained_on_and_not_known_is_named(tmp_path):
    write(tmp_path, ["val/3/a.JPEG", "train/1003/b.JPEG"])
    with pytest.raises(DataError, match="1003"):
        from_directory(tmp_path)


def test_no_more_than_are_promised_are_drawn(tmp_path, monkeypatch):
    monkeypatch.setattr(imagenet, "TRAINING", 4)
    write(tmp_path, ["val/0/a.JPEG", *(f"train/{n}/{k}.JPEG" for n in (0, 1) for k in range(5))])
    assert sorted(a for _, a in from_directory(tmp_path).samples("training", 0)) == [0, 0, 1, 1]
