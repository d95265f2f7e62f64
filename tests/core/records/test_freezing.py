from __future__ import annotations

import copy
import json

import attrs
import numpy as np
import pytest

from edgebench.parts.documents import from_document, to_document
from edgebench.records.facts import Facts
from edgebench.records.outcome import Block, Run, Score, TierCheck
from edgebench.testing.results import block_of, case_of, facts_of, result_of

BLOCK = block_of(case_of("plain", "mobile", "edge"))
SCORE = Score(key="k", counts={"accuracy": np.ones((2, 1))}, outputs=[np.zeros(3)])
RUN = Run(started="2026-01-02T03:04:05+00:00", environment={"versions": {"numpy": "2"}})
RESULT = result_of(case_of())


@pytest.mark.parametrize(
    "array",
    [
        BLOCK.latency_s,
        BLOCK.warmup_s,
        BLOCK.inputs,
        BLOCK.phases_s["decode"],
        SCORE.counts["accuracy"],
        SCORE.outputs[0],
        RESULT.latency.seconds,
        RESULT.latency.draws,
        RESULT.latency.blocks[0],
    ],
)
def test_arrays_of_results_cannot_be_written_to(array):
    with pytest.raises(ValueError, match="read-only"):
        array[:] = 1
    with pytest.raises(ValueError, match="WRITEABLE"):
        array.setflags(write=True)


@pytest.mark.parametrize(
    "mapping",
    [
        BLOCK.phases_s,
        BLOCK.cold_s,
        BLOCK.cold_s["mobile"],
        BLOCK.bytes_out,
        BLOCK.exit_rates,
        BLOCK.peak_memory_bytes,
        BLOCK.machine,
        BLOCK.logs,
        BLOCK.tiers[0].enforced,
        SCORE.counts,
        SCORE.exit_rates,
        SCORE.versions,
        RUN.environment,
        RUN.environment["versions"],
        RUN.overheads_s,
        facts_of(case_of()).versions,
        RESULT.phases,
        RESULT.groups,
    ],
)
def test_mappings_of_results_cannot_be_written_to(mapping):
    with pytest.raises(TypeError, match="cannot be changed"):
        mapping["made-up"] = 1


@pytest.mark.parametrize(
    "change",
    [
        lambda m: m.update(a=1),
        lambda m: m.pop("load"),
        lambda m: m.clear(),
        lambda m: m.setdefault("a", 1),
        lambda m: m.popitem(),
        lambda m: m.__delitem__("load"),
        lambda m: m.__ior__({"a": 1}),
    ],
)
def test_no_method_of_a_dict_changes_one_of_a_record(change):
    machine = attrs.evolve(BLOCK, machine={"load": 0.5}).machine
    with pytest.raises(TypeError, match="cannot be changed"):
        change(machine)
    assert machine == {"load": 0.5}


def test_a_tracker_may_write_down_and_copy_what_it_is_given():
    assert json.loads(json.dumps(BLOCK.machine)) == BLOCK.machine
    assert isinstance(BLOCK.machine, dict)
    for block in (BLOCK, RESULT.blocks[0]):
        copied = copy.deepcopy(block)
        assert copied.phases_s.keys() == block.phases_s.keys()
        with pytest.raises(TypeError, match="cannot be changed"):
            copied.machine["made-up"] = 1


def test_what_the_maker_writes_later_changes_no_record():
    latency, machine = np.ones(3), {"load": {"one": 0.5}}
    block = attrs.evolve(BLOCK, latency_s=latency, machine=machine, phases_s={"decode": latency})
    latency[:] = 7
    machine["load"]["one"] = 7
    assert block.latency_s.tolist() == block.phases_s["decode"].tolist() == [1, 1, 1]
    assert block.machine == {"load": {"one": 0.5}}


@pytest.mark.parametrize("kind", ["run", "block"])
def test_lists_of_records_become_tuples_however_deep(kind):
    frequencies = [1e9, [2e9]]
    given = {"frequency_hz": frequencies, "cores": [{"list": [1]}]}
    record = {
        "run": attrs.evolve(RUN, environment=given).environment,
        "block": attrs.evolve(BLOCK, machine=given).machine,
    }[kind]
    frequencies[1].append(7)
    assert record["frequency_hz"] == (1e9, (2e9,))
    assert record["cores"][0]["list"] == (1,)
    with pytest.raises(TypeError, match="cannot be changed"):
        record["cores"][0]["list"] = ()


def test_what_is_shown_read_only_and_can_be_written_below_is_copied():
    below = np.ones(3)
    shown = below.view()
    shown.setflags(write=False)
    block = attrs.evolve(BLOCK, latency_s=shown)
    below[:] = 7
    assert block.latency_s.tolist() == [1, 1, 1]


def test_what_is_frozen_is_not_copied_again():
    again = attrs.evolve(BLOCK, number=5)
    assert again.latency_s is BLOCK.latency_s
    assert again.phases_s["decode"] is BLOCK.phases_s["decode"]
    sent = np.frombuffer(bytes(16), dtype=np.int64)  # as an answer of another process is read
    assert attrs.evolve(BLOCK, inputs=sent).inputs is sent


def test_equality_and_copies_are_what_they_were():
    assert attrs.evolve(BLOCK) == BLOCK == copy.copy(BLOCK)
    assert attrs.evolve(BLOCK, bytes_out={}) != BLOCK
    assert BLOCK.bytes_out == dict(BLOCK.bytes_out)
    assert Block(number=0, order=0, status="ok", started="").latency_s is None


@pytest.mark.parametrize(
    ("kind", "record"),
    [
        (Facts, facts_of(case_of())),
        (Run, RUN),
        (TierCheck, BLOCK.tiers[0]),
    ],
)
def test_documents_go_there_and_back(kind, record):
    document = to_document(record)
    assert from_document(kind, document) == record
    assert all(type(one) is not type(BLOCK.machine) for one in document.values())
