from __future__ import annotations

from textwrap import dedent

import attrs
import pytest
from rich.table import Table

from edgebench.analysis.predictions import Prediction
from edgebench.cli.predict import lay_out_forecast
from edgebench.conduct.predicting import Forecast
from edgebench.parts.units import parse_link
from edgebench.records.database import Database
from edgebench.records.outcome import Run
from edgebench.records.quick import Quick
from edgebench.testing.results import block_of, case_of, facts_of

PRICES = """
    [tiers.mobile]
    summary = "Mine."
    cpus = 4
    memory_gib = 4
    price_per_hour = 0
    source = "it is there anyway"
"""


@pytest.fixture
def kept(tmp_path):
    """Write cases into a database as a run leaves them: (chain, median ms, tiers, facts)."""

    def write(*rows, blocks=3, **run):
        with Database.open(tmp_path / "edgebench.db", write=True) as database:
            name = database.begin_run(Run(started="2026-01-02T03:04:05+00:00", **run))
            cases = [case_of(chain, *tiers) for chain, _, tiers, _ in rows]
            database.add_cases(name, cases, blocks=blocks)
            for case, (_, median_ms, _, facts) in zip(cases, rows, strict=True):
                for number in range(blocks):
                    block = block_of(case, number, median_s=median_ms / 1e3, spread=0.001)
                    database.save_block(name, case.id, block)
                database.finish_case(name, case.id, facts_of(case, **facts))
        return name

    return write


@pytest.fixture
def rows(kept):
    return kept(
        ("identity", 4.0, ("mobile",), {}),
        ("smaller", 2.0, ("mobile",), {"size": 100_000}),
        ("open", 1.5, ("mobile",), {"loss": 0.01}),
        ("careless", 1.0, ("mobile",), {"loss": 0.05}),
        ("far", 6.0, ("mobile", "edge"), {}),
    )


def test_names_and_figures_are_whole_under_many_bounds_in_80_columns(here, rows, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    bounds = ("latency.p95=5ms", "size=1MB", "memory=1GB", "bytes=100kB")
    said = here("recommend", *(word for bound in bounds for word in ("--max", bound)))
    assert max(map(len, said.out.splitlines())) <= 80
    row = said.out.partition("smaller")[2].partition("identity")[0]
    assert "mobile eager" in row
    for figure in ("size 100kB", "memory 50MB", "bytes 0B", "lost 0.00 (0.40)"):
        assert figure in row


def test_the_answer_stands_last_and_what_is_open_above_it(here, rows):
    said = here("recommend", "--max", "latency.p95=5ms", "--max-drop", "accuracy=1")
    assert said.status == 0
    answer = " ".join(said.out.partition("Answer")[2].split())
    assert answer.startswith("smaller on mobile with eager: 2 ms (")
    assert "the best in 100% of the resamples. Quicker, and open: 1, listed above." in answer
    assert "Evidence: 300 requests, 3 blocks in 3 rounds, 500 labels. Emulated: mobile." in answer
    beside = " ".join(said.out.split())
    assert "Open, so not recommended (--admit-open takes them in): open on mobile" in beside
    assert "may lose up to 1.4 points, 500 labels" in beside
    assert "careless on mobile with eager, 1 ms (1 to 1): 5 points of accuracy are lost" in beside
    assert "far on mobile-edge with eager" in beside


def test_the_document_is_one_and_its_schema_knows_it(here, rows, conforms):
    document = conforms(here("recommend", "--json", "--explain").json, "recommend")
    (model,) = document["models"]
    chains = [one["chain"] for one in model["ranked"]]
    assert chains == ["smaller", "identity", "far"]
    assert model["recommended"] == model["ranked"][0]["id"]
    assert model["ranked"][1]["standing"] == "slower"
    assert model["ranked"][1]["ratio"][0] == pytest.approx(2.0, rel=0.01)
    assert model["ranked"][2]["explanation"]["hops"][0]["bytes"] == 10_100.0
    assert [one["chain"] for one in model["open"]] == ["open"]
    assert [one["chain"] for one in model["missed"]] == ["careless"]
    admitted = here("recommend", "--json", "--admit-open").json["models"][0]
    assert admitted["ranked"][0]["chain"] == "open"


def test_nothing_that_meets_the_bounds_is_status_1_with_what_to_relax(here, rows, conforms):
    said = here("recommend", "--max", "latency.median=1.9ms")
    assert said.status == 1
    answer = " ".join(said.out.partition("Answer")[2].split())
    assert answer.startswith("nothing is shown to meet the bounds. Nearest: smaller on mobile")
    assert "It would with latency.median=2.01ms." in answer
    document = here("recommend", "--max", "latency.median=1.2ms", "--json")
    assert document.status == 1
    (model,) = conforms(document.json, "recommend")["models"]
    assert (model["recommended"], model["ranked"]) == (None, [])
    assert model["nearest"]["relax"][0]["to"] > model["nearest"]["relax"][0]["limit"]


def test_a_percentile_without_enough_requests_says_how_many_it_needs(here, rows):
    said = here("recommend", "--max", "latency.p99=1s")
    assert said.status == 1
    assert "latency.p99 needs 473 requests, 300 were measured" in " ".join(said.out.split())


def test_a_price_is_checked_where_the_registry_states_it(here, rows, tmp_path):
    said = here("recommend", "--max", "price=1")
    assert said.status == 1
    assert "the registry states no price of the tier mobile" in " ".join(said.out.split())
    own = tmp_path / "own.toml"
    own.write_text(PRICES)
    document = here("recommend", "--max", "price=1", "--json", "--registry", own).json
    (model,) = document["models"]
    assert [one["chain"] for one in model["ranked"]] == ["smaller", "identity"]
    # What the link and the edge cost is still not known.
    assert [one["chain"] for one in model["unchecked"]] == ["far"]


def test_a_price_is_taken_from_the_file_of_the_folder(here, rows, tmp_path):
    (tmp_path / "edgebench.toml").write_text("[project]\nmodels = ['toy']\n" + dedent(PRICES))
    said = here("recommend", "--max", "price=1", "--json")
    assert "edgebench.toml was read for its tiers\n" in said.err
    (model,) = said.json["models"]
    assert [one["chain"] for one in model["ranked"]] == ["smaller", "identity"]


def test_the_margin_of_the_folders_file_goes_before_that_of_the_study(here, rows, tmp_path):
    """The rows were measured with a margin of a point; the quickest of them loses five."""
    file = tmp_path / "edgebench.toml"
    file.write_text("[project]\nmodels = ['toy']\nmargin = 'accuracy=20'\n")
    said = here("recommend", "--json")
    assert said.err == (
        "edgebench: edgebench.toml says: recommend --max-drop=accuracy=20 (whatever run it is; "
        "--max-drop takes their place)\n"
    )
    (model,) = said.json["models"]
    assert model["bounds"] == [{"figure": "accuracy", "kind": "drop", "limit": 20.0}]
    assert model["ranked"][0]["chain"] == "careless"
    given = here("recommend", "--json", "--max-drop", "accuracy=1")
    assert (given.err, given.json["models"][0]["ranked"][0]["chain"]) == ("", "smaller")


def test_a_margin_of_a_file_bounds_nothing_where_no_loss_is_known(here, kept, tmp_path):
    kept(("identity", 4.0, ("mobile",), {"loss": None}))
    (tmp_path / "edgebench.toml").write_text("[project]\nmodels = ['toy']\nmargin = 'accuracy=1'\n")
    (model,) = here("recommend", "--json").json["models"]
    assert (model["bounds"], [one["chain"] for one in model["ranked"]]) == ([], ["identity"])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--max", "latncy.p95=5ms"), "did you mean 'latency.p95'?"),
        (("--max", "latency.p95=5MB"), "not '5MB'"),
        (("--max", "memory=5ms"), "not '5ms'"),
        (("--max-drop", "accuracy"), "METRIC=POINTS"),
        (("--max-drop", "top9=1"), "figure of merit"),
        (("--max", "memory=1MB", "--max", "memory=2MB"), "bounds memory twice"),
    ],
)
def test_a_wrong_bound_is_one_line(here, rows, mistaken, words, said):
    mistaken(here("recommend", *words), said)


def test_an_imported_run_says_that_requests_were_drawn(here, kept):
    kept(
        ("identity", 4.0, ("mobile",), {"loss": None}),
        ("smaller", 2.0, ("mobile",), {"loss": None}),
        blocks=1,
        source="a study",
    )
    said = here("recommend")
    assert said.status == 0
    answer = " ".join(said.out.partition("Answer")[2].split())
    assert answer.startswith("smaller on mobile with eager")
    assert "Accuracy is not known, so it is not compared." in answer
    assert "Each case is one block, so requests were drawn and not rounds" in answer


def test_a_run_of_single_blocks_recommends_nothing(here, kept):
    kept(("identity", 4.0, ("mobile",), {}), blocks=1)
    said = here("recommend")
    assert said.status == 1
    assert "in two blocks or more, so nothing is recommended" in " ".join(said.out.split())


def test_texts_of_users_are_shown_as_they_are(here, kept):
    kept(("[bold]odd[/bold]", 2.0, ("mobile",), {}), ("identity", 4.0, ("mobile",), {}))
    assert "[bold]odd[/bold] on mobile" in here("recommend").out


def test_predictions_from_a_quick_run_say_so(here, kept, conforms):
    words = ("predict", "--link", "mobile-edge=1mbit")
    rows = ("identity", 4.0, ("mobile",), {}), ("far", 6.0, ("mobile", "edge"), {})
    kept(*rows)
    assert conforms(here(*words, "--json").json, "predict")["quick"] is False
    assert "rough" not in here(*words).out
    kept(*rows, blocks=2, quick=Quick())
    assert conforms(here(*words, "--json").json, "predict")["quick"] is True
    said = " ".join(here(*words).out.split())
    assert "All of it is rough: a quick run measured what it rests on, 2 blocks of 10" in said


def test_predictions_of_a_kept_run(here, kept, conforms):
    kept(("identity", 4.0, ("mobile",), {}), ("far", 6.0, ("mobile", "edge"), {}))
    said = here("predict", "--link", "mobile-edge=1mbit", "--json")
    assert said.status == 0
    document = conforms(said.json, "predict")
    by_chain = {one["chain"]: one for one in document["strategies"]}
    assert by_chain["identity"]["median_s"] == pytest.approx(4e-3, rel=0.01)
    more = 10_100 * 8 * (1 / 1e6 - 1 / 100e6) - 2 * 1e-3
    assert by_chain["far"]["median_s"] == pytest.approx(6e-3 + more, rel=0.02)
    assert by_chain["far"]["extrapolated"] == "mobile-edge was measured at 100mbit"
    shown = " ".join(here("predict", "--link", "mobile-edge=1mbit").out.split())
    assert "phases and bytes measured at mobile-edge=100mbit,1ms" in shown


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--link", "mobile-edge=10"), "mbit"),
        (("--link", "mobile-mars=10mbit"), "link of this run"),
        (("--link", "mobile-edge=1mbit", "--link", "edge-mobile=2mbit"), "given twice"),
    ],
)
def test_a_wrong_link_is_one_line(here, kept, mistaken, words, said):
    kept(("far", 6.0, ("mobile", "edge"), {}))
    mistaken(here("predict", *words), said)


def test_nothing_to_predict_is_status_1(here, kept):
    kept(("identity", 4.0, ("mobile",), {}))
    assert here("predict").status == 1


def test_no_kept_run_is_one_line(here, mistaken):
    mistaken(here("recommend"), "edgebench.db")
    mistaken(here("predict"), "edgebench.db")


def test_the_quickest_cuts_are_shown_of_each_model_and_each_setting():
    found = []
    for model, rate in (("one", 1), ("one", 100), ("other", 1)):
        case = case_of("cut", "mobile", "edge", model=model)
        case = attrs.evolve(case, links=(parse_link(f"mobile-edge={rate}mbit"),))
        found += [
            Prediction(case=case, median_s=place / 1e3, ci95_s=(0.0, 1.0), kind="cut", base="",
                       basis="what was measured")
            for place in range(1, 13)
        ]  # fmt: skip
    forecast = Forecast(strategies=(), cuts=tuple(found), refused=())
    parts = list(lay_out_forecast(forecast, ()))
    titles = [" ".join(str(one.title).split()) for one in parts if isinstance(one, Table)]
    assert [title.partition(" that")[0] for title in titles] == [
        "cuts of one:small under mobile-edge=1mbit",
        "cuts of one:small under mobile-edge=100mbit",
        "cuts of other:small under mobile-edge=1mbit",
    ]
    assert parts.count("12 cuts, of which 10 are shown") == 3
