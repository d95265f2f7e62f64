"""What installed distributions offer is seen once, by processes that each import one of them."""

import json
import os
import sys
from importlib.metadata import version
from pathlib import Path
from textwrap import dedent

import pytest

from edgebench import Model, Operator, Registry, Tier
from edgebench.catalogue.plugins import Plugins, PluginSource
from edgebench.parts.errors import EdgebenchError, NameClash, PluginFault, UnknownName
from edgebench.prepare.source import read_code, read_source
from edgebench.survey import kept
from edgebench.survey import offers as offers_module
from edgebench.survey.installed import find_installed
from edgebench.survey.offers import find_offers
from edgebench.survey.statuses import list_statuses

from ..broken import BROKEN, SHRINK

pytestmark = pytest.mark.process


@pytest.fixture(autouse=True)
def _forget_strangers():
    """Modules of one test must not be found by the next."""
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name.endswith("_plugin"):
            del sys.modules[name]


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("EDGEBENCH_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def write(tmp_path):
    def write(name: str, text: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text), encoding="utf-8")
        return path

    return write


@pytest.fixture
def site(tmp_path, monkeypatch):
    """Return a directory of installed packages, which other processes find too."""
    place = tmp_path / "site"
    place.mkdir()
    monkeypatch.syspath_prepend(str(place))
    paths = [str(place), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, paths)))
    return place


@pytest.fixture
def install(write, site, process):
    """Install a distribution: its metadata, its entry points and its only module."""

    def install(name: str, module: str, source: str, points: str | None = None) -> Path:
        points = points if points is not None else f"{module} = {module}"
        folder = f"site/{name.replace('-', '_')}-1.2.dist-info"
        write(f"{folder}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n")
        write(f"{folder}/entry_points.txt", f"[edgebench]\n{points}\n")
        return write(f"site/{module}.py", source)

    return install


def look(registry=None, told=None):
    """Have installed distributions looked at; return the file."""
    told = [] if told is None else told
    return find_offers(registry or Registry(), lambda *said: told.append(said))


def strangers(registry=None, **options):
    """Load what is installed."""
    registry = registry or Registry()
    return Plugins.load(registry, offers=look(registry), **options)


def test_an_installed_distribution_is_found_by_its_entry_point(install, tmp_path):
    install("edgebench-acme", "acme_plugin", SHRINK, "acme = acme_plugin")
    plugins = strangers()
    owner = plugins.owner(Operator, "shrink")
    assert (owner.name, owner.distribution, owner.version, owner.origin) == (
        "acme",
        "edgebench-acme",
        "1.2",
        "acme_plugin",
    )
    file = tmp_path / "site/acme_plugin.py"
    digest = read_source(file, "acme_plugin").digest
    assert read_code(plugins.owner(Operator, "shrink")).digest == digest


def test_an_entry_point_may_name_an_object_with_hooks(install):
    source = """
        from edgebench import Operator, hookimpl

        class Acme:
            @hookimpl
            def edgebench_operators(self):
                yield Operator(name="shrink", summary="Halve every layer.", apply=print)

        plugin = Acme()
        """
    install("edgebench-acme", "acme_plugin", source, "acme = acme_plugin:plugin")
    assert len(read_code(strangers().owner(Operator, "shrink")).digest) == 64


def test_other_groups_are_left_alone(install):
    install(
        "other", "other_plugin", "raise OSError", "x = y\n[console_scripts]\nz = other_plugin:z"
    )
    (fault,) = strangers().faults
    assert fault.plugin.name == "x"


def test_five_broken_distributions_are_named_and_the_rest_works(install):
    broken = ["raises", "misspelt", "newer", "nonsense", "twice"]
    for name in broken:
        install(f"edgebench-{name}", f"{name}_plugin", BROKEN[name][0], f"{name} = {name}_plugin")
    install("edgebench-lost", "lost_plugin", "", "lost = nowhere_to_be_found")
    install(
        "edgebench-clash",
        "clash_plugin",
        SHRINK.replace("shrink", "identity"),
        "clash = clash_plugin",
    )
    install("edgebench-fine", "fine_plugin", SHRINK.replace("shrink", "grow"), "fine = fine_plugin")
    plugins = strangers(Registry.read())

    assert plugins.get(Operator, "grow").name == "grow"
    assert plugins.get(Tier, "mobile").cpus == 4
    listed = {line.name: line.why_not for line in plugins.listed(Operator)}
    assert listed["grow"] is None
    assert "edgebench-clash 1.2" in listed["identity"]
    faults = {fault.plugin.name: fault for fault in plugins.faults}
    assert set(faults) >= {*broken, "lost"}
    for name, fault in faults.items():
        assert fault.plugin.distribution == f"edgebench-{name}"
        assert f"{name} (edgebench-{name} 1.2)" in str(fault)
    statuses = {row.plugin.name: row for row in list_statuses(plugins)}
    assert statuses["fine"].status == "installed"
    for name in [*broken, "lost", "clash"]:
        assert statuses[name].status == "faulty"
        assert statuses[name].why
    assert statuses["identity"].status == "installed"


def test_a_distribution_with_broken_metadata_stops_no_other(install):
    install("edgebench-bad", "bad_plugin", "", "this is no entry point")
    install("edgebench-fine", "fine_plugin", SHRINK)
    plugins = strangers()
    assert plugins.get(Operator, "shrink")
    (fault,) = plugins.faults
    assert (fault.plugin.name, fault.plugin.distribution) == ("edgebench-bad", "edgebench-bad")


def test_a_distribution_that_is_not_text_stops_no_other(install, tmp_path):
    install("edgebench-bad", "bad_plugin", "")
    (tmp_path / "site/edgebench_bad-1.2.dist-info/entry_points.txt").write_bytes(
        b"[edgebench]\n\xff"
    )
    install("edgebench-fine", "fine_plugin", SHRINK)
    plugins = strangers()
    assert plugins.get(Operator, "shrink")
    assert [fault.plugin.distribution for fault in plugins.faults] == ["edgebench-bad"]


@pytest.mark.parametrize(
    ("points", "line"),
    [
        ("this is no entry point", "line 2 is no `name = module`: 'this is no entry point'"),
        ("bad = bad_plugin\n[", "line 3 is no `name = module`: '['"),
    ],
)
def test_a_line_that_is_no_entry_point_is_shown(install, points, line):
    module = install("edgebench-bad", "bad_plugin", "", points)
    (fault,) = strangers().faults
    file = module.parent / "edgebench_bad-1.2.dist-info" / "entry_points.txt"
    assert fault.cause == f"does not load: {file} cannot be read: {line}"


@pytest.mark.parametrize("metadata", [None, b"Metadata-Version: 2.1\n"])
def test_a_distribution_without_a_name_goes_by_its_directory(install, site, metadata):
    install("edgebench-acme", "acme_plugin", SHRINK)
    place = site / "edgebench_acme-1.2.dist-info"
    (place / "METADATA").unlink()
    if metadata:
        (place / "METADATA").write_bytes(metadata)
    plugins = strangers()
    assert plugins.get(Operator, "shrink")
    assert plugins.owner(Operator, "shrink").where == str(place)


def test_metadata_that_is_not_text_costs_that_distribution_alone(install, site):
    install("edgebench-bad", "bad_plugin", SHRINK.replace("shrink", "grow"))
    place = site / "edgebench_bad-1.2.dist-info"
    (place / "METADATA").write_bytes(b"\xb5\xff")
    install("edgebench-fine", "fine_plugin", SHRINK)
    plugins = strangers()
    assert plugins.get(Operator, "shrink")
    (fault,) = plugins.faults
    assert fault.plugin.where == str(place)
    assert fault.cause.startswith(f"does not load: the metadata in {place} cannot be read: Unicode")


def test_the_first_distribution_of_a_name_on_the_path_counts(install, write, tmp_path, monkeypatch):
    install("edgebench-acme", "acme_plugin", SHRINK)
    info = "older/edgebench_acme-1.1.dist-info"
    write(f"{info}/METADATA", "Metadata-Version: 2.1\nName: edgebench-acme\nVersion: 1.1\n")
    write(f"{info}/entry_points.txt", "[edgebench]\nold = nowhere\n")
    older = str(tmp_path / "older")
    monkeypatch.setattr(sys, "path", [*sys.path, older])
    monkeypatch.setenv("PYTHONPATH", os.environ["PYTHONPATH"] + os.pathsep + older)
    plugins = strangers()
    assert plugins.get(Operator, "shrink")
    assert not plugins.faults


def test_a_stranger_that_takes_a_shipped_name_is_named_with_its_distribution(install):
    install(
        "edgebench-acme", "acme_plugin", SHRINK.replace("shrink", "identity"), "acme = acme_plugin"
    )
    registry = Registry.read()
    with pytest.raises(NameClash) as caught:
        strangers(registry).get(Operator, "identity")
    assert f"identity (edgebench {version('edgebench')})" in str(caught.value)
    assert "acme (edgebench-acme 1.2)" in str(caught.value)
    assert str(caught.value).endswith("pass --without edgebench-acme")
    remedied = strangers(registry, without=["edgebench-acme"])
    assert remedied.owner(Operator, "identity").distribution == "edgebench"
    other = strangers(registry, without=["identity"])
    assert other.owner(Operator, "identity").distribution == "edgebench-acme"


def test_a_clash_of_plugins_of_one_name_has_a_remedy_that_works(install, write):
    install("edgebench-acme", "acme_plugin", SHRINK, "shrink = acme_plugin")
    path = write("shrink.py", SHRINK)
    plugins = strangers(files=[path])
    with pytest.raises(NameClash, match=rf"uninstall one, or rename {path}"):
        plugins.get(Operator, "shrink")


@pytest.mark.parametrize("name", ["acme", "edgebench-acme"])
def test_an_entry_point_is_blocked_by_its_name_or_its_distributions(install, name):
    install("edgebench-acme", "acme_plugin", "raise OSError", "acme = acme_plugin")
    plugins = strangers(without=[name])
    assert not plugins.faults
    assert not plugins.all(Operator)


def test_events_load_an_installed_listener(install, tmp_path):
    note = tmp_path / "note"
    source = f"""\
        from pathlib import Path
        from edgebench import hookimpl

        @hookimpl
        def edgebench_case_started(case):
            Path({str(note)!r}).write_text(case)
        """
    install("edgebench-acme", "acme_plugin", source)
    strangers().tell("edgebench_case_started", case="a case")
    assert note.read_text() == "a case"


# --- what is seen, and what is not imported ------------------------------------------------------


def test_what_was_seen_is_listed_without_an_import(install):
    source = """
        from edgebench import Dataset, Model, Tier, Variant, hookimpl

        @hookimpl
        def edgebench_models():
            yield Model(name="tiny", summary="Tiny.", build=print, dataset="dots",
                        variants=[Variant(name="a", parameters=3, weights=["random"])])

        @hookimpl
        def edgebench_datasets():
            yield Dataset(name="dots", summary="Dots.", samples=print, synthetic=True)
        """
    install("edgebench-acme", "acme_plugin", source)
    plugins = strangers()
    (line,) = plugins.listed(Model)
    assert line.seen == {
        "summary": "Tiny.",
        "variants": [
            {
                "name": "a",
                "summary": "Tiny.",
                "parameters": 3,
                "weights": ["random"],
                "dataset": "dots",
            }
        ],
    }
    assert line.why_not is None
    assert not plugins.faults
    (status,) = list_statuses(plugins)
    assert status.hooks == ("edgebench_models", "edgebench_datasets")
    assert status.offers == (("model", "tiny"), ("dataset", "dots"))
    with pytest.raises(UnknownName, match="no model is called 'tny'; did you mean 'tiny'"):
        plugins.get(Model, "tny")
    assert "acme_plugin" not in sys.modules
    assert line.part.name == "tiny"
    assert "acme_plugin" in sys.modules


def test_only_the_plugin_that_offers_a_part_is_imported(install):
    install("edgebench-a", "a_plugin", SHRINK)
    install("edgebench-b", "b_plugin", SHRINK.replace("shrink", "grow"))
    assert strangers().get(Operator, "grow").name == "grow"
    assert "b_plugin" in sys.modules
    assert "a_plugin" not in sys.modules


CRASHES = {
    "aborts": ("import os; os.abort()", "does not load: its process was killed by SIGABRT"),
    "leaves": ("import os; os._exit(0)", "does not load: its process ended with status 0"),
    "exits": ("import sys; sys.exit(3)", "does not load: SystemExit: 3"),
    "hangs": ("import time; time.sleep(60)", "does not load: it was ended after 1 s"),
    "asked": (
        SHRINK + "    import os; os.abort()",
        "does not answer edgebench_operators: its process was killed by SIGABRT",
    ),
    "closes": (
        "import os; os.closerange(3, 99); os.abort()",
        "does not load: its process was killed by SIGABRT",
    ),
    "closes and stays": (
        "import os, time; os.closerange(3, 99); time.sleep(60)",
        "does not load: it was ended after 1 s",
    ),
}


@pytest.mark.parametrize("name", CRASHES)
def test_what_crashes_or_hangs_is_a_fault_and_is_not_imported_again(install, monkeypatch, name):
    monkeypatch.setattr(offers_module, "LIMIT_S", 1.0)
    source, cause = CRASHES[name]
    install("edgebench-bad", "bad_plugin", source)
    install("edgebench-fine", "fine_plugin", SHRINK)
    plugins = strangers()
    assert [line.name for line in plugins.listed(Operator)] == ["shrink"]
    (fault,) = plugins.faults
    assert fault.cause == cause
    assert str(fault).startswith("the plugin bad_plugin (edgebench-bad 1.2) does not ")
    assert plugins.get(Operator, "shrink")
    assert "bad_plugin" not in sys.modules


def test_a_process_that_a_plugin_starts_ends_with_it(install, tmp_path):
    source = f"""
        import subprocess, sys
        started = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
        with open({str(tmp_path / "pid")!r}, "w") as file:
            file.write(str(started.pid))
        """
    install("edgebench-bad", "bad_plugin", dedent(source) + SHRINK)
    plugins = strangers()
    assert [line.name for line in plugins.listed(Operator)] == ["shrink"]
    assert not plugins.faults, "the pipe that the process holds open is not waited for"
    status = Path(f"/proc/{(tmp_path / 'pid').read_text()}/status")
    assert not status.exists() or "zombie" in status.read_text()


def test_a_fault_keeps_its_traceback(install):
    install("edgebench-bad", "bad_plugin", "raise RuntimeError('no luck')")
    (fault,) = strangers().faults
    assert "acme" not in fault.trace
    assert fault.trace.rstrip().endswith("RuntimeError: no luck")
    assert "bad_plugin.py" in fault.trace


def test_what_a_plugin_prints_is_no_answer(install):
    loud = "import os, sys; print('loud'); os.write(1, b'{}\\n'); os.write(2, b'louder')\n"
    install("edgebench-loud", "loud_plugin", loud + SHRINK)
    assert not strangers().faults


# --- what is looked at again ---------------------------------------------------------------------


def test_a_distribution_is_looked_at_once(install, tmp_path):
    count = f"open({str(tmp_path / 'count')!r}, 'a').write('x')\n"
    install("edgebench-acme", "acme_plugin", count + SHRINK)
    told = []
    files = {look(told=told) for _ in range(3)}
    assert len(files) == 1
    assert told == [(1, 1)]
    assert (tmp_path / "count").read_text() == "x"


@pytest.mark.parametrize("content", [b"", b'[{"name": ', b"null", b"[{}]", b"\xff\x00"])
def test_what_was_kept_and_harmed_is_looked_at_again(install, tmp_path, content):
    install("edgebench-acme", "acme_plugin", SHRINK)
    look()
    for file in (tmp_path / "cache").rglob("*.json"):
        file.write_bytes(content)
    assert strangers().get(Operator, "shrink")


def test_a_change_of_its_source_has_one_looked_at_again(install):
    file = install("edgebench-acme", "acme_plugin", "raise RuntimeError('no luck')")
    assert strangers().faults
    file.write_text(SHRINK)
    plugins = strangers()
    assert not plugins.faults
    assert plugins.get(Operator, "shrink")


def test_an_installed_one_goes_by_its_record(install, write, site):
    file = install("edgebench-acme", "acme_plugin", "raise RuntimeError('no luck')")
    record = site / "edgebench_acme-1.2.dist-info/RECORD"
    record.write_text("acme_plugin.py,sha256=one,1\n")
    before = look()
    file.write_text(SHRINK)
    assert look() == before
    record.write_text("acme_plugin.py,sha256=two,1\n")
    assert look() != before
    assert strangers().get(Operator, "shrink")


def test_an_editable_one_goes_by_its_files(install, site):
    file = install("edgebench-acme", "acme_plugin", SHRINK)
    info = site / "edgebench_acme-1.2.dist-info"
    (info / "RECORD").write_text("__editable__.acme.pth,sha256=one,1\n")
    (info / "direct_url.json").write_text(json.dumps({"dir_info": {"editable": True}}))
    before = look()
    assert look() == before
    file.write_text(SHRINK + "# another\n")
    assert look() != before


def test_what_is_installed_beside_one_has_it_looked_at_again(install, site, write):
    install("edgebench-acme", "acme_plugin", "import late_package\n" + SHRINK)
    (fault,) = strangers().faults
    assert "ModuleNotFoundError" in fault.cause
    write("site/late_package.py", "")
    write("site/late-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: late\nVersion: 1.0\n")
    assert not strangers().faults


def test_one_that_yields_what_the_registry_says_is_looked_at_for_each(install, write, tmp_path):
    source = f"""
        from edgebench import Operator, hookimpl

        @hookimpl
        def edgebench_operators(registry):
            open({str(tmp_path / "count")!r}, "a").write("x")
            for name in registry.hybrids:
                yield Operator(name=name, summary="Of the registry.", apply=print)
        """
    install("edgebench-acme", "acme_plugin", source)
    install("edgebench-other", "other_plugin", SHRINK.replace("shrink", "grow"))
    told = []
    for name in ("one", "two", "one"):
        registry = Registry.of([write(f"{name}.toml", f'[hybrids]\n{name} = "grow"\n')])
        plugins = Plugins.load(registry, offers=look(registry, told))
        assert [line.name for line in plugins.listed(Operator)] == sorted(["grow", name])
    assert told == [(1, 2), (2, 2), (1, 1)], "what follows from no registry is not looked at again"
    assert (tmp_path / "count").read_text() == "xx"


def test_what_is_promised_and_not_yielded_any_more_is_a_fault(install, site):
    file = install("edgebench-acme", "acme_plugin", SHRINK)
    (site / "edgebench_acme-1.2.dist-info/RECORD").write_text("acme_plugin.py,sha256=one,1\n")
    look()
    file.write_text(SHRINK.replace("shrink", "grow"))
    with pytest.raises(PluginFault, match="does not yield the operator 'shrink' that it is to"):
        strangers().get(Operator, "shrink")


def test_nothing_is_looked_at_where_nothing_is_installed(process):
    assert look() is None


def test_a_cache_that_cannot_be_written_is_replaced(install, tmp_path, monkeypatch):
    (tmp_path / "nowhere").write_text("a file")
    monkeypatch.setenv("EDGEBENCH_CACHE", str(tmp_path / "nowhere"))
    monkeypatch.setattr(kept.tempfile, "gettempdir", lambda: str(tmp_path))
    install("edgebench-acme", "acme_plugin", SHRINK)
    assert strangers().get(Operator, "shrink")
    assert (tmp_path / f"edgebench-offers-{os.getuid()}").is_dir()


def test_a_source_brings_what_was_seen_to_another_process(install, python):
    install("edgebench-acme", "acme_plugin", SHRINK)
    install("edgebench-bad", "bad_plugin", "raise RuntimeError('no luck')")
    source = strangers().source
    assert PluginSource.from_json(json.loads(json.dumps(source.to_json()))) == source
    program = """
        import json, sys
        from edgebench import Operator
        from edgebench.catalogue.plugins import PluginSource

        plugins = PluginSource.from_json(json.loads(sys.stdin.read())).load()
        print(plugins.get(Operator, "shrink").name, *(one.plugin.name for one in plugins.faults))
        print("bad_plugin" in sys.modules, "importlib.metadata" in sys.modules)
        """
    done = python(program, input=json.dumps(source.to_json()))
    assert done.stdout.split() == ["shrink", "bad_plugin", "False", "False"]


def test_what_lies_where_it_is_called_from_is_not_imported(install, tmp_path, monkeypatch):
    """Neither a module that is called as one of the library, nor what another project made."""
    install("edgebench-acme", "acme_plugin", SHRINK)
    here = tmp_path / "project"
    (here / "other.egg-info").mkdir(parents=True)
    (here / "other.egg-info/PKG-INFO").write_text("Metadata-Version: 2.1\nName: other\n")
    (here / "selectors.py").write_text("raise SystemExit('executed')")
    monkeypatch.chdir(here)
    assert strangers().get(Operator, "shrink")


def test_one_that_is_found_twice_on_the_path_is_looked_at_once(install, site, monkeypatch):
    install("edgebench-acme", "acme_plugin", SHRINK)
    (site / "edgebench_acme-1.2.dist-info/RECORD").write_text("acme_plugin.py,sha256=x,1\n")
    again = site.with_name("site64")
    again.symlink_to(site)
    monkeypatch.syspath_prepend(str(again))
    told = []
    look(told=told)
    assert told == [(1, 1)] or told[-1][0] == told[-1][1]
    assert strangers().get(Operator, "shrink")


def test_what_was_faulty_may_be_looked_at_again(install, monkeypatch):
    source = "import os; os.environ['ACME_SDK']\n" + SHRINK
    install("edgebench-acme", "acme_plugin", source)
    assert "KeyError" in strangers().faults[0].cause
    monkeypatch.setenv("ACME_SDK", "there")
    assert strangers().faults
    find_offers(Registry(), lambda *_: None, again=True)
    assert not strangers().faults


def test_what_is_beside_the_module_of_an_editable_one_counts(install, site, write):
    """Another package of its tree, and data; not what other projects' environments hold."""
    tree = site.with_name("tree dir")
    write("tree dir/acme_plugin.py", "import acme_parts\n" + SHRINK)
    write("tree dir/acme_parts/__init__.py", "")
    write("tree dir/.venv/other.py", "")
    install("edgebench-acme", "acme_plugin_elsewhere", "", "acme = acme_plugin_elsewhere")
    info = site / "edgebench_acme-1.2.dist-info"
    (info / "RECORD").write_text("_acme.pth,sha256=one,1\n")
    url = tree.as_uri()
    (info / "direct_url.json").write_text(json.dumps({"dir_info": {"editable": True}, "url": url}))
    before = find_installed()
    write("tree dir/.venv/other.py", "changed = 1")
    assert find_installed() == before
    write("tree dir/acme_parts/__init__.py", "changed = 1")
    after = find_installed()
    assert after != before
    write("tree dir/chips.toml", "")
    assert find_installed() != after


@pytest.mark.parametrize("harm", ["link", "record"])
def test_odd_files_stop_nothing(install, site, harm):
    install("edgebench-acme", "acme_plugin", "", "acme = acme_package")
    (package := site / "acme_package").mkdir()
    (package / "__init__.py").write_text(dedent(SHRINK))
    if harm == "link":
        (package / ".#other.py").symlink_to("nowhere")
    else:
        (site / "edgebench_acme-1.2.dist-info/RECORD").write_bytes(b"\xff\xfe")
    assert strangers().get(Operator, "shrink")


def test_what_is_of_use_is_kept_however_old(install):
    install("edgebench-acme", "acme_plugin", SHRINK)
    file = look()
    os.utime(file, (0, 0))
    look()
    kept.remove_old(file.parent)
    assert file.is_file()
    os.utime(file, (0, 0))
    (other := file.with_name("notes.txt")).write_text("mine")
    os.utime(other, (0, 0))
    kept.remove_old(file.parent)
    assert not file.exists()
    assert other.exists()


def test_a_link_among_temporary_files_is_not_followed(install, tmp_path, monkeypatch):
    monkeypatch.setattr(kept.tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.setenv("EDGEBENCH_CACHE", os.devnull)
    (elsewhere := tmp_path / "documents").mkdir()
    (tmp_path / f"edgebench-offers-{os.getuid()}").symlink_to(elsewhere)
    with pytest.raises(EdgebenchError, match="set EDGEBENCH_CACHE"):
        kept.find_place()
