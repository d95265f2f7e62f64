"""`edgebench.run` and `edgebench.results`: what the commands do, from a program."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import attrs
import pytest

import edgebench
from edgebench.analysis.plain_tables import to_columns
from edgebench.cli import _make_parser, _Parser
from edgebench.cli.common import Common
from edgebench.testing.results import case_of, result_of, run_of

PAGE = (Path(__file__).parents[2] / "docs" / "from-python.md").read_text("utf-8")
NOT_TAKEN = {"help", "case", "debug", "json", "quiet", "verbose"}
"""Options of `run` that print, or show one case again."""


def test_run_takes_the_options_of_the_command_and_no_others():
    common = _Parser(add_help=False, allow_abbrev=False)
    Common.add_arguments(common)
    parser = _make_parser(common, ["run"])
    command = parser._subparsers._group_actions[0].choices["run"]
    options = {word[2:].replace("-", "_") for word in [*command.options, *common.options]
               if word.startswith("--")}  # fmt: skip
    assert set(inspect.signature(edgebench.run).parameters) == options - NOT_TAKEN | {"suite"}


def test_it_measures_prints_nothing_and_keeps_what_it_measured(tmp_path, toy, capsys, process):
    db = tmp_path / "mine.db"
    found = edgebench.run(
        model="toy",
        operator=["identity", "toy-round(digits=1)"],
        placement="mobile",
        backend="toy-numpy",
        blocks=2,
        requests=4,
        margin=2.5,
        tag="-mine",
        plugin=toy,
        db=db,
    )
    assert capsys.readouterr().out == ""
    assert [one.status for one in found.results] == ["ok", "ok"]
    assert {one.figure.margin for one in found.results} == {0.025}
    assert found.run.tag == "-mine"
    tables = edgebench.results(db)
    assert [row["chain"] for row in tables.cases] == ["identity", "toy-round(digits=1)"]
    assert [row["median_s"] for row in tables.cases] == [one.median for one in found.results]
    assert [row["requests"] for row in tables.blocks] == [4] * 4
    assert {len(column) for column in tables.requests.values()} == {16}
    assert {row["id"] for row in tables.phases} == {one.case.id for one in found.results}
    assert len(edgebench.results(db, run=None).cases) == 2


def test_mistakes_are_those_of_the_command(tmp_path, toy):
    db = tmp_path / "mine.db"
    with pytest.raises(edgebench.EdgebenchError, match="did you mean 'toy'"):
        edgebench.run(model="tiy", plugin=toy, db=db)
    with pytest.raises(edgebench.EdgebenchError, match="at least|from 1"):
        edgebench.run(model="toy", plugin=toy, db=db, blocks=0)
    with pytest.raises(edgebench.EdgebenchError, match="say what to run"):
        edgebench.run(db=db)
    with pytest.raises(edgebench.EdgebenchError, match="there are no results"):
        edgebench.results(db)
    assert not db.exists()


def test_tables_are_of_rows_that_are_alike():
    failed = result_of(case_of("b"), blocks=0)
    tables = edgebench.Tables(runs=(run_of([result_of(case_of("a")), failed]),))
    for rows in (tables.cases, tables.blocks, tables.phases):
        assert len({tuple(row) for row in rows}) == 1
        columns = to_columns(rows)
        back = zip(*columns.values(), strict=True)
        assert [dict(zip(columns, row, strict=True)) for row in back] == rows
        for row in rows:
            assert all(isinstance(v, str | int | float | None) for v in row.values())
    assert to_columns([]) == {}
    assert tables.cases[1]["median_s"] is None


def test_what_sets_cases_apart_is_a_column():
    case = case_of("plain", "mobile", "edge")
    (link,) = case.links
    cases = [
        case,
        attrs.evolve(case, links=[attrs.evolve(link, rate=1e6)]),
        attrs.evolve(case, threads=2),
        attrs.evolve(case, options=(("dims", "x=1"), ("fix", "y"))),
        attrs.evolve(case, dataset="rings"),
    ]
    rows = edgebench.Tables(runs=(run_of([result_of(one) for one in cases]),)).cases
    said = [{name: value for name, value in row.items() if name != "id"} for row in rows]
    assert all(said.count(one) == 1 for one in said)
    assert said[1]["links"] == "mobile-edge=1mbit,1ms"
    assert (said[2]["threads"], said[3]["options"]) == (2, "dims=x=1,fix=y")
    assert said[4]["dataset"] == "rings"


def test_it_is_imported_when_it_is_asked_for(python):
    program = """
        import edgebench, sys
        before = {'edgebench.cli.from_python', 'numpy', 'scipy'} & set(sys.modules)
        edgebench.run, edgebench.results
        print(before, 'numpy' in sys.modules)
        """
    assert python(program).stdout == "set() False\n"


@pytest.mark.framework
def test_the_notebook_runs_as_written(tmp_path, python):
    blocks = re.findall(r"```python\n(.+?)```", PAGE, flags=re.DOTALL)
    assert len(blocks) == 4
    said = python("\n".join(blocks), cwd=tmp_path).stdout.splitlines()
    assert [line.split(" on ")[0] for line in said[:2]] == ["vgg:tiny identity", "vgg:tiny sptq"]
    assert said[2].startswith("vgg:tiny: ")
    assert "did you mean 'tiny'" in said[3]
    assert [line.split()[0] for line in said[4:6]] == ["identity", "sptq"]
    assert said[6] == "{0: 40, 1: 40, 2: 40}"
    assert len(said) == 9
