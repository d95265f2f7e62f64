"""Every command with `--json`: one document, and one that its schema describes."""

from __future__ import annotations

import json
from importlib.resources import files
from importlib.util import find_spec
from textwrap import dedent

import jsonschema
import pytest

ALL_KINDS = ("models", "variants", "datasets", "operators", "hybrids", "tiers", "links", "fabrics",
             "backends", "suites", "plugins")  # fmt: skip


VERSIONS = {
    "compare.json": 2,
    "doctor.json": 2,
    "list.json": 4,
    "plan.json": 3,
    "plugins.json": 3,
    "predict.json": 2,
    "recommend.json": 2,
    "run.json": 6,
    "runs.json": 2,
    "show.json": 8,
    "store.json": 2,
}
"""Of the documents that have changed since version 1."""


def test_every_command_has_a_schema_that_insists_on_its_version():
    shipped = {path.name for path in files("edgebench").joinpath("schemas").iterdir()}
    assert shipped == {
        f"{name}.json"
        for name in (
            "list",
            "show",
            "init",
            "plan",
            "cuts",
            "run",
            "import",
            "logs",
            "store",
            "plugins",
            "plugin-check",
            "plugin-install",
            "completion",
            "doctor",
            "measure-device",
            "predict",
            "recommend",
            "compare",
            "runs",
            "history",
            "export",
        )
    }
    for name in shipped:
        text = files("edgebench").joinpath("schemas", name).read_text()
        assert f'"const": {VERSIONS.get(name, 1)}' in text
        assert '"required"' in text
        assert '"additionalProperties": false' in text


def test_list_names_the_kinds_of_the_contract(here, toy, conforms):
    document = conforms(here("list", "--json", "--plugin", toy).json, "list")
    assert set(document) == {"schema", *ALL_KINDS}
    model = next(row for row in document["models"] if row["name"] == "toy")
    assert model["variants"] == [
        {
            "name": "small",
            "parameters": 24,
            "weights": ["trained", "random"],
            "dataset": "toy-points",
        }
    ]
    assert {row["name"] for row in document["tiers"]} == {"mobile", "edge", "cloud"}
    assert {row["plugin"] for row in document["backends"]} >= {"toy"}


def test_list_of_the_kinds_that_are_for_authors(here, toy, conforms):
    kinds = ("formats", "converters", "trainers", "reporters", "devices", "networks")
    document = conforms(here("list", *kinds, "--json", "--plugin", toy).json, "list")
    assert {row["name"] for row in document["trainers"]} >= {"toy-trainer"}
    assert [row["name"] for row in document["reporters"]] == [
        "bencher",
        "csv",
        "html",
        "json",
        "junit",
        "markdown",
        "mlflow",
        "parquet",
        "terminal",
    ]


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("model", "toy"),
        ("model", "toy:small"),
        ("variant", "toy:small"),
        ("dataset", "toy-points"),
        ("operator", "toy-round"),
        ("tier", "mobile"),
        ("fabric", "process"),
        ("backend", "toy-numpy"),
        ("format", "toy-matrix"),
        ("converter", "toy-seal"),
        ("trainer", "toy-trainer"),
        ("reporter", "json"),
        ("importer", "study-packages"),
        ("hybrid", "sptq-partition"),
        ("link", "mobile-edge"),
        ("device", "pi5"),
        ("network", "4g"),
        ("suite", "quickstart"),
        ("plugin", "toy"),
        ("plugin", "identity"),
    ],
)
def test_show(process, here, toy, conforms, kind, name):
    document = conforms(here("--json", "show", kind, name, "--plugin", toy).json, "show")
    assert document["kind"] == kind
    assert document["name"] == name or name.startswith(document["name"] + ":")


def test_show_of_what_is_not_installed_says_what_it_lacks(process, here, conforms, monkeypatch):
    """A shipped module says what it would offer, whatever is missing of what it stands on."""
    before = conforms(here("--json", "show", "backend", "openvino").json, "show")
    monkeypatch.setattr(
        "edgebench.catalogue.plugin.find_spec",
        lambda name: None if name == "openvino" else find_spec(name),
    )
    document = conforms(here("--json", "show", "backend", "openvino").json, "show")
    assert document.pop("why_not").startswith("openvino needs the package 'openvino': pip install")
    assert (document.pop("devices"), bool(before.pop("devices"))) == ([], True)
    assert document == before


def test_show_writes_options_with_types_defaults_and_texts(here, toy):
    options = here("--json", "show", "operator", "toy-round", "--plugin", toy).json["options"]
    assert options[0] == {
        "name": "digits", "type": "int", "default": 2, "doc": "Decimal places that are kept.",
    }  # fmt: skip


PINNED = """
    [assets.tiny]
    summary = "A tiny model; top-1."
    url = "https://example.org/tiny-e3b0c442.pth"
    sha256 = "e3b0c442"
    licence = "MIT"
    score = 0.91
"""
HOLDS = """
    from edgebench import Model, Variant, hookimpl

    @hookimpl
    def edgebench_models():
        yield Model(name="tiny", summary="Tiny.", build=print,
                    variants=[Variant(name="small", weights=["hub"], asset="tiny"),
                              Variant(name="large", weights=["random"])])
"""


def test_show_of_a_model_has_what_is_known_of_its_weights(here, conforms, tmp_path):
    (tmp_path / "own.toml").write_text(dedent(PINNED))
    (tmp_path / "holds.py").write_text(dedent(HOLDS))
    more = ("--registry", tmp_path / "own.toml", "--plugin", tmp_path / "holds.py")
    document = conforms(here("--json", "show", "model", "tiny", *more).json, "show")
    assert document["assets"] == [
        {
            "name": "tiny", "summary": "A tiny model; top-1.", "licence": "MIT",
            "size_bytes": None, "sha256": "e3b0c442", "sha256_digits": 8, "score": 0.91,
        }
    ]  # fmt: skip
    text = here("show", "model", "tiny", *more).out
    assert all(word in text for word in ("MIT", "e3b0c442", "digits of 64", "0.91"))
    assert here("--json", "show", "model", "tiny:large", *more).json["assets"] == []


@pytest.mark.process
def test_plan_has_what_was_said_of_a_file(here, toy, conforms, tmp_path):
    (tmp_path / "sheet.py").write_text(dedent(SHEET))
    (tmp_path / "a.csv").touch()
    words = ("--model", "a.csv", "--model", "a.csv(factor=3)", "--backend", "toy-numpy")
    words = ("plan", *words, "--plugin", toy, "--plugin", tmp_path / "sheet.py")
    document = conforms(here(*words, "--json").json, "plan")
    assert [case["options"] for case in document["cases"]] == [{}, {"factor": "3"}]
    assert "sheet:a(factor=3)" in here(*words).out


SHEET = """
    import attrs
    from edgebench import Model, hookimpl

    @attrs.frozen(kw_only=True)
    class Options:
        factor: int = 1

    @hookimpl
    def edgebench_models():
        yield Model(name="sheet", summary="Any.", build=print, files=["*.csv"], from_file=print,
                    options=Options, format="toy-matrix")
"""


def test_plan(cli, toy, conforms):
    said = cli(
        *("plan", "--json", "--plugin", toy, "--model", "toy", "--operator", "toy-cut"),
        *("--placement", "mobile", "--placement", "mobile-edge", "--backend", "toy-numpy"),
    )
    document = conforms(said.json, "plan")
    assert [case["placement"] for case in document["cases"]] == ["mobile-edge"]
    assert document["cases"][0]["links"][0]["rate_bit_s"] == 200e6
    (skipped,) = document["skipped"]
    assert skipped["reason"] == "mobile needs 1 piece, toy-cut gives 2"
    assert (document["blocks"], document["requests"]) == (5, 100)
    assert document["estimate_s"] > 0


def test_run_and_report_print_the_same_document(here, measured, conforms):
    reported = conforms(here("report", "--json", "--db", measured.db).json, "run")
    conforms(measured.document, "run")
    assert reported | {"db": ""} == measured.document | {"db": ""}
    assert reported["tag"] == "reading"
    assert reported["finished"] is not None
    assert "--plugin" in reported["arguments"]


def test_a_measured_case_has_what_the_contract_promises(measured):
    case = measured.case("toy-cut")
    assert case["status"] == "ok"
    assert (case["samples"], case["blocks"]) == (3, 1)
    assert case["latency_s"]["median"] > 0
    assert sum(case["groups_s"].values()) == pytest.approx(case["latency_s"]["mean"], rel=0.9)
    assert 0.5 < case["accuracy"]["accuracy"] <= 1
    low, high = case["accuracy_ci95"]["accuracy"]
    assert low <= case["accuracy"]["accuracy"] <= high
    assert [stage["tier"] for stage in case["stages"]] == ["mobile", "edge"]
    assert {tier["name"] for tier in case["tiers"]} == {"mobile", "edge"}
    assert case["links"][0]["rate_bit_s"] == 200e6
    assert case["agreement"]["max_abs_difference"] < 1e-5


def test_logs(here, measured, conforms):
    case = measured.case("toy-round")["id"]
    document = conforms(here("logs", case[:5], "--json", "--db", measured.db).json, "logs")
    assert document["case"] == case
    assert document["run"] == measured.document["run"]
    assert {row["block"] for row in document["logs"]} <= {None, 0}


def test_store(here, measured, conforms):
    path = conforms(here("store", "path", "--json").json, "store")["path"]
    size = conforms(here("store", "size", "--json").json, "store")
    assert size["path"] == path
    whole = sum(row["bytes"] for row in size["entries"]) + size["half_made_bytes"]
    assert size["bytes"] == whole > 0
    assert any("toy:small" in row["what"] for row in size["entries"])
    kept = conforms(here("store", "gc", "--json").json, "store")
    assert kept == {"schema": 2, "removed": [], "bytes": 0}


def test_store_gc_removes_what_is_old_and_nothing_else(cli, conforms, toy, one, tmp_path):
    own = {"EDGEBENCH_STORE": str(tmp_path / "store")}
    assert cli("run", *one, "--plugin", toy, **own).status == 0
    before = cli("store", "size", "--json", **own).json
    gone = conforms(cli("store", "gc", "--older-than", "0", "--json", **own).json, "store")
    assert sorted(gone["removed"]) == sorted(row["key"] for row in before["entries"])
    assert gone["bytes"] == before["bytes"] > 0
    assert cli("store", "size", "--json", **own).json["entries"] == []
    assert cli("run", *one, "--plugin", toy, **own).status == 0  # and all of it is made again


def test_plugins_list(here, toy, conforms):
    said = here("plugins", "list", "--json", "--plugin", toy, "--without", "vgg")
    rows = {row["name"]: row for row in conforms(said.json, "plugins")["plugins"]}
    assert said.status == 0
    assert rows["toy"]["status"] == "installed"
    assert rows["vgg"]["status"] == "blocked"
    assert rows["identity"]["distribution"] == "edgebench"
    assert rows["identity"]["hooks"] == ["edgebench_operators"]
    assert rows["vgg"]["hooks"] == []
    assert {"edgebench_models", "edgebench_trainers"} <= set(rows["toy"]["hooks"])


LISTENS = """
    from edgebench import hookimpl

    @hookimpl
    def edgebench_case_started(case): ...
"""


def test_a_plugin_that_only_listens_shows_what_it_listens_to(here, conforms, tmp_path):
    (tmp_path / "listens.py").write_text(dedent(LISTENS))
    words = ("plugins", "list", "--plugin", tmp_path / "listens.py")
    row = conforms(here(*words, "--json").json, "plugins")["plugins"][-1]
    assert (row["name"], row["summary"], row["hooks"]) == (
        "listens",
        "",
        ["edgebench_case_started"],
    )
    said = here(*words).out
    assert "edgebench_case_started" in said
    # Of the others their parts tell, and no column repeats it.
    assert "edgebench_operators" not in said
    assert "hooks" not in said


def test_doctor(cli, toy, conforms):
    said = cli("doctor", "--json", "--plugin", toy)
    document = conforms(said.json, "doctor")
    backends = {row["name"]: row for row in document["backends"]}
    assert said.status == 0
    assert backends["toy-numpy"] == {
        "name": "toy-numpy", "fabric": "process", "devices": ["cpu"], "usable": True,
        "why_not": None,
    }  # fmt: skip
    assert backends["toy-chip"]["usable"]
    assert backends["toy-chip"]["why_not"] == "cloud: not on cloud"
    assert document["noise"]["work_p95_s"] >= document["noise"]["work_median_s"] > 0
    assert document["machine"]["python"].startswith("CPython")


@pytest.mark.parametrize(
    ("name", "spoil"),
    [
        ("list", lambda d: d["models"][0].pop("why_not")),
        ("plan", lambda d: d["cases"][0].update(id=7)),
        ("show", lambda d: d.update(cuts="none")),
        ("plugins", lambda d: d["plugins"][0].update(status="fine")),
        ("logs", lambda d: d.pop("case")),
        ("store", lambda d: d.update(bytes=-1)),
        ("doctor", lambda d: d["machine"].update(memory_bytes="16 GB")),
    ],
)
def test_schemas_refuse_what_is_wrong(here, toy, measured, name, spoil):
    """A schema that takes everything would hold nothing."""
    words = {
        "show": ("show", "operator", "toy-cut"),
        "plan": ("plan", "--model", "toy", "--backend", "toy-numpy"),
        "plugins": ("plugins", "list"),
        "logs": ("logs", measured.case("identity")["id"], "--db", measured.db),
        "store": ("store", "size"),
    }.get(name, (name,))
    document = here(*words, "--json", "--plugin", toy).json
    schema = json.loads(files("edgebench").joinpath("schemas", f"{name}.json").read_text())
    jsonschema.Draft202012Validator(schema).validate(document)
    spoil(document)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(schema).validate(document)
