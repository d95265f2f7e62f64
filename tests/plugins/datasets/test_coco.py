"""COCO's outlines become masks, pixel by pixel as COCO's own tools draw them."""

import json

import numpy as np
import pytest
from PIL import Image

from edgebench import DataError, Unreadable
from edgebench_plugins.datasets import coco
from edgebench_plugins.datasets.coco import Outlined, draw, from_directory

PERSON, CAR, AEROPLANE, BANANA = 1, 3, 5, 52
"""Categories of COCO. Person, car and aeroplane are the classes 15, 7 and 1 of VOC; a banana none."""
SQUARE = [[1.0, 1.0, 4.0, 1.0, 4.0, 3.0, 1.0, 3.0]]
DRAWN = [[0, 0, 0, 0, 0, 0], [0, 1, 1, 1, 0, 0], [0, 1, 1, 1, 0, 0], [0, 0, 0, 0, 0, 0]]
# Drawn and encoded by pycocotools 2.0.11 for pictures of 32x24 pixels: corners, runs, area.
FROM_COCO = [
    ([20.0, 21.53, 24.82, 5.4, 9.61, 20.97], "T81f01O1O1O1O1O1O1O2N1OO1M3N2Nl5", 82),
    (
        [0.17, 19.71, 25.51, 11.23, 9.7, 6.68, 8.16, 10.68, 16.15, 13.28],
        "j21V20RO0mN093GM9361_OL<4DL=3BM?4@L`061N10000O2O000O2O00m4",
        72,
    ),
    (
        [
            31.86,
            19.02,
            19.91,
            23.74,
            6.89,
            3.85,
            19.6,
            1.05,
            1.14,
            12.36,
            14.92,
            22.01,
            20.14,
            12.34,
            15.9,
            5.94,
            0.38,
            4.62,
        ],
        "T11`00F0:0E2:NE4:ME3;MD5:6NEG99GHOO88II:6KI17JI2144KK2222KM3220JO43OOMO42L0003OO0N32J3<LC7>1OO2O0O2O001N100O2O0O7",
        245,
    ),
    (  # reaches beyond the picture
        [25.8, 0.5, 9.3, -7.1, 32.9, -1.3, 4.1, 26.6, 16.5, 25.3, 23.2, 21.3],
        "o51f01O1O1O1O100O1O1O1O1O1O1O00001ON2I4O221O1O1O1Oi0",
        154,
    ),
]


def write(root, things, count=2):
    """Write pictures of 6x4 pixels, 0.jpg and on, and instances: (picture, category, form)."""
    (root / "val2017").mkdir(parents=True)
    (root / "annotations").mkdir()
    for number in range(count):
        picture = np.full((4, 6, 3), 30 * number, np.uint8)
        Image.fromarray(picture).save(root / f"val2017/{number}.jpg")
    images = [
        {"id": 100 + n, "file_name": f"{n}.jpg", "height": 4, "width": 6} for n in range(count)
    ]
    annotations = [
        {"image_id": 100 + number, "category_id": category, "segmentation": form}
        for number, category, form in things
    ]
    instances = {"images": images, "annotations": annotations}
    (root / "annotations/instances_val2017.json").write_text(json.dumps(instances))
    return root


def drawn(*things, height=4, width=6):
    return draw(Outlined(height=height, width=width, things=things))


def test_it_is_known_without_a_directory():
    (dataset,) = coco.edgebench_datasets()
    assert (dataset.name, dataset.samples, dataset.synthetic) == ("coco", None, False)
    (metric,) = dataset.metrics()
    assert metric.name == "miou"
    assert len(metric.count(np.zeros((1, 1), int), np.zeros((1, 1), int))) == 2 * 21


# --- drawing -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("corners", "runs", "area"), FROM_COCO)
def test_polygons_cover_what_they_cover_for_cocos_own_tools(corners, runs, area):
    got = drawn((1, [corners]), height=24, width=32)
    wanted = drawn((1, {"size": [24, 32], "counts": runs}), height=24, width=32)
    assert got.sum() == area
    np.testing.assert_array_equal(got, wanted)


def test_a_square_covers_its_pixels():
    mask = drawn((1, SQUARE))
    assert (mask.dtype, mask.tolist()) == (np.uint8, DRAWN)


def test_all_parts_of_a_thing_are_drawn():
    far = [5.0, 0.0, 6.0, 0.0, 6.0, 4.0, 5.0, 4.0]
    wanted = np.array(DRAWN)
    wanted[:, 5] = 1
    np.testing.assert_array_equal(drawn((1, [*SQUARE, far])), wanted)
    np.testing.assert_array_equal(drawn((1, [*SQUARE, *SQUARE])), DRAWN)


@pytest.mark.parametrize("counts", [[5, 2, 2, 2, 1], "5220O"])
def test_runs_go_down_the_columns(counts):
    """The text is that of pycocotools 2.0.11 for the same runs."""
    mask = drawn((9, {"size": [4, 3], "counts": counts}), width=3)
    assert mask.tolist() == [[0, 0, 0], [0, 9, 9], [0, 9, 9], [0, 0, 0]]


def test_where_two_things_overlap_nothing_counts():
    other = [[3.0, 0.0, 6.0, 0.0, 6.0, 4.0, 3.0, 4.0]]
    mask = drawn((1, SQUARE), (7, other))
    assert mask.tolist() == [
        [0, 0, 0, 7, 7, 7],
        [0, 1, 1, 255, 7, 7],
        [0, 1, 1, 255, 7, 7],
        [0, 0, 0, 7, 7, 7],
    ]
    third = drawn((1, SQUARE), (7, other), (9, SQUARE))
    assert (third[1:3, 1:4] == 255).all()


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ([[1.0, 1.0, 4.0, 1.0]], "an outline of 2 corners encloses nothing"),
        ([[1.0, 1.0, 4.0, 1.0, 3.0]], "reshape"),
        ([["a", "b"]], "could not convert"),
        ({"size": [4, 6], "counts": [5, 2]}, "do not add up to 4x6 pixels"),
        ({"size": [4, 6], "counts": [-1, 25]}, "do not add up to 4x6 pixels"),
        ({"size": [6, 4], "counts": [24]}, r"are for \[6, 4\], not \[4, 6\]"),
        ({"size": [4, 6]}, "counts"),
        ({"size": [4, 6], "counts": "o" * 40 + "0"}, "cannot be drawn"),
        (None, "cannot be drawn"),
    ],
)
def test_what_cannot_be_drawn_is_said(form, said):
    with pytest.raises(DataError, match=said) as caught:
        drawn((1, form))
    assert "\n" not in str(caught.value)


# --- reading -------------------------------------------------------------------------------------


def test_categories_become_the_classes_of_voc(tmp_path):
    things = [(0, AEROPLANE, SQUARE), (1, PERSON, SQUARE), (2, CAR, SQUARE), (1, BANANA, SQUARE)]
    root = write(tmp_path, things, count=3)
    got = dict(from_directory(root).samples("test", 0))
    for number, label in enumerate((1, 15, 7)):
        mask = got[(root / f"val2017/{number}.jpg").read_bytes()]
        np.testing.assert_array_equal(mask, np.array(DRAWN) * label)


def test_pictures_of_nothing_known_are_background(tmp_path):
    """As torchvision's validation; a class that is seen in them where there is none is wrong."""
    root = write(tmp_path, [(0, BANANA, SQUARE), (2, PERSON, SQUARE)], count=3)
    dataset = from_directory(root)
    got = dict(dataset.samples("test", 0))
    masks = [got[(root / f"val2017/{number}.jpg").read_bytes()] for number in range(3)]
    assert [mask.max() for mask in masks] == [0, 0, 15]
    (miou,) = dataset.metrics()
    everywhere = np.full((4, 6), 15, np.uint8)
    sums = [np.array(miou.count(everywhere, mask)) for mask in masks]
    assert miou.value(sum(sums)) < miou.value(sums[2])


def test_pictures_of_which_none_shows_anything_are_said(tmp_path):
    root = write(tmp_path, [(0, BANANA, SQUARE)])
    with pytest.raises(DataError, match="classes in any of 2 pictures .*; found none in them"):
        list(from_directory(root).samples("test", 0))


def test_the_instances_are_read_when_samples_are(tmp_path):
    """They weigh 20 MB: whoever only looks at the dataset need not wait for them."""
    root = write(tmp_path, [(0, PERSON, SQUARE)])
    (root / "annotations/instances_val2017.json").write_text("{")
    dataset = from_directory(root)
    with pytest.raises(DataError, match="does not hold images and annotations: JSONDecodeError"):
        list(dataset.samples("test", 0))


@pytest.mark.parametrize(
    "text", ["[]", "3", '{"images": []}', '{"images": [1], "annotations": []}']
)
def test_instances_of_another_form_are_said(tmp_path, text):
    root = write(tmp_path, [(0, PERSON, SQUARE)])
    (root / "annotations/instances_val2017.json").write_text(text)
    with pytest.raises(DataError, match="does not hold images and annotations"):
        list(from_directory(root).samples("test", 0))


def test_instances_of_other_pictures_are_said(tmp_path):
    root = write(tmp_path, [(0, PERSON, SQUARE)])
    for picture in (root / "val2017").iterdir():
        picture.rename(picture.with_stem(f"other-{picture.stem}"))
    with pytest.raises(
        DataError, match="any of 2 pictures .*; found annotations of 2 other pictures"
    ):
        list(from_directory(root).samples("test", 0))


def test_what_cannot_be_read_is_named(tmp_path):
    things = [(0, PERSON, SQUARE), (1, CAR, [[1.0, 1.0]]), (2, CAR, SQUARE), (3, CAR, SQUARE)]
    root = write(tmp_path, things, count=4)
    (root / "val2017/2.jpg").write_bytes(b"")
    Image.fromarray(np.zeros((6, 4, 3), np.uint8)).save(root / "val2017/3.jpg")
    samples = list(from_directory(root).samples("test", 0))
    assert {one.name: one.reason for one in samples if isinstance(one, Unreadable)} == {
        "val2017/1.jpg": "a segmentation of it cannot be drawn: an outline of 1 corners encloses nothing",
        "val2017/2.jpg": "the file is no JPEG or PNG file",
        "val2017/3.jpg": "its mask has 6x4 pixels and the picture 4x6",
    }
    assert len(samples) == 4


def test_masks_may_be_given_instead(tmp_path):
    root = write(tmp_path, [], count=3)
    (root / "annotations/instances_val2017.json").unlink()
    (root / "masks").mkdir()
    mask = np.array(DRAWN, np.uint8) * 20
    for number in (0, 2):
        Image.fromarray(mask).save(root / f"masks/{number}.png")
    samples = list(from_directory(root).samples("test", 0))
    assert {payload for payload, _ in samples} == {
        (root / f"val2017/{number}.jpg").read_bytes() for number in (0, 2)
    }
    for _, answer in samples:
        np.testing.assert_array_equal(answer, mask)


def test_wrong_directories_are_said(tmp_path):
    with pytest.raises(
        DataError, match="coco looks for pictures in val2017/ .*; found an empty dir"
    ):
        from_directory(tmp_path)
    with pytest.raises(DataError, match="nowhere; found no such directory"):
        from_directory(tmp_path / "nowhere")
    (tmp_path / "val2017").mkdir()
    with pytest.raises(DataError, match="in .*/val2017; found an empty directory"):
        from_directory(tmp_path)


def test_pictures_without_labels_are_refused(tmp_path):
    root = write(tmp_path, [])
    (root / "annotations/instances_val2017.json").unlink()
    said = "looks for annotations/instances_val2017.json or masks .*; found annotations/, val2017/"
    with pytest.raises(DataError, match=said):
        from_directory(root)


def test_photos_that_show_something_are_trained_on(tmp_path):
    write(tmp_path, [(0, PERSON, SQUARE)])
    training = tmp_path / "other"
    write(training, [(1, CAR, SQUARE), (0, BANANA, SQUARE)], count=2)
    (training / "val2017").rename(tmp_path / "train2017")
    Image.fromarray(np.full((4, 6, 3), 200, np.uint8)).save(tmp_path / "train2017/1.jpg")
    (training / "annotations/instances_val2017.json").rename(
        tmp_path / "annotations/instances_train2017.json"
    )
    ((payload, mask),) = from_directory(tmp_path).samples("training", 0)
    assert payload == (tmp_path / "train2017/1.jpg").read_bytes()
    np.testing.assert_array_equal(mask, 7 * np.array(DRAWN))


def test_without_training_pictures_there_are_none(tmp_path):
    write(tmp_path, [(0, PERSON, SQUARE)])
    assert list(from_directory(tmp_path).samples("training", 0)) == []
