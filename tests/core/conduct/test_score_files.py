"""A score is kept in the artifact store and comes back as it was."""

from __future__ import annotations

import json

import attrs
import numpy as np

from edgebench.conduct.score_files import load_score, store_score
from edgebench.records.outcome import Score

SCORE = Score(
    key="k",
    device="cpu",
    # A metric may have any name, that of a parameter of numpy's among them.
    counts={"top-1": np.ones((3, 1)), "file": np.arange(6).reshape(3, 2)},
    outputs=[np.full((2, 3), n, dtype=np.float32) for n in range(12)],
    exit_rates={"0": 0.25},
    remarks=("stage 0: 2 of 3 products run in floats",),
    doubts=((0, "its threads are its own"),),
    assignments={"0": {"chip": ["conv"], "processor": ["gemm"]}},
    samples=3,
    kept=[0, 2],
    versions={"eager": "1.0"},
)


def same(one, other):
    assert list(one.counts) == list(other.counts)
    for name, counts in one.counts.items():
        np.testing.assert_array_equal(counts, other.counts[name])
    for values, others in zip(one.outputs, other.outputs, strict=True):
        np.testing.assert_array_equal(values, others)
        assert values.dtype == others.dtype
    return one == other


def test_a_score_comes_back_as_it_was(tmp_path):
    store_score(SCORE, tmp_path)
    assert same(load_score(tmp_path), SCORE)


def test_a_score_without_an_array_comes_back_too(tmp_path):
    store_score(Score(key="k"), tmp_path)
    assert load_score(tmp_path) == Score(key="k")


def test_a_score_that_an_older_edgebench_kept_is_read(tmp_path):
    np.savez(tmp_path / "counts.npz", top=np.ones((3, 1)))
    outputs = {f"output-{n}": values for n, values in enumerate(SCORE.outputs)}
    np.savez(tmp_path / "outputs.npz", **outputs)
    facts = {"key": "k", "device": "cpu", "metrics": ["top"], "outputs": 12, "samples": 3}
    facts |= {"exit_rates": {"0": 0.25}, "versions": {"eager": "1.0"}}
    (tmp_path / "score.json").write_text(json.dumps(facts))
    kept = load_score(tmp_path)
    assert [float(values[0, 0]) for values in kept.outputs] == list(range(12))
    assert list(kept.counts) == ["top"]
    assert kept == attrs.evolve(SCORE, kept=(), remarks=None, doubts=(), assignments={})
