"""A model names its variants, and does with payloads what its author left unsaid."""

from __future__ import annotations

import numpy as np
import pytest

from edgebench import Model, Variant, Weights
from edgebench.parts.errors import UnknownName


def test_a_model_names_its_variants():
    model = Model(
        name="it",
        summary="One.",
        build=print,
        variants=[Variant(name="small"), Variant(name="large", dataset="own")],
        dataset="shared",
    )
    assert model.variant("").name == "small"
    assert model.variant("large").name == "large"
    assert (model.dataset_of("small"), model.dataset_of("large")) == ("shared", "own")
    with pytest.raises(UnknownName, match="variant of it is called 'larg'; did you mean 'large'"):
        model.variant("larg")


def test_weights_are_named_by_kind_and_file(tmp_path):
    assert Weights(kind="random").label == "random"
    assert Weights(kind="file", path=tmp_path).label == f"file:{tmp_path}"


@pytest.mark.parametrize("named", [False, True])
def test_a_model_that_says_nothing_takes_numpy_files(named, tmp_path):
    row = np.arange(3, dtype=np.float32)
    file = tmp_path / "row"
    with file.open("wb") as opened:
        np.savez(opened, left=row) if named else np.save(opened, row)
    model = Model(name="it", summary="One.", build=print)
    tensors = model.preprocess(model.decode(file.read_bytes(), ""), "")
    ((name, batch),) = tensors.items()
    assert name == ("left" if named else "input")
    assert batch.tolist() == [[0.0, 1.0, 2.0]]


def test_a_payload_that_would_unpickle_is_refused(tmp_path):
    file = tmp_path / "row.npy"
    np.save(file, np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match="allow_pickle"):
        Model(name="it", summary="One.", build=print).decode(file.read_bytes(), "")


def test_a_model_that_says_nothing_answers_with_the_winning_class():
    model = Model(name="it", summary="One.", build=print)
    prediction = model.postprocess({"scores": np.array([[0.25, 0.75]])}, "")
    assert model.encode(prediction) == b'{"class": 1, "score": 0.75}'
