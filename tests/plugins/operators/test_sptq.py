from __future__ import annotations

from collections import Counter
from pathlib import Path

import attrs
import numpy as np
import onnx
import pytest

from edgebench import Quantization
from edgebench_plugins.operators import partition, sptq
from edgebench_plugins.operators.sptq import SptqOptions

(OPERATOR,) = sptq.edgebench_operators()


def kinds(stage):
    return Counter(node.op_type for node in stage.live.graph.node)


def scales(stage):
    """The steps of the activations; those of weights do not depend on calibration."""
    graph = stage.live.graph
    of_activations = {node.input[1] for node in graph.node if node.op_type == "QuantizeLinear"}
    return {
        one.name: float(onnx.numpy_helper.to_array(one))
        for one in graph.initializer
        if one.name in of_activations
    }


@pytest.fixture(scope="module")
def quantized(residual, draw, tmp_path_factory):
    from types import SimpleNamespace

    calibration = draw(24)
    alone = SimpleNamespace(
        options=SptqOptions(),
        target=Quantization(),
        inputs=lambda split: {"calibration": [(one, 0) for one in calibration]}[split],
        progress=lambda *_: None,
    )
    return OPERATOR.apply(residual, alone)


def test_the_graph_holds_pairs_and_integer_weights(quantized):
    (stage,) = quantized.stages
    assert kinds(stage)["QuantizeLinear"] > 5
    assert kinds(stage)["Conv"] == 6
    types = {one.data_type for one in stage.live.graph.initializer if len(one.dims) == 4}
    assert types == {onnx.TensorProto.INT8}
    assert stage.precision == "int8"
    onnx.checker.check_model(stage.live, full_check=True)


def test_weights_have_a_step_for_each_channel(quantized):
    (stage,) = quantized.stages
    sizes = {
        tuple(one.dims) for one in stage.live.graph.initializer if one.name.endswith("weight_scale")
    }
    assert {(16,), (32,)} <= sizes


def test_what_it_was_given_stays_as_it_was(residual, quantized):
    assert "QuantizeLinear" not in kinds(residual.stages[0])
    assert residual.stages[0].precision == "f32"
    assert quantized.stages[0].inputs == residual.stages[0].inputs
    assert quantized.stages[0].parameters == residual.stages[0].parameters


def test_it_weighs_about_a_quarter(residual, quantized, context):
    here = context()
    before, after = (here.saved(one.stages[0]).size for one in (residual, quantized))
    assert 0.2 < after / before < 0.45  # a small net: what is no weight shows


def test_any_batch_gives_what_f32_gives_but_for_rounding(residual, quantized, context, draw):
    here = context()
    samples = np.concatenate([one["input"] for one in draw(5)])
    wanted = here.run(residual, {"input": samples})["logits"]
    together = here.run(quantized, {"input": samples})["logits"]
    alone = [here.run(quantized, {"input": samples[i : i + 1]})["logits"] for i in range(5)]
    np.testing.assert_array_equal(np.concatenate(alone), together)
    noise = np.mean((wanted - together) ** 2) / np.mean(wanted**2)
    assert 0 < noise < 0.02  # 17 dB; a wrong step gives 1


def test_each_way_of_calibrating_is_another(residual, context, draw):
    """The quantizer's own default makes `entropy` the same as `minmax`, to the last byte."""
    calibration = draw(8, seed=5)
    found = {
        way: scales(
            OPERATOR.apply(
                residual, context(SptqOptions(calibration=way), calibration=calibration)
            ).stages[0]
        )
        for way in ("minmax", "entropy", "percentile")
    }
    step = {way: values["input_scale"] for way, values in found.items()}
    assert step["entropy"] < step["percentile"] < step["minmax"]


def test_minmax_covers_exactly_what_was_seen(residual, context, draw):
    calibration = draw(6)
    here = context(SptqOptions(samples=4), calibration=calibration)
    seen = np.concatenate([one["input"] for one in calibration[:4]])
    step = scales(OPERATOR.apply(residual, here).stages[0])["input_scale"]
    assert step == pytest.approx((seen.max() - seen.min()) / 255, rel=1e-6)
    assert here.asked == ["calibration"]


def test_it_follows_its_target(residual, context, draw):
    target = Quantization(activation="int8", symmetric_activation=True, per_channel=False)
    here = context(SptqOptions(samples=4), calibration=draw(4), target=target)
    graph = OPERATOR.apply(residual, here).stages[0].live.graph
    constants = {one.name: onnx.numpy_helper.to_array(one) for one in graph.initializer}
    pairs = [node for node in graph.node if node.op_type == "QuantizeLinear"]
    assert {constants[node.input[2]].dtype.name for node in pairs} == {"int8"}
    assert {int(constants[node.input[2]]) for node in pairs} == {0}
    weights = [name for name in constants if name.endswith("weight_scale")]
    assert {constants[name].size for name in weights} == {1}


def test_the_same_samples_give_the_same_bytes(residual, context, draw):
    calibration = draw(4)
    one, other = (
        OPERATOR.apply(residual, context(SptqOptions(), calibration=calibration)).stages[0]
        for _ in range(2)
    )
    assert one.live.SerializeToString() == other.live.SerializeToString()


def test_every_stage_is_quantized_and_calibrated_on_the_one_before(residual, context, draw):
    cut = partition.apply(residual, context(partition.PartitionOptions()))
    calibration = draw(8)
    done = OPERATOR.apply(cut, context(SptqOptions(), calibration=calibration))
    assert done.cuts == cut.cuts
    assert all(kinds(stage)["QuantizeLinear"] for stage in done.stages)
    front, tail = done.stages
    (crossing,) = front.outputs
    given = attrs.evolve(done, stages=(front,), cuts=(), outputs=(crossing.name,))
    seen = np.concatenate([context().run(given, one)[crossing.name] for one in calibration])
    step = scales(tail)[f"{crossing.inside}_scale"]
    assert step == pytest.approx((seen.max() - min(seen.min(), 0)) / 255, rel=1e-5)


def test_less_than_one_sample_is_refused():
    with pytest.raises(ValueError, match="samples"):
        SptqOptions(samples=0)


def test_what_is_quantized_is_not_quantized_again(residual, quantized, context):
    assert OPERATOR.accepts(residual) is True
    assert (
        OPERATOR.accepts(quantized)
        == f"it is {OPERATOR.once}"
        == "it is in reduced precision already"
    )
    written = attrs.evolve(context().saved(quantized.stages[0]), live=None)
    assert "in reduced precision already" in OPERATOR.accepts(quantized.replaced([written]))


def test_it_leaves_no_files_and_no_chatter(residual, context, draw, tmp_path, monkeypatch, capfd):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    OPERATOR.apply(residual, context(SptqOptions(calibration="entropy"), calibration=draw(3)))
    assert list(scratch.iterdir()) == []
    assert capfd.readouterr() == ("", "")


def test_what_lies_in_the_working_directory_does_not_matter(
    residual, context, draw, tmp_path, monkeypatch
):
    """Every name that was ever written, as a directory, where files of weights are looked for."""
    seen, calibration = [], draw(3)
    opened = Path.open

    def note(path, *rest, **named):
        seen.append(path.name)
        return opened(path, *rest, **named)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "open", note)
        here = context(SptqOptions(), calibration=calibration)
        wanted = OPERATOR.apply(residual, here)
    directory = tmp_path / "here"
    for name in {*seen, "weights", "folded.data", "after.onnx", "after.onnx.data"}:
        (directory / name).mkdir(parents=True)
    monkeypatch.chdir(directory)
    done = OPERATOR.apply(residual, context(SptqOptions(), calibration=calibration))
    assert done.stages[0].live == wanted.stages[0].live
    assert not [one for one in directory.rglob("*") if one.is_file()]
