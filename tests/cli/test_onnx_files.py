"""A file that edgebench did not make, as a user measures it."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from .. import foreign, odd_ends

SHORT = ("--backend", "onnxruntime", "--blocks", "1", "--requests", "5")


@pytest.fixture
def net(tmp_path):
    return foreign.scaled(tmp_path / "Net.v2.onnx")


@pytest.fixture
def own(tmp_path):
    random = np.random.default_rng(0)
    arrays = {
        "x": random.standard_normal((40, 3, 8, 8)).astype("f4"),
        "scale": random.standard_normal((40, 3)).astype("f4"),
    }
    np.savez(tmp_path / "own.npz", **arrays, labels=random.integers(0, 5, 40))
    return tmp_path / "own.npz"


def test_a_file_of_two_inputs_is_quantized_and_cut_in_two(cli, net, own):
    said = cli(
        *("run", "--json", "--model", f"{net.name}(metric=top1)", "--input-data", own.name),
        *("--operator", "identity", "--operator", "sptq", "--operator", "partition"),
        *("--operator", "sptq+partition", "--placement", "mobile", "--placement", "mobile-edge"),
        *SHORT,
    )
    assert said.status == 0, said.err
    cases = {name: case for name, case in said.cases().items() if case["status"] != "skipped"}
    assert set(cases) == {
        "identity mobile onnxruntime",
        "sptq mobile onnxruntime",
        "partition mobile-edge onnxruntime",
        "sptq+partition mobile-edge onnxruntime",
    }
    assert {case["status"] for case in cases.values()} == {"ok"}
    for case in cases.values():
        assert case["accuracy_samples"] == {"top1": 21}
    whole, cut = (
        cases[f"{name} onnxruntime"] for name in ("identity mobile", "partition mobile-edge")
    )
    assert cut["accuracy"] == whole["accuracy"]


def test_random_inputs_fit_the_file(cli, tmp_path):
    foreign.text(tmp_path / "text.onnx")
    said = cli(
        *("run", "--json", "--model", 'text.onnx(dims="seq=8",range="ids=0:100")'),
        *("--operator", "sptq", "--placement", "mobile", *SHORT),
    )
    assert said.status == 0, said.err
    (case,) = said.json["cases"]
    assert (case["status"], case["no_accuracy"]) == ("ok", "no labelled inputs")


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("text.onnx", "the dimension 'seq' of input 'ids' has no number; give one: --model '"),
        ('text.onnx(dims="sek=8")', "no open dimension 'sek'; did you mean 'seq'?"),
        ('text.onnx(dims="seq")', "dims are written \"seq=128 height=224\", not 'seq'"),
        ("cut.onnx", "is no ONNX file, or is truncated"),
    ],
)
def test_a_mistake_is_one_line(here, mistaken, tmp_path, written, words):
    path = foreign.text(tmp_path / "text.onnx")
    (tmp_path / "cut.onnx").write_bytes(path.read_bytes()[:300])
    mistaken(here("run", "--model", written, "--operator", "identity", *SHORT), words)


def test_labels_in_a_file_beside_are_part_of_the_inputs(cli, net, own, tmp_path):
    with np.load(own) as arrays:
        np.savez(tmp_path / "bare.npz", x=arrays["x"], scale=arrays["scale"])
    found = []
    for answer in (0, 1):
        # Relative to where the command is given, which is not where requests are prepared.
        np.save(tmp_path / "answers.npy", np.full(40, answer))
        said = cli("run", "--json", "--model", f"{net.name}(metric=top1,labels=answers.npy)",
                   "--input-data", "bare.npz", *SHORT)  # fmt: skip
        assert said.status == 0, said.err
        found.append(said.json["cases"][0]["accuracy"]["top1"])
    assert found[0] != found[1]


def test_what_is_kept_of_a_users_file_does_not_change_with_it(cli, net):
    assert cli("run", "--json", "--model", net.name, *SHORT).status == 0
    kept = [*Path(os.environ["EDGEBENCH_STORE"]).rglob(net.name)]
    assert kept
    assert not any(one.samefile(net) for one in kept)


def test_an_output_that_has_its_steps_first_travels_whole(cli, tmp_path):
    odd_ends.reader(tmp_path / "reader.onnx")
    said = cli("run", "--json", "--model", "reader.onnx", "--placement", "mobile",
               "--placement", "cloud", "--operator", "identity", "--operator", "sptq", *SHORT)  # fmt: skip
    assert said.status == 0, said.err
    for name, case in said.cases().items():
        assert case["bytes_out"]["answer"] == 20 * 11 * 4 + 128
        assert case["agreement"]["classes_axis"] == 2
        assert case["agreement"]["same_answer"] > 0.9
        assert case["inputs"] == "random-inputs (synthetic, raw tensors)"
        assert 0 < case["request_bytes"] - 16 * 40 * 4 < 300
        travels = [doubt for doubt in case["doubts"] if "travels as raw tensors" in doubt]
        assert len(travels) == ("cloud" in name)
        if "cloud" in name:
            assert case["bytes_out"]["mobile"] == case["request_bytes"]


def test_a_state_goes_from_request_to_request_on_its_host(cli, tmp_path):
    odd_ends.listener(tmp_path / "listener.onnx")
    written = 'listener.onnx(fix="sr=16000",state="state=stateN",classes-axis=none)'
    said = cli("run", "--json", "--model", written, "--placement", "cloud", "--operator",
               "identity", "--operator", "sptq", *SHORT)  # fmt: skip
    assert said.status == 0, said.err
    cases = said.cases()
    whole = cases["identity cloud onnxruntime"]
    # The state is that of the same request before: what is left is rounding.
    assert whole["agreement"]["relative_difference"] < 1e-5
    # The sound goes, an answer of one number comes back; the state does neither.
    assert whole["bytes_out"]["answer"] == 4 + 128
    assert 0 < whole["bytes_out"]["mobile"] - 64 * 4 < 300
    reason = cases["sptq cloud onnxruntime"]["reason"]
    assert "keeps the state 'state' from request to request" in reason
