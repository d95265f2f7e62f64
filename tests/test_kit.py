"""The kit and the plugins: which package may import which, and what the kit's page says."""

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest

import edgebench
import edgebench_kit
import edgebench_plugins
from edgebench import Registry
from edgebench.prepare.source import read_source

from .trees import find_circle, modules, parse

KIT = Path(edgebench_kit.__file__).parent
METRICS = Path(edgebench.__file__).parent / "metrics"
PLUGINS = Path(edgebench_plugins.__file__).parent
ROOT = KIT.parents[1]
FAMILIES: dict[str, set[str]] = {
    "files": set(),
    "stages": set(),
    "torch": {"stages"},
    "vision": {"files", "torch"},
    "text": {"files", "torch"},
    "own_data": {"text", "vision"},
    "own_files": {"files", "own_data", "text", "vision"},
    "checkpoints": {"files", "own_data", "text", "torch", "vision"},
    "onnx": {"own_data", "own_files", "stages"},
    "cuda": set(),
    "servers": set(),
    "reports": set(),
    "terminal": {"reports"},
    "html": {"reports"},
}
"""Every family of the kit, and which others it may import."""


def imported(tree: ast.AST) -> Iterator[str]:
    """Yield the full name of everything that a tree imports anywhere, for its types too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{'.' * node.level}{node.module or ''}.{a.name}" for a in node.names)


def of_ours(tree: ast.AST) -> list[str]:
    """Return what a tree imports of edgebench's own packages, relative imports among it."""
    own = ("edgebench", "edgebench_kit", "edgebench_plugins", "")
    return [name for name in imported(tree) if name.partition(".")[0] in own]


def is_public_core(name: str) -> bool:
    """Say whether a name is imported from the face of the core, or from its metrics."""
    package, _, rest = name.partition(".")
    return package == "edgebench" and (
        rest in {"", "metrics", *edgebench.__all__} or rest.startswith("metrics.")
    )


def kit_offences(trees: dict[str, ast.Module]) -> list[str]:
    """Return every import of the kit that its layers do not allow."""
    found = []
    for module, tree in trees.items():
        own = module.split(".")[1] if "." in module else ""
        allowed = {own, *FAMILIES.get(own, set())}
        for name in of_ours(tree):
            family = name.split(".")[1] if name.startswith("edgebench_kit.") else None
            if not is_public_core(name) and family not in allowed:
                found.append(f"{module} imports {name}")
    return found


def plugin_offences(trees: dict[str, ast.Module]) -> list[str]:
    """Return every import of a plugin that would tie it to this distribution."""
    return [
        f"{module} imports {name}"
        for module, tree in trees.items()
        for name in of_ours(tree)
        if not is_public_core(name) and not name.startswith("edgebench_kit.")
    ]


# --- who imports whom ----------------------------------------------------------------------------


def test_every_module_of_the_kit_lies_in_a_family():
    folders = {name.split(".")[1] for name in modules(KIT) if "." in name}
    assert folders == set(FAMILIES)
    assert not [path for path in KIT.glob("*.py") if path.name != "__init__.py"]


def test_a_family_imports_only_those_below_it_and_the_face_of_the_core():
    assert kit_offences(modules(KIT)) == []


def test_no_circle_of_imports_in_the_kit():
    trees = modules(KIT)
    imports = {
        module: {
            other
            for name in of_ours(tree)
            for other in (name, name.rpartition(".")[0])
            if other in trees and other != module
        }
        for module, tree in trees.items()
    }
    assert find_circle(imports) == {}


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("edgebench_kit.torch.programs", "from edgebench_kit.vision import digit_pictures"),
        ("edgebench_kit.vision.digit_pictures", "import edgebench_kit.text.grammar"),
        ("edgebench_kit.onnx.graphs", "def f():\n    from edgebench_kit.torch import programs"),
        ("edgebench_kit.text.grammar", "from edgebench.parts.errors import DataError"),
        ("edgebench_kit.text.grammar", "from . import sentences"),
        ("edgebench_kit.text.grammar", "from edgebench_plugins.models import bert"),
    ],
)
def test_a_forbidden_import_of_the_kit_is_found(module, line):
    trees = modules(KIT)
    trees[module] = ast.parse(f"{ast.unparse(trees[module])}\n{line}")
    (offence,) = kit_offences(trees)
    assert offence.startswith(f"{module} imports ")


def test_a_plugin_imports_the_core_and_the_kit_and_no_other_plugin():
    assert plugin_offences(modules(PLUGINS)) == []


@pytest.mark.parametrize(
    "line",
    [
        "from edgebench_plugins.models import vgg",
        "from edgebench.cases.case import Case",
        "from . import vgg",
        "from edgebench_plugins import models",
    ],
)
def test_a_forbidden_import_of_a_plugin_is_found(line):
    (offence,) = plugin_offences({"edgebench_plugins.models.resnet": ast.parse(line)})
    assert offence.startswith("edgebench_plugins.models.resnet imports ")


IMPORTING = re.compile(r"^ *(?:from|import) edgebench", re.MULTILINE)
BLOCK = re.compile(r"```python\n(.+?)```", re.DOTALL)


def written_as_strangers_do() -> dict[str, ast.Module]:
    """Return the examples, the code of the pages, and the plugin files of the strangers' tests."""
    files = [
        *ROOT.glob("docs/examples/**/*.py"),
        *KIT.glob("templates/**/*.py"),
        ROOT / "core/edgebench/testing/toy.py",
    ]
    texts = {str(path.relative_to(ROOT)): path.read_text("utf-8") for path in files}
    # A program that measures is no plugin: it calls what the command line calls.
    pages = {ROOT / "README.md", *ROOT.glob("docs/*.md")} - {ROOT / "docs" / "programs.md"}
    for page in sorted(pages):
        for number, block in enumerate(BLOCK.findall(page.read_text("utf-8"))):
            texts[f"{page.name} block {number}"] = block
    for path in ROOT.glob("tests/strangers/*.py"):
        for node in ast.walk(parse(path)):
            if isinstance(node, ast.Constant) and IMPORTING.search(str(node.value)):
                texts[f"{path.name} line {node.lineno}"] = node.value
    return {place: ast.parse(dedent(text)) for place, text in texts.items()}


def test_a_stranger_imports_the_core_and_the_kit_alone():
    trees = written_as_strangers_do()
    for place in ("docs/examples/own_model.py", "kit.md", "hooks.md", "test_operators.py"):
        assert any(one.startswith(place) for one in trees)
    assert sum(bool(of_ours(tree)) for tree in trees.values()) > 15
    # Tests of plugins import the plugin, and stand on the contracts; plugins themselves do not.
    own = ("edgebench.testing", "edgebench_shrink", "edgebench_new_name")
    offences = plugin_offences(trees)
    assert [one for one in offences if not any(f" imports {each}" in one for each in own)] == []


def test_only_folders_of_hooks_lie_in_the_package_of_the_plugins():
    assert [path.name for path in PLUGINS.glob("*.py")] == ["__init__.py"]


# --- what a change makes again -------------------------------------------------------------------


def stands_on() -> dict[str, set[str]]:
    """Return the modules that each shipped plugin's artifacts are made again for, by its name."""
    found = {}
    for row in Registry.read().plugins.values():
        module = importlib.import_module(row.module)
        found[row.name] = set(read_source(Path(module.__file__), module.__name__).modules)
    return found


USED = stands_on()


@pytest.mark.parametrize(
    ("plugins", "kept_out"),
    [
        (["resnet", "resnext"], ["vision.segmenters", "vision.residual_segmenters"]),
        (["resnet", "resnext", "vgg", "fcn", "duc"], ["text.", "onnx.", "vision.picture_dir"]),
        (["vgg"], ["vision.segmenters", "vision.residual", "vision.inverted"]),
        (["efficientnet", "mobilenet"], ["vision.segmenters", "vision.residual", "text.", "onnx."]),
        (["shufflenet"], ["vision.segmenters", "vision.residual", "vision.inverted"]),
        (["fcn", "duc"], ["vision.classifiers", "vision.residual_classifiers"]),
        (["bert", "roberta"], ["vision.", "onnx."]),
        (["imagenet", "coco", "voc", "cityscapes"], ["torch.", "text.", "onnx.", "vision.models"]),
        (["mrpc", "outcomes"], ["torch.", "vision.", "onnx.", "text.tokenizing"]),
        (
            ["onnx", "onnxruntime", "openvino", "sptq", "partition"],
            ["torch.", "vision.", "text.", "own_"],
        ),
        (["onnx-model"], ["torch.", "vision.models", "text.tokenizing", "text.vocabularies"]),
        (["torch", "torch-program"], ["vision.", "text.", "onnx.", "torch.weight_files"]),
        (["terminal", "markdown"], ["torch.", "vision.", "text.", "onnx.", "html."]),
        (["html"], ["torch.", "vision.", "text.", "onnx.", "terminal."]),
        (["csv", "parquet", "mlflow"], ["html.", "terminal.", "reports.notes"]),
        (["identity", "process", "json", "junit", "bencher"], [""]),
    ],
)
def test_a_plugin_does_not_stand_on_what_it_does_not_use(plugins, kept_out):
    used = {name for plugin in plugins for name in USED[plugin] if "edgebench_kit." in name}
    inside = {name.removeprefix("edgebench_kit.") for name in used}
    assert {name for name in inside if name.startswith(tuple(kept_out))} == set()


def test_a_plugin_stands_on_no_other_plugin():
    """A package that a plugin lies in is run with it, and says nothing."""
    rows = {row.name: row.module for row in Registry.read().plugins.values()}
    for plugin, used in USED.items():
        own = {name for name in used if name.startswith("edgebench_plugins.")}
        assert own == {rows[plugin], rows[plugin].rpartition(".")[0]}


def test_every_module_of_the_kit_is_used_by_a_shipped_plugin():
    assert set(modules(KIT)) <= set().union(*USED.values())


def test_packages_say_nothing():
    """Whatever is imported in one would be part of every key of its family."""
    trees = {**modules(KIT), **modules(METRICS)}
    packages = {name: tree for name, tree in trees.items() if name.count(".") < 2}
    assert len(packages) == len(FAMILIES) + 2
    assert [name for name, tree in packages.items() if len(tree.body) != 1] == []


# --- what is documented --------------------------------------------------------------------------

PAGE = (ROOT / "docs" / "kit.md").read_text("utf-8")
ROW = re.compile(r"^\| `(\w+)` \| ([A-Z][^|]+\.) \| ([a-z0-9, -]+) \|$", re.MULTILINE)


def documented() -> dict[str, str]:
    """Return the plugins that the page says use each module, by the module's dotted name."""
    parts = re.split(r"^## `([\w.]+)`$", PAGE, flags=re.MULTILINE)[1:]
    return {
        f"{package}.{name}": users
        for package, text in zip(parts[::2], parts[1::2], strict=True)
        for name, _, users in ROW.findall(text)
    }


def test_the_page_names_every_public_module_with_a_sentence_and_who_uses_it():
    public = [name for name in {**modules(KIT), **modules(METRICS)} if name.count(".") == 2]
    assert documented() == {
        name: ", ".join(sorted(plugin for plugin, used in USED.items() if name in used))
        for name in public
    }


def undocumented(trees: dict[str, ast.Module]) -> list[str]:
    """Return the public modules, functions, classes and methods that have no text."""
    found = []
    for module, tree in trees.items():
        public = [("", tree)] + [
            (node.name, node)
            for owner in (tree, *(one for one in tree.body if isinstance(one, ast.ClassDef)))
            for node in owner.body
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_")
        ]
        found += [f"{module} {name}" for name, node in public if not ast.get_docstring(node)]
    return found


def test_everything_public_has_a_text():
    assert undocumented({**modules(KIT), **modules(METRICS)}) == []
    assert undocumented({"x": ast.parse("def f(): ...\nclass C:\n    def g(self): ...")}) == [
        "x ",
        "x f",
        "x C",
        "x g",
    ]


def test_modules_keep_no_second_list_of_their_names():
    assert "__all__" not in "".join(path.read_text("utf-8") for path in KIT.rglob("*.py"))


def bags(trees: dict[str, ast.Module]) -> list[str]:
    """Return the functions that take keywords without naming them: a misspelt one is found late.

    What runs in place of any torch module (`forward`) takes whatever that one is given.
    """
    return [
        f"{module} {node.name}"
        for module, tree in trees.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and node.args.kwarg and node.name != "forward"
    ]


def test_every_argument_has_a_name():
    assert bags({**modules(KIT), **modules(METRICS), **modules(PLUGINS)}) == []
    assert bags({"x": ast.parse("def f(a, **facts): ...")}) == ["x f"]
