"""How a mistake is told: the nearest name there is, and an error in one line."""

import pytest

from edgebench.parts.errors import nearest, one_line


def test_the_nearest_name_is_offered():
    assert nearest("sptk", ["partition", "sptq"]) == "; did you mean 'sptq'?"
    assert nearest("SPTQ", ["QAT", "sptq"]) == "; did you mean 'sptq'?"
    assert nearest("qat", ["QAT", "sptq"]) == "; did you mean 'QAT'?"


@pytest.mark.parametrize(
    ("name", "known", "offered"),
    [
        ("toi", "toy", True),
        ("single", "single-stream", True),
        ("exit", "early-exit", True),
        ("onnx", "onnxruntime", True),
        ("Quant", "dynamic-quantization", True),
        ("nosuch", "torch", False),
        ("power-two", "roberta", False),
        ("no", "nodes-of-any-kind", False),
    ],
)
def test_what_is_offered_is_near(name, known, offered):
    assert ("did you mean" in nearest(name, [known, "xyz"])) is offered


def test_of_many_that_hold_a_name_none_is_the_one():
    assert nearest("net", ["efficientnet", "mobilenet"]) == "; known are: efficientnet, mobilenet"


def test_without_a_near_name_all_are_listed_in_order_and_each_once():
    assert nearest("zzz", ["b", "a", "b"]) == "; known are: a, b"
    assert nearest("zzz", []) == "; none is known"


@pytest.mark.parametrize(("count", "end"), [(12, "n11"), (13, "n11, ...")])
def test_at_most_twelve_are_listed(count, end):
    said = nearest("zzz", [f"n{number:02}" for number in range(count)])
    assert said.startswith("; known are: n00, n01, ")
    assert said.endswith(f", {end}")


def test_an_error_is_its_type_and_the_first_line_it_says():
    assert one_line(ValueError("\n no luck\nat all")) == "ValueError: no luck"
    assert one_line(KeyError()) == "KeyError"
