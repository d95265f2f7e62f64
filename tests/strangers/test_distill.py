"""The operator `distill` on a stranger's torch models: who learns, and who cannot."""

from __future__ import annotations

from textwrap import dedent

import pytest

NETS = """
    import edgebench as eb

    LAYERS = {"large": 64, "small": 4, "wide": 4}

    def spec(name, *shape):
        return eb.TensorSpec(name=name, dtype="float32", shape=("batch", *shape))

    def build(variant, weights):
        import torch
        from torch import nn

        torch.manual_seed(weights.seed)
        width = LAYERS[variant]
        live = nn.Sequential(nn.Linear(8, width), nn.ReLU(), nn.Linear(width, 3))
        stage = eb.Stage(format="torch-module", inputs=[spec("input", 8)],
                         parameters=sum(one.numel() for one in live.parameters()),
                         outputs=[spec("scores", 5 if variant == "wide" else 3)], live=live)
        return eb.Pipeline(model="nets", variant=variant, stages=[stage], outputs=["scores"])

    def loss(outputs, answers):
        from torch.nn.functional import cross_entropy

        return cross_entropy(outputs["scores"], answers)

    @eb.hookimpl
    def edgebench_models():
        trained = ["trained", "random"]
        yield eb.Model(name="nets", summary="Two layers.", build=build, dataset="toy-points",
                       format="torch-module", loss=loss,
                       budget=eb.Budget(epochs=8, batch=16, learning_rate=0.02),
                       variants=[eb.Variant(name="large", parameters=771, weights=trained,
                                            student="small"),
                                 eb.Variant(name="small", parameters=50, weights=trained),
                                 eb.Variant(name="wide", weights=["random"])])
"""


@pytest.fixture
def nets(tmp_path, cli, toy):
    file = tmp_path / "nets.py"
    file.write_text(dedent(NETS))

    def measured(*words, command="run"):
        given = ("--plugin", toy, "--plugin", file, "--backend", "torch", "--json")
        few = ("--blocks", "1", "--requests", "6") if command == "run" else ()
        return cli(command, *given, *few, *words)

    return measured


def test_the_student_takes_the_place_of_the_model_and_answers_as_well(nets):
    said = nets("--model", "nets", "--operator", "distill", "--operator", "identity")
    assert said.status == 0, said.err + said.out
    cases = {case["chain"]: case for case in said.json["cases"]}
    small, large = (cases[chain]["stages"][0]["parameters"] for chain in ("distill", "identity"))
    assert (small, large) == (8 * 4 + 4 + 4 * 3 + 3, 8 * 64 + 64 + 64 * 3 + 3)
    lost = cases["identity"]["accuracy"]["accuracy"] - cases["distill"]["accuracy"]["accuracy"]
    assert lost <= 0.1  # a sample of the 60 is 0.017
    assert cases["distill"]["agreement"]["same_answer"] > 0.8
    assert cases["distill"]["agreement"]["max_abs_difference"] > 0


def test_what_it_learns_depends_on_its_teacher(nets):
    """With all weight on the teacher, one that was never trained teaches nothing."""
    words = ("--model", "nets", "--weights", "random", "--operator", "distill(share=1)")
    (case,) = nets(*words).json["cases"]
    assert case["no_accuracy"] == "random weights"
    assert case["agreement"]["same_answer"] > 0.8


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (
            ("nets:small", "distill"),
            (
                "distill: nets:small names no student; say student=MODEL:VARIANT, or have its "
                "plugin say Variant(student=...)"
            ),
        ),
        (
            ("nets", 'distill(student="nets:tiny")'),
            "distill: no variant of nets is called 'tiny'; known are: large, small, wide",
        ),
        (
            ("nets", 'distill(student="nest:small")'),
            "distill: no model is called 'nest'; did you mean 'nets'?",
        ),
        (
            ("nets", 'distill(student="nets:large")'),
            "distill: nets:large cannot be its own student; name a smaller model",
        ),
        (
            ("nets", "distill+distill"),
            "distill cannot be applied to nets after distill: it is a student already",
        ),
    ],
)
def test_planning_says_who_cannot_learn(nets, words, reason):
    model, chain = words
    said = nets("--model", model, "--operator", chain, command="plan")
    (skipped,) = said.json["skipped"]
    assert skipped["reason"] == reason


def test_a_student_that_answers_otherwise_is_refused_with_both_answers(nets):
    (case,) = nets("--model", "nets", "--operator", 'distill(student="nets:wide")').json["cases"]
    assert case["status"] == "skipped"
    assert case["reason"] == (
        "nets:wide answers scores float32 (?, 5), and its teacher scores float32 (?, 3); name "
        "another with student="
    )


def test_a_student_of_another_family_has_other_names_for_the_same(tmp_path, cli, toy):
    """It is trained with its own loss, which knows its outputs by its own names."""
    other = NETS.replace('"nets"', '"others"').replace('"scores"', '"votes"')
    for name, text in (("nets", NETS), ("others", other)):
        tmp_path.joinpath(f"{name}.py").write_text(dedent(text))
    files = [word for name in ("nets", "others") for word in ("--plugin", tmp_path / f"{name}.py")]
    said = cli(
        "run", "--plugin", toy, *files, "--model", "nets", "--backend", "torch", "--json",
        "--operator", 'distill(student="others:small")', "--blocks", "1", "--requests", "6",
    )  # fmt: skip
    (case,) = said.json["cases"]
    assert case["status"] == "ok", case["reason"]
    assert case["accuracy"]["accuracy"] > 0.8


@pytest.mark.parametrize("option", ["temperature=0", "share=1.5", "budget=long"])
def test_nonsense_among_the_options_is_one_line(nets, option):
    said = nets("--model", "nets", "--operator", f"distill({option})", command="plan")
    assert said.status == 2
    assert option.partition("=")[0] in said.err
    assert len(said.err.strip().splitlines()) == 1


def test_parameters_that_a_model_does_not_have_are_doubted(nets):
    words = ("--model", "nets:large", "--model", "nets:small", "--weights", "random")
    doubts = {case["variant"]: case["doubts"] for case in nets(*words).json["cases"]}
    assert "nets:small announces 50 parameters and has 51" in doubts["small"]
    assert not [doubt for doubt in doubts["large"] if "announces" in doubt]
