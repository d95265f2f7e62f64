"""Scenes of real digits: the same bytes everywhere, and labels that say what is seen where."""

from __future__ import annotations

import hashlib
import io
import time
from itertools import islice

import numpy as np
import pytest
from PIL import Image

from edgebench import DataError
from edgebench_kit.vision import digit_pictures
from edgebench_plugins.datasets import digit_scenes
from edgebench_plugins.datasets.digit_scenes import SPLITS, samples

FRESH = """
import hashlib, itertools, sys
from edgebench_plugins.datasets.digit_scenes import samples
for split in ("training", "test"):
    for payload, answer in itertools.islice(samples(split, 7), 3):
        print(hashlib.sha256(payload).hexdigest(), hashlib.sha256(answer).hexdigest())
print(sorted({"sklearn", "torch", "PIL"} & set(sys.modules)))
"""


@pytest.fixture(scope="module")
def scenes():
    """The first scenes of each split."""
    return {split: list(islice(samples(split, 0), 60)) for split in SPLITS}


def shown(payload):
    return np.asarray(Image.open(io.BytesIO(payload)))


def drawn(split, count, monkeypatch):
    """The digits of the first scenes, each with its scale and its strokes' area, and the scenes."""
    found = []
    draw = digit_scenes._draw

    def watched(digit, scale, into, shade):
        strokes = draw(digit, scale, into, shade)
        found.append((digit.tobytes(), scale, strokes.sum()))
        return strokes

    monkeypatch.setattr(digit_scenes, "_draw", watched)
    kept = list(islice(samples(split, 0), count))
    return found, kept


def test_the_record_says_that_pictures_are_made_and_digits_are_real():
    (dataset,) = digit_scenes.edgebench_datasets()
    assert (dataset.name, dataset.synthetic) == ("digit-scenes", False)
    assert [metric.name for metric in dataset.metrics()] == ["miou"]


def test_splits_are_large_enough_and_end(monkeypatch):
    assert SPLITS["test"] >= 1000
    assert SPLITS["validation"] >= 150
    assert SPLITS["calibration"] >= 100
    monkeypatch.setitem(SPLITS, "test", 4)
    assert len(list(samples("test", 0))) == 4
    assert list(samples("holdout", 0)) == []


def test_every_scene_has_a_picture_and_a_class_for_each_pixel(scenes):
    for items in scenes.values():
        for payload, answer in items:
            assert shown(payload).shape == (240, 320, 3)
            assert (answer.shape, answer.dtype) == ((240, 320), np.uint8)
            assert answer.max() <= 10
        assert set(np.unique([answer for _, answer in items])) == set(range(11))


def test_no_payload_comes_twice(scenes):
    payloads = [payload for items in scenes.values() for payload, _ in items]
    assert len(set(payloads)) == len(payloads)


def test_pictures_weigh_what_photos_weigh(scenes):
    sizes = [len(payload) for items in scenes.values() for payload, _ in items]
    assert min(sizes) >= 100_000
    assert max(sizes) <= 250_000


def test_no_digit_is_in_two_splits(monkeypatch):
    digits, _ = digit_pictures.read_digits("digit-scenes")
    for split in SPLITS:
        with monkeypatch.context() as context:
            found, _ = drawn(split, 25, context)
        mine = {digits[n].tobytes() for n in digit_pictures.select_digits(split, digits)}
        assert len(found) > 50
        assert {pixels for pixels, *_ in found} <= mine


def test_fresh_processes_make_the_same_bytes_and_import_little(python):
    runs = [python(FRESH, env={"PYTHONHASHSEED": seed}).stdout.splitlines() for seed in ("1", "2")]
    here = [
        f"{hashlib.sha256(payload).hexdigest()} {hashlib.sha256(answer).hexdigest()}"
        for split in ("training", "test")
        for payload, answer in islice(samples(split, 7), 3)
    ]
    assert runs[0] == runs[1] == [*here, "[]"]


def test_the_first_scene_is_the_one_it_always_was():
    """What a scene shows may never change unnoticed: results of two versions are compared."""
    payload, answer = next(samples("test", 0))
    assert (shown(payload).sum(), answer.astype(int).sum()) == (20_615_929, 52_568)


def test_a_seed_changes_the_scenes(scenes):
    other = {payload for payload, _ in islice(samples("test", 1), 20)}
    assert not other & {payload for payload, _ in scenes["test"]}


def test_scenes_are_drawn_one_at_a_time(monkeypatch):
    count = []
    scene = digit_scenes._scene
    monkeypatch.setattr(digit_scenes, "_scene", lambda *given: count.append(1) or scene(*given))
    stream = samples("test", 0)
    next(stream)
    next(stream)
    assert len(count) == 2


def test_a_scene_is_made_in_milliseconds():
    began = time.process_time()
    list(islice(samples("calibration", 0), 40))
    assert (time.process_time() - began) / 40 < 0.05


@pytest.mark.parametrize("scale", [3, 11, 16])
def test_digits_are_enlarged_bilinearly_and_their_strokes_are_where_the_ink_is(scale):
    digits, _ = digit_pictures.read_digits("digit-scenes")
    for digit in digits[:20]:
        canvas = np.zeros((8 * scale, 8 * scale, 3), np.int32)
        strokes = digit_scenes._draw(digit, scale, canvas, [160, 80, 0])
        # Pillow's floats; beyond the outermost centres it repeats them, ours fade to nothing.
        around = np.pad(digit, 1).astype(np.float32)
        large = Image.fromarray(around).resize((10 * scale,) * 2, Image.Resampling.BILINEAR)
        ink = np.asarray(large)[scale : 9 * scale, scale : 9 * scale]
        clear = np.abs(ink - digit_scenes.STROKE) > 1e-3
        np.testing.assert_array_equal(strokes[clear], ink[clear] > digit_scenes.STROKE)
        np.testing.assert_allclose(canvas[:, :, 0], 10 * ink, atol=1.01)
        np.testing.assert_allclose(canvas[:, :, 1], 5 * ink, atol=1.01)
        assert canvas[:, :, 2].max() == 0


def test_the_labels_lie_on_the_digits_that_are_seen(monkeypatch):
    """Without clutter and noise, what is bright is a stroke and has its digit's class."""
    digits, classes = digit_pictures.read_digits("digit-scenes")
    known = {digits[n].tobytes(): int(classes[n]) + 1 for n in range(len(digits))}
    monkeypatch.setattr(digit_scenes, "CLUTTER", 0)
    monkeypatch.setattr(
        digit_pictures, "draw_noise", lambda stream, below: np.zeros((240, 320, 3), np.uint8)
    )
    found, kept = drawn("validation", 10, monkeypatch)
    for payload, answer in kept:
        picture = shown(payload).astype(int)
        away = np.abs(picture - np.median(picture, axis=(0, 1))).max(axis=2)
        assert away[answer > 0].min() > 9
        assert away[answer == 0].max() < 5 / 16 * 192
        assert set(np.unique(answer)) - {0} <= {known[pixels] for pixels, *_ in found}
    there = {int(label) for _, answer in kept for label in np.unique(answer)} - {0}
    assert there == {known[pixels] for pixels, *_ in found}


def test_digits_differ_in_place_and_size_and_hide_none_of_each_other(monkeypatch):
    found, kept = drawn("test", 20, monkeypatch)
    assert {scale for _, scale, _ in found} == set(digit_scenes.SCALES)
    counts = [len(np.unique(answer)) - 1 for _, answer in kept]
    assert min(counts) >= 1
    assert 2 < len(found) / len(kept) <= digit_scenes.MOST
    # Were digits drawn over each other, strokes would be missing.
    whole = sum(strokes for _, _, strokes in found)
    assert sum((answer > 0).sum() for _, answer in kept) > 0.99 * whole


def canvas():
    return np.zeros((240, 320, 3), np.int32)


@pytest.mark.parametrize("draw", ["_rectangle", "_disc", "_line"])
def test_clutter_is_drawn_within_the_picture_and_unlike_every_other_time(draw):
    stream = digit_scenes._Stream(np.random.PCG64(0))
    areas = []
    for _ in range(60):
        picture = canvas()
        getattr(digit_scenes, draw)(stream, picture)
        assert picture.min() >= 0
        assert picture.max() < 144
        areas.append((picture.max(axis=2) > 0).sum())
    assert min(areas) > 0
    assert max(areas) < 240 * 320 // 4
    assert len(set(areas)) > 8


def test_a_missing_scikit_learn_is_said(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(DataError, match="digit-scenes needs scikit-learn"):
        next(samples("test", 0))
