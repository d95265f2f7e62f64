"""`edgebench plan --cuts`: the table, its document, and what it refuses."""

from __future__ import annotations

import pytest

SUBJECT = ("plan", "--cuts", "vgg:small", "--weights", "random")


@pytest.mark.parametrize("chain", ["", "partition(choose=min-transfer)"])
def test_the_cuts_of_a_model_are_listed(process, here, conforms, chain):
    chosen = ("--operator", chain) if chain else ()
    document = conforms(here(*SUBJECT, *chosen, "--json").json, "cuts")
    assert document["total"] == len(document["cuts"]) == 21
    assert document["operator"] == (chain or "partition")
    assert not document["more"]
    sent = [cut["bytes"] for cut in document["cuts"]]
    assert (sent == sorted(sent)) == bool(chain)
    assert all(cut["exact"] for cut in document["cuts"])
    shown = here(*SUBJECT, *chosen).out
    first = document["cuts"][0]
    assert first["crossing"][0]["name"] in shown
    assert f"{first['bytes']:,}" in shown
    assert "21 cuts" in shown
    assert "best first" in shown


def test_a_named_cut_is_listed_alone(process, here, conforms):
    last = here(*SUBJECT, "--json").json["cuts"][-1]
    chosen = ("--operator", f'partition(tensor="{last["crossing"][0]["name"]}")')
    document = conforms(here(*SUBJECT, *chosen, "--json").json, "cuts")
    assert document["cuts"] == [last]
    assert (document["total"], document["more"]) == (1, False)
    shown = here(*SUBJECT, *chosen).out
    assert last["crossing"][0]["name"] in shown
    assert "1 cut\n" in shown
    assert "best first" not in shown


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--cuts", "nope"), "no model is called 'nope'"),
        (("--cuts", "vgg:small", "--model", "vgg:small"), "leave out the suite, and --model"),
        (("--cuts", "vgg:small", "--without", "partition"), "no operator that is installed here"),
    ],
)
def test_words_that_ask_for_no_table_are_refused(here, mistaken, words, said):
    mistaken(here("plan", *words, "--weights", "random"), said)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ("--operator", "partition(choose=min-latency)"),
            "choose=min-latency needs profiles of the tiers",
        ),
        (("--operator", "partition(tensor=nope)"), "no tensor is called 'nope'"),
        (("--operator", "partition(pieces=3)"), "a table lists single cuts, and pieces=3 makes"),
        (("--without", "onnx-converter", "--without", "torch-program-onnx"), "no converter"),
    ],
)
def test_what_cannot_be_listed_is_said_in_one_line(process, here, mistaken, words, said):
    mistaken(here(*SUBJECT, *words), said)
