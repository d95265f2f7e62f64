"""What is laid out for people: renderables, of which none takes text for markup."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from edgebench.cli.tables import (
    lay_out_description,
    lay_out_kind,
    pair_table,
    table,
    write_size,
    write_value,
)


def draw(*laid, width=100, colour=False):
    """Return what is drawn of something laid out, without the blanks that end lines."""
    file = io.StringIO()
    console = Console(file=file, width=width, highlight=False, force_terminal=colour)
    for one in laid:
        console.print(one)
    return [line.rstrip() for line in file.getvalue().splitlines()]


def row(**fields):
    """A row of something installed."""
    return {"name": "one", "summary": "A thing.", "plugin": "own", "installed": True,
            "why_not": None} | fields  # fmt: skip


MARKUP = "[bold]loud[/bold] [/] :smile:"


@pytest.mark.parametrize(
    "laid",
    [
        table(MARKUP, ["a"], [["x"]]),
        table("t", [MARKUP], [["x"]]),
        table("t", ["a"], [[MARKUP]]),
        pair_table(MARKUP, {"a": "x"}),
        pair_table("t", {MARKUP: "x"}),
        pair_table("t", {"a": MARKUP}),
        lay_out_kind("operators", [row(summary=MARKUP)]),
        lay_out_kind("operators", [row(installed=False, why_not=MARKUP)]),
        *lay_out_description("operator", {"name": "x", "summary": MARKUP}),
    ],
)
def test_what_users_write_is_shown_as_it_is(laid):
    # A title is wrapped to the width of its table.
    assert MARKUP.replace(" ", "") in "".join("".join(draw(laid)).split())


def test_a_table_is_folded_between_words_where_there_is_room():
    offers = "operator dynamic-quantization, operator early-exit, operator fuse-exits"
    lines = [
        ["a-rather-long-name", "installed", offers, "edgebench 0.1.0"],
        ["b", "faulty", "a " * 99, "x"],
    ]
    for width in (72, 80, 100, 160):
        folded = draw(table("t", ["name", "status", "offers", "from"], lines), width=width)
        assert max(map(len, folded)) <= width
        said = " ".join(folded).split()
        assert {"dynamic-quantization,", "early-exit,", "fuse-exits", "installed"} <= {*said}


def test_where_there_is_no_room_words_are_folded_and_nothing_is_lost():
    path = "/a/rather/long/path/of/a/file/that/nobody/could/read/in/one/line/of/a/table.py"
    lines = [["name", "operator dynamic-quantization", path]]
    wide = draw(table("t", ["name", "offers", "from"], lines), width=80)
    assert any("dynamic-quantization" in line for line in wide)
    narrow = draw(table("t", ["name", "offers", "from"], lines), width=30)
    for shown, width in ((wide, 80), (narrow, 30)):
        assert max(map(len, shown)) <= width
        column = [line[line.index(line.split()[-1]) :] for line in shown[3:] if line.split()]
        assert path in "".join(column).replace(" ", "")


def test_a_cell_that_is_too_long_is_folded_and_a_name_is_not():
    folded = draw(table("t", ["name", "text"], [["a-rather-long-name", "word " * 20]]), width=40)
    assert sum("word" in line for line in folded) > 1
    assert any("a-rather-long-name" in line for line in folded)


@pytest.mark.parametrize(
    ("kind", "fields", "columns", "cells"),
    [
        ("operators", {}, ["name", "summary", "from"], ["one", "A thing.", "own"]),
        ("models",
         {"variants": [{"name": "s", "parameters": 24}, {"name": "m", "parameters": 269770},
                       {"name": "l", "parameters": 25557032}, {"name": "x", "parameters": None}]},
         ["name", "variants", "summary", "from"],
         ["one", "s (24), m (270 k), l (25.6 M), x", "A thing.", "own"]),
        ("datasets", {"synthetic": True, "given": False}, ["name", "inputs", "summary", "from"],
         ["one", "synthetic", "A thing.", "own"]),
        ("datasets", {"synthetic": False, "given": False}, ["name", "inputs", "summary", "from"],
         ["one", "made here", "A thing.", "own"]),
        ("datasets", {"synthetic": False, "given": True}, ["name", "inputs", "summary", "from"],
         ["one", "--data one=DIR", "A thing.", "own"]),
        ("datasets", {"installed": False, "why_not": "get it"},
         ["name", "inputs", "summary", "from"], ["one", "get it", "own"]),
        ("links", {"rate_bit_s": 2e8, "delay_s": 0.02},
         ["name", "rate", "delay", "summary", "from"],
         ["one", "200 Mbit/s", "20 ms", "A thing.", "own"]),
        ("variants", {"parameters": 1105722}, ["name", "parameters", "summary", "from"],
         ["one", "1,105,722", "A thing.", "own"]),
        ("variants", {"parameters": None}, ["name", "parameters", "summary", "from"],
         ["one", "-", "A thing.", "own"]),
        ("plugins", {"distribution": "dist", "version": "1.0", "origin": "m"},
         ["name", "summary", "from"], ["one", "A thing.", "dist 1.0"]),
        ("plugins", {"distribution": "", "version": "", "origin": "/a/file.py"},
         ["name", "summary", "from"], ["one", "A thing.", "/a/file.py"]),
    ],
)  # fmt: skip
def test_a_kind_has_its_own_columns_between_name_and_summary(kind, fields, columns, cells):
    title, _, head, _, line, *_ = draw(lay_out_kind(kind, [row(**fields)]))
    assert title == kind
    assert " ".join(head.split()) == " ".join(columns)
    assert " ".join(line.split()) == " ".join(cells)


def test_what_is_not_installed_says_why_in_yellow():
    laid = lay_out_kind("operators", [row(installed=False, why_not="pip install it")])
    shown = "\n".join(draw(laid, colour=True))
    assert "\x1b[33mpip install it" in shown
    assert "A thing." not in shown


@pytest.mark.parametrize(
    ("key", "value", "text"),
    [
        ("a", None, "-"),
        ("a", "", "-"),
        ("a", [], "-"),
        ("a", {}, "-"),
        ("a", 0, "0"),
        ("a", False, "no"),
        ("a", True, "yes"),
        ("a", 1234567, "1,234,567"),
        ("a", 0.91, "0.91"),
        ("a", ["x", "y"], "x, y"),
        ("a", [{"path": "p", "more": 1}, {"path": "q"}], "p, q"),
        ("a", {"epochs": 4, "seconds": None}, "epochs 4, seconds -"),
        ("between", ["mobile", "edge"], "mobile-edge"),
        ("memory_bytes", 4 * 2**30, "4"),
        ("rate_bit_s", 2e8, "200"),
        ("delay_s", 0.0, "0"),
        ("delay_s", 0.02, "20"),
    ],
)
def test_values_are_written_for_people(key, value, text):
    assert write_value(key, value) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 bytes"), (999, "999 bytes"), (1000, "1.0 kB"), (2.5e6, "2.5 MB"), (2.53e10, "25.3 GB")],
)
def test_sizes_are_written_in_decimal_units(count, text):
    assert write_size(count) == text


def test_records_of_a_description_are_one_table_under_their_name():
    known = {"name": "x", "summary": "S.", "delay_s": 0.001, "options": [{"name": "n", "doc": ""}]}
    lines = draw(*lay_out_description("operator", known))
    assert lines[:4] == ["operator x", " name      x", " summary   S.", " delay ms  1"]
    assert lines[4] == "options"
    assert [line.split() for line in lines[6:9:2]] == [["name", "doc"], ["n", "-"]]


def test_records_too_wide_for_a_page_stand_each_by_itself_without_what_is_empty():
    wide = {"name": "s", "summary": "", "k": "a value", **{f"k{n}": n for n in range(8)}}
    lines = draw(*lay_out_description("model", {"name": "x", "variants": [wide, wide]}))
    assert lines.count("variant s") == 2
    assert not any(line.startswith((" name  s", " summary")) for line in lines)
    assert lines.count(" k   a value") == lines.count(" k7  7") == 2
