"""Cityscapes is read from its own directory, its label ids as the classes that are evaluated."""

import numpy as np
import pytest
from PIL import Image

from edgebench import DataError, Unreadable
from edgebench_plugins.datasets import cityscapes
from edgebench_plugins.datasets.cityscapes import from_directory

# As the owner's table has them (cityscapesscripts/helpers/labels.py).
TRAIN_IDS = {
    "road": (7, 0), "sidewalk": (8, 1), "building": (11, 2), "wall": (12, 3), "fence": (13, 4),
    "pole": (17, 5), "traffic light": (19, 6), "traffic sign": (20, 7), "vegetation": (21, 8),
    "terrain": (22, 9), "sky": (23, 10), "person": (24, 11), "rider": (25, 12), "car": (26, 13),
    "truck": (27, 14), "bus": (28, 15), "train": (31, 16), "motorcycle": (32, 17),
    "bicycle": (33, 18),
}  # fmt: skip
IDS = np.arange(36, dtype=np.uint8).reshape(4, 9)


def write(root, scenes, ending="labelIds", parts=("leftImg8bit", "gtFine"), mask=IDS):
    for number, scene in enumerate(scenes):
        city = scene.partition("_")[0]
        for part in parts:
            (root / part / "val" / city).mkdir(parents=True, exist_ok=True)
        picture = np.full((4, 9, 3), 9 * number, np.uint8)
        Image.fromarray(picture).save(root / parts[0] / "val" / city / f"{scene}_leftImg8bit.png")
        Image.fromarray(mask).save(root / parts[1] / "val" / city / f"{scene}_gtFine_{ending}.png")
    return root


def answers(root):
    return [answer for _, answer in from_directory(root).samples("test", 0)]


def test_it_is_known_without_a_directory():
    (dataset,) = cityscapes.edgebench_datasets()
    assert (dataset.name, dataset.samples, dataset.synthetic) == ("cityscapes", None, False)
    (metric,) = dataset.metrics()
    assert metric.name == "miou"
    assert len(metric.count(np.zeros((1, 1), int), np.zeros((1, 1), int))) == 2 * 19


def test_label_ids_become_train_ids_and_the_rest_is_ignored(tmp_path):
    (answer,) = answers(write(tmp_path, ["ulm_0_1"]))
    known = dict(TRAIN_IDS.values())
    assert answer.dtype == np.uint8
    assert answer.ravel().tolist() == [known.get(number, 255) for number in range(36)]


def test_train_ids_are_taken_as_they_are_and_first(tmp_path):
    write(tmp_path, ["ulm_0_1"])
    mask = np.where(IDS < 19, IDS, 255).astype(np.uint8)
    write(tmp_path, ["ulm_0_1"], "labelTrainIds", mask=mask)
    np.testing.assert_array_equal(answers(tmp_path)[0], mask)


def test_the_scenes_of_all_cities_are_taken(tmp_path):
    write(tmp_path, ["ulm_0_1", "bonn_0_1", "bonn_0_2"])
    (tmp_path / "leftImg8bit/val/bonn/other.png").touch()
    got = [payload for payload, _ in from_directory(tmp_path).samples("test", 0)]
    assert len(set(got)) == len(got) == 3


def test_archives_may_lie_unpacked_in_folders_of_their_own(tmp_path):
    parts = ("leftImg8bit_trainvaltest/leftImg8bit", "gtFine_trainvaltest/gtFine")
    assert len(answers(write(tmp_path, ["ulm_0_1"], parts=parts))) == 1


def test_what_cannot_be_read_is_named(tmp_path):
    write(tmp_path, ["ulm_0_1", "ulm_0_2"])
    Image.fromarray(IDS[:2]).save(tmp_path / "gtFine/val/ulm/ulm_0_1_gtFine_labelIds.png")
    samples = list(from_directory(tmp_path).samples("test", 0))
    assert [one for one in samples if isinstance(one, Unreadable)] == [
        Unreadable(
            name="leftImg8bit/val/ulm/ulm_0_1_leftImg8bit.png",
            reason="its mask has 9x2 pixels and the picture 9x4",
        )
    ]


def test_wrong_directories_are_said(tmp_path):
    with pytest.raises(
        DataError, match="looks for leftImg8bit/val in .*; found an empty directory"
    ):
        from_directory(tmp_path)
    (tmp_path / "leftImg8bit/val/ulm").mkdir(parents=True)
    with pytest.raises(DataError, match="looks for gtFine/val in .*; found leftImg8bit/"):
        from_directory(tmp_path)
    (tmp_path / "gtFine/val").mkdir(parents=True)
    with pytest.raises(DataError, match=r"looks for CITY/\*_leftImg8bit.png in .*; found ulm/"):
        from_directory(tmp_path)


def test_a_scene_without_a_mask_is_said(tmp_path):
    write(tmp_path, ["ulm_0_1"])
    (tmp_path / "gtFine/val/ulm/ulm_0_1_gtFine_labelIds.png").rename(tmp_path / "gtFine/val/ulm/x")
    with pytest.raises(DataError, match="looks for ulm_0_1_gtFine_labelIds.png in .*; found x"):
        from_directory(tmp_path)


def test_the_cities_of_train_are_trained_on_each_in_turn(tmp_path, monkeypatch):
    monkeypatch.setattr(cityscapes, "TRAINING", 4)
    write(tmp_path, ["ulm_0_1"])
    for city in ("aachen", "bochum"):
        for number in range(5):
            write_training(tmp_path, f"{city}_0_{number}", 10 * number + len(city))
    drawn = list(from_directory(tmp_path).samples("training", 0))
    assert len(drawn) == 4
    assert all((answer == answers(tmp_path)[0]).all() for _, answer in drawn)


def write_training(root, scene, colour):
    city = scene.partition("_")[0]
    for part in ("leftImg8bit", "gtFine"):
        (root / part / "train" / city).mkdir(parents=True, exist_ok=True)
    picture = Image.fromarray(np.full((4, 9, 3), colour + 101, np.uint8))
    picture.save(root / "leftImg8bit/train" / city / f"{scene}_leftImg8bit.png")
    Image.fromarray(IDS).save(root / "gtFine/train" / city / f"{scene}_gtFine_labelIds.png")


def test_without_train_there_is_nothing_to_train_on(tmp_path):
    write(tmp_path, ["ulm_0_1"])
    assert list(from_directory(tmp_path).samples("training", 0)) == []
