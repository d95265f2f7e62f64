"""What is known of a family follows from its configuration."""

from __future__ import annotations

import pytest

from edgebench import DataError
from edgebench_kit.checkpoints.configurations import Configuration
from edgebench_kit.checkpoints.families import FAMILIES, describe_variant, halve


def make(family, task="ForSequenceClassification", **said):
    settings = {"model_type": family, "architectures": [f"X{task}"], "num_labels": 3, **said}
    return Configuration(settings=settings)


def test_bert_has_an_exit_after_each_layer_but_the_last():
    found = describe_variant("mine", make("bert", num_hidden_layers=3, num_attention_heads=2))
    layers = [f"bert.encoder.layer.{number}" for number in range(3)]
    assert [(point.path, point.skips) for point in found.exits] == [
        (layers[0], tuple(layers[1:])),
        (layers[1], tuple(layers[2:])),
    ]
    assert [each.path for each in found.attention] == [f"{one}.attention.self" for one in layers]
    assert {each.heads for each in found.attention} == {2}
    assert (found.keep, found.student) == (("bert.pooler", "classifier"), "half")


def test_what_a_configuration_does_not_say_is_as_transformers_has_it():
    assert len(describe_variant("mine", make("bert")).attention) == 12
    assert len(describe_variant("mine", make("distilbert")).attention) == 6
    assert len(describe_variant("mine", make("resnet")).exits) == 4


def test_resnet_has_an_exit_after_each_stage_and_within_the_last():
    found = describe_variant("mine", make("resnet", depths=[1, 3], hidden_sizes=[8, 16]))
    assert [(point.path, point.skips) for point in found.exits] == [
        ("resnet.encoder.stages.0", ()),
        (
            "resnet.encoder.stages.1.layers.0",
            ("resnet.encoder.stages.1.layers.1", "resnet.encoder.stages.1.layers.2"),
        ),
    ]


def test_of_another_family_nothing_is_known():
    found = describe_variant("mine", make("longformer", num_hidden_layers=3))
    assert (found.exits, found.attention, found.keep, found.student) == ((), (), (), "")
    with pytest.raises(DataError, match="no student is known of the family 'longformer'; those"):
        halve(make("longformer"))


def test_half_of_the_layers_is_every_second_one():
    half, sources = halve(make("roberta", num_hidden_layers=5))
    assert half.settings["num_hidden_layers"] == 3
    assert half.student == "half"
    begin = "roberta.encoder.layer"
    assert sources == {f"{begin}.{n}.": f"{begin}.{n * 2}." for n in range(3)}


def test_half_of_a_resnet_has_half_of_each_stage():
    half, sources = halve(make("resnet", depths=[3, 4, 1, 2], hidden_sizes=[8] * 4))
    assert half.settings["depths"] == [2, 2, 1, 1]
    assert sources == {}


@pytest.mark.parametrize("said", [{"num_hidden_layers": 1}])
def test_one_layer_has_no_half(said):
    assert describe_variant("mine", make("vit", **said)).student == ""
    with pytest.raises(DataError, match="no half"):
        halve(make("vit", **said))


def test_a_student_has_no_student():
    half, _ = halve(make("vit", num_hidden_layers=4))
    assert describe_variant("half", half).student == ""


@pytest.mark.parametrize(
    ("family", "said", "words"),
    [
        ("bert", {"num_hidden_layers": "two"}, "num_hidden_layers is a number of at least 1, not"),
        (
            "bert",
            {"num_attention_heads": 0},
            "num_attention_heads is a number of at least 1, not 0",
        ),
        ("resnet", {"depths": 3}, "depths is a list of numbers, not 3"),
        ("resnet", {"depths": []}, "depths is a list of numbers, not"),
        ("resnet", {"depths": [1, None]}, "depths is a number of at least 1, not None"),
        ("resnet", {"depths": [1, 2]}, "depths are of 2 stages and hidden_sizes of 4"),
    ],
)
def test_figures_that_are_none_are_refused(family, said, words):
    with pytest.raises(DataError, match=words):
        describe_variant("mine", make(family, **said))


@pytest.mark.parametrize("family", FAMILIES)
def test_all_families_can_be_halved(family):
    half, _ = halve(make(family))
    assert describe_variant("half", half).exits


def test_what_is_not_known_of_a_network_is_said_in_its_summary():
    def summary(family, **settings):
        return describe_variant("mine", make(family, **settings)).summary

    assert "the family convnext names no exit points and no student; those of bert," in (
        summary("convnext")
    )
    assert summary("bert") == "What the checkpoint holds: a network of the family bert."
    small = "of the family bert, so small that it has no exit points and no student."
    assert summary("bert", num_hidden_layers=1).endswith(small)
    few = "of the family resnet, so small that it has no student."
    assert summary("resnet", depths=[1, 1], hidden_sizes=[8, 16]).endswith(few)
