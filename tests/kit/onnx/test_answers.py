"""What travels back from a model that is an ONNX file."""

from __future__ import annotations

import json

import numpy as np
import pytest

from edgebench_kit.onnx.answers import encode, encode_class

SCORES = np.asarray([0.25, 0.5, 0.25], np.float32)


@pytest.mark.parametrize(
    ("prediction", "said"),
    [
        (SCORES, {"class": 1, "score": 0.5}),
        ((SCORES, np.ones(300)), {"class": 1, "score": 0.5}),
        # A classifier that gives its label first, and what it thinks of each class beside it.
        ((np.int64(7), SCORES), {"class": 7}),
        (np.asarray([2], np.uint8), {"class": 2}),
        (np.bool_(True), {"class": 1}),
    ],
)
def test_of_classes_the_winner_alone_travels(prediction, said):
    assert json.loads(encode_class(prediction)) == said


@pytest.mark.parametrize("prediction", [np.float32(0.5), np.ones((2, 3)), np.asarray([1, 2])[None]])
def test_what_is_neither_scores_nor_a_class_travels_whole(prediction):
    assert encode_class(prediction) == encode(prediction)
