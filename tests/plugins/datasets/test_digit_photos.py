"""The digits are the real ones, in pictures that are the same bytes everywhere."""

from __future__ import annotations

import hashlib
import io
from itertools import islice

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from edgebench import DataError
from edgebench_kit.vision import digit_pictures
from edgebench_kit.vision.digit_pictures import DIGITS as SPLITS
from edgebench_plugins.datasets import digit_photos
from edgebench_plugins.datasets.digit_photos import metrics, samples

FRESH = """
import hashlib, itertools, sys
from edgebench_plugins.datasets.digit_photos import samples
for split in ("training", "test"):
    for payload, answer in itertools.islice(samples(split, 7), 5):
        print(hashlib.sha256(payload).hexdigest(), answer)
print(sorted({"sklearn", "torch", "PIL"} & set(sys.modules)))
"""


@pytest.fixture(scope="module")
def everything():
    return {split: list(samples(split, 0)) for split in SPLITS}


def shown(payload):
    return np.asarray(Image.open(io.BytesIO(payload)))


def test_the_record_says_that_pictures_are_made_and_digits_are_real():
    (dataset,) = digit_photos.edgebench_datasets()
    assert (dataset.name, dataset.synthetic) == ("digit-photos", False)
    assert [metric.name for metric in dataset.metrics()] == ["top1", "top5"]


def test_splits_have_their_sizes_and_every_class(everything):
    assert {split: len(items) for split, items in everything.items()} == SPLITS
    assert sum(SPLITS.values()) == 1797
    assert SPLITS["test"] >= 500
    assert SPLITS["validation"] >= 150
    assert SPLITS["calibration"] >= 100
    for items in everything.values():
        assert {answer for _, answer in items} == set(range(10))


def test_no_digit_is_in_two_splits():
    digits, _ = digit_pictures.read_digits("digit-photos")
    members = [digit_pictures.select_digits(split, digits) for split in SPLITS]
    pixels = [{digits[n].tobytes() for n in some} for some in members]
    assert sorted(n for some in members for n in some) == list(range(1797))
    assert len(set.union(*pixels)) == sum(len(some) for some in pixels) == 1797


def test_no_payload_comes_twice(everything):
    payloads = {payload for items in everything.values() for payload, _ in items}
    assert len(payloads) == 1797


def test_pictures_weigh_what_photos_weigh(everything):
    sizes = [len(payload) for items in everything.values() for payload, _ in items]
    assert min(sizes) >= 100_000
    assert max(sizes) <= 250_000


def test_digits_are_those_of_scikit_learn():
    datasets = pytest.importorskip("sklearn.datasets")
    wanted = datasets.load_digits()
    digits, answers = digit_pictures.read_digits("digit-photos")
    np.testing.assert_array_equal(digits, wanted.images)
    np.testing.assert_array_equal(answers, wanted.target)


def test_fresh_processes_make_the_same_bytes_and_import_little(python):
    runs = [python(FRESH, env={"PYTHONHASHSEED": seed}).stdout.splitlines() for seed in ("1", "2")]
    here = [
        f"{hashlib.sha256(payload).hexdigest()} {answer}"
        for split in ("training", "test")
        for payload, answer in islice(samples(split, 7), 5)
    ]
    assert runs[0] == runs[1] == [*here, "[]"]


def test_the_first_picture_is_the_one_it_always_was():
    """What the picture shows may never change unnoticed: results of two versions are compared."""
    payload, answer = next(samples("test", 0))
    assert (shown(payload).sum(), answer) == (11_114_459, 9)


def test_a_seed_changes_the_noise_and_not_the_digits():
    one, other = (list(islice(samples("validation", seed), 20)) for seed in (0, 1))
    assert [answer for _, answer in one] == [answer for _, answer in other]
    assert not {payload for payload, _ in one} & {payload for payload, _ in other}


def test_samples_are_drawn_one_at_a_time(monkeypatch):
    drawn = []
    picture = digit_photos._picture
    monkeypatch.setattr(
        digit_photos, "_picture", lambda *given: drawn.append(given[1]) or picture(*given)
    )
    stream = samples("test", 0)
    next(stream)
    next(stream)
    assert len(drawn) == 2


def test_a_split_that_is_not_there_is_empty():
    assert list(samples("holdout", 0)) == []


def test_the_digit_is_large_and_in_the_middle():
    digits, _ = digit_pictures.read_digits("digit-photos")
    index = digit_pictures.select_digits("test", digits)[0]
    picture = shown(next(samples("test", 0))[0])
    assert picture.shape == (240, 320, 3)
    # Averaged over the 24x24 pixels that stand for one of the digit's, the noise is nearly even.
    means = picture[24:216, 64:256].reshape(8, 24, 8, 24, 3).mean(axis=(1, 3, 4))
    assert np.corrcoef(means.ravel(), digits[index].ravel())[0, 1] > 0.99
    around = picture.copy()
    around[24:216, 64:256] = 0
    assert around.max() < digit_photos.NOISE


def test_a_missing_scikit_learn_is_said(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(DataError, match="scikit-learn"):
        next(samples("test", 0))


def test_missing_digits_are_said(monkeypatch, tmp_path):
    class Elsewhere:
        origin = str(tmp_path / "__init__.py")

    monkeypatch.setattr("importlib.util.find_spec", lambda _: Elsewhere)
    with pytest.raises(DataError, match=r"digits\.csv\.gz"):
        next(samples("test", 0))


@given(
    arrays.arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9), st.just(3))),
)
def test_any_picture_survives_its_encoding(picture):
    np.testing.assert_array_equal(shown(digit_pictures.encode_png(picture)), picture)


def test_top1_and_top5_count_what_they_say():
    top1, top5 = metrics()
    scores = np.array([0.0, 0.1, 0.5, 0.2, 0.05, 0.06, 0.04, 0.03, 0.02, 0.01])
    assert top1.count(scores, 2) == (1.0, 1.0)
    assert top1.count(scores, 3) == (0.0, 1.0)
    assert [top5.count(scores, answer)[0] for answer in (2, 3, 1, 5, 4)] == [1.0] * 5
    assert [top5.count(scores, answer)[0] for answer in (6, 0)] == [0.0, 0.0]


@pytest.mark.parametrize("value", [np.nan, 0.0, 1.0])
def test_a_model_that_gives_every_class_the_same_score_is_as_good_as_guessing(everything, value):
    (dataset,) = digit_photos.edgebench_datasets()
    scores = np.full(10, value, np.float32)
    answers = [answer for _, answer in everything["test"]]
    top1, top5 = (
        metric.value(sum(np.array(metric.count(scores, answer)) for answer in answers))
        for metric in dataset.metrics()
    )
    assert top1 < 0.2
    assert top5 < 0.6


@given(arrays.arrays(np.float32, 10, elements=st.floats(-9, 9, width=32)))
def test_top1_agrees_with_argmax(scores):
    top1 = metrics()[0]
    assert [top1.count(scores, n)[0] for n in range(10)] == list(np.arange(10) == scores.argmax())


def test_figures_are_shares():
    for metric in metrics():
        assert metric.value(np.array([3.0, 4.0])) == 0.75
