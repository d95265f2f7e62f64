"""PASCAL VOC is read from its own directory, masks as they are."""

import numpy as np
import pytest
from PIL import Image

from edgebench import DataError, Unreadable
from edgebench_plugins.datasets import voc
from edgebench_plugins.datasets.voc import from_directory

LIST = "ImageSets/Segmentation/val.txt"


def mask_of(number):
    return np.array([[0, number % 21, 255, 20]] * 3, np.uint8)


def write(year, names):
    """Write a year's folder: a photo and a palette mask for each name, listed for validation."""
    for folder in ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation"):
        (year / folder).mkdir(parents=True)
    for number, name in enumerate(names):
        photo = np.full((3, 4, 3), 20 * number, np.uint8)
        Image.fromarray(photo).save(year / f"JPEGImages/{name}.jpg")
        mask = Image.fromarray(mask_of(number))
        mask.putpalette([value for n in range(256) for value in (n, 7, 255 - n)])
        mask.save(year / f"SegmentationClass/{name}.png")
    (year / LIST).write_text("\n".join(names) + "\n")
    return year


def test_it_is_known_without_a_directory():
    (dataset,) = voc.edgebench_datasets()
    assert (dataset.name, dataset.samples, dataset.synthetic) == ("voc", None, False)
    (metric,) = dataset.metrics()
    assert metric.name == "miou"
    assert len(metric.count(mask_of(3), mask_of(3))) == 2 * 21


@pytest.mark.parametrize("given", ["", "VOCdevkit", "VOCdevkit/VOC2012"])
def test_it_is_found_from_any_of_its_directories(tmp_path, given):
    year = write(tmp_path / "VOCdevkit/VOC2012", ["2007_1", "2007_2"])
    got = dict(from_directory(tmp_path / given).samples("test", 0))
    for number, name in enumerate(["2007_1", "2007_2"]):
        answer = got[(year / f"JPEGImages/{name}.jpg").read_bytes()]
        assert answer.dtype == np.uint8
        np.testing.assert_array_equal(answer, mask_of(number))


def test_of_several_years_2012_is_taken_or_else_the_last(tmp_path):
    for year, name in (("VOC2007", "a"), ("VOC2010", "b")):
        write(tmp_path / "VOCdevkit" / year, [name])
    wanted = (tmp_path / "VOCdevkit/VOC2010/JPEGImages/b.jpg").read_bytes()
    assert [payload for payload, _ in from_directory(tmp_path).samples("test", 0)] == [wanted]


def test_only_what_is_listed_for_validation_is_taken(tmp_path):
    year = write(tmp_path, ["a", "b", "c"])
    (year / LIST).write_text("b\n\n")
    (payload,) = [one for one, _ in from_directory(tmp_path).samples("test", 0)]
    assert payload == (year / "JPEGImages/b.jpg").read_bytes()


def test_what_cannot_be_read_is_named(tmp_path):
    year = write(tmp_path, ["a", "b", "c", "d", "e"])
    (year / "JPEGImages/a.jpg").write_bytes(b"")
    (year / "SegmentationClass/b.png").unlink()
    Image.fromarray(mask_of(0)[:2]).save(year / "SegmentationClass/c.png")
    Image.fromarray(np.full((3, 4), 21, np.uint8)).save(year / "SegmentationClass/d.png")
    samples = list(from_directory(tmp_path).samples("test", 0))
    assert {one.name: one.reason for one in samples if isinstance(one, Unreadable)} == {
        "JPEGImages/a.jpg": "the file is no JPEG or PNG file",
        "JPEGImages/b.jpg": "its mask b.png cannot be read: No such file or directory",
        "JPEGImages/c.jpg": "its mask has 4x2 pixels and the picture 4x3",
        "JPEGImages/d.jpg": "its mask d.png holds 21, which is none of 21 classes nor 255",
    }
    assert len(samples) == 5


def test_wrong_directories_are_said(tmp_path):
    with pytest.raises(DataError, match="voc looks for VOCdevkit/VOC2012 .*; found an empty dir"):
        from_directory(tmp_path)
    with pytest.raises(DataError, match="nowhere; found no such directory"):
        from_directory(tmp_path / "nowhere")
    year = write(tmp_path / "VOC2012", ["a"])
    (year / LIST).unlink()
    with pytest.raises(
        DataError, match=f"voc looks for {LIST} in .*; found ImageSets/, JPEGImages/"
    ):
        from_directory(tmp_path)


@pytest.mark.parametrize("listed", ["", "x\ny\n"])
def test_a_list_of_pictures_that_are_not_there_is_said(tmp_path, listed):
    year = write(tmp_path, ["a"])
    (year / LIST).write_text(listed)
    count = len(listed.split())
    with pytest.raises(
        DataError, match=f"found none of the {count} names with a picture and a mask"
    ):
        from_directory(tmp_path)


def test_what_is_listed_for_training_is_trained_on(tmp_path):
    year = write(tmp_path, ["a", "b", "c", "d"])
    (year / LIST).write_text("b\n")
    (year / "ImageSets/Segmentation/train.txt").write_text("a\nc\n")
    got = dict(from_directory(tmp_path).samples("training", 0))
    for number, name in ((0, "a"), (2, "c")):
        mask = got.pop((year / f"JPEGImages/{name}.jpg").read_bytes())
        np.testing.assert_array_equal(mask, mask_of(number))
    assert got == {}


def test_without_a_list_for_training_there_is_none(tmp_path):
    write(tmp_path, ["a"])
    assert list(from_directory(tmp_path).samples("training", 0)) == []
