"""`edgebench init`: what it writes is read back as what it was made of, and plans as it says."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebench.catalogue.registry import Registry
from edgebench.catalogue.rows import TierRow
from edgebench.cli import parse_words
from edgebench.cli.asking import Asker
from edgebench.cli.init import write_file
from edgebench.cli.places import choose_links, choose_tiers
from edgebench.cli.possible import Possible
from edgebench.cli.project import Project, ProjectFile
from edgebench.cli.project_text import write_project
from edgebench.cli.subject_choice import relocate
from edgebench.cli.wishes import _read_margin
from edgebench.parts.errors import EdgebenchError
from edgebench.parts.places import Link

TOY = ("--model", "toy", "--backend", "toy-numpy")

# --- what is written is read back ----------------------------------------------------------------

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)
SHOWN = TEXTS.filter(str.strip)
SEVERAL = st.lists(TEXTS, max_size=3).map(tuple)
NAMES = st.from_regex(r"[a-z][a-z0-9]{0,6}", fullmatch=True)
COUNTS = st.none() | st.integers(1, 2**40)
SIZES = st.floats(1e-6, 1e12)
PROJECTS = st.builds(
    Project,
    models=st.lists(TEXTS, min_size=1, max_size=3).map(tuple),
    operators=SEVERAL,
    placements=SEVERAL,
    backends=SEVERAL,
    data=TEXTS | st.just(""),
    calibration=TEXTS | st.just(""),
    weights=TEXTS | st.just(""),
    input_at=TEXTS | st.just(""),
    sweep=st.lists(st.sampled_from(["a-b=4mbit,50ms", "b-c=1gbit"]), max_size=2).map(tuple),
    margin=st.sampled_from(["", "accuracy=0.5"]),
    max=st.lists(st.sampled_from(["latency.p95=50ms", "size=3MB"]), max_size=2, unique=True).map(
        tuple
    ),
    blocks=COUNTS,
    requests=COUNTS,
    batch=COUNTS,
    seed=COUNTS,
)


@st.composite
def tiers(draw):
    cpus = draw(st.integers(1, 512))
    speeds = draw(st.sampled_from([{}, {"speed": draw(SIZES)}, {"gflops": draw(SIZES)}]))
    return TierRow(
        name=draw(NAMES), cpus=cpus, memory_gib=draw(st.floats(1e-6, 1e9)),
        accelerator=draw(st.just("") | SHOWN), threads=draw(st.integers(1, cpus)),
        price_per_hour=draw(st.none() | st.just(0.0) | SIZES), summary=draw(SHOWN),
        source=draw(SHOWN), file=Path(), **speeds,
    )  # fmt: skip


LINKS = st.builds(
    Link,
    between=st.lists(NAMES, min_size=2, max_size=2, unique=True).map(tuple),
    rate=SIZES,
    delay=st.just(0.0) | st.floats(1e-6, 10),
    price_per_gb=st.none() | st.just(0.0) | SIZES,
    source=SHOWN,
)


@given(
    PROJECTS,
    st.lists(tiers(), max_size=3, unique_by=lambda tier: tier.name),
    st.lists(LINKS, max_size=3, unique_by=lambda link: frozenset(link.between)),
    st.lists(st.text(), max_size=2),
)
def test_whatever_is_written_is_read_back(tmp_path_factory, project, rows, links, more):
    path = tmp_path_factory.mktemp("project") / "edgebench.toml"
    path.write_text(write_project(project, rows, links, {"operators": more}), encoding="utf-8")
    assert ProjectFile.read(path).project == project
    registry = Registry.of([path])
    assert registry.links == tuple(links)
    read = [attrs.evolve(registry.tiers[row.name], file=Path()) for row in rows]
    assert read == rows


# --- on the command line -------------------------------------------------------------------------


@pytest.mark.process
def test_what_it_writes_is_what_plan_and_run_do(here, toy, conforms, tmp_path):
    words = (*TOY, "--tier", "phone=pi4", "--tier", "server=laptop", "--link", "phone-server=4g")
    more = ("--margin", "accuracy=2", "--max", "latency.p95=1s", "--plugin", toy, "--json")
    document = conforms(here("init", *words, *more).json, "init")
    assert document["project"]["placements"] == ["phone", "server"]
    assert (document["cases"], document["skipped"]) == (4, 0)
    said = tomllib.loads((tmp_path / "edgebench.toml").read_text())
    assert said["project"] == document["project"]
    assert said["tiers"]["phone"]["gflops"] == Registry.read().devices["pi4"].gflops
    assert said["tiers"]["phone"]["source"].startswith("pi4: ")
    assert said["links"][0]["source"].startswith("4g: ")
    plan = here("plan", "--plugin", toy, "--json").json
    assert len(plan["cases"]) == document["cases"]
    assert {one["placement"] for one in plan["cases"]} == {"phone", "server"}


@pytest.mark.process
def test_it_writes_over_nothing_unless_it_is_told_to(here, toy, mistaken, tmp_path):
    target = tmp_path / "edgebench.toml"
    target.write_text("mine")
    mistaken(here("init", *TOY, "--yes", "--plugin", toy), "edgebench.toml is there", "--force")
    assert target.read_text() == "mine"
    said = here("init", *TOY, "--yes", "--force", "--plugin", toy)
    assert (said.status, said.err) == (0, "")
    assert "[project]" in target.read_text()
    assert [path.name for path in tmp_path.iterdir()] == ["edgebench.toml"]
    assert "Next:" in said.out
    assert "edgebench run" in said.out
    laid = " ".join(said.out.split())
    assert "not known before the first run: " in laid
    assert "cases, each on 400 test samples at most comes on top" in laid


def test_what_came_in_between_is_not_written_over(tmp_path):
    target = tmp_path / "edgebench.toml"
    target.symlink_to("nowhere")
    with pytest.raises(EdgebenchError, match="is there"):
        write_file(target, "text", force=False)
    assert os.path.lexists(target)
    write_file(target, "text", force=True)
    assert (target.is_symlink(), target.read_text()) == (False, "text")
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), ["--model M", "--tier NAME=DEVICE", "terminal"]),
        (("--yes",), ["--model M"]),
        (("--model", "toy"), ["--tier NAME=DEVICE", "--yes"]),
        (("--model", "toy", "--json"), ["--tier NAME=DEVICE"]),
        ((*TOY, "--tier", "pi=pie4"), ["no device is called 'pie4'", "pi4"]),
        ((*TOY, "--tier", "a=pi4", "--tier", "a=pi5"), ["'a' is given twice"]),
        ((*TOY, "--tier", "a-b=pi4"), ["'a-b'", "'-'"]),
        ((*TOY, "--tier", "A=pi4"), ["lower-case word", "'A'"]),
        ((*TOY, "--tier", "pi"), ["no tier is called 'pi'", "--tier pi=DEVICE"]),
        ((*TOY, "--tier", "a=pi4", "--tier", "b=pi5"), ["what joins a and b", "--link a-b="]),
        ((*TOY, "--tier", "mobile", "--link", "mobile-x=4g"), ["no tier is called 'x'"]),
        ((*TOY, "--tier", "mobile", "--tier", "edge", "--link", "mobile-edge=6g"),
         ["a rate is a number", "'6g'", "no network is called so"]),
        ((*TOY, "--tier", "mobile", "--tier", "edge", "--link", "mobile-edge=fast"),
         ["'fast'", "no network is called so"]),
        ((*TOY, "--tier", "mobile", "--link", "4g"), ["A-B=RATE"]),
        ((*TOY, "--yes", "--margin", "much"), ["accuracy=POINTS"]),
        ((*TOY, "--yes", "--max", "speed=1"), ["speed"]),
        ((*TOY, "--yes", "--backend", "nosuch"), ["edgebench: --backend: no backend is called"]),
        ((*TOY, "--yes", "--backend", "onnxruntime(library=/x.so)"),
         ["edgebench: --backend: ", "'library'", "run code"]),
        (("--model", "", "--yes"), ["--model: must not be empty"]),
        ((*TOY, "--yes", "--max", "size=1MB", "--max", "size=2MB"), ["--max", "size twice"]),
        (("nowhere", *TOY, "--yes"), ["nowhere is no directory"]),
        (("--model", "toyy", "--yes"), ["no model is called 'toyy'"]),
        ((*TOY, "--yes", "--data", "nothing"), ["nothing"]),
    ],
)  # fmt: skip
@pytest.mark.process
def test_what_it_is_not_told_it_names_in_one_line(here, toy, mistaken, tmp_path, words, said):
    found = here("init", *words, "--plugin", toy)
    mistaken(found, *said)
    assert tempfile.gettempdir() + "/edgebench-" not in found.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.process
def test_what_cannot_be_run_is_not_written(here, toy, mistaken, tmp_path):
    words = (*TOY, "--yes", "--operator", "toy-cut", "--placement", "mobile")
    mistaken(here("init", *words, "--plugin", toy), "nothing is written", "needs 1 piece")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.process
def test_an_operator_that_cuts_is_placed_on_two_tiers_and_nothing_is_skipped(here, toy, tmp_path):
    words = (*TOY, "--yes", "--operator", "toy-cut", "--operator", "identity", "--plugin", toy)
    document = here("init", *words, "--json").json
    assert document["project"]["placements"] == [
        "mobile", "edge", "cloud", "mobile-edge", "mobile-cloud"]  # fmt: skip
    assert (document["cases"], document["skipped"]) == (5, 0)
    said = tomllib.loads((tmp_path / "edgebench.toml").read_text())
    assert said["project"]["suite"] == "mine"
    assert [(one["operators"], one["placements"]) for one in said["suites"]["mine"]["cases"]] == [
        (["toy-cut"], ["mobile-edge", "mobile-cloud"]),
        (["identity"], ["mobile", "edge", "cloud"]),
    ]
    plan = here("plan", "--plugin", toy, "--json").json
    assert (len(plan["cases"]), plan["skipped"]) == (5, [])
    # As where the same is said by options.
    assert plan["bound_s"] is not None
    assert here("plan", "--plugin", toy, "--json", "--requests", "9").json["bound_s"] is None


@pytest.mark.parametrize(
    ("words", "placements"),
    [
        (("--operator", "toy-round+identity"), ["mobile", "edge", "cloud"]),
        (("--operator", "toy-round(digits=1)"), ["mobile", "edge", "cloud"]),
        (("--operator", "both"), ["mobile-edge", "mobile-cloud"]),
        (("--operator", "toy-r*"), ["mobile", "edge", "cloud"]),
        (("--backend", "toy-n*"), ["mobile", "edge", "cloud"]),
        (("--operator", "toy-cut+toy-round", "--tier", "phone=pi4", "--tier", "box=laptop",
          "--link", "phone-box=4g"), ["phone-box"]),
    ],
)  # fmt: skip
@pytest.mark.process
def test_a_chain_has_the_placements_that_it_can_have(here, toy, tmp_path, words, placements):
    Path("mine.toml").write_text('[hybrids]\nboth = "toy-round+toy-cut"\n', encoding="utf-8")
    given = ("--model", "toy", "--yes", "--plugin", toy, "--registry", "mine.toml", *words)
    more = () if "--backend" in words else ("--backend", "toy-numpy")
    document = here("init", *given, *more, "--json").json
    assert document["project"]["placements"] == placements
    assert document["skipped"] == 0


@pytest.mark.process
def test_a_pattern_is_parted_where_its_operators_have_other_placements(here, toy, tmp_path):
    words = (*TOY, "--yes", "--operator", "toy-[cr]*", "--plugin", toy)
    assert here("init", *words).status == 0
    said = tomllib.loads((tmp_path / "edgebench.toml").read_text())
    assert [(one["operators"], one["placements"]) for one in said["suites"]["mine"]["cases"]] == [
        (["toy-cut"], ["mobile-edge", "mobile-cloud"]),
        (["toy-round"], ["mobile", "edge", "cloud"]),
    ]


@pytest.mark.process
def test_where_a_chain_can_be_nowhere_the_reason_is_that_of_its_tiers(here, toy, mistaken):
    words = ("--tier", "phone=pi4", "--tier", "box=laptop", "--link", "phone-box=4g")
    chain = ("--operator", "toy-cut+toy-cut")
    mistaken(here("init", *TOY, *words, *chain, "--plugin", toy), "nothing is written", "gives 3")


@pytest.mark.process
def test_links_of_one_pair_are_measured_in_turn(here, toy, tmp_path):
    words = (*TOY, "--operator", "toy-cut", "--tier", "phone=pi4", "--tier", "box=laptop")
    links = ("--link", "phone-box=wifi5,5ms", "--link", "box-phone=4g")
    document = here("init", *words, *links, "--plugin", toy, "--json").json
    said = tomllib.loads((tmp_path / "edgebench.toml").read_text())
    assert said["project"]["sweep"] == ["phone-box=wifi5,5ms", "box-phone=4g"]
    assert [one["source"].partition(":")[0] for one in said["links"]] == ["wifi5"]
    assert (document["cases"], document["skipped"]) == (2, 0)


CUTTER = """
import attrs
from edgebench import Operator, hookimpl
from edgebench.testing import toy

@hookimpl
def edgebench_operators():
    cut = next(one for one in toy.edgebench_operators() if one.name == "toy-cut")
    yield attrs.evolve(cut, name="cutter", list_cuts=lambda *_: None, needs=["run", "links"])
"""


@pytest.mark.process
def test_where_a_link_is_given_a_cut_is_tried_too(here, toy, tmp_path):
    (tmp_path / "cutter.py").write_text(CUTTER)
    plugins = ("--plugin", toy, "--plugin", "cutter.py")
    words = (*TOY, "--tier", "mobile", "--tier", "edge", *plugins, "--json", "--force")
    assert "cutter" not in here("init", *words).json["project"]["operators"]
    document = here("init", *words, "--link", "mobile-edge=4g").json
    assert document["skipped"] == 0
    cases = tomllib.loads((tmp_path / "edgebench.toml").read_text())["suites"]["mine"]["cases"]
    assert (cases[-1]["operators"], cases[-1]["placements"]) == (["cutter"], ["mobile-edge"])
    assert len(cases) == 2


# --- paths ---------------------------------------------------------------------------------------


def test_paths_are_written_from_where_the_file_lies(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("work/data", "vgg", "label", "photos", "photos(1)"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("work/m.onnx", "names.txt", "odd (1).onnx", "a b (2).txt"):
        (tmp_path / name).touch()
    work = Path("work")
    known = ["vgg", "resnet:tiny"]
    for text, written in {
        "work/m.onnx": "./m.onnx",
        "work/m.onnx(classes=names.txt,label=label)": "./m.onnx(classes=../names.txt,label=label)",
        "odd (1).onnx": "../odd (1).onnx",
        "odd (1).onnx(classes=names.txt)": "../odd (1).onnx(classes=../names.txt)",
        "photos(1)(label=label)": "../photos(1)(label=label)",
        'photos(text="a b (2).txt")': '../photos(text="../a b (2).txt")',
        f"photos(text={'x' * 300})": f"../photos(text={'x' * 300})",
        "x" * 300: "x" * 300,
        "vgg": "vgg",
        "./vgg": "../vgg",
        "resnet:tiny": "resnet:tiny",
        "nowhere": "nowhere",
        "label": "../label",
        "/etc": "/etc",
        "": "",
    }.items():
        assert relocate(text, work, known) == written
    assert relocate("work/data", Path()) == "./work/data"
    assert relocate("leaves=work/data", work) == "leaves=./data"
    assert relocate("label=label", work, ["label"]) == "label=../label"


# --- questions -----------------------------------------------------------------------------------


def asking(*lines):
    said, heard = [], iter([*(f"{line}\n" for line in lines), ""])
    return Asker(say=said.append, hear=lambda: next(heard)), said


def test_an_answer_is_a_number_a_word_or_what_is_offered():
    choices = [("pi4", "A small one."), ("pi5", "A larger one.")]
    asker, said = asking("2", "", "0", "3", "0000000012", "9" * 5000, "pi9", "2, 1", "")
    assert asker.ask("Which?", "pi4", choices) == "pi5"
    assert asker.ask("Which?", "pi4", choices) == "pi4"
    assert asker.ask("Which?", "pi4", choices) == "pi9"
    assert asker.ask_several("Which?", ["pi4"], choices) == ["pi5", "pi4"]
    assert asker.ask("Any?") == ""
    assert "there is no 3: 1 to 2\n" in said
    assert "   1  pi4  A small one.\n" in said
    with pytest.raises(EdgebenchError, match="no answer to 'More"):
        asker.ask("More?")


def test_numbers_that_are_no_choices_are_answers():
    asker, _ = asking("5", "0.5")
    assert asker.ask("Points?", "1") == "5"
    assert asker.ask("Points?", "1") == "0.5"


def test_tiers_and_links_are_chosen_by_number(registry):
    devices, networks = list(registry.devices), list(registry.networks)
    asker, _ = asking("mobile server", "1", str(devices.index("laptop") + 1))
    tiers = choose_tiers([], registry, asker)
    assert [tier.name for tier in tiers] == ["mobile", "server"]
    assert tiers[0] == registry.tiers["mobile"]
    assert tiers[1].gflops == registry.devices["laptop"].gflops
    asker, _ = asking(str(networks.index("4g") + 1))
    (link,) = choose_links([], tiers, registry, asker)
    assert (link.between, link.rate) == (("mobile", "server"), registry.networks["4g"].rate)


def test_what_is_refused_is_asked_again(registry):
    asker, said = asking("phone wifi", "phone-9", "phone-entry", "", "7g", "4mbit,1ms")
    tiers = choose_tiers([], registry, asker)
    assert tiers[0].source.startswith("phone-entry: ")
    (link,) = choose_links([], tiers, registry, asker)
    assert (link.rate, link.delay, link.source) == (4e6, 0.001, "said to edgebench init")
    assert "no device is called 'phone-9'; did you mean" in "".join(said)
    asker, said = asking("much", "101", "2")
    assert asker.ask_for("Points?", _read_margin, "1") == "accuracy=2"
    asker, said = asking("Phone-1", "a a", "pi", "pi4")
    assert [tier.name for tier in choose_tiers([], registry, asker)] == ["pi"]
    assert "one lower-case word" in "".join(said)
    assert "'a' is given twice" in "".join(said)


def test_what_stands_in_brackets_is_of_one_answer():
    asker, _ = asking("cut(at=1, b=2)+round(bits=8),identity other", "cut(at=1, b")
    assert asker.ask_several("Which?", []) == ["cut(at=1, b=2)+round(bits=8)", "identity", "other"]
    assert asker.ask_several("Which?", []) == ["cut(at=1", "b"]


@pytest.mark.process
def test_what_planning_would_refuse_is_asked_again_at_once(toy, tmp_path):
    _, common = parse_words(["init", "--plugin", str(toy)])
    survey = Project(models=("toy",), operators=("*",), placements=("mobile",))
    possible = Possible.find(write_project(survey, (), ()), tmp_path, common)
    asker, said = asking("toy-numpi", "toy-chip(library=/x.so)", "2 toy-chip(", "1 toy-nu*")
    assert possible.choose_backends([], asker) == ["toy-chip", "toy-nu*"]
    assert "no backend is called 'toy-numpi'; did you mean 'toy-numpy'?" in "".join(said)
    assert "toy-chip has no option 'library'" in "".join(said)
    asker, said = asking("toy-rond", "nothing*", "toy-round(digits=x)", "toy-round(digits=1), 1")
    chosen = possible.choose_operators(["toy-nu*"], asker)
    assert chosen == ["toy-round(digits=1)", "identity"]
    for told in ("did you mean 'toy-round'", "no operator matches 'nothing*'", "digits must be"):
        assert told in "".join(said)
    assert (possible.knows(chosen), possible.knows(["toy-round"])) == (False, True)


def test_links_may_form_a_star(registry):
    tiers = choose_tiers(["a=pi4", "b=pi5", "c=laptop"], registry, None)
    links = choose_links(["a-b=4g", "c-a=10mbit,5ms"], tiers, registry, None)
    assert [link.between for link in links] == [("a", "b"), ("c", "a")]
    assert links[1].source == "said to edgebench init"


@pytest.mark.process
def test_on_a_terminal_it_asks_for_what_is_not_said(toy, tmp_path):
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "edgebench", "init", "--plugin", toy, "--backend", "toy-numpy"],
        stdin=theirs, stdout=subprocess.PIPE, stderr=theirs, cwd=tmp_path,
    )  # fmt: skip
    os.close(theirs)
    # The model, its data, the tiers, what they are, what joins them, operators, margin, bound.
    for answer in (
        "toy",
        "",
        "mobile edge",
        "",
        "2",
        "",
        "toy-rond",
        "identity toy-round(digits=2)",
        "3",
        "2s",
    ):
        os.write(ours, f"{answer}\n".encode())
    out, _ = process.communicate(timeout=120)
    os.close(ours)
    assert process.returncode == 0
    assert "Next:" in out.decode()
    said = tomllib.loads((tmp_path / "edgebench.toml").read_text())
    assert said["project"] == {
        "models": ["toy"], "operators": ["identity", "toy-round(digits=2)"],
        "placements": ["mobile", "edge"], "backends": ["toy-numpy"], "input_at": "mobile", "margin": "accuracy=3",
        "max": ["latency.p95=2s"],
    }  # fmt: skip
    assert list(said["tiers"]) == ["mobile", "edge"]
    assert "speed" in said["tiers"]["mobile"]
    assert "gflops" in said["tiers"]["edge"]


def test_devices_and_networks_have_what_tiers_and_links_need(registry):
    for name in registry.devices:
        assert choose_tiers([f"x={name}"], registry, None)[0].source.startswith(f"{name}: ")
    assert json.dumps(sorted(registry.networks))


@pytest.mark.process
def test_the_files_that_were_given_are_given_to_the_commands_that_follow(here, toy, monkeypatch):
    Path("mine.toml").write_text('[hybrids]\nboth = "toy-round+toy-cut"\n', encoding="utf-8")
    Path("in it").mkdir()
    said = here("init", "in it", "--json", "--plugin", toy, "--registry", "mine.toml", "--model",
                "toy", "--operator", "both", "--tier", "mobile", "--tier", "edge", "--placement",
                "mobile-edge", "--backend", "toy-numpy")  # fmt: skip
    found = said.json["next"][0].partition(" && ")[2].split()
    assert found[1:4] == ["plan", "--registry", "../mine.toml"]
    monkeypatch.chdir("in it")
    assert here(*found[1:], "--json").json["cases"][0]["chain"] == "toy-round+toy-cut"
