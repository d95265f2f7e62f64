"""The rules of the house, held."""

import ast
import importlib
import inspect
import io
import re
import subprocess
import sys
import tokenize
import types
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from textwrap import dedent

import attrs
import pytest

import edgebench
from edgebench import Registry
from edgebench.catalogue.plugins import Plugins
from edgebench.catalogue.registry import shipped_registry
from edgebench.catalogue.rows import KINDS, WORDS
from edgebench.catalogue.tables import Table
from edgebench.parts.component import Component
from edgebench.parts.hookspecs import Hooks

ROOT = shipped_registry().parent
CORE = sorted((ROOT / "core").rglob("*.py"))
SHIPPED = ROOT / "plugins" / "edgebench_plugins"
KIT = ROOT / "plugins" / "edgebench_kit"
PLUGINS = sorted(path for package in (SHIPPED, KIT) for path in package.rglob("*.py"))
ROWS = Registry.read().plugins
HOOKS = {name: spec for name, spec in vars(Hooks).items() if name.startswith("edgebench_")}

FRAMEWORKS = {name for row in ROWS.values() for name in row.requires} | {
    "tensorrt",
    "numpy",
    "scipy",
}
"""What a plugin may import only inside the function that uses it."""


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def imports(tree: ast.AST) -> Iterator[str]:
    """Every module that is imported anywhere in a tree, in functions and for types too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." * node.level + (node.module or "")


# --- the core knows no plugin --------------------------------------------------------------------

# Two names of plugins are also what the core calls its own defaults, and words that it cannot do
# without: every host runs *processes*, and an artifact has an *identity*. A chain that changes
# nothing and a fabric that is this machine are written so in a case that says nothing else.
# Everything else that a row offers, is called, or requires must not occur: in no name, no text, no
# comment. Reporters and tiers are left out, as `json` is a module and `edge` is in our own name.
GENERIC = {"identity", "process"}


def forbidden() -> set[str]:
    names = {"tensorrt"}
    for row in ROWS.values():
        if not set(row.offers) <= {"reporter", "tier"}:
            names |= {row.name, *chain.from_iterable(row.offers.values()), *row.requires}
    return names - GENERIC


NAMED = re.compile(
    rf"(?<![a-z0-9])(?:{'|'.join(sorted(map(re.escape, forbidden())))})(?![a-z0-9])", re.IGNORECASE
)


def named(source: str) -> list[str]:
    """Return the forbidden names in a program, with their lines."""
    found = []
    before = ""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        # A method that a text has (`str.partition`) names no plugin.
        if not (before == "." and hasattr(str, token.string)):
            found += [f"line {token.start[0]}: {name}" for name in NAMED.findall(token.string)]
        before = token.string
    return found


def test_a_name_is_found_wherever_it_stands():
    assert named("import torch\n") == ["line 1: torch"]
    assert named("x = 'runs ONNX'\n# for vgg\nuse_openvino = 1\n") == [
        "line 1: ONNX",
        "line 2: vgg",
        "line 3: openvino",
    ]
    assert named("a.partition('x')\ntorchlight = 1\n") == []
    assert named("partition(a)\n") == ["line 1: partition"]


@pytest.mark.parametrize("path", CORE, ids=relative)
def test_core_names_no_plugin(path):
    assert named(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("path", CORE, ids=relative)
def test_core_imports_no_plugin_and_no_framework(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    allowed = {"numpy", "scipy"}
    strangers = {name.partition(".")[0] for name in imports(tree)} & (
        (FRAMEWORKS - allowed) | {"edgebench_plugins", "edgebench_kit"}
    )
    assert not strangers
    assert not re.search("edgebench_(plugins|kit)", path.read_text(encoding="utf-8"))


# --- plugins are written as a stranger would -----------------------------------------------------


@pytest.mark.parametrize("path", PLUGINS, ids=relative)
def test_a_plugin_imports_frameworks_inside_functions(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    inside = {
        id(node)
        for outer in ast.walk(tree)
        if isinstance(outer, ast.FunctionDef) or is_for_types(outer)
        for node in ast.walk(outer)
    }
    early = [
        name
        for node in ast.walk(tree)
        if id(node) not in inside and isinstance(node, ast.Import | ast.ImportFrom)
        for name in imports(node)
    ]
    assert not {name.partition(".")[0] for name in early} & FRAMEWORKS


def is_for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


@pytest.mark.parametrize("path", CORE + PLUGINS, ids=relative)
def test_nothing_is_pickled(path):
    source = path.read_text(encoding="utf-8")
    assert not {"pickle", "shelve", "marshal", "dill", "joblib"} & set(imports(ast.parse(source)))
    assert "allow_pickle=True" not in source
    assert "weights_only=False" not in source


@pytest.mark.parametrize("path", CORE + PLUGINS, ids=relative)
def test_no_file_is_named_for_nothing(path):
    assert path.stem not in ("utils", "util", "helpers", "misc")


def run(program: str) -> str:
    """Run a program in a fresh interpreter and return what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", dedent(program)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


LOADED = f"print(sorted({{name.partition('.')[0] for name in sys.modules}} & {FRAMEWORKS!r}))"


def test_no_framework_is_imported_with_any_plugin():
    modules = sorted(row.module for row in ROWS.values())
    program = f"import importlib, sys\nfor m in {modules!r}: importlib.import_module(m)\n{LOADED}"
    assert run(program) == "[]\n"


def test_no_framework_is_imported_when_everything_is_listed():
    program = f"""
        import sys
        from edgebench import Registry
        from edgebench.catalogue.plugins import Plugins
        from edgebench.catalogue.rows import KINDS

        plugins = Plugins.load(Registry.read(), entry_points=False)
        for kind in KINDS.values():
            plugins.listed(kind)
        {LOADED}
        """
    assert run(program) == "[]\n"


@pytest.mark.parametrize("command", ["list", "--help"])
def test_no_framework_is_imported_by_a_command_that_only_tells(command):
    program = f"""
        import sys
        from edgebench.cli import main

        try:
            main([{command!r}])
        except SystemExit as ended:
            assert not ended.code
        {LOADED}
        """
    assert run(program).splitlines()[-1] == "[]"


# --- rows equal what modules yield ---------------------------------------------------------------


@pytest.fixture(scope="module")
def shipped() -> Plugins:
    return Plugins.load(Registry.read(), entry_points=False)


@pytest.mark.parametrize("row", ROWS.values(), ids=lambda row: row.name)
def test_a_row_offers_exactly_what_its_module_yields(row):
    module = importlib.import_module(row.module)
    alone = Plugins.of(Registry.read(), [module])
    yielded = {kind: tuple(alone.all(record)) for kind, record in KINDS.items()}
    assert not alone.faults
    assert {kind: names for kind, names in yielded.items() if names} == row.offers


def test_nothing_shipped_is_faulty(shipped):
    assert [row for row in shipped.rows() if row.status == "faulty"] == []


@pytest.mark.parametrize("row", ROWS.values(), ids=lambda row: row.name)
def test_a_plugin_lies_in_the_folder_of_its_hook(row):
    assert row.module.split(".")[1] in [f"{kind}s" for kind in row.offers] or row.events


@pytest.mark.parametrize("word", KINDS)
def test_every_plugin_has_a_row(word):
    folder = SHIPPED / f"{word}s"
    here = {path.stem for path in folder.glob("*.py")} - {"__init__"}
    modules = [row.module.split(".") for row in ROWS.values()]
    assert here == {module[2] for module in modules if module[1] == f"{word}s"}


def test_every_kind_has_its_hook_and_every_catalogue_hook_its_kind():
    catalogue = {
        name for name, spec in HOOKS.items() if "registry" in inspect.signature(spec).parameters
    }
    assert catalogue == {f"edgebench_{word}s" for word in KINDS}
    assert dict(WORDS) == {record: word for word, record in KINDS.items()}
    assert set(WORDS) == set(Component.__subclasses__())


# --- the public names ----------------------------------------------------------------------------


PUBLIC = [
    "API",
    "Backend",
    "Block",
    "Budget",
    "Case",
    "CaseFailed",
    "CaseSkipped",
    "ChainError",
    "Context",
    "Converter",
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
    "Link",
    "Metric",
    "Model",
    "NoOptions",
    "Operator",
    "Pipeline",
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
    "TensorSpec",
    "Tensors",
    "Tier",
    "Trainer",
    "Unreadable",
    "Usable",
    "Variant",
    "Weights",
    "hookimpl",
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


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.__name__)
def test_fields_that_do_not_explain_themselves_are_explained(record):
    """Those are callables (what is called with what?) and numbers (of which unit?)."""
    own = [field for field in attrs.fields(record) if not field.inherited]
    doubtful = [f.name for f in own if re.search(r"\b(Callable|int|float)\b", str(f.type))]
    unitless = {name for name in doubtful if not name.endswith(("_s", "_bytes"))}
    assert not unitless - explained(record) - OBVIOUS


@pytest.mark.parametrize("record", [*RECORDS, *KINDS.values()], ids=lambda record: record.__name__)
def test_records_are_frozen(record):
    assert record.__setattr__ is not object.__setattr__


# --- what is documented is true ------------------------------------------------------------------


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


@pytest.mark.parametrize("name", HOOKS)
def test_a_hook_is_documented_with_its_exact_signature_and_text(name):
    documented = sections("hooks.md")[signature(name, HOOKS[name])]
    assert documented == inspect.cleandoc(HOOKS[name].__doc__)


def test_no_hook_is_documented_that_does_not_exist():
    signatures = {signature(name, spec) for name, spec in HOOKS.items()}
    assert {heading for heading in sections("hooks.md") if "edgebench_" in heading} == signatures


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
    [[suites.x.skip]]
    models = ["x"]
    why = "x"
    """


def heading(table: Table) -> str:
    """Return how the docs call a table, its own name being NAME."""
    if not table.path:
        return "Tables"
    path = ".".join("NAME" if part == "x" else part for part in table.path)
    many = table.path[-1] in ("links", "cases", "skip")
    return f"`[[{path}]]`" if many else f"`[{path}]`"


def test_every_key_of_the_registry_is_documented_and_no_other(tmp_path, monkeypatch):
    read: dict[str, set[str]] = {}
    monkeypatch.setattr(
        Table, "close", lambda table, known: read.update({heading(table): set(known)})
    )
    path = tmp_path / "everything.toml"
    path.write_text(dedent(EVERYTHING), encoding="utf-8")
    Registry.of([path])
    documented = {
        name: set(re.findall(r"^\| `(\w+)` \|", text, flags=re.MULTILINE))
        for name, text in sections("registry.md").items()
    }
    assert {name: keys for name, keys in documented.items() if keys} == read


@pytest.mark.parametrize(
    "block",
    re.findall(
        r"```toml\n(.+?)```",
        (ROOT / "docs" / "registry.md").read_text(encoding="utf-8"),
        flags=re.DOTALL,
    ),
)
def test_examples_of_registry_rows_are_valid(block, tmp_path):
    path = tmp_path / "example.toml"
    path.write_text(block, encoding="utf-8")
    assert Registry.of([path]) != Registry.of([])
