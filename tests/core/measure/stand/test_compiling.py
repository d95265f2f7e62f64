import json
import re

import pytest

from edgebench import Backend, CaseFailed
from edgebench.measure.stand.block import measure_block
from edgebench.measure.stand.compiling import compile_on_hosts
from edgebench.measure.stand.scoring import score_deployment
from edgebench.store.artifacts import Store


@pytest.fixture
def compiler(deploy, tmp_path):
    def make(placement="mobile", **changes):
        return deploy(placement, backend="tiny-compiler", compiled=tmp_path / "kept", **changes)

    return make


@pytest.fixture
def compiles(source):
    return [source.load().get(Backend, "tiny-compiler")]


def kept(tmp_path):
    return [entry.path for entry in Store(tmp_path / "kept").entries()]


def test_a_stage_is_compiled_once_and_opened_after(compiler, compiles, fabric, dataset, tmp_path):
    deployment = compiler("mobile-edge")
    compile_on_hosts(deployment, fabric, compiles)
    # The two stages are different files, so each has a place of its own.
    places = kept(tmp_path)
    assert len(places) == 2
    times = [(place / "seconds.json").stat().st_mtime_ns for place in places]
    compile_on_hosts(deployment, fabric, compiles)
    again = [(place / "seconds.json").stat().st_mtime_ns for place in places]
    assert kept(tmp_path) == places
    assert again == times
    block = measure_block(deployment, fabric)
    assert block.status == "ok", block.reason
    seconds = json.loads((places[0] / "seconds.json").read_text())
    assert block.cold_s["mobile"]["compile"] > 0
    assert seconds in [block.cold_s[tier]["compile"] for tier in ("mobile", "edge")]
    assert score_deployment(deployment, fabric).samples == 24


def test_what_is_opened_is_what_was_compiled(compiler, compiles, fabric, tmp_path):
    deployment = compiler()
    compile_on_hosts(deployment, fabric, compiles)
    for file in (tmp_path / "kept").rglob("compiled.npy"):
        file.unlink()
    block = measure_block(deployment, fabric)
    assert block.status == "failed"
    assert "compiled.npy" in block.reason


def test_a_block_says_what_is_missing_where_nothing_was_compiled(
    compiler, compiles, fabric, tmp_path
):
    (tmp_path / "kept").mkdir()
    block = measure_block(compiler(), fabric)
    assert block.status == "failed"
    assert block.reason == ("host mobile: a stage was not compiled by tiny-compiler for this host")


def test_other_options_are_another_compilation(compiler, compiles, fabric, tmp_path):
    compile_on_hosts(compiler(), fabric, compiles)
    compile_on_hosts(compiler(options=(("sleep_ms", "1"),)), fabric, compiles)
    assert len(kept(tmp_path)) == 2


def test_a_backend_that_does_not_compile_is_left_alone(deploy, source, fabric, tmp_path):
    plain = source.load().get(Backend, "tiny")
    compile_on_hosts(deploy("mobile", compiled=tmp_path / "kept"), fabric, [plain])
    assert not (tmp_path / "kept").exists()


def test_a_stage_that_does_not_compile_fails_the_case(compiler, compiles, fabric, tmp_path):
    deployment = compiler(options=(("how", "raise"),))
    with pytest.raises(CaseFailed) as failed:
        compile_on_hosts(deployment, fabric, compiles)
    said = (
        r"compiling: host mobile: backend tiny-compiler \(.*\): RuntimeError: the chip is on fire"
    )
    assert re.fullmatch(said, str(failed.value))
    assert "and smokes" in failed.value.log
    assert kept(tmp_path) == []


def test_a_place_to_keep_it_is_needed(deploy, compiles, fabric):
    with pytest.raises(CaseFailed, match="no place to keep them was given"):
        compile_on_hosts(deploy("mobile", backend="tiny-compiler"), fabric, compiles)
