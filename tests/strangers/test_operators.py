"""What a stranger's operators may do, each a plugin file of some twenty lines."""

from __future__ import annotations

import pytest

CLIP = """
    from edgebench import Operator, hookimpl

    def clip(pipeline, context):
        import numpy as np

        rows = [tensors["input"] for tensors, _ in context.inputs("calibration")]
        bound = np.quantile(np.abs(np.concatenate(rows)), 0.99)
        stages = [s.changed(np.clip(s.live, -bound, bound)) for s in pipeline.stages]
        return pipeline.replaced(stages)

    @hookimpl
    def edgebench_operators():
        yield Operator(name="clip", summary="Clip the weights.", apply=clip,
                       needs=["calibration"], reads=["toy-matrix"])
"""


def test_an_operator_that_needs_calibration_data(measured):
    case = measured(CLIP, "--model", "toy", "--operator", "clip", "--backend", "toy-numpy")
    clipped = case["clip mobile toy-numpy"]
    assert clipped["status"] == "ok"
    assert clipped["accuracy"]["accuracy"] > 0.9


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("test", "clip asks for the test split, which no operator may see"),
        ("training", "clip uses 'training' and does not declare that it needs it"),
    ],
)
def test_an_operator_sees_only_what_it_declared(measured, asked, said):
    plugin = CLIP.replace('inputs("calibration")', f'inputs("{asked}")')
    words = ("--model", "toy", "--operator", "clip", "--backend", "toy-numpy")
    case = measured(plugin, *words, status=1)["clip mobile toy-numpy"]
    assert (case["status"], case["reason"]) == ("skipped", said)


SPLIT_BY_LINKS = """
    import attrs
    from edgebench import Operator, TensorSpec, hookimpl

    def split(pipeline, context):
        import numpy as np

        stage = pipeline.stages[0]
        slow = context.links[-1].rate < 10e6
        left, right = (stage.live, np.eye(3)) if slow else (np.eye(8), stage.live)
        name = TensorSpec(name="middle", dtype="float32", shape=("batch", left.shape[1]))
        halves = [stage.changed(half.astype(np.float32)) for half in (left, right)]
        front = attrs.evolve(halves[0], outputs=[name])
        back = attrs.evolve(halves[1], inputs=[name])
        return pipeline.replaced([front, back], cuts=[1])

    @hookimpl
    def edgebench_operators():
        yield Operator(name="split", summary="Cut where the link is best served.", apply=split,
                       needs=["links"], reads=["toy-matrix"], cuts=lambda options: 1)
"""


@pytest.mark.parametrize(("rate", "crossing"), [("1mbit", 3 * 4), ("100mbit", 8 * 4)])
def test_an_operator_that_splits_a_stage_in_two_by_its_links(measured, rate, crossing):
    cases = measured(
        SPLIT_BY_LINKS, "--model", "toy", "--operator", "split", "--placement", "mobile-edge",
        "--backend", "toy-numpy", "--link", f"mobile-edge={rate}",
    )  # fmt: skip
    case = cases["split mobile-edge toy-numpy"]
    assert case["status"] == "ok"
    assert case["agreement"]["max_abs_difference"] < 1e-5
    # What crosses is the tensor and the few words that say what it is.
    assert crossing <= case["stages"][0]["bytes_out"] < crossing + 200


CASCADE = """
    import attrs
    from edgebench import Exit, Operator, TensorSpec, hookimpl

    def small_first(pipeline, context):
        small = context.prepared("toy:small", "toy-round").stages[0]
        sure = TensorSpec(name="small-sure", dtype="float32", shape=("batch",), port="sure")
        guess = attrs.evolve(small.outputs[0], name="small-scores", port="scores")
        leaves = Exit(condition="small-sure", answer=["small-scores"], threshold=0.5)
        first = attrs.evolve(small, outputs=[guess, sure], exit=leaves)
        return pipeline.replaced([first, *pipeline.stages])

    @hookimpl
    def edgebench_operators():
        yield Operator(name="cascade", summary="Small first, large if unsure.", apply=small_first,
                       companions=lambda options, model, variant: [("toy:small", "toy-round")])
"""


def test_an_operator_that_asks_for_a_second_prepared_model(measured):
    cases = measured(CASCADE, "--model", "toy", "--operator", "cascade", "--backend", "toy-numpy")
    case = cases["cascade mobile toy-numpy"]
    assert case["status"] == "ok"
    assert 0 < case["exit_rates"]["0"] < 1
    assert case["accuracy"]["accuracy"] > 0.9


def test_a_second_model_that_was_not_announced_is_refused(measured):
    plugin = CASCADE.replace('[("toy:small", "toy-round")])', "[])")
    words = ("--model", "toy", "--operator", "cascade", "--backend", "toy-numpy")
    case = measured(plugin, *words, status=1)["cascade mobile toy-numpy"]
    assert case["status"] == "skipped"
    assert "which its companions do not announce" in case["reason"]


OPTIONAL = """
    import attrs
    from edgebench import Operator, hookimpl

    @attrs.frozen(kw_only=True)
    class Options:
        calibrated: bool = False
        \"\"\"Whether to look at calibration inputs.\"\"\"

    def maybe(pipeline, context):
        if context.options.calibrated:
            assert len(context.inputs("calibration"))
        return pipeline

    @hookimpl
    def edgebench_operators():
        yield Operator(name="maybe", summary="Needs what its options need.", apply=maybe, options=Options,
                       may_keep=True,
                       needs=lambda options: ["calibration"] if options.calibrated else [])
"""


def test_what_an_operator_needs_may_depend_on_its_options(measured):
    words = ("--model", "toy", "--backend", "toy-numpy", "--operator", "maybe")
    cases = measured(OPTIONAL, *words, "--operator", "maybe(calibrated=true)")
    assert {case["status"] for case in cases.values()} == {"ok"}
    lying = OPTIONAL.replace("if options.calibrated else []", "if False else []")
    (case,) = measured(lying, *words[:-1], "maybe(calibrated=true)", status=1).values()
    assert case["reason"] == "maybe uses 'calibration' and does not declare that it needs it"


SCORES_EXITS = """
    import attrs
    from edgebench import Exit, Operator, TensorSpec, hookimpl

    def wrong_exit(pipeline, context):
        (stage,) = pipeline.stages
        scores = stage.outputs[0]
        sure = TensorSpec(name="sure", dtype="float32", shape=("batch",), port="sure")
        early = attrs.evolve(scores, name="early", port="scores")
        useless = stage.changed(stage.live * 0)
        for threshold, expected in ((-1.0, "exits"), (9.0, "whole")):
            leaves = Exit(condition="sure", answer=["early"], threshold=threshold)
            front = attrs.evolve(useless, outputs=[early, sure], exit=leaves)
            both = pipeline.replaced([front, stage])
            print(expected, round(context.score(both, "validation")["accuracy"], 1))
        return pipeline

    @hookimpl
    def edgebench_operators():
        yield Operator(name="wrong-exit", summary="Score with exits.", apply=wrong_exit,
                       may_keep=True, needs=["validation"], reads=["toy-matrix"])
"""


def test_a_score_honours_exits(measured, cli, tmp_path, monkeypatch):
    # What is found in a store prints nothing.
    monkeypatch.setenv("EDGEBENCH_STORE", str(tmp_path / "store"))
    cases = measured(
        SCORES_EXITS, "--model", "toy", "--operator", "wrong-exit", "--backend", "toy-numpy"
    )
    assert cases["wrong-exit mobile toy-numpy"]["status"] == "ok"
    case = cases["wrong-exit mobile toy-numpy"]["id"]
    # All scores of the front are 0, so all who leave there are told the first class of three.
    assert "exits 0.3\nwhole 0.9" in cli("logs", case).out


LIES = """
    import sys
    import attrs
    from edgebench import Format, Operator, hookimpl

    toy = sys.modules["edgebench_file_toy"]

    def relabel(pipeline, changes):
        return pipeline.replaced([
            attrs.evolve(stage, outputs=[attrs.evolve(spec, **changes) for spec in stage.outputs])
            for stage in pipeline.stages
        ])

    def strict(stage, directory):
        if len(stage.outputs[0].shape) > 2:
            raise ValueError("too many dimensions")
        return toy.save(stage, directory)

    def reform(pipeline, context):
        (stage,) = pipeline.stages
        wide = attrs.evolve(stage.outputs[0], shape=("batch", 3, 1))
        made = attrs.evolve(stage.changed(stage.live), format="strict", outputs=[wide])
        return pipeline.replaced([made])

    @hookimpl
    def edgebench_formats():
        yield Format(name="strict", summary="Strict.", save=strict, load=toy.load)

    @hookimpl
    def edgebench_operators():
        for name, changes in (("retype", {"dtype": "int64"}), ("widen", {"shape": ("batch", 7)})):
            yield Operator(name=name, summary="Lie.",
                           apply=lambda pipeline, context, said=changes: relabel(pipeline, said))
        yield Operator(name="reform", summary="Lie.", apply=reform, reads=["toy-matrix"])
"""


def test_an_operator_that_is_wrong_in_what_it_announces_is_named(measured, tmp_path):
    chains = ("retype", "toy-round+widen", "reform")
    words = [word for chain in chains for word in ("--operator", chain)]
    cases = measured(LIES, "--model", "toy", "--backend", "toy-numpy", *words, status=1)
    said = {case["chain"]: case["reason"] for case in cases.values()}
    gave = "it gave 'scores' as float32 of shape (1, 3), not as"
    announced = "which is announced (by toy:small after"
    assert f"{gave} int64 of shape (batch=1, 3), {announced} retype)" in said["retype"]
    assert (
        f"{gave} float32 of shape (batch=1, 7), {announced} toy-round+widen)"
        in (said["toy-round+widen"])
    )
    file = tmp_path / "stranger.py"
    assert said["reform"] == (
        f"format strict ({file}): ValueError: too many dimensions, as it wrote what operator reform "
        f"({file}) made"
    )


NAN = """
    import sys
    import attrs
    from edgebench import Model, hookimpl

    toy = sys.modules["edgebench_file_toy"]
    (plain,) = [part for part in toy.edgebench_models() if part.name == "toy"]

    def postprocess(outputs, variant):
        scores = plain.postprocess(outputs, variant)
        return scores * float("nan") if scores.argmax() == 0 else scores

    @hookimpl
    def edgebench_models():
        yield attrs.evolve(plain, name="lost", postprocess=postprocess)
"""


def test_predictions_that_are_no_numbers_are_a_doubt_with_how_many(measured):
    cases = measured(NAN, "--model", "lost", "--weights", "trained", "--backend", "toy-numpy")
    (case,) = cases.values()
    (doubt,) = [said for said in case["doubts"] if "predictions" in said]
    lost, rest = doubt.split(" of ", 1)
    assert rest == "60 predictions that were scored hold NaN or infinite values"
    assert 10 < int(lost) < 30  # a third of the labels are of the first class


HALFWAY = """
    import sys
    import tempfile
    from pathlib import Path

    from edgebench import Operator, hookimpl

    toy = sys.modules["edgebench_file_toy"]

    def halve(pipeline, context):
        (stage,) = pipeline.stages
        half = stage.changed(stage.live / 2)
        context.score(pipeline.replaced([half]), "validation")  # writes the stage, to open it
        toy.save(half, Path(tempfile.mkdtemp()))
        raise OSError("no space left for the other half")

    @hookimpl
    def edgebench_operators():
        yield Operator(name="halve", summary="Fail half way.", apply=halve, reads=["toy-matrix"],
                       needs=["validation"])
"""


def test_an_operator_that_fails_half_way_leaves_nothing_and_the_others_go_on(
    measured, tmp_path, monkeypatch
):
    store = tmp_path / "store"
    monkeypatch.setenv("EDGEBENCH_STORE", str(store))
    words = ("--model", "toy", "--backend", "toy-numpy", "--operator")
    measured(HALFWAY, *words, "identity")
    before = {path for path in store.rglob("*") if path.is_file()}
    cases = measured(HALFWAY, *words, "halve", "--operator", "halve+toy-round", "--operator",
                     "identity", status=1)  # fmt: skip
    failed = {chain: case for chain, case in cases.items() if chain.startswith("halve")}
    assert {case["status"] for case in failed.values()} == {"failed"}
    for case in failed.values():
        assert "operator halve" in case["reason"]
        assert "OSError: no space left for the other half" in case["reason"]
        assert case["latency_s"] is None
    assert cases["identity mobile toy-numpy"]["status"] == "ok"
    added = {path for path in store.rglob("*") if path.is_file()} - before
    assert not [path for path in added if path.name == "matrix.npy"]
