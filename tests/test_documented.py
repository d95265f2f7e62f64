"""What is public is documented, and what is documented is true."""

import ast
import inspect
import json
import re
import subprocess
import sys
import tomllib
import types
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from textwrap import dedent

import attrs
import pytest

import edgebench
from edgebench import Registry
from edgebench.analysis.conclusions import read_conclusions
from edgebench.catalogue.registry import shipped_registry
from edgebench.catalogue.rows import KINDS
from edgebench.cli import COMMANDS, EPILOG, _make_parser, _Parser
from edgebench.parts.hookspecs import Hooks
from edgebench.testing.checking.checker import find_contract
from edgebench.testing.contracts.contract import list_promises
from edgebench.toml.tables import Table

ROOT = shipped_registry().parent
HOOKS = {name: spec for name, spec in vars(Hooks).items() if name.startswith("edgebench_")}


PUBLIC = [
    "API",
    "Attention",
    "Backend",
    "Block",
    "Budget",
    "Case",
    "CaseFailed",
    "CaseSkipped",
    "ChainError",
    "Contents",
    "Context",
    "Converter",
    "Cut",
    "Cuts",
    "DataError",
    "Dataset",
    "EdgebenchError",
    "Edit",
    "Exit",
    "ExitPoint",
    "Fabric",
    "Format",
    "Host",
    "HostFacts",
    "Imported",
    "Importer",
    "Link",
    "Look",
    "Metric",
    "Model",
    "NoOptions",
    "Operator",
    "Pipeline",
    "Profile",
    "Placement",
    "Quantization",
    "Registry",
    "Reporter",
    "Result",
    "Run",
    "RunResults",
    "Running",
    "Sample",
    "Session",
    "Split",
    "Stage",
    "State",
    "Tables",
    "TensorSpec",
    "Tensors",
    "Tier",
    "Trainer",
    "Unreadable",
    "Usable",
    "Variant",
    "Weights",
    "count_processors",
    "escape_markdown",
    "hookimpl",
    "results",
    "run",
    "to_npz",
]


def test_the_public_names_are_these_and_no_others():
    public = [
        name
        for name in dir(edgebench)
        if not name.startswith("_") and not isinstance(getattr(edgebench, name), types.ModuleType)
    ]
    assert sorted(public) == sorted(PUBLIC)


def test_the_public_names_are_listed_once_and_exported_for_type_checkers():
    tree = ast.parse(Path(edgebench.__file__).read_text(encoding="utf-8"))
    imported = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    aliases = [alias for node in imported for alias in node.names]
    assert [alias.asname for alias in aliases] == [alias.name for alias in aliases]


OBVIOUS = {"batch", "cpus", "epochs", "learning_rate", "number", "samples", "seed", "shape"}
"""Fields whose names say all."""
RECORDS = [
    value
    for name in PUBLIC
    if isinstance(value := getattr(edgebench, name), type) and attrs.has(value)
]


def explained(record: type) -> set[str]:
    """Return the fields of a class that a text stands under."""
    (body,) = ast.parse(dedent(inspect.getsource(record))).body
    pairs = zip(body.body, body.body[1:], strict=False)
    return {
        field.target.id
        for field, after in pairs
        if isinstance(field, ast.AnnAssign)
        and isinstance(after, ast.Expr)
        and isinstance(after.value, ast.Constant)
    }


def unexplained(record: type) -> list[str]:
    """Return the callables (called with what?) and numbers (of which unit?) without a text."""
    own = [field for field in attrs.fields(record) if not field.inherited]
    doubtful = [f.name for f in own if re.search(r"\b(Callable|int|float)\b", str(f.type))]
    unitless = {name for name in doubtful if not name.endswith(("_s", "_bytes"))}
    return sorted(unitless - explained(record) - OBVIOUS)


def test_fields_that_do_not_explain_themselves_are_explained():
    assert len(RECORDS) > 20
    assert {r.__name__: left for r in RECORDS if (left := unexplained(r))} == {}


def test_records_are_frozen():
    records = {*RECORDS, *KINDS.values()}
    assert [r.__name__ for r in records if r.__setattr__ is object.__setattr__] == []


def sections(page: str) -> dict[str, str]:
    """Return the text under each second-level heading of a page of the docs."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    parts = re.split(r"^## (.+)$", text, flags=re.MULTILINE)[1:]
    return {heading: body.strip() for heading, body in zip(parts[::2], parts[1::2], strict=True)}


def signature(name: str, spec: Callable[..., object]) -> str:
    """Return a hook as it is called, with its types as they are written."""
    arguments = list(inspect.signature(spec).parameters.values())[1:]
    written = ", ".join(f"{argument.name}: {argument.annotation}" for argument in arguments)
    return f"`{name}({written}) -> {inspect.signature(spec).return_annotation}`"


def test_hooks_are_documented_with_their_exact_signatures_and_texts_and_no_others():
    documented = {head: text for head, text in sections("hooks.md").items() if "edgebench_" in head}
    assert documented == {
        signature(name, spec): inspect.cleandoc(spec.__doc__) for name, spec in HOOKS.items()
    }


@pytest.mark.parametrize("name", HOOKS)
def test_a_hook_says_when_it_is_called_and_shows_code(name):
    text = inspect.cleandoc(HOOKS[name].__doc__)
    assert re.search(r"\bCalled\b", text)
    example = re.search(r"```python\n(.+?)```", text, flags=re.DOTALL)
    assert example is not None
    (function,) = ast.parse(example[1]).body
    assert function.name == name
    assert [ast.unparse(mark) for mark in function.decorator_list] == ["hookimpl"]
    taken = {argument.arg for argument in function.args.args}
    assert taken <= set(inspect.signature(HOOKS[name]).parameters)


EVERYTHING = """
    [plugins.x]
    kind = "model"
    module = "x"
    offers = ["x"]
    [tiers.x]
    summary = "x"
    cpus = 1
    memory_gib = 1
    source = "x"
    [[links]]
    between = ["x", "y"]
    rate = "1bit"
    source = "x"
    [hybrids]
    x = "x"
    [defaults]
    fabric = "x"
    [assets.x]
    summary = "x"
    url = "https://x/x"
    licence = "x"
    sha256 = "0000000000000000000000000000000000000000000000000000000000000000"
    [suites.x]
    summary = "x"
    [[suites.x.links]]
    between = ["x", "y"]
    rate = "1bit"
    source = "x"
    [[suites.x.cases]]
    models = ["x"]
    operators = ["x"]
    placements = ["x"]
    backends = ["x"]
    [devices.x]
    summary = "x"
    cpus = 1
    memory_gib = 1
    gflops = 1
    source = "x"
    [networks.x]
    summary = "x"
    rate = "1mbit"
    source = "x"
    [conclusions.x]
    study = "x"
    source = "x"
    words = "x"
    models = ["x"]
    relation = "faster"
    strategies = ["x on x"]
    [[suites.x.skip]]
    models = ["x"]
    why = "x"
    """


def heading(table: Table) -> str:
    """Return how the docs call a table, its own name being NAME."""
    if not table.path:
        return "Tables"
    path = ".".join("NAME" if part == "x" else part for part in table.path)
    return f"`[[{path}]]`" if table.path[-1] in ("links", "cases", "skip") else f"`[{path}]`"


def test_every_key_of_the_registry_is_documented_and_no_other(tmp_path, monkeypatch):
    read: dict[str, set[str]] = {}
    monkeypatch.setattr(
        Table, "close", lambda table, known: read.update({heading(table): set(known)})
    )
    path = tmp_path / "everything.toml"
    path.write_text(dedent(EVERYTHING), encoding="utf-8")
    read_conclusions(Registry.of([path]))
    documented = {
        name: set(re.findall(r"^\| `(\w+)` \|", text, flags=re.MULTILINE))
        for name, text in sections("registry.md").items()
    }
    assert {name: keys for name, keys in documented.items() if keys} == read


def test_examples_of_registry_rows_are_valid(tmp_path):
    page = (ROOT / "docs" / "registry.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```toml\n(.+?)```", page, flags=re.DOTALL)
    assert blocks
    for number, block in enumerate(blocks):
        path = tmp_path / f"example-{number}.toml"
        path.write_text(block, encoding="utf-8")
        registry = Registry.of([path])
        rows = attrs.evolve(registry, paths=(), digest=Registry.of([]).digest)
        assert rows != Registry.of([]) or read_conclusions(registry), block


@pytest.mark.parametrize("what", ["commands", "documents", "promises", "records", "shipped"])
def test_a_page_that_is_written_from_the_sources_is_what_they_say(what, process):
    program = ROOT / "docs" / f"write_{what}.py"
    done = subprocess.run([sys.executable, program, "--check"], check=False)
    assert done.returncode == 0, f"python docs/write_{what}.py"


def test_the_page_of_the_records_tells_of_every_field_and_its_text():
    page = (ROOT / "docs" / "records.md").read_text(encoding="utf-8")
    for record in RECORDS:
        section = page.partition(f"\n## `{record.__name__}`\n")[2].partition("\n## ")[0]
        lines = dict(re.findall(r"^\| `(\w+)` \|(.+)\|$", section, re.MULTILINE))
        public = {field.name for field in attrs.fields(record) if field.init}
        assert set(lines) == {name for name in public if not name.startswith("_")}, record
        told = explained(record) & set(lines)
        assert {name for name in told if lines[name].split(" | ")[-1].strip()} == told, record


def test_every_extra_is_on_the_page_of_installing_and_is_the_smallest_that_serves():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    page = (ROOT / "docs" / "install.md").read_text(encoding="utf-8")
    documented = re.findall(r"^\| `([\w-]+)` \|", page, re.MULTILINE)
    assert set(documented) == set(extras) - {"dev", "test"}

    def resolve(names):
        found = set()
        for text in (each for name in names for each in extras[name]):
            name, _, inner = re.split(r"[<>=]", text)[0].partition("[")
            found |= resolve(inner.rstrip("]").split(",")) if inner else {name}
        return found

    imported = {
        "PIL": "pillow",
        "sklearn": "scikit-learn",
        "ai_edge_litert": "ai-edge-litert",
        "litert_torch": "litert-torch",
        "mlflow": "mlflow-skinny",
        "torch_pruning": "torch-pruning",
        "cuda": "cuda-bindings",
    }
    for row in Registry.read().plugins.values():
        if row.requires:
            (said,) = re.findall(r"edgebench\[([\w,-]+)\]", row.install)
            needed = {imported.get(name, name) for name in row.requires}
            brought = resolve(said.split(","))
            assert needed <= brought, row.name
            others = [resolve([name]) for name in documented]
            assert not [one for one in others if needed <= one < brought], row.name


def test_every_promise_is_one_sentence():
    for kind in KINDS:
        for name, text in list_promises(find_contract(kind)).items():
            assert re.fullmatch(r"[A-Z][^\n]+\.", text), name
            assert len(text) <= 90, name


def test_every_command_and_option_is_documented_with_a_text():
    page = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    heads = re.findall(r"^##+ `edgebench (.+)`$", page, re.MULTILINE)
    assert [head for head in heads if " " not in head] == list(COMMANDS)
    rows = re.findall(r"^\| `.+` \| (.*) \|$", page, re.MULTILINE)
    assert len(rows) > 100
    assert all(text.strip() for text in rows)


@pytest.mark.parametrize("name", COMMANDS)
def test_what_a_command_takes_stands_in_its_section(name):
    body = sections("commands.md")[f"`edgebench {name}`"]
    parser = _make_parser(_Parser(add_help=False), [name])
    command = parser._subparsers._group_actions[0].choices[name]
    for option in {*command.options} - {"-h", "--help"}:
        assert re.search(rf"`{re.escape(option)}[ `]", body), option


def test_every_document_is_documented_field_by_field():
    page = sections("documents.md")
    folder = files("edgebench") / "schemas"
    found = {path.name.removesuffix(".json"): json.loads(path.read_text())
             for path in folder.iterdir()}  # fmt: skip
    assert set(page) == set(found)
    for name, schema in found.items():
        fields = {field for each in properties(schema) for field in each}
        # Names may hold dots themselves (`p99.9`), so paths are not taken apart.
        paths = re.findall(r"^\| \[?`([^`]+)`", page[name], re.MULTILINE)
        told = "\n".join(re.sub(r"[\[\]{}]+", "", path) for path in paths)
        untold = [f for f in fields if not re.search(rf"(^|\.){re.escape(f)}$", told, re.MULTILINE)]
        assert untold == [], name
        unexplained = re.findall(r"^\| (.+) \| .* \|  \|$", page[name], re.MULTILINE)
        assert unexplained == [], f"docs/fields.toml, or the description in schemas/{name}.json"


def test_no_field_is_explained_that_no_document_has():
    words = tomllib.loads((ROOT / "docs" / "fields.toml").read_text("utf-8"))
    page = (ROOT / "docs" / "documents.md").read_text("utf-8")
    named = [name for name in words if " " not in name]
    assert [name for name in named if not re.search(rf"[`.]{re.escape(name)}`", page)] == []


def properties(schema):
    """Yield the properties of a schema, and of every schema in it."""
    if isinstance(schema, dict):
        if isinstance(schema.get("properties"), dict) and "if" not in schema:
            yield schema["properties"]
        for key, inner in schema.items():
            if key not in ("if", "then"):
                yield from properties(inner)
    elif isinstance(schema, list):
        for inner in schema:
            yield from properties(inner)


def test_statuses_and_variables_are_those_of_help_on_every_page():
    helped = set(re.findall(r"^  (\d+|[A-Z_]+) +\S", EPILOG, re.MULTILINE))
    for name in ("commands.md", "command-line.md"):
        tables = sections(name)["Exit status"] + sections(name)["Environment variables"]
        assert set(re.findall(r"^\| `?(\d+|[A-Z_]+)`? \|", tables, re.MULTILINE)) == helped, name


def test_every_public_name_that_is_no_record_is_on_the_page_of_what_is_stable():
    told = (ROOT / "docs" / "stability.md").read_text("utf-8")
    records = (ROOT / "docs" / "records.md").read_text("utf-8")
    left = [name for name in PUBLIC if f"\n## `{name}`\n" not in records]
    assert [name for name in left if f"`{name}`" not in told] == []


@pytest.mark.parametrize("file", ["README.md", "CHANGELOG.md", "CONTRIBUTING.md"])
def test_links_from_the_root_lead_to_pages_and_headings_that_are_there(file):
    text = (ROOT / file).read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", text):
        assert (ROOT / target).exists(), target
