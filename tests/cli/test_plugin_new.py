"""`edgebench plugins new`: what it writes works as it is, for every kind, and it refuses the rest."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from edgebench.catalogue.registry import shipped_registry
from edgebench.catalogue.rows import KINDS
from edgebench.cli.plugin_new import write_files
from edgebench.parts.errors import EdgebenchError

ROOT = shipped_registry().parent
ALL = [*KINDS, "events"]
LONG = "an-idea-of-some-name"
TOO_LONG = "x" * 300


@pytest.fixture
def written(cli, tmp_path):
    """Write a plugin of a kind, and return its directory."""

    def write(kind, name):
        said = cli("plugins", "new", kind, name)
        assert said.status == 0, said.err
        return tmp_path / f"edgebench-{name}"

    return write


def do(directory, *words, **more):
    """Run a program in a directory, in which a plugin lies that is not installed."""
    paths = [str(directory), *filter(None, sys.path)]
    return subprocess.run(
        [sys.executable, "-m", *words],
        cwd=directory,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True,
        text=True,
        check=False,
        **more,
    )


@pytest.mark.parametrize("kind", ALL)
def test_the_tests_of_what_is_written_pass_at_once(kind, written):
    directory = written(kind, "sketch")
    done = do(directory, "pytest", "-q", "-p", "no:cacheprovider", "-W", "error", timeout=280)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_dataset_that_is_written_has_labels_enough_and_fits_a_model_by_default(written):
    directory = written("dataset", "sketch")
    directory.joinpath("tried.py").write_text(
        "import edgebench_sketch as made\n"
        "from edgebench.parts.plain import read_arrays, take_arrays\n"
        "found = [payload for payload, _ in made.samples('test', 0)]\n"
        "tensors = take_arrays(read_arrays(found[0], ''), '')\n"
        "print(len(found), {name: one.shape for name, one in tensors.items()})\n"
    )
    done = do(directory, "tried")
    assert "1000 {'input': (1, 1000)}" in done.stdout, done.stderr


def test_what_is_written_is_clean_whatever_it_is_called(written):
    names = {kind: LONG if number % 2 else "x" for number, kind in enumerate(ALL)}
    names = {kind: f"{name}-{kind}" for kind, name in names.items()} | {
        "tier": "averylongwordofatier"
    }
    directories = [written(kind, name) for kind, name in names.items()]
    top = directories[0].parent
    for words in (("ruff", "check", "."), ("ruff", "format", "--check", ".")):
        done = do(top, *words)
        assert done.returncode == 0, done.stdout
    packages = [str(next(one.glob("edgebench_*"))) for one in directories]
    # No file of ours says what is checked: these options are those of the distributions.
    options = ("--strict", "--ignore-missing-imports", "--config-file", os.devnull)
    done = do(top, "mypy", *options, *packages)
    assert done.returncode == 0, done.stdout


def test_what_was_written_is_printed_and_what_to_do_next(cli, tmp_path):
    said = cli("plugins", "new", "operator", "sketch", "-o", "deep/down")
    assert said.status == 0
    assert f"  deep{os.sep}down{os.sep}edgebench-sketch{os.sep}edgebench_sketch" in said.out
    assert "python -m pip install -e './deep/down/edgebench-sketch[test]'" in said.out
    said = cli("plugins", "new", "events", "listener", "--json").json
    assert said["directory"] == "edgebench-listener"
    files = [path for path in (tmp_path / "edgebench-listener").rglob("*") if path.is_file()]
    assert sorted(said["files"]) == sorted(
        str(path.relative_to(tmp_path / "edgebench-listener")) for path in files
    )
    assert "edgebench plugins check listener" not in said["next"]
    assert "edgebench plugins list" in said["next"]


def test_what_ci_installs_edgebench_from_is_said_in_one_place(written):
    shipped = ROOT / "docs" / "examples" / "edgebench-shrink"
    for directory in (written("operator", "sketch"), shipped):
        text = (directory / ".github" / "workflows" / "tests.yml").read_text()
        assert text.count("git+https://") == 1
        assert "\n  EDGEBENCH: git+https://" in text
        # pip takes the one that is there for what the plugin asks of an index.
        first, second = (line for line in text.splitlines() if "pip install" in line)
        assert first == '      - run: python -m pip install "$EDGEBENCH"'
        assert second.endswith("'.[dev]'")


def test_no_place_is_left_unfilled(written):
    for kind in ("model", "events"):
        directory = written(kind, f"a.b_c-{kind}")
        for path in directory.rglob("*"):
            text = path.read_text() if path.is_file() else path.name
            for word in ("new-name", "new_name", "NewName", "DEPENDENCIES", "@try@", "@check@"):
                assert word not in text
                assert word not in path.name


@pytest.mark.parametrize("name", ["9x", "3-d.7"])
def test_what_begins_with_a_digit_is_python_all_the_same(written, name):
    directory = written("backend", name)
    for path in directory.rglob("*.py"):
        compile(path.read_text(), path, "exec")
    done = do(directory, "pytest", "-q", "-p", "no:cacheprovider", "-W", "error", timeout=280)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("operater", "sketch"), "no kind is called 'operater'; did you mean 'operator'?"),
        (("operator", "Sketch"), "a name must be lower-case words joined by '-', not 'Sketch'"),
        (("operator", "../up"), "a name must be lower-case words joined by '-', not '../up'"),
        (("tier", "my-watch"), "a tier's name may hold no '-', which joins tiers in a placement"),
        (("operator", "sptq"), "the operator 'sptq' is there, of sptq (edgebench"),
        (("tier", "edge"), "the tier 'edge' is there, of "),
        (("backend", "sptq"), "a plugin 'sptq' is there, as the registry says; choose another"),
        (("backend", "kit"), "a package edgebench_kit is here already; choose another name"),
        (("backend", "taken"), "edgebench-taken exists; name another directory with -o"),
        (("backend", "sketch", "-o", "file"), "file/edgebench-sketch cannot be written: "),
        (("backend", "sketch", "-o", "gone"), "gone exists; name another directory with -o"),
        (("backend", TOO_LONG), f"edgebench-{TOO_LONG} cannot be written: File name too long"),
        (
            ("backend", "sketch", "-o", TOO_LONG),
            f"{TOO_LONG}/edgebench-sketch cannot be written: File ",
        ),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(words, why, cli, tmp_path):
    (tmp_path / "edgebench-taken").mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "gone").symlink_to("nowhere")
    said = cli("plugins", "new", *words)
    assert said.status == 2
    assert said.err.startswith(f"edgebench: {why}")
    assert said.err.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["edgebench-taken", "file", "gone"]


def test_what_cannot_be_written_whole_is_not_left_in_part(tmp_path):
    directory = tmp_path / "deep" / "edgebench-sketch"
    with pytest.raises(EdgebenchError, match="edgebench-sketch cannot be written: "):
        write_files(directory, {"a": "written", TOO_LONG: "not written"})
    assert not directory.exists()
    write_files(directory, {"a": "written"})
    with pytest.raises(EdgebenchError, match="edgebench-sketch exists; name another"):
        write_files(directory, {"b": "written"})
    assert [path.name for path in directory.iterdir()] == ["a"]


def test_a_team_has_templates_of_its_own(cli, tmp_path):
    template = tmp_path / "packages" / "acme_templates" / "operator"
    (template / "edgebench_new_name").mkdir(parents=True)
    (template.parent / "common").mkdir()
    (template.parent / "common" / "OWNERS").write_text("acme, for new-name\n")
    (template / "template.toml").write_text('summary = "Acme."\ndependencies = []\ntry = []\n')
    (template / "edgebench_new_name" / "__init__.py").write_text("class NewName: ...\n")
    own = tmp_path / "acme.toml"
    own.write_text('[defaults]\ntemplates = "acme_templates"\n')
    paths = os.pathsep.join([str(tmp_path / "packages"), *filter(None, sys.path)])
    words = ("--registry", own, "plugins", "new")
    assert cli(*words, "operator", "two-words", PYTHONPATH=paths).status == 0
    made = tmp_path / "edgebench-two-words"
    assert (made / "OWNERS").read_text() == "acme, for two-words\n"
    assert (made / "edgebench_two_words" / "__init__.py").read_text() == "class TwoWords: ...\n"
    for name, called in (("none", "OperatorNone"), ("2-bits", "Operator2Bits")):
        assert cli(*words, "operator", name, PYTHONPATH=paths).status == 0
        package = tmp_path / f"edgebench-{name}" / f"edgebench_{name.replace('-', '_')}"
        assert (package / "__init__.py").read_text() == f"class {called}: ...\n"
    said = cli(*words, "backend", "b", PYTHONPATH=paths)
    assert said.status == 2
    assert "'acme_templates' has no template backend/template.toml" in said.err
    said = cli(*words[:4], "operator", "b")
    assert said.status == 2
    assert "is no package of templates" in said.err


@pytest.mark.parametrize("package", ["os.path", ".x", "os", "", "a b"])
def test_what_is_no_package_has_no_templates(cli, mistaken, tmp_path, package):
    own = tmp_path / "own.toml"
    own.write_text(f'[defaults]\ntemplates = "{package}"\n')
    said = cli("--registry", own, "plugins", "new", "operator", "b")
    mistaken(said, "templates", "is no package of templates" if package else "must not be empty")


def test_every_kind_has_a_template_and_every_template_a_kind():
    templates = ROOT / "plugins" / "edgebench_kit" / "templates"
    assert {one.name for one in templates.iterdir()} == {"common", *ALL}


# --- the pages that show it ----------------------------------------------------------------------


def read_blocks(page):
    """Return the code of a page by the file that it says it is of."""
    found: dict[str, list[str]] = {}
    for part in (ROOT / "docs" / page).read_text().split('```python title="')[1:]:
        title, _, rest = part.partition('"\n')
        found.setdefault(title, []).append(rest.partition("\n```")[0])
    return {title: "\n\n\n".join(blocks) + "\n" for title, blocks in found.items()}


def test_the_tutorial_shows_the_example_as_it_is():
    example = ROOT / "docs" / "examples" / "edgebench-shrink"
    blocks = read_blocks("tutorial.md")
    assert blocks.pop("shrink.py") == (example.parent / "shrink.py").read_text()
    assert len(blocks) == 2
    for title, text in blocks.items():
        assert text == (example / title).read_text()


def test_the_vendors_page_shows_what_plugins_new_writes(written):
    directory = written("backend", "npu")
    blocks = read_blocks("vendors.md")
    assert len(blocks) == 2
    for title, text in blocks.items():
        assert text == (directory / title).read_text()


def test_the_example_passes_its_tests(process):
    example = ROOT / "docs" / "examples" / "edgebench-shrink"
    done = do(example, "pytest", "-q", "-p", "no:cacheprovider", "-W", "error", timeout=280)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_chip_with_a_format_and_a_compiler_of_its_own_runs_pieces_on_two_tiers(cli):
    said = cli(
        *("run", "--plugin", ROOT / "docs" / "examples" / "vendor_chip.py", "--model", "vgg:tiny"),
        *("--weights", "random", "--operator", "partition", "--placement", "mobile-edge"),
        *("--backend", "chip(compile=exact)", "--blocks", "1", "--requests", "6", "--json"),
    )
    assert said.status == 0, said.err
    (case,) = json.loads(said.out)["cases"]
    assert case["status"] == "ok", case["reason"]
    assert [stage["format"] for stage in case["stages"]] == ["chip-graph", "chip-graph"]
    assert {"mobile", "edge"} == set(case["cold_s"])
    assert all("compile" in phases for phases in case["cold_s"].values())
    assert case["agreement"]["max_abs_difference"] < 1e-3
