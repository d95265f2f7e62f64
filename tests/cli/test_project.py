"""`edgebench.toml`: what it makes of `plan` and `run`, and that reading it does no harm."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import attrs
import pytest

from edgebench.cli import parse_words
from edgebench.cli.outside import list_outside
from edgebench.cli.project import MOST_BYTES, Project, ProjectFile, fill

from .. import pages

TOY = """
    [project]
    models = ["toy"]
    operators = ["identity", "toy-round"]
    placements = ["pi"]
    backends = ["toy-numpy"]
    input_at = "pi"
    margin = "accuracy=2"
    blocks = 1
    requests = 3
    seed = 5
    max = ["latency.p95=50ms"]

    [tiers.pi]
    summary = "Mine."
    cpus = 2
    memory_gib = 2
    speed = 0.5
    source = "measured"
"""


@pytest.fixture
def written(tmp_path):
    """Write `edgebench.toml` into the empty directory that commands run in."""

    def write(text):
        (tmp_path / "edgebench.toml").write_text(dedent(text))
        return tmp_path / "edgebench.toml"

    return write


# --- what it says --------------------------------------------------------------------------------


@pytest.mark.process
def test_plan_without_a_word_reads_it_and_says_so(here, toy, written, conforms):
    written(TOY)
    said = here("plan", "--json", "--plugin", toy)
    document = conforms(said.json, "plan")
    assert [(one["chain"], one["placement"], one["seed"]) for one in document["cases"]] == [
        ("identity", "pi", 5), ("toy-round", "pi", 5),
    ]  # fmt: skip
    assert (document["blocks"], document["requests"]) == (1, 3)
    assert said.err.count("\n") == 1
    assert said.err.startswith(
        "edgebench: edgebench.toml says: run --model=toy --operator=identity"
    )
    assert "tiers pi" in said.err


@pytest.mark.process
def test_options_of_the_command_line_go_before_it(here, toy, written):
    written(TOY)
    more = ("--operator", "toy-round", "--seed", "0", "--blocks", "2")
    more += ("--placement", "mobile", "--input-at", "mobile")
    document = here("plan", "--json", "--plugin", toy, *more).json
    assert [(one["chain"], one["placement"], one["seed"]) for one in document["cases"]] == [
        ("toy-round", "mobile", 0)
    ]
    assert (document["blocks"], document["requests"]) == (2, 3)


def test_a_count_of_blocks_gives_way_to_what_adds_them():
    args, _ = parse_words(["plan", "--until", "decided"])
    filled, words = fill(args, Project(models=("toy",), blocks=3, batch=4))
    assert (filled.blocks, filled.until, filled.batch) == (None, "decided", 4)
    assert words == ["--model=toy", "--batch=4"]


@pytest.mark.process
def test_a_seed_of_nothing_is_one(here, toy, written):
    written(TOY.replace("seed = 5", "seed = 0"))
    assert {one["seed"] for one in here("plan", "--json", "--plugin", toy).json["cases"]} == {0}


@pytest.mark.parametrize("option", ["data", "input-data"])
def test_other_data_is_not_calibrated_with_what_was_there(option):
    project = Project(models=("toy",), data="mine", calibration="cal", seed=1)
    args, _ = parse_words(["plan", f"--{option}", "other"])
    filled, words = fill(args, project)
    assert (filled.calibration, words) == (None, ["--model=toy", "--seed=1"])
    args, _ = parse_words(["plan", "--calibration", "cal2"])
    assert fill(args, project)[1] == ["--model=toy", "--data=mine", "--seed=1"]


@pytest.mark.process
def test_a_quick_run_goes_before_its_blocks_and_tells_of_the_sound_one(here, toy, written):
    written(TOY)
    document = here("plan", "--json", "--plugin", toy, "--quick").json
    assert (document["blocks"], document["requests"], document["quick"]) == (2, 10, True)
    for word in ("--quick", "--qui"):
        said = here("plan", "--plugin", toy, word, "--operator", "toy-round").out
        assert "without --quick: 1 blocks a case of 3 requests" in " ".join(said.split())


@pytest.mark.process
def test_a_model_or_a_suite_that_is_named_leaves_it_unread(here, toy, written, tmp_path):
    written("not toml at all")
    said = here("plan", "--plugin", toy, "--model", "toy", "--backend", "toy-numpy")
    assert said.status == 0
    assert said.err == "edgebench: edgebench.toml is not read: options say what to run\n"
    written("[hybrids]\nboth = 'toy-round'")
    read = ("--registry", tmp_path / "edgebench.toml")
    more = ("--model", "toy", "--backend", "toy-numpy", "--operator", "both")
    assert here("plan", "--plugin", toy, *more, *read).err == ""


@pytest.mark.parametrize(
    "words",
    [
        ("--model", "toy", "--placement", "pi"),
        ("--model", "toy", "--placement", "mobile-pi"),
        ("--model", "toy", "--placement", "mobile-edge", "--link", "mobile-pi=1mbit"),
        ("--model", "toy", "--input-at", "pi"),
        ("--model", "toy", "--operator", "both"),
        ("mine",),
    ],
)
def test_of_a_name_that_stands_in_it_unread_it_is_said_how_it_is_read(
    here, toy, written, mistaken, words
):
    more = """
        [hybrids]
        both = "toy-round+toy-cut"

        [suites.mine]
        summary = "Mine."
        [[suites.mine.cases]]
        models = ["toy"]
    """
    written(dedent(TOY) + dedent(more))
    given = ("plan", "--quiet", "--plugin", toy, *words)
    mistaken(here(*given), "edgebench.toml here has ", "--registry edgebench.toml gives it")
    assert "no tier is called" not in here(*given, "--registry", "edgebench.toml").err
    said = here("plan", "--quiet", "--model", "toy", "--placement", "x")
    assert "edgebench.toml" not in said.err
    written("[project")
    assert "edgebench.toml" not in mistaken(here(*given), " is called ")


@pytest.mark.parametrize("text", ["tiers = 5", "suites = 5", "hybrids = 'x nosuch y'"])
def test_a_file_that_is_wrong_and_unread_hides_no_mistake(here, toy, written, mistaken, text):
    written(text + "\n[project]\nmodels = ['toy']\n")
    words = ("plan", "--quiet", "--plugin", toy, "--model", "toy", "--placement", "nosuch")
    said = mistaken(here(*words))
    assert "no tier is called 'nosuch'" in said
    assert "edgebench.toml" not in said


@pytest.mark.parametrize("name", ["--help", "--model=toy", "--db=x.db", "a suite"])
def test_what_it_calls_a_suite_is_no_option(here, written, mistaken, name):
    written(f'[project]\nsuite = "{name}"')
    mistaken(here("plan"), "edgebench.toml, line 1: [project]", f"no suite can be called '{name}'")


@pytest.mark.process
def test_a_case_on_a_tier_of_it_is_measured_again_where_it_is_read(here, toy, written, mistaken):
    written(TOY)
    document = here("run", "--json", "--plugin", toy, "--operator", "identity").json
    case = document["cases"][0]["id"]
    Path("edgebench.toml").rename("mine.toml")
    again = ("run", "--case", case, "--plugin", toy)
    mistaken(here(*again), "no tier is called 'pi'", "--registry")
    assert here(*again, "--json", "--registry", "mine.toml").status == 0


@pytest.mark.process
def test_a_tier_that_has_another_speed_by_now_is_told(here, toy, written, monkeypatch):
    """As this machine's own figure is another, against which a tier states its gflops."""
    found = [40.0]
    monkeypatch.setattr(
        "edgebench.measure.stand.device_speed.find_gflops", lambda *_, **__: found[0]
    )
    written(TOY.replace("speed = 0.5", "gflops = 20"))
    one = ("run", "--json", "--plugin", toy, "--operator", "identity")
    document = here(*one).json
    again = ("run", "--json", "--case", document["cases"][0]["id"], "--plugin", toy)
    for words in (again, (*one, "--resume")):
        assert "as fast" not in here(*words).err
    for words, speed, was in ((again, 0.25, 0.5), ((*one, "--resume"), 0.125, 0.25)):
        found[0] = 20 / speed
        said = here(*words)
        told = f"tier pi is {speed} times as fast as this machine, and was {was} times: another"
        assert said.err.count(told) == 1, said.err


@pytest.mark.process
def test_it_may_name_a_suite_of_its_own(here, toy, written):
    written("""
        [project]
        suite = "own"
        [hybrids]
        both = "toy-round+toy-cut"
        [suites.own]
        summary = "Two products."
        [[suites.own.cases]]
        models = ["toy"]
        operators = ["identity"]
        placements = ["mobile"]
        backends = ["toy-numpy"]
        [[suites.own.cases]]
        models = ["toy"]
        operators = ["both"]
        placements = ["mobile-edge"]
        backends = ["toy-numpy"]
    """)
    said = here("plan", "--json", "--plugin", toy)
    assert [one["placement"] for one in said.json["cases"]] == ["mobile", "mobile-edge"]
    assert "hybrids both; suites own" in said.err


def test_without_one_the_mistake_names_what_writes_one(here, mistaken):
    mistaken(here("plan"), "say what to run", "--model", "edgebench init")
    mistaken(here("run"), "edgebench init")


def test_it_is_looked_for_in_the_working_directory_alone(here, written, monkeypatch, mistaken):
    below = written(TOY).parent / "below"
    below.mkdir()
    monkeypatch.chdir(below)
    mistaken(here("plan"), "say what to run")


@pytest.mark.process
def test_run_measures_it_and_keeps_what_it_said(cli, toy, written, conforms):
    written(TOY)
    said = cli("run", "--json", "--plugin", toy, "--tag", "mine")
    document = conforms(said.json, "run")
    assert said.status == 0, said.err
    assert {case["chain"] for case in document["cases"]} == {"identity", "toy-round"}
    assert document["tag"] == "mine"
    assert {"--operator=toy-round", "--placement=pi"} <= set(document["arguments"])
    bounded = cli("recommend", "--json")
    assert "edgebench.toml says: recommend --max=latency.p95=50ms --max-drop=" in bounded.err
    assert bounded.json["models"]
    assert bounded.err.count("recommend --max") == 1
    assert "whatever run it is; --max and --max-drop take their place" in bounded.err
    given = cli("recommend", "--json", "--max", "size=1GB", "--max-drop", "accuracy=100")
    assert "says" not in given.err
    for found, figures in ((bounded, ["latency.p95"]), (given, ["size"])):
        bounds = found.json["models"][0]["bounds"]
        assert [one["figure"] for one in bounds if one["kind"] == "max"] == figures
    # Its tiers are needed to measure a case again.
    again = cli("run", "--case", document["cases"][0]["id"], "--plugin", toy)
    assert (again.status, "was read for its tiers\n" in again.err) == (0, True)


@pytest.mark.process
def test_a_notebook_reads_it_too(python, toy, written):
    where = written(TOY).parent
    program = """
        import sys, edgebench
        found = edgebench.run(plugin=sys.argv[1], seed=2)
        print(len(found.results), found.results[0].case.seed)
    """
    assert python(program, toy, cwd=where).stdout == "2 2\n"


def test_every_key_is_on_the_page_and_no_other():
    page = (pages.DOCS / "howto" / "project.md").read_text(encoding="utf-8")
    rows = "".join(re.findall(r"^\| (`.+?) \|", page, re.MULTILINE))
    assert set(re.findall("`([a-z_]+)`", rows)) == set(attrs.fields_dict(Project))


# --- mistakes are placed -------------------------------------------------------------------------

HUGE = """[project]
models = ['toy']
[tiers.a]
summary = 'A.'
source = 'measured'
cpus = 1
speed = 1.0
memory_gib = 1e300
"""
SUITED = """[project]
suite = 's'
[suites.s]
summary = 'S.'
[[suites.s.cases]]
models = ['toy']
placements = ['mobile']
{}
"""


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("models = [", ["line 1", "not TOML"]),
        ("[project]\nmodel = ['a']", ["line 2: [project] model:", "did you mean 'models'"]),
        ("[project]", ["line 1: [project]", "'models'"]),
        ("[project]\nmodels = 'a'", ["line 2: [project] models:", "a list"]),
        ("[project]\nmodels = ['a']\nmargin = 'two'", ["line 3: [project] margin:", "accuracy=1"]),
        ("[project]\nmodels = ['a']\nsweep = ['x']", ["line 3: [project] sweep:", "A-B=RATE"]),
        ("[project]\nmodels = ['toy:onnx']\nsweep = ['x']",
         ["line 3: [project] sweep:", "A-B=RATE"]),
        ("[project]\nmodels = ['toy']\nmax = ['latency.p95=5ms', 'latency.p95=6ms']",
         ["line 3: [project] max:", "latency.p95 twice"]),
        ("[project]\nmodels = ['toy']\nmax = ['latency.p50=5ms', 'latency.median=6ms']",
         ["line 3: [project] max:", "latency.median twice"]),
        ("[project]\nmodels = ['a']\nmax = ['speed=1']", ["line 3: [project] max:", "speed"]),
        ("[project]\nmodels = ['a']\nblocks = 0", ["line 3: [project] blocks:", "at least 1"]),
        ("[project]\nsuite = 'a'\nmodels = ['a']", ["[project]", "leave out models"]),
        ("[project]\nsuite = '--case=01234567'", ["[project]", "'--case=01234567'"]),
        ("[project]\nsuite = '--help'", ["[project]", "'--help'"]),
        ("[project]\nmodels = ['a']\ndb = 'x'", ["line 3: [project] db:", "unknown key"]),
        ("[project]\nmodels = ['a']\nblocks = 100000000000000000000",
         ["line 3: [project] blocks:", "at most 9223372036854775807"]),
        ("[project]\nmodels = ['a']\nseed = -1", ["line 3: [project] seed:", "at least 0"]),
        ("[project]\nmodels = ['']", ["line 2: [project] models:", "must not be empty"]),
        (HUGE, ["line 8: [tiers.a] memory_gib:", "less than 8589934592"]),
        ("[project]\nmodels = ['toy']\noperators = ['h']\n[hybrids]\nh = 'toy-cut+nosuch'",
         ["line 5: [hybrids] h:", "no operator is called 'nosuch'"]),
        (SUITED.format("operators = ['identity']\nbackends = ['nosuch']"),
         ["line 9: [suites.s.cases] backends:", "no backend is called 'nosuch'"]),
        (SUITED.format("operators = ['nosuch']\nbackends = ['toy-numpy']"),
         ["line 5: [suites.s.cases]", "'nosuch'"]),
        ("[tiers.a]\ncpus = 1", ["needs the table [project]", "edgebench init"]),
        ("[projekt]\nmodels = ['a']", ["line 1: projekt:", "did you mean 'project'"]),
        ("[project]\nmodels = ['toy']\n[tiers.a]\nfoo = 1", ["line 4: [tiers.a] foo:"]),
        ("[project]\nmodels = ['toy']\noperators = ['toy-sound']",
         ["line 3: [project] operators:", "toy-round"]),
        ("[project]\nmodels = ['vgg:huge']", ["line 2: [project] models:", "vgg"]),
        ("[project]\nmodels = ['toy']\nplacements = ['moon']", ["line 3: [project] placements:"]),
        ("[project]\nmodels = ['toy']\nbackends = ['toy-numpi']", ["line 3: [project] backends:"]),
        ("[project]\nmodels = ['toy']\ndata = 'nowhere'",
         ["line 3: [project] data:", "nowhere", "--data"]),
        ("[project]\nmodels = ['toy']\ndata = './nowhere(label=x)'",
         ["line 3: [project] data:", "'nowhere'"]),
        ("[project]\nmodels = ['toy']\ncalibration = './nowhere'",
         ["line 3: [project] calibration:", "'nowhere'"]),
    ],
)  # fmt: skip
def test_a_mistake_says_where_it_stands(here, toy, written, mistaken, text, words):
    written(text)
    said = here("plan", "--plugin", toy, "--quiet")
    mistaken(said, *words)


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("--operator", "toy-sound"), "toy-sound"),
        (("--operator", "toy-round(bits=x)"), "bits"),
        (("--placement", "toy"), "toy"),  # as the model is called
        (("--backend=toy-numpi",), "toy-numpi"),
        (("--link", "x"), "x"),
    ],
)
def test_what_the_command_line_says_is_not_blamed_on_it(here, toy, written, mistaken, words, named):
    written("[project]\nmodels = ['toy']\n")
    said = here("plan", "--plugin", toy, "--quiet", *words)
    mistaken(said, named)
    assert "edgebench.toml" not in said.err


def test_a_mark_that_editors_put_before_a_text_is_no_mistake(here, toy, tmp_path, process):
    text = "[project]\nmodels = ['toy']\nbackends = ['toy-numpy']\n"
    (tmp_path / "edgebench.toml").write_text(text, encoding="utf-8-sig")
    said = here("plan", "--plugin", toy)
    assert said.status == 0, said.err


# --- a cloned folder runs no code ----------------------------------------------------------------

HARMS = """
    import os
    open("harm", "w").close()
"""


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ('[plugins.evil]\nkind = "model"\nmodule = "os"\noffers = ["evil"]', "plugins"),
        ('[plugins.evil]\nmodule = "evil"\nevents = true', "plugins"),
        ('[plugins.evil]\nkind = "model"\ndistribution = "evil"\noffers = ["evil"]', "plugins"),
        ('[plugins.vgg.silence]\nLD_PRELOAD = "/tmp/evil.so"', "plugins"),
        ('[defaults]\ntemplates = "evil"', "defaults"),
        ('[assets.vgg-16]\nurl = "http://evil.example/x"', "assets"),
        ('[conclusions.x]\nstudy = "evil"', "conclusions"),
    ],
)
def test_what_names_code_is_refused_in_one_line_that_says_why(here, written, mistaken, text, key):
    place = written('[project]\nmodels = ["toy"]\n' + text)
    (place.parent / "evil.py").write_text(dedent(HARMS))
    for command in ("plan", "run", "recommend"):
        said = here(command) if command != "recommend" else here(command, "--db", "x.db")
        if command != "recommend":
            mistaken(said, "line 3", key, "with --registry" if key == "conclusions" else "run code")
        assert said.status == 2
    assert not (place.parent / "harm").exists()


def test_nothing_is_read_from_where_it_extends(here, written, mistaken, tmp_path):
    (tmp_path / "more.toml").write_text('[plugins.evil]\nmodule = "evil"\nevents = true\n')
    for other in ("more.toml", "/etc/passwd", "/dev/stdin"):
        written(f'extends = ["{other}"]\n[project]\nmodels = ["toy"]')
        said = mistaken(here("plan"), "line 1: extends:", "must not run code")
        assert "root:" not in said


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("backends", "toy-loads(library=/tmp/evil.so)"),
        ("backends", "toy-loads(server='http://evil.example')"),
        ("backends", "mobile=toy-loads(server=x),edge=toy-loads"),
        ("operators", "toy-reads(program=evil)"),
        ("operators", "identity+toy-reads(program=evil)"),
    ],
)
@pytest.mark.parametrize("where", ["project", "suite", "hybrid"])
def test_options_that_could_load_or_ask_something_are_refused(
    here, written, mistaken, tmp_path, kind, text, where
):
    (tmp_path / "loads.py").write_text(dedent(LOADS))
    rows = {"models": ["vgg"], "operators": ["identity"], "placements": ["mobile"],
            "backends": ["toy-loads"]}  # fmt: skip
    if where == "hybrid" and kind == "backends":
        pytest.skip("a hybrid names operators alone")
    if where == "hybrid":
        body = f'[project]\nmodels = ["vgg"]\n[hybrids]\nh = "{text}"'
    else:
        rows[kind] = [text]
        lines = "\n".join(f"{key} = {value!r}" for key, value in rows.items())
        body = f"[project]\n{lines}"
        if where == "suite":
            body = (
                f"[project]\nsuite = 's'\n[suites.s]\nsummary = 'S.'\n[[suites.s.cases]]\n{lines}"
            )
    written(body)
    said = here("plan", "--plugin", tmp_path / "loads.py")
    mistaken(said, "must not run code", "command line")
    text = body.splitlines()
    line = next(number for number, one in enumerate(text, start=1) if kind in one or "h =" in one)
    assert f"edgebench.toml, line {line}: [" in said.err


LOADS = """
    from pathlib import Path
    from typing import Literal
    import attrs
    from edgebench import Backend, Operator, hookimpl

    @attrs.frozen(kw_only=True)
    class Loads:
        library: Path | None = None
        server: str = ""
        precision: Literal["f32", "f16"] = "f32"
        effort: int | None = None

    @attrs.frozen(kw_only=True)
    class Reads:
        program: Path | None = None
        at: str = ""

    @hookimpl
    def edgebench_backends():
        yield Backend(name="toy-loads", summary="Any.", formats=["onnx"], open=print, options=Loads)

    @hookimpl
    def edgebench_operators():
        yield Operator(name="toy-reads", summary="Any.", apply=print, options=Reads)
"""


def test_options_that_name_nothing_are_taken(here, written, tmp_path):
    (tmp_path / "loads.py").write_text(dedent(LOADS))
    written("""
        [project]
        models = ["nobody"]
        operators = ["toy-reads(at=layer)"]
        backends = ["toy-loads(precision=f16,effort=2)"]
    """)
    said = here("plan", "--plugin", tmp_path / "loads.py")
    assert "no model is called 'nobody'" in said.err


@pytest.mark.process
def test_modules_that_lie_beside_it_are_not_imported(written, toy, tmp_path):
    written(TOY)
    for name in ("numpy", "attrs", "json", "edgebench_kit", "sitecustomize", "toy"):
        (tmp_path / f"{name}.py").write_text(dedent(HARMS))
    script = Path(sys.executable).with_name("edgebench")
    done = subprocess.run([script, "run", "--plugin", toy], cwd=tmp_path, capture_output=True,
                          text=True, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "harm").exists()


def test_what_is_no_such_file_is_refused_and_not_waited_for(here, mistaken, tmp_path):
    os.mkfifo(tmp_path / "edgebench.toml")
    mistaken(here("plan"), "is no file")
    (tmp_path / "edgebench.toml").unlink()
    (tmp_path / "edgebench.toml").symlink_to("/dev/zero")
    mistaken(here("plan"), "is no file")


@pytest.mark.parametrize(
    "text", ["x = " + "[" * 20000, "a = 1\n" * (MOST_BYTES // 6 + 1), "x = " + "9" * 10000,
             "[" + "a." * 5000 + "a]"]
)  # fmt: skip
def test_files_made_to_be_endless_are_refused(here, written, mistaken, text):
    written(text)
    mistaken(here("plan"), "edgebench.toml")


def test_paths_that_leave_its_folder_are_said(written, tmp_path):
    (tmp_path / "inside").mkdir()
    (tmp_path / "way").symlink_to("/")
    file = ProjectFile.read(
        written("""
        [project]
        models = ["../m.onnx(classes=/etc/names)", "./inside", "way", "vgg:small"]
        data = "inside(label=a,text=../b)"
        weights = "file:/etc/hosts"
    """)
    )
    words = file.project.write_words()
    assert list_outside(file.root, words) == [
        "../m.onnx(classes=/etc/names)", "../m.onnx", "/etc/names", "way", "../b", "/etc/hosts",
    ]  # fmt: skip
    assert "it reads outside of its folder: " in file.describe(words)
    # What stands on the command line in place of it is not the file's.
    given = file.project.write_words(["data"])
    assert list_outside(file.root, [*given, "--data=x"])[-2:] == ["way", "/etc/hosts"]


def test_links_among_its_data_that_lead_outside_are_said(here, toy, written, tmp_path):
    for name in ("pics/a", "pics/b", "more", "plain"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "pics/inside").symlink_to("../plain")
    (tmp_path / "pics/self").symlink_to(".")
    (tmp_path / "pics/a/x.jpg").symlink_to("/etc/hostname")
    (tmp_path / "pics/b/etc").symlink_to("/etc")
    (tmp_path / "more/way").symlink_to("../plain")
    (tmp_path / "plain/x.jpg").symlink_to("/etc/hostname")
    file = ProjectFile.read(written("""
        [project]
        models = ["toy"]
        data = "pics(label=plain)"
        calibration = "more"
    """))  # fmt: skip
    assert list_outside(file.root, file.project.write_words()) == [
        "pics/a/x.jpg and 2 more links of pics", "plain/x.jpg", "more/way/x.jpg",
    ]  # fmt: skip


@pytest.mark.process
def test_where_a_database_lies_that_is_a_link_is_said(here, toy, written, tmp_path):
    written(TOY)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "edgebench.db").symlink_to("elsewhere/other.db")
    said = here("plan", "--plugin", toy).err
    assert f"edgebench.db is a link: results are kept in {tmp_path}/elsewhere/other.db\n" in said


def test_what_it_holds_moves_no_cursor(here, written, mistaken):
    written(r"[project]" + "\n" + r'models = ["\u001b[2J"]')
    assert "\x1b" not in here("plan").err
