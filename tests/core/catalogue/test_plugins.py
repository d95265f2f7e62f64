"""Plugins are found, loaded, blocked and explained; what is wrong with one stays its own."""

import importlib.metadata
import json
import sys
from contextlib import contextmanager
from pathlib import Path
from textwrap import dedent
from types import SimpleNamespace

import pytest

import edgebench
from edgebench import Backend, Model, Operator, Registry, Tier, hookimpl
from edgebench.catalogue import plugin as plugin_module
from edgebench.catalogue.plugins import Plugins, PluginSource
from edgebench.catalogue.rows import KINDS
from edgebench.parts.errors import Missing, NameClash, PluginFault, UnknownName
from edgebench.prepare import source as source_module
from edgebench.prepare.source import read_code, read_source
from edgebench.survey.statuses import list_statuses

from ..broken import BROKEN, SHRINK


def offering(*names, plugin="given"):
    """Return a plugin that offers operators of these names."""

    @hookimpl
    def edgebench_operators():
        for name in names:
            yield Operator(name=name, summary="An operator.", apply=print)

    return SimpleNamespace(__name__=plugin, edgebench_operators=edgebench_operators)


@pytest.fixture(autouse=True)
def _forget_strangers():
    """Modules of one test must not be found by the next."""
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name.endswith("_plugin") or name.startswith("edgebench_file_"):
            del sys.modules[name]


@pytest.fixture
def write(tmp_path):
    """Write a file and return its path."""

    def write(name: str, text: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text), encoding="utf-8")
        return path

    return write


@pytest.fixture
def row(write):
    """Return a registry of one row, whose module lies on the path."""

    def row(text: str = "", offers: str = '["shrink"]') -> Registry:
        head = '[plugins.mine]\nkind = "operator"\nmodule = "mine_plugin"'
        return Registry.of([write("mine.toml", f"{head}\noffers = {offers}\n{text}\n")])

    return row


def files(*paths, registry=None):
    """Load these files, and nothing that is installed."""
    return Plugins.load(registry or Registry(), files=paths)


# --- getting -------------------------------------------------------------------------------------


def test_a_part_is_got_by_its_kind_and_name():
    part = Plugins.of(Registry(), [offering("shrink", "grow")]).get(Operator, "grow")
    assert isinstance(part, Operator)
    assert part.name == "grow"


def test_a_name_of_another_kind_is_unknown():
    plugins = Plugins.of(Registry(), [offering("shrink")])
    with pytest.raises(UnknownName, match="no backend is called 'shrink'; none is known"):
        plugins.get(Backend, "shrink")


def test_an_unknown_name_gets_the_nearest_one():
    plugins = Plugins.of(Registry(), [offering("shrink", "grow")])
    with pytest.raises(UnknownName, match=r"is called 'shrnk'; did you mean 'shrink'\?"):
        plugins.get(Operator, "shrnk")


def test_all_parts_of_a_kind_are_sorted_and_cannot_be_changed():
    parts = Plugins.of(Registry(), [offering("b"), offering("c", "a")]).all(Operator)
    assert list(parts) == ["a", "b", "c"]
    with pytest.raises(TypeError):
        parts["d"] = parts["a"]


def test_a_hook_may_return_a_list_or_nothing():
    @hookimpl
    def edgebench_operators():
        return [Operator(name="listed", summary="An operator.", apply=print)]

    @hookimpl
    def edgebench_models():
        return None

    module = SimpleNamespace(
        edgebench_operators=edgebench_operators, edgebench_models=edgebench_models
    )
    plugins = Plugins.of(Registry(), [module])
    assert list(plugins.all(Operator)) == ["listed"]
    assert not plugins.all(Model)
    assert not plugins.faults


def test_a_hook_is_given_the_registry_if_it_asks():
    seen = []

    @hookimpl
    def edgebench_tiers(registry):
        seen.append(registry)
        yield Tier(name="watch", summary="On a wrist.", cpus=1, memory=1)

    registry = Registry(hybrids={"ab": "a+b"})
    plugins = Plugins.of(registry, [SimpleNamespace(edgebench_tiers=edgebench_tiers)])
    assert plugins.get(Tier, "watch").cpus == 1
    assert plugins.all(Tier)
    assert seen == [registry], "asked once, and remembered"


# --- rows ----------------------------------------------------------------------------------------


def test_getting_a_name_imports_the_module_of_its_row_only(python):
    program = """
        import sys
        from edgebench import Operator, Registry
        from edgebench.catalogue.plugins import Plugins

        plugins = Plugins.load(Registry.read())
        before = [name for name in sys.modules if name.startswith("edgebench_plugins")]
        plugins.get(Operator, "identity")
        after = [name for name in sys.modules if name.startswith("edgebench_plugins.")]
        print(before, sorted(after))
        """
    assert (
        python(program).stdout
        == "[] ['edgebench_plugins.operators', 'edgebench_plugins.operators.identity']\n"
    )


def test_what_a_row_requires_is_said_with_the_command_that_brings_it(row):
    registry = row('requires = ["absent_a", "json", "absent_b"]\ninstall = "pip install acme"')
    plugins = Plugins.load(registry)
    sentence = "shrink needs the packages 'absent_a' and 'absent_b': pip install acme"
    with pytest.raises(Missing) as caught:
        plugins.get(Operator, "shrink")
    assert str(caught.value) == sentence
    assert plugins.why_not(Operator, "shrink") == sentence
    assert not plugins.all(Operator)
    assert not plugins.faults
    (status,) = list_statuses(plugins)
    assert (status.status, status.offers) == ("missing", (("operator", "shrink"),))


def test_a_row_without_an_install_command_says_what_is_lacking(row):
    plugins = Plugins.load(row('requires = ["absent_a"]'))
    assert plugins.why_not(Operator, "shrink") == (
        "shrink needs the package 'absent_a': not installed here"
    )


def test_what_is_missing_is_listed_with_its_summary_where_its_module_is_there(
    row, write, tmp_path, monkeypatch
):
    write("mine_plugin.py", SHRINK)
    monkeypatch.syspath_prepend(str(tmp_path))
    plugins = Plugins.load(row('requires = ["absent_a"]'))
    (line,) = plugins.listed(Operator)
    assert line.part.summary == "Halve every layer."
    assert line.why_not.startswith("shrink needs the package 'absent_a'")


def test_what_is_missing_is_listed_without_summary_where_its_module_is_not(row):
    (line,) = Plugins.load(row('requires = ["absent_a"]')).listed(Operator)
    assert (line.name, line.part, line.plugin.name) == ("shrink", None, "mine")


def test_an_import_error_is_a_fault_and_not_taken_for_a_missing_package(row):
    plugins = Plugins.load(row())
    with pytest.raises(PluginFault) as caught:
        plugins.get(Operator, "shrink")
    assert str(caught.value) == (
        "the plugin mine (mine_plugin) does not load: "
        "ModuleNotFoundError: No module named 'mine_plugin'"
    )
    assert isinstance(caught.value.__cause__, ModuleNotFoundError)
    (line,) = plugins.listed(Operator)
    assert line.why_not == str(caught.value)


def test_a_row_that_promises_what_its_module_does_not_yield_is_a_fault(
    row, write, tmp_path, monkeypatch
):
    write("mine_plugin.py", SHRINK)
    monkeypatch.syspath_prepend(str(tmp_path))
    plugins = Plugins.load(row(offers='["shrink", "grow"]'))
    assert plugins.get(Operator, "shrink")
    with pytest.raises(PluginFault, match="does not yield the operator 'grow' that it is to offer"):
        plugins.get(Operator, "grow")


def test_a_tier_of_the_users_own_registry_is_a_tier(write):
    path = write(
        "mine.toml",
        '[tiers.watch]\nsummary = "On a wrist."\ncpus = 1\nmemory_gib = 1\nsource = "me"\n',
    )
    plugins = Plugins.load(Registry.read([path]))
    assert plugins.get(Tier, "watch").memory == 2**30
    assert plugins.owner(Tier, "watch").name == "studied-tiers"
    assert plugins.why_not(Tier, "watch") is None
    assert set(plugins.all(Tier)) == {"cloud", "edge", "mobile", "watch"}


def test_the_studied_tiers_hold_the_facts_of_their_rows():
    registry = Registry.read()
    tiers = Plugins.load(registry).all(Tier)
    for name, row in registry.tiers.items():
        tier = tiers[name]
        assert (tier.cpus, tier.memory, tier.accelerator, tier.source, tier.summary) == (
            row.cpus,
            row.memory,
            row.accelerator,
            row.source,
            row.summary,
        )


def test_two_rows_may_name_one_module(write, tmp_path, monkeypatch):
    both = SHRINK + dedent("""
        from edgebench import Tier

        @hookimpl
        def edgebench_tiers():
            yield Tier(name="watch", summary="On a wrist.", cpus=1, memory=1)
        """)
    write("both_plugin.py", both)
    monkeypatch.syspath_prepend(str(tmp_path))
    rows = [("operator", "shrink"), ("tier", "watch")]
    text = "".join(
        f'[plugins.{name}]\nkind = "{kind}"\nmodule = "both_plugin"\noffers = ["{name}"]\n'
        for kind, name in rows
    )
    plugins = Plugins.load(Registry.of([write("mine.toml", text)]))
    assert plugins.get(Tier, "watch").name == "watch"
    assert plugins.get(Operator, "shrink").name == "shrink"
    assert not plugins.faults


BOTH = """\
from edgebench import Operator, Tier, hookimpl

@hookimpl
def edgebench_operators():
    yield Operator(name="shrink", summary="Halve every layer.", apply=print)

@hookimpl
def edgebench_tiers():
    yield Tier(name="watch", summary="On a wrist.", cpus=1, memory=1)
"""


@pytest.fixture
def rows(write, tmp_path, monkeypatch):
    """Return the plugins of a registry whose rows name a module with this source."""

    def rows(source: str, *lines: str) -> Plugins:
        write("mine_plugin.py", source)
        monkeypatch.syspath_prepend(str(tmp_path))
        text = "".join(
            f'[plugins.mine{number}]\nmodule = "mine_plugin"\n{line}\n'
            for number, line in enumerate(lines)
        )
        return Plugins.load(Registry.of([write("mine.toml", text)]))

    return rows


def test_one_row_may_offer_parts_of_several_kinds(rows):
    plugins = rows(BOTH, 'offers = {operator = ["shrink"], tier = ["watch"]}')
    assert plugins.get(Tier, "watch").name == "watch"
    assert list(plugins.all(Operator)) == ["shrink"]
    assert plugins.why_not(Tier, "watch") is None
    (status,) = list_statuses(plugins)
    assert status.offers == (("operator", "shrink"), ("tier", "watch"))
    assert status.hooks == ("edgebench_operators", "edgebench_tiers")


def test_a_row_is_asked_for_the_kinds_that_it_names_and_no_other(rows):
    plugins = rows(BOTH, 'kind = "operator"\noffers = ["shrink"]')
    assert not plugins.all(Tier)
    assert not plugins.faults


def test_a_promise_of_one_kind_of_several_is_held_to(rows):
    plugins = rows(BOTH, 'offers = {operator = ["shrink"], tier = ["moon"]}')
    with pytest.raises(PluginFault, match="does not yield the tier 'moon' that it is to offer"):
        plugins.get(Tier, "moon")
    assert plugins.get(Operator, "shrink").name == "shrink"


def test_a_stranger_may_offer_parts_of_several_kinds(write):
    plugins = files(write("both.py", BOTH))
    assert list(plugins.all(Tier)) == ["watch"]
    assert list(plugins.all(Operator)) == ["shrink"]


# --- a single file -------------------------------------------------------------------------------


def test_a_single_file_is_a_plugin(write):
    path = write("shrink.py", SHRINK)
    plugins = files(path)
    assert plugins.get(Operator, "shrink").summary == "Halve every layer."
    assert plugins.why_not(Operator, "shrink") is None
    owner = plugins.owner(Operator, "shrink")
    assert (owner.name, owner.distribution, owner.version) == ("shrink", "", "")
    assert owner.origin == str(path)
    digest = read_source(path, "edgebench_file_shrink").digest
    assert read_code(plugins.owner(Operator, "shrink")).digest == digest


def test_a_single_file_shadows_no_module(write):
    path = write("json.py", SHRINK)
    assert files(path).get(Operator, "shrink")
    assert sys.modules["json"] is json


def test_the_classes_of_a_single_file_can_be_resolved(write):
    """Options classes are: their type hints are text, looked up through `sys.modules`."""
    path = write(
        "typed.py",
        """
        from __future__ import annotations
        from pathlib import Path
        import attrs
        from edgebench import Operator, hookimpl

        @attrs.frozen
        class Options:
            where: Path = Path()

        @hookimpl
        def edgebench_operators():
            yield Operator(name="typed", summary="Typed.", apply=print, options=Options)
        """,
    )
    options = files(path).get(Operator, "typed").options
    import attrs

    assert attrs.fields(attrs.resolve_types(options)).where.type is Path


def test_an_edit_within_the_same_second_is_seen(write):
    assert files(write("shrink.py", SHRINK)).get(Operator, "shrink")
    path = write("shrink.py", SHRINK.replace("shrink", "shrimp"))
    assert files(path).get(Operator, "shrimp")
    assert not (path.parent / "__pycache__").exists()


@pytest.mark.parametrize(
    ("name", "why"), [("absent.py", "does not exist"), ("notes.txt", "is not a .py file")]
)
def test_a_file_that_is_no_plugin_is_refused_at_once(write, name, why):
    path = write("notes.txt", "").with_name(name)
    with pytest.raises(PluginFault, match=f"the plugin {path} {why}"):
        files(path)


def test_the_same_file_given_twice_is_one_plugin(write):
    path = write("shrink.py", SHRINK)
    assert files(path, path).get(Operator, "shrink")


# --- faults --------------------------------------------------------------------------------------

KEPT = {("fails", Operator): ["shrink"]}
"""What is left of a plugin that is broken."""


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_wrong_with_a_plugin_is_said_with_its_name(write, name):
    source, cause = BROKEN[name]
    path = write(f"{name}.py", source)
    plugins = files(path)
    for kind in KINDS.values():
        assert list(plugins.all(kind)) == KEPT.get((name, kind), [])
    (fault,) = plugins.faults
    assert str(fault).startswith(f"the plugin {name} ({path}) ")
    assert cause in fault.cause
    assert "\n" not in str(fault)
    (status,) = list_statuses(plugins)
    assert (status.status, status.why) == ("faulty", fault.cause)


@pytest.mark.parametrize("name", BROKEN)
def test_a_fault_stops_no_other_plugin(write, name):
    broken, other = (
        write(f"{name}.py", BROKEN[name][0]),
        write("grow.py", SHRINK.replace("shrink", "grow")),
    )
    plugins = files(broken, other, registry=Registry.read())
    assert plugins.get(Operator, "grow")
    assert {"grow", "identity"} <= set(plugins.all(Operator))
    assert "grow" in [line.name for line in plugins.listed(Operator)]


MIXED = """
    import attrs
    from edgebench import Operator, hookimpl

    @attrs.frozen(kw_only=True)
    class Wrong:
        n: int = attrs.field(default="three", validator=attrs.validators.instance_of(int))

    @attrs.frozen(kw_only=True)
    class Lacking:
        n: int

    @hookimpl
    def edgebench_operators():
        yield Operator(name="before", summary="Sound.", apply=print)
        yield Operator(name="wrong", summary="No.", apply=print, options=Wrong)
        yield Operator(name="lacking", summary="No.", apply=print, options=Lacking)
        yield Operator(name="twice", summary="No.", apply=print)
        yield Operator(name="twice", summary="No.", apply=print)
        yield "nonsense"
        yield Operator(name="after", summary="Sound.", apply=print)
        yield Operator(name="Not A Name", summary="No.", apply=print)
"""


def test_a_record_that_is_wrong_costs_only_itself(write):
    plugins = files(write("mixed.py", dedent(MIXED)))
    assert list(plugins.all(Operator)) == ["after", "before"]
    for name, why in (
        ("wrong", "'wrong', whose options do not take their own defaults: TypeError: "),
        ("lacking", "'lacking', whose options do not take their own defaults: TypeError: "),
        ("twice", "yields the operator 'twice' twice"),
    ):
        with pytest.raises(PluginFault, match=f"the plugin mixed .* {why}"):
            plugins.get(Operator, name)
    assert [(fault.part, fault.cause[:24]) for fault in plugins.faults] == [
        ("", "fails in edgebench_opera"),
        ("wrong", "yields the operator 'wro"),
        ("lacking", "yields the operator 'lac"),
        ("twice", "yields the operator 'twi"),
        ("", "yields 'nonsense' from e"),
    ]
    (status,) = list_statuses(plugins)
    assert status.status == "faulty"
    assert status.offers == (("operator", "before"), ("operator", "after"))


FAILING = """
    from edgebench import {kind}, hookimpl

    @hookimpl
    def edgebench_{hook}():
        raise RuntimeError("no {hook}")
        yield
"""


def failing(write, name, kind="Operator", hook="operators"):
    return write(f"{name}.py", dedent(FAILING.format(kind=kind, hook=hook)))


@pytest.mark.parametrize("order", [1, -1])
def test_an_unknown_name_blames_the_plugin_that_is_called_so(write, order):
    broken = failing(write, "aaa"), failing(write, "shrink"), failing(write, "zzz")
    with pytest.raises(UnknownName, match=r"; the plugin shrink \("):
        files(*broken[::order]).get(Operator, "shrink")


def test_an_unknown_name_blames_no_plugin_that_fails_at_something_else(write):
    plugins = files(failing(write, "aaa", "Tier", "tiers"), failing(write, "zzz"))
    assert not plugins.all(Tier)
    with pytest.raises(UnknownName, match=r"'shrink'; none is known; the plugin zzz \("):
        plugins.get(Operator, "shrink")
    with pytest.raises(UnknownName, match="none is known$"):
        plugins.get(Model, "shrink")


def test_whoever_watches_is_told_of_each_plugin_that_is_asked(write):
    seen = []

    @contextmanager
    def watch(plugin, what):
        seen.append((plugin.name, what))
        yield

    paths = [write("shrink.py", SHRINK), failing(write, "other")]
    Plugins.load(Registry(), files=paths, watch=watch).all(Operator)
    assert seen == [
        ("shrink", "to load"),
        ("shrink", "for edgebench_operators"),
        ("other", "to load"),
        ("other", "for edgebench_operators"),
    ]


def test_an_unknown_name_is_said_with_the_plugin_that_may_have_had_it(write):
    plugins = files(write("raises.py", "raise RuntimeError('no luck')"))
    with pytest.raises(UnknownName, match=r"'shrink'; none is known; the plugin raises .* no luck"):
        plugins.get(Operator, "shrink")
    assert "no luck" in plugins.why_not(Operator, "shrink")


def test_a_plugin_that_raises_is_imported_once(write):
    source = """
        from pathlib import Path

        count = Path(__file__).with_name("count")
        count.write_text(count.read_text() + "x")
        raise OSError
        """
    write("count", "")
    counted = write("counted.py", source)
    plugins = files(counted)
    for _ in range(3):
        plugins.all(Operator)
        assert plugins.faults
    assert counted.with_name("count").read_text() == "x"


def test_a_declared_version_that_is_this_one_is_fine(write):
    path = write("shrink.py", SHRINK + f"EDGEBENCH_API = {edgebench.API}")
    assert files(path).get(Operator, "shrink")


def test_an_optional_hook_of_a_later_version_is_no_fault(write):
    later = SHRINK + "\n@hookimpl(optionalhook=True)\ndef edgebench_probes(): ...\n"
    plugins = files(write("shrink.py", later))
    assert plugins.get(Operator, "shrink")
    assert not plugins.faults


# --- distributions -------------------------------------------------------------------------------


# --- clashes -------------------------------------------------------------------------------------


def test_two_plugins_cannot_share_a_name():
    plugins = Plugins.of(Registry(), [offering("prune", plugin="a"), offering("prune", plugin="b")])
    both = "two plugins offer the operator 'prune': a (a) and b (b)"
    said = f"{both}; uninstall one, or pass --without b"
    with pytest.raises(NameClash) as caught:
        plugins.get(Operator, "prune")
    assert str(caught.value) == said
    assert not plugins.all(Operator)
    assert [str(fault) for fault in plugins.faults] == [
        f"the plugin b (b) offers a name that is taken: {said}"
    ]
    assert plugins.why_not(Operator, "prune") == said
    assert plugins.listed(Operator)[0].why_not == said


def test_a_clash_stops_no_other_name():
    both = [offering("prune", "a", plugin="a"), offering("prune", "b", plugin="b")]
    plugins = Plugins.of(Registry(), both)
    assert plugins.get(Operator, "a").name == "a"
    assert plugins.get(Operator, "b").name == "b"
    assert not plugins.all(Tier)


def test_a_name_of_a_missing_part_is_taken_too(row, write):
    registry = row('requires = ["absent_a"]')
    plugins = files(write("shrink.py", SHRINK), registry=registry)
    with pytest.raises(NameClash):
        plugins.get(Operator, "shrink")


def edgebench_version() -> str:
    from importlib.metadata import version

    return version("edgebench")


# --- blocking ------------------------------------------------------------------------------------


def test_a_row_can_be_blocked_like_any_stranger():
    plugins = Plugins.load(Registry.read(), without=["identity"])
    with pytest.raises(
        UnknownName, match="the operator 'identity' is left out by --without identity"
    ):
        plugins.get(Operator, "identity")
    assert "identity" not in plugins.all(Operator)
    assert "identity" not in [line.name for line in plugins.listed(Operator)]
    (blocked,) = [row for row in list_statuses(plugins) if row.status == "blocked"]
    assert blocked.plugin.name == "identity"


def test_a_file_is_blocked_by_its_stem(write):
    path = write("shrink.py", SHRINK)
    plugins = Plugins.load(Registry(), files=[path], without=["shrink"])
    assert not plugins.all(Operator)


def test_blocking_an_unknown_plugin_is_a_mistake():
    with pytest.raises(
        UnknownName, match=r"no plugin is called 'identty'; did you mean 'identity'\?"
    ):
        Plugins.load(Registry.read(), without=["identty"])


# --- events --------------------------------------------------------------------------------------


def listening(heard, plugin="tracker", failing=False):
    """Return a plugin that writes down what it is told."""

    @hookimpl
    def edgebench_case_started(case):
        heard.append((plugin, "started", case))
        if failing:
            raise OSError("disk full")

    @hookimpl
    def edgebench_block_finished(case, block):
        heard.append((plugin, case, block))

    @hookimpl
    def edgebench_case_finished(result):
        heard.append((plugin, "finished", result))

    return SimpleNamespace(
        __name__=plugin,
        edgebench_case_started=edgebench_case_started,
        edgebench_block_finished=edgebench_block_finished,
        edgebench_case_finished=edgebench_case_finished,
    )


def test_events_reach_those_that_listen():
    heard = []
    plugins = Plugins.of(Registry(), [offering("shrink"), listening(heard)])
    plugins.tell("edgebench_case_started", case="case")
    plugins.tell("edgebench_block_finished", case="case", block="block")
    plugins.tell("edgebench_case_finished", case="case", result="result")
    assert heard == [
        ("tracker", "started", "case"),
        ("tracker", "case", "block"),
        ("tracker", "finished", "result"),
    ]


def test_whether_an_event_is_heard_is_known_before_it_is_told(rows):
    assert not Plugins.of(Registry(), [offering("shrink")]).hears("edgebench_case_started")
    plugins = rows(LISTENER, "events = true")
    assert plugins.hears("edgebench_case_started")
    assert not plugins.hears("edgebench_case_finished")
    assert heard() == []


def test_a_listener_that_raises_is_named_when_all_have_heard():
    heard = []
    both = [listening(heard, "bad", failing=True), listening(heard, "good")]
    with pytest.raises(PluginFault) as caught:
        Plugins.of(Registry(), both).tell("edgebench_case_started", case="case")
    assert str(caught.value) == (
        "the plugin bad (bad) fails in edgebench_case_started: OSError: disk full"
    )
    assert [who for who, *_ in heard] == ["bad", "good"]


def test_a_stranger_that_does_not_load_fails_no_case(write):
    files(write("raises.py", "raise OSError")).tell("edgebench_case_started", case="case")


LISTENER = """\
from edgebench import hookimpl

heard = []

@hookimpl
def edgebench_case_started(case):
    heard.append(case)
"""


def heard() -> list[object]:
    return sys.modules["mine_plugin"].heard


def test_events_reach_a_plugin_whose_row_says_so(rows):
    plugins = rows(LISTENER, "events = true")
    plugins.tell("edgebench_case_started", case="a case")
    plugins.tell("edgebench_case_finished", case="a case", result="no hook for this")
    assert heard() == ["a case"]
    assert not plugins.faults


def test_a_plugin_may_offer_parts_and_be_told_of_events(rows):
    plugins = rows(LISTENER + SHRINK, 'kind = "operator"\noffers = ["shrink"]\nevents = true')
    plugins.tell("edgebench_case_started", case="a case")
    assert heard() == ["a case"]
    (status,) = list_statuses(plugins)
    assert status.offers == (("operator", "shrink"),)
    assert status.hooks == ("edgebench_operators", "edgebench_case_started")


def test_a_plugin_that_several_rows_name_is_told_once(rows):
    plugins = rows(LISTENER, "events = true", "events = true")
    plugins.tell("edgebench_case_started", case="a case")
    assert heard() == ["a case"]


def test_a_row_that_says_nothing_of_events_is_not_imported_for_them(rows):
    rows(SHRINK, 'kind = "operator"\noffers = ["shrink"]').tell("edgebench_case_started", case="a")
    assert "mine_plugin" not in sys.modules


def test_a_listener_that_lacks_a_package_is_left_out(rows):
    plugins = rows(LISTENER, 'events = true\nrequires = ["absent_a"]')
    plugins.tell("edgebench_case_started", case="a case")
    assert "mine_plugin" not in sys.modules
    assert not plugins.faults
    (status,) = list_statuses(plugins)
    assert (status.status, status.hooks) == ("missing", ())


def test_a_listener_that_is_blocked_hears_nothing(rows):
    registry = rows(LISTENER, "events = true").registry
    plugins = Plugins.load(registry, without=["mine0"])
    plugins.tell("edgebench_case_started", case="a case")
    assert "mine_plugin" not in sys.modules


@pytest.mark.parametrize(
    ("source", "line", "cause"),
    [
        (LISTENER + SHRINK, 'kind = "operator"\noffers = ["shrink"]',
         "implements edgebench_case_started, but its row does not say `events = true`"),
        (SHRINK, "events = true", "implements no event hook, but its row says `events = true`"),
        ("raise OSError", "events = true", "does not load: OSError"),
    ],
    ids=["silent", "deaf", "broken"],
)  # fmt: skip
def test_a_row_that_is_wrong_about_events_is_a_fault(rows, source, line, cause):
    plugins = rows(source, line)
    plugins.tell("edgebench_case_started", case="a case")
    (status,) = list_statuses(plugins)
    assert (status.status, status.why) == ("faulty", cause)
    (fault,) = plugins.faults
    assert str(fault) == f"the plugin mine0 (mine_plugin) {cause}"


def test_a_broken_listener_of_a_row_is_a_fault_before_anything_was_asked(rows):
    (fault,) = rows("raise OSError", "events = true").faults
    assert fault.cause == "does not load: OSError"


# --- what is asked once --------------------------------------------------------------------------


@pytest.fixture
def reads(monkeypatch):
    """Return the list of the modules whose code is read from now on."""

    def read(file, name):
        read_modules.append(name)
        return read_source(file, name)

    read_modules: list[str] = []
    monkeypatch.setattr(source_module, "read_source", read)
    return read_modules


def test_who_offers_a_part_is_told_without_reading_its_code(reads):
    plugins = Plugins.load(Registry.read())
    assert plugins.owner(Operator, "identity").name == "identity"
    assert len(list_statuses(plugins)) == len(plugins.registry.plugins)
    assert reads == []


def test_listing_everything_reads_no_source(reads, capsys):
    from edgebench.cli import main

    assert main(["list", *(f"{word}s" for word in KINDS), "variants", "plugins"]) == 0
    assert "identity" in capsys.readouterr().out
    assert reads == []


def test_the_code_of_a_plugin_is_read_once(reads):
    plugins = Plugins.load(Registry.read())
    codes = [read_code(plugins.owner(Tier, name)) for name in ("edge", "mobile", "edge")]
    assert codes[0] == codes[1] == codes[2]
    assert reads == ["edgebench_plugins.tiers.studied"]


def test_the_version_of_a_distribution_is_read_once(monkeypatch):
    asked = []
    monkeypatch.setattr(importlib.metadata, "version", lambda name: asked.append(name) or "7.7")
    plugin_module.read_version.cache_clear()
    plugins = Plugins.load(Registry.read())
    assert {row.plugin.version for row in list_statuses(plugins)} == {"7.7"}
    assert asked == ["edgebench"]
    monkeypatch.undo()
    plugin_module.read_version.cache_clear()


def test_what_is_told_of_a_kind_is_the_same_before_and_after_its_plugins_are_loaded():
    registry = Registry.read()
    late, early = (Plugins.load(registry) for _ in range(2))
    for kind in KINDS.values():
        late.get(Operator, "identity")
        names = [line.name for line in early.listed(kind)]
        assert [late.why_not(kind, name) for name in names] == [
            early.why_not(kind, name) for name in names
        ]
        assert list(late.all(kind)) == list(early.all(kind))
        assert late.all(kind) is late.all(kind)


def test_faults_of_what_does_not_load_come_first_whatever_was_asked_first(write):
    raises = write("raises.py", SHRINK.replace("yield ", "raise OSError;"))
    lost = write("lost.py", "import nowhere_to_be_found")
    for kinds in (KINDS.values(), reversed(KINDS.values())):
        plugins = files(raises, lost)
        for kind in kinds:
            plugins.listed(kind)
        assert [fault.plugin.name for fault in plugins.faults] == ["lost", "raises"]


# --- in another process --------------------------------------------------------------------------


def test_a_source_makes_the_same_plugins_in_another_process(write, tmp_path, monkeypatch, python):
    shrink = write("shrink.py", SHRINK)
    tiers = write(
        "mine.toml",
        '[tiers.watch]\nsummary = "On a wrist."\ncpus = 1\nmemory_gib = 1\nsource = "me"\n',
    )
    monkeypatch.chdir(tmp_path)
    plugins = Plugins.load(
        Registry.read([Path(tiers.name)]), files=[Path(shrink.name)], without=["identity"]
    )
    document = json.dumps(plugins.source.to_json())
    program = """
        import json, sys
        from edgebench import Operator, Tier
        from edgebench.catalogue.plugins import PluginSource
        from edgebench.prepare.source import read_code

        plugins = PluginSource.from_json(json.loads(sys.stdin.read())).load()
        print(read_code(plugins.owner(Operator, "shrink")).digest, plugins.registry.digest)
        print("watch" in plugins.all(Tier), "identity" in plugins.all(Operator))
        """
    done = python(program, input=document, cwd="/")
    digest = read_code(plugins.owner(Operator, "shrink")).digest
    assert done.stdout.split() == [digest, plugins.registry.digest, "True", "False"]


def test_a_source_crosses_as_json():
    source = Plugins.load(Registry.read()).source
    assert PluginSource.from_json(json.loads(json.dumps(source.to_json()))) == source


def test_another_process_has_the_same_speeds(tmp_path):
    """What was measured of this machine crosses with the rest: it is never measured twice."""
    own = tmp_path / "own.toml"
    own.write_text('[tiers.board]\ndevice = "pi5"\n')
    plugins = Plugins.load(Registry.read([own]).against(100.0))
    there = PluginSource.from_json(json.loads(json.dumps(plugins.source.to_json()))).load()
    assert there.get(Tier, "board") == plugins.get(Tier, "board")
    assert there.get(Tier, "board").speed == 0.346


def test_what_has_no_file_has_no_code():
    code = read_code(Plugins.of(Registry(), [offering("a")]).owner(Operator, "a"))
    assert (code.digest, code.imports) == ("", ())


def test_given_modules_have_no_source():
    with pytest.raises(ValueError, match="cannot be loaded by another process"):
        _ = Plugins.of(Registry(), [offering("a")]).source


def test_how_a_given_module_is_named():
    module = offering("shrink", plugin="acme.deep.shrinker")
    plugins = Plugins.of(Registry(), [module])
    assert plugins.owner(Operator, "shrink").name == "shrinker"
    (status,) = list_statuses(plugins)
    assert status.offers == (("operator", "shrink"),)
