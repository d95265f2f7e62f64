"""Registry files become rows, or errors that point at what is wrong."""

import os
import re
import tomllib
from pathlib import Path
from textwrap import dedent

import attrs
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from edgebench import Link, Operator, Registry
from edgebench.catalogue.plugins import Plugins
from edgebench.catalogue.registry import shipped_registry
from edgebench.catalogue.rows import Defaults, Product, Skip, Suite, TierRow
from edgebench.parts.errors import Missing, RegistryError
from edgebench.survey.statuses import list_statuses
from edgebench.toml.tables import Table

PLUGIN = """\
[plugins.shrink]
kind = "operator"
module = "acme.shrink"
offers = ["shrink"]
"""

TIER = """\
[tiers.watch]
summary = "On a wrist."
cpus = 1
memory_gib = 0.5
source = "its data sheet"
"""

LINK = """\
[[links]]
between = ["watch", "mobile"]
rate = "2mbit"
delay = "30ms"
source = "measured"
"""

SUITE = """\
[suites.look]
summary = "A look."

[[suites.look.cases]]
models = ["a:small"]
operators = ["b", "b+c"]
placements = ["mobile-edge"]
backends = ["d"]
"""

ASSET = f"""\
[assets.weights]
summary = "Weights."
url = "https://example.org/weights"
sha256 = "{"0" * 64}"
size = 48104
licence = "MIT"
score = 0.75
"""


@pytest.fixture
def file(tmp_path):
    """Write a registry file and return its path."""

    def write(text: str, name: str = "mine.toml") -> Path:
        path = tmp_path / name
        path.write_text(dedent(text), encoding="utf-8")
        return path

    return write


@pytest.fixture
def wrong(file):
    """Read a registry file that is wrong, and return what is said of it, without the file."""

    def read(text: str) -> str:
        path = file(text)
        with pytest.raises(RegistryError) as caught:
            Registry.of([path])
        message = str(caught.value)
        assert message.startswith(f"{path}, line ")
        assert "\n" not in message
        return message.removeprefix(f"{path}, line ")

    return read


# --- reading -------------------------------------------------------------------------------------


def test_a_plugin_row_says_what_it_offers_and_how_to_get_what_it_requires(file):
    more = 'requires = ["acme"]\ninstall = "pip install acme"\n'
    path = file(PLUGIN + more)
    row = Registry.of([path]).plugins["shrink"]
    assert attrs.asdict(row) == {
        "name": "shrink",
        "module": "acme.shrink",
        "distribution": "",
        "version": "",
        "homepage": "",
        "sha256": (),
        "offers": {"operator": ("shrink",)},
        "events": False,
        "requires": ("acme",),
        "install": "pip install acme",
        "silence": {},
        "file": path,
    }


def test_rows_silence_libraries_but_not_what_the_user_has_set(file, monkeypatch):
    # Set and taken back, so that the end of the test removes what the registry sets.
    monkeypatch.setenv("ACME_TELEMETRY", "")
    monkeypatch.delenv("ACME_TELEMETRY")
    monkeypatch.setenv("ACME_OFFLINE", "mine")
    path = file(PLUGIN + 'silence = { ACME_TELEMETRY = "0", ACME_OFFLINE = "1" }\n')
    Plugins.load(Registry.of([path]))
    assert (os.environ["ACME_TELEMETRY"], os.environ["ACME_OFFLINE"]) == ("0", "mine")


def test_a_plugin_row_may_name_several_kinds(file):
    several = '[plugins.both]\nmodule = "acme"\noffers = {operator = ["a", "b"], format = ["c"]}\n'
    row = Registry.of([file(several)]).plugins["both"]
    assert row.offers == {"operator": ("a", "b"), "format": ("c",)}
    dotted = (
        '[plugins.both]\nmodule = "acme"\noffers.operator = ["a", "b"]\noffers.format = ["c"]\n'
    )
    assert Registry.of([file(dotted)]).plugins["both"] == row


def test_a_plugin_row_may_offer_nothing_and_be_told_of_events(file):
    row = Registry.of([file('[plugins.track]\nmodule = "acme"\nevents = true\n')]).plugins["track"]
    assert (row.offers, row.events) == ({}, True)


ELSEWHERE = """\
[plugins.shrink]
kind = "operator"
distribution = "Edgebench_Shrink"
offers = ["shrink", "shrink-more"]
"""
DIGEST = f'sha256 = ["{"0" * 64}"]\n'


def test_a_row_may_tell_of_a_distribution_of_others(file):
    more = f'version = "==1.2"\nhomepage = "https://example.org/"\nsha256 = ["{"0" * 64}"]\n'
    registry = Registry.of([file(ELSEWHERE + more)])
    row = registry.plugins["shrink"]
    assert (row.module, row.version, row.sha256) == ("", "==1.2", ("0" * 64,))
    plugins = Plugins.load(registry)
    how = "needs the distribution 'Edgebench_Shrink': edgebench plugins install shrink"
    lines = {line.name: line.why_not for line in plugins.listed(Operator)}
    assert lines == {name: f"{name} {how}" for name in ("shrink", "shrink-more")}
    with pytest.raises(Missing, match=f"shrink-more {how}"):
        plugins.get(Operator, "shrink-more")
    (status,) = list_statuses(plugins)
    assert (status.status, status.why) == ("known", f"shrink {how}")
    assert not plugins.faults


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('module = "acme"\n', "needs the key 'module', or for a plugin of others 'distribution'"),
        (DIGEST, "version: files are accepted of one version"),
        (f'version = ">=1"\n{DIGEST}', "5: [plugins.shrink] version: files are accepted"),
        (f'version = "==1.*"\n{DIGEST}', "5: [plugins.shrink] version: files are accepted"),
        (f'version = "==1,==2"\n{DIGEST}', "5: [plugins.shrink] version: files are accepted"),
        ('version = "1.2"\n', "version: must be versions as pip takes them"),
        ('version = ">=1,"\n', "version: must be versions as pip takes them"),
        ('version = ">=1; rm -rf /"\n', "version: must be versions as pip takes them"),
        ('version = "==1.2"\nsha256 = ["abc"]\n', "sha256: must be 64 hexadecimal digits"),
        ('homepage = "ftp://example.org"\n', "homepage: must be an address"),
    ],
)
def test_a_row_of_a_distribution_refuses_nonsense(wrong, text, why):
    assert why in wrong(ELSEWHERE + text)


def test_a_row_without_a_distribution_says_nothing_of_one(wrong):
    assert "only a row with the key 'distribution' may say" in wrong(PLUGIN + 'version = ">=1"\n')


@pytest.mark.parametrize("name", ["-r evil", "a b", "../a", "--index-url=x", "a;b"])
def test_the_name_of_a_distribution_is_one(wrong, name):
    said = wrong(ELSEWHERE.replace("Edgebench_Shrink", name))
    assert "distribution: must be" in said


def test_a_file_may_extend_others(tmp_path):
    (tmp_path / "team").mkdir()
    files = {
        "team/all.toml": '[hybrids]\na = "x"\nb = "x"\nc = "x"\n',
        "team/ours.toml": 'extends = ["all.toml"]\n[hybrids]\nb = "y"\nc = "y"\n',
        "mine.toml": 'extends = ["team/ours.toml", "team/all.toml"]\n[hybrids]\nc = "z"\n',
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    registry = Registry.of([tmp_path / "mine.toml"])
    assert registry.hybrids == {"a": "x", "b": "y", "c": "z"}
    assert registry.paths == tuple(map(tmp_path.joinpath, files))
    again = Registry.of(registry.paths)
    assert (again.hybrids, again.digest) == (registry.hybrids, registry.digest)


def test_files_cannot_extend_each_other(tmp_path):
    (tmp_path / "a.toml").write_text('extends = ["b.toml"]\n')
    (tmp_path / "b.toml").write_text('\nextends = ["./a.toml"]\n')
    with pytest.raises(RegistryError, match=r"b.toml, line 2: extends: ./a.toml extends this file"):
        Registry.of([tmp_path / "a.toml"])


def test_a_file_that_is_extended_must_be_there(tmp_path):
    (tmp_path / "a.toml").write_text('extends = ["b.toml"]\n')
    with pytest.raises(RegistryError, match=r"b.toml cannot be read: No such file"):
        Registry.of([tmp_path / "a.toml"])


def test_what_no_path_can_hold_extends_nothing(wrong):
    said = wrong('extends = ["a\\u0000b.toml"]\n')
    assert "1: extends: must be a list of texts, but holds 'a\\x00b.toml'" in said


def test_a_link_that_leads_to_itself_extends_nothing(tmp_path):
    (tmp_path / "loop.toml").symlink_to("loop.toml")
    (tmp_path / "a.toml").write_text('extends = ["loop.toml"]\n')
    with pytest.raises(RegistryError, match=r"loop.toml cannot be read: Too many levels"):
        Registry.of([tmp_path / "a.toml"])


def test_a_tier_is_kept_in_bytes(file):
    row = Registry.of([file(TIER)]).tiers["watch"]
    assert (row.cpus, row.memory, row.accelerator) == (1, 2**29, "")
    assert (row.summary, row.source) == ("On a wrist.", "its data sheet")


def test_a_link_is_kept_in_bits_and_seconds(file):
    (link,) = Registry.of([file(LINK)]).links
    assert link == Link(between=("watch", "mobile"), rate=2e6, delay=0.03, source="measured")


DEVICE = """\
[devices.small-board]
summary = "A board."
cpus = 4
memory_gib = 2
gflops = 12.5
threads = 4
source = "its data sheet"
"""
NETWORK = """\
[networks.3g]
summary = "Slow."
rate = "384kbit"
delay = "60ms"
source = "its specification"
"""


def test_a_tier_is_like_the_device_that_it_names(file):
    own = '[tiers.board]\ndevice = "small-board"\n'
    row = Registry.of([file(DEVICE + own)]).tiers["board"]
    assert (row.summary, row.cpus, row.memory_gib, row.threads) == ("A board.", 4, 2, 4)
    assert (row.gflops, row.speed) == (12.5, None)
    assert row.source == "small-board: its data sheet"


def test_what_a_tier_says_goes_before_its_device(file):
    own = """
        [tiers.board]
        device = "small-board"
        threads = 1
        speed = 0.1
        source = "our bench"
        """
    row = Registry.of([file(DEVICE + dedent(own))]).tiers["board"]
    assert (row.cpus, row.threads, row.speed, row.gflops) == (4, 1, 0.1, None)
    assert row.source == "our bench; small-board: its data sheet"


def test_a_tier_has_no_more_threads_than_processors(file):
    own = '[tiers.board]\ndevice = "small-board"\ncpus = 2\n'
    with pytest.raises(RegistryError, match=r"line 8: \[tiers\.board\] has 2 cpus, so it cannot"):
        Registry.of([file(DEVICE + own)])
    assert Registry.of([file(f"{DEVICE}{own}threads = 2\n")]).tiers["board"].threads == 2


def test_devices_and_networks_may_stand_in_another_file(file):
    team = file(DEVICE + NETWORK, "team.toml")
    mine = file(
        '[tiers.board]\ndevice = "small-board"\n'
        '[[links]]\nbetween = ["board", "edge"]\nnetwork = "3g"\n'
    )
    registry = Registry.of([team, mine])
    assert registry.tiers["board"].file == mine
    (link,) = registry.links
    assert (link.rate, link.delay) == (384e3, 0.06)
    assert link.source == "3g: its specification"


def test_what_a_link_says_goes_before_its_network_in_a_suite_too(file):
    own = """
        [[suites.look.links]]
        between = ["a", "b"]
        network = "3g"
        delay = "0ms"
        source = "without the delay"
        """
    (link,) = Registry.of([file(NETWORK + SUITE + dedent(own))]).suites["look"].links
    assert (link.rate, link.delay) == (384e3, 0)
    assert link.source == "without the delay; 3g: its specification"


def test_gflops_become_speeds_over_those_of_this_machine(file):
    text = TIER + 'gflops = 12.3\n[tiers.fast]\nsummary = "x"\ncpus = 1\nmemory_gib = 1\n'
    text += 'gflops = 300\nsource = "x"\n' + DEVICE
    registry = Registry.of([file(text + TIER.replace("watch", "ring") + "speed = 0.5\n")])
    assert [tier.speed for tier in registry.tiers.values()] == [None, None, 0.5]
    assert registry.against(None) is registry
    known = registry.against(96.0)
    assert [tier.speed for tier in known.tiers.values()] == [0.128, 3.12, 0.5]
    assert (known.gflops, known.digest) == (96.0, registry.digest)


@settings(max_examples=50)
@given(st.floats(1e-3, 1e4), st.floats(1e-3, 1e4))
def test_speeds_follow_figures_to_three_digits(own, other):
    row = TierRow(
        name="a", cpus=1, memory_gib=1, gflops=other, summary="x", source="x", file=Path("x")
    )
    speed = Registry(tiers={"a": row}).against(own).tiers["a"].speed
    assert speed == pytest.approx(other / own, rel=6e-3)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            TIER + "speed = 0.5\ngflops = 3\n",
            "7: [tiers.watch] gflops: says anew what `speed` says: leave one of the two out",
        ),
        (
            DEVICE + '[tiers.board]\ndevice = "smal-board"\n',
            "9: [tiers.board] device: no device is called 'smal-board'; did you mean 'small-board'?",
        ),
        (
            NETWORK + '[[links]]\nbetween = ["a", "b"]\nnetwork = "4g"\n',
            "8: [links] network: no network is called '4g'; known are: 3g",
        ),
        (
            NETWORK + SUITE + '[[suites.look.links]]\nbetween = ["a", "b"]\nnetwork = 3\n',
            "16: [suites.look.links] network: must be a text, not a whole number: 3",
        ),
        (
            DEVICE.replace("gflops = 12.5\n", ""),
            "1: [devices.small-board] needs the key 'gflops'",
        ),
        (
            NETWORK.replace('"384kbit"', '"fast"'),
            "3: [networks.3g] rate: a rate is a number and gbit, mbit, kbit or bit, not 'fast'",
        ),
        (
            DEVICE + '[tiers.board]\ndevice = "small-board"\nsource = ""\n',
            "10: [tiers.board] source: must not be empty",
        ),
        (
            DEVICE + '[tiers.board]\ndevice = "small-board"\nnetwork = "3g"\n',
            (
                "10: [tiers.board] network: unknown key; known are: accelerator, cpus, device, "
                "gflops, memory_gib, price_per_hour, source, speed, summary, threads"
            ),
        ),
    ],
)
def test_a_mistake_with_profiles_is_pointed_at(wrong, text, said):
    assert wrong(text) == said


def test_hybrids_are_chains_by_name(file):
    assert Registry.of([file('[hybrids]\nab = "a+b(x=1)"')]).hybrids == {"ab": "a+b(x=1)"}


def test_a_file_replaces_the_defaults_that_it_has(file):
    shipped = Registry.read().defaults
    assert all(attrs.astuple(shipped))
    own = Registry.read([file('[defaults]\nplacement = "watch"')]).defaults
    assert own == attrs.evolve(shipped, placement="watch")


def test_the_defaults_fill_in_what_cases_leave_open():
    defaults = Defaults(operator="a", placement="b", fabric="c")
    open_, closed = (
        Product(models=("m",), operators=one, placements=one, backends=("x",), fabric="".join(one))
        for one in ((), ("y",))
    )
    filled = defaults.complete(open_)
    assert (filled.operators, filled.placements, filled.fabric) == (("a",), ("b",), "c")
    assert defaults.complete(closed) == closed


def test_an_asset_is_pinned(file):
    asset = Registry.of([file(ASSET)]).assets["weights"]
    assert (asset.sha256, asset.size, asset.licence) == ("0" * 64, 48104, "MIT")
    assert asset.score == 0.75


@pytest.mark.parametrize("line", ["size = 48104\n", "score = 0.75\n"])
def test_the_size_and_the_score_of_an_asset_may_be_unknown(file, line):
    asset = Registry.of([file(ASSET.replace(line, ""))]).assets["weights"]
    assert getattr(asset, line.split()[0]) is None


def test_an_asset_may_be_pinned_by_the_first_digits_of_its_digest(file):
    text = ASSET.replace("0" * 64, "11ad3fa6")
    assert Registry.of([file(text)]).assets["weights"].sha256 == "11ad3fa6"


def test_a_suite_has_defaults(file):
    assert Registry.of([file(SUITE)]).suites["look"] == Suite(
        name="look",
        summary="A look.",
        blocks=5,
        requests=100,
        products=(
            Product(
                models=("a:small",),
                operators=("b", "b+c"),
                placements=("mobile-edge",),
                backends=("d",),
                fabric="",
                scenario="single-stream",
            ),
        ),
    )


def test_a_suite_may_say_which_loss_of_accuracy_counts_as_none(file):
    text = SUITE.replace('summary = "A look."', 'summary = "A look."\naccuracy_margin = 2.5')
    assert Registry.of([file(SUITE)]).suites["look"].accuracy_margin == 1.0
    assert Registry.of([file(text)]).suites["look"].accuracy_margin == 2.5


@pytest.mark.parametrize(
    ("margin", "why"),
    [
        ("-1", "must be a number greater than 0, not -1"),
        ("0", "must be a number greater than 0, not 0"),
        ("nan", "must be a number greater than 0, not nan"),
        ("101", "must be points, at most 100, not 101"),
        ('"1"', "must be a number, not a text: '1'"),
    ],
)
def test_a_margin_of_accuracy_is_of_points(file, margin, why):
    text = SUITE.replace('summary = "A look."', f'summary = "A look."\naccuracy_margin = {margin}')
    with pytest.raises(RegistryError) as error:
        Registry.of([file(text)])
    assert str(error.value).partition("accuracy_margin: ")[2] == why


def test_a_suite_may_say_everything(file):
    suite = SUITE.replace('summary = "A look."', 'summary = "A look."\nblocks = 3\nrequests = 32')
    text = suite + dedent("""
        fabric = "shelf"
        scenario = "offline"

        [[suites.look.links]]
        between = ["a", "b"]
        rate = "1kbit"
        source = "chosen"

        [[suites.look.skip]]
        models = ["*:large"]
        backends = ["d"]
        why = "it does not fit"
        """)
    read = Registry.of([file(text)]).suites["look"]
    assert (read.blocks, read.requests) == (3, 32)
    assert (read.products[0].fabric, read.products[0].scenario) == ("shelf", "offline")
    assert read.links[0].rate == 1000
    assert read.skips == (Skip(models=("*:large",), backends=("d",), why="it does not fit"),)


def test_an_empty_file_is_an_empty_registry(file):
    registry = Registry.of([file("")])
    assert not any([registry.plugins, registry.tiers, registry.links, registry.suites])


def test_rows_cannot_be_changed(file):
    registry = Registry.of([file(PLUGIN)])
    with pytest.raises(TypeError):
        registry.plugins["other"] = registry.plugins["shrink"]
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        registry.plugins["shrink"].module = "other"
    with pytest.raises(TypeError):
        registry.plugins["shrink"].offers["model"] = ("other",)


# --- several files -------------------------------------------------------------------------------


def test_a_later_file_adds_to_an_earlier_one(file):
    registry = Registry.read([file(TIER)])
    assert {"watch", "mobile", "cloud"} <= set(registry.tiers)
    assert registry.paths == (shipped_registry(), file(TIER))


def test_a_later_row_replaces_the_earlier_one_of_its_name(file):
    first = file(TIER + '[hybrids]\nab = "a+b"', "first.toml")
    second = file(TIER.replace("cpus = 1", "cpus = 2") + '[hybrids]\nab = "b+a"', "second.toml")
    registry = Registry.of([first, second])
    assert registry.tiers["watch"].cpus == 2
    assert registry.hybrids == {"ab": "b+a"}


def test_a_later_link_replaces_the_earlier_one_whichever_way_it_is_written(file):
    mine = LINK.replace('["watch", "mobile"]', '["edge", "mobile"]')
    links = Registry.read([file(mine)]).links
    assert [link.rate for link in links if link.joins("mobile", "edge")] == [2e6]
    assert any(link.joins("edge", "cloud") for link in links)


def test_a_row_knows_its_file(file):
    path = file(PLUGIN)
    plugins = Registry.read([path]).plugins
    assert plugins["shrink"].file == path
    assert plugins["identity"].file == shipped_registry()


def test_the_digest_follows_the_contents_and_not_the_place(file):
    one, same = file(TIER, "one.toml"), file(TIER, "same.toml")
    other = file(TIER + "# a comment\n", "other.toml")
    assert Registry.of([one]).digest == Registry.of([same]).digest
    assert Registry.of([one]).digest != Registry.of([other]).digest
    assert Registry.of([one, other]).digest != Registry.of([other, one]).digest
    assert len(Registry.of([one]).digest) == 64


# --- what is wrong is pointed at -----------------------------------------------------------------


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(RegistryError, match=r"absent\.toml cannot be read: No such file"):
        Registry.of([tmp_path / "absent.toml"])


def test_a_directory_is_no_registry(tmp_path):
    with pytest.raises(RegistryError, match="cannot be read: Is a directory"):
        Registry.of([tmp_path])


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('a = 1\nb = "unclosed\n', 2),
        ("[plugins.x\n", 1),
        ("\n\n= 1\n", 3),
        ("a = 1\na = 2\n", 2),
        ("a = [1,\n2,", 2),
    ],
)
def test_malformed_toml_gives_the_line(wrong, text, line):
    assert wrong(text).startswith(f"{line}: not TOML: ")


def test_what_is_not_text_gives_the_line(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_bytes(b"# fine\n# \xff\n")
    with pytest.raises(RegistryError, match="line 2: not UTF-8 text"):
        Registry.of([path])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param(
            "\n[plugin.x]\n",
            "2: plugin: unknown table; did you mean 'plugins'?",
            id="unknown table",
        ),
        pytest.param(
            PLUGIN + "modul = 1\n",
            "5: [plugins.shrink] modul: unknown key; did you mean 'module'?",
            id="unknown key",
        ),
        pytest.param(
            TIER.replace("memory_gib", "memory_gb"),
            "4: [tiers.watch] memory_gb: unknown key; did you mean 'memory_gib'?",
            id="a required key misspelt",
        ),
        pytest.param(
            PLUGIN.replace("offers", "offer"),
            "4: [plugins.shrink] offer: unknown key; did you mean 'offers'?",
            id="the names of a plugin misspelt",
        ),
        pytest.param(
            "[plugins]\nx = 1\n",
            "2: [plugins] x: must be a table, not a whole number: 1",
            id="a value where a table must be",
        ),
        pytest.param(
            TIER + "\n" + TIER.replace("watch", "ring").replace("cpus = 1", 'cpus = "1"'),
            "9: [tiers.ring] cpus: must be a whole number, not a text: '1'",
            id="wrong type in the second of two tables with equal keys",
        ),
        pytest.param(
            TIER.replace("cpus = 1", "cpus = true"),
            "3: [tiers.watch] cpus: must be a whole number, not true or false: True",
            id="a boolean is no number",
        ),
        pytest.param(
            TIER.replace("cpus = 1", "cpus = 0"),
            "3: [tiers.watch] cpus: must be at least 1, not 0",
            id="no processor",
        ),
        pytest.param(
            TIER.replace("0.5", "inf"),
            "4: [tiers.watch] memory_gib: must be a number greater than 0 and less than 8589934592, "
            "not inf",
            id="endless memory",
        ),
        pytest.param(
            TIER.replace("0.5", "2020-01-01"),
            "4: [tiers.watch] memory_gib: must be a number, not a date or time: "
            "datetime.date(2020, 1, 1)",
            id="a date",
        ),
        pytest.param(
            TIER.replace("cpus = 1\n", ""),
            "1: [tiers.watch] needs the key 'cpus'",
            id="a key left out",
        ),
        pytest.param(
            TIER.replace('"its data sheet"', '" "'),
            "5: [tiers.watch] source: must not be empty",
            id="an empty source",
        ),
        pytest.param(
            TIER.replace("watch", "smart-watch"),
            "1: [tiers.smart-watch] a tier's name may hold no '-', "
            "which joins tiers in a placement",
            id="a tier that a placement could not name",
        ),
        pytest.param(
            TIER.replace("watch", '"My Watch"'),
            "1: [tiers] My Watch: a name must be lower-case words joined by '-'",
            id="a name that is none",
        ),
        pytest.param(
            PLUGIN.replace('"operator"', '"operators"'),
            "2: [plugins.shrink] kind: no such kind: 'operators'; did you mean 'operator'?",
            id="unknown kind",
        ),
        pytest.param(
            PLUGIN.replace('["shrink"]', '"shrink"'),
            "4: [plugins.shrink] offers: must be a list, not a text: 'shrink'",
            id="a text where a list must be",
        ),
        pytest.param(
            PLUGIN.replace('["shrink"]', "[]"),
            "4: [plugins.shrink] offers: must not be empty",
            id="a plugin that offers nothing",
        ),
        pytest.param(
            PLUGIN.replace('["shrink"]', '["shrink", 2]'),
            "4: [plugins.shrink] offers: must be a list of texts, but holds 2",
            id="a number among texts",
        ),
        pytest.param(
            PLUGIN.replace('offers = ["shrink"]\n', ""),
            "1: [plugins.shrink] needs the key 'offers'",
            id="a kind without names",
        ),
        pytest.param(
            '[plugins.x]\nmodule = "x"\nevents = false\n',
            "1: [plugins.x] needs the key 'offers', or `events = true`",
            id="a plugin that is good for nothing",
        ),
        pytest.param(
            PLUGIN.replace('kind = "operator"\n', ""),
            "3: [plugins.shrink] offers: needs the key 'kind', or a table of kinds in place of the list",
            id="names without a kind",
        ),
        pytest.param(
            PLUGIN.replace('["shrink"]', '{operator = ["shrink"]}'),
            "4: [plugins.shrink] offers: must be a list, not a table: {'operator': ['shrink']}",
            id="a kind and a table of kinds",
        ),
        pytest.param(
            '[plugins.x]\nmodule = "x"\noffers.operators = ["x"]\n',
            "3: [plugins.x.offers] operators: unknown key; did you mean 'operator'?",
            id="an unknown kind of several",
        ),
        pytest.param(
            '[plugins.x]\nmodule = "x"\n[plugins.x.offers]\nformat = ["y"]\noperator = []\n',
            "5: [plugins.x.offers] operator: must not be empty",
            id="nothing of one kind of several",
        ),
        pytest.param(
            PLUGIN + 'events = "yes"\n',
            "5: [plugins.shrink] events: must be true or false, not a text: 'yes'",
            id="events that are neither true nor false",
        ),
        pytest.param(
            PLUGIN + "silence = { ACME = 1 }\n",
            "5: [plugins.shrink] silence: must be a text, not a whole number: 1",
            id="a variable that is no text",
        ),
        pytest.param(
            PLUGIN + 'silence = { "A=B" = "1" }\n',
            "5: [plugins.shrink] silence: must be a table of environment variables, "
            "but holds 'A=B'",
            id="no name of a variable",
        ),
        pytest.param(
            PLUGIN + 'requires = ["acme.core"]\n',
            "5: [plugins.shrink] requires: name the package alone, not 'acme.core'",
            id="a module where a package must be",
        ),
        pytest.param(
            LINK + LINK.replace("2mbit", "2mb"),
            "8: [links] rate: a rate is a number and gbit, mbit, kbit or bit, not '2mb'",
            id="the rate of the second link",
        ),
        pytest.param(
            LINK.replace("30ms", "30"),
            "4: [links] delay: a delay is a number and s, ms or us, not '30'",
            id="a delay without its unit",
        ),
        pytest.param(
            LINK.replace('["watch", "mobile"]', '["watch", "watch"]'),
            "2: [links] between: must name two tiers, not ['watch', 'watch']",
            id="a link to itself",
        ),
        pytest.param(
            LINK + LINK.replace('["watch", "mobile"]', '["mobile", "watch"]'),
            "6: [links] joins mobile and watch again: leave one out, or measure them in turn with "
            "--link, or `sweep` of [project]",
            id="a link that is there",
        ),
        pytest.param(
            LINK.replace('source = "measured"\n', ""),
            "1: [links] needs the key 'source'",
            id="a link that nobody answers for",
        ),
        pytest.param(
            SUITE + LINK.replace("links", "suites.look.links").replace("measured", ""),
            "13: [suites.look.links] source: must not be empty",
            id="a link of a suite that nobody answers for",
        ),
        pytest.param(
            TIER + 'name = "ring"\n',
            "6: [tiers.watch] name: unknown key; known are: accelerator, cpus, device, "
            "gflops, memory_gib, price_per_hour, source, speed, summary, threads",
            id="a name within a row",
        ),
        pytest.param(
            LINK.replace("[[links]]", "[links]"),
            "1: links: must be a list, not a table: {'between': ['watch', 'mobile'], "
            "'rate': '2mbit', 'delay': '30ms', 'source': 'measured'}",
            id="one bracket too few",
        ),
        pytest.param(
            "links = [1]\n", "1: links: must be a list of tables, but holds 1", id="not tables"
        ),
        pytest.param(
            "[hybrids]\nab = 1\n",
            "2: [hybrids] ab: must be a text, not a whole number: 1",
            id="a hybrid that is no chain",
        ),
        pytest.param(
            '[hybrids]\nab = " "\n',
            "2: [hybrids] ab: must not be empty",
            id="a hybrid of nothing",
        ),
        pytest.param(
            '[defaults]\nfabric = "a"\nplacment = "b"\n',
            "3: [defaults] placment: unknown key; did you mean 'placement'?",
            id="a default of nothing",
        ),
        pytest.param(
            '[defaults]\nfabric = " "\n',
            "2: [defaults] fabric: must not be empty",
            id="a default that is empty",
        ),
        pytest.param(
            SUITE + 'backend = ["e"]\n',
            "9: [suites.look.cases] backend: unknown key; did you mean 'backends'?",
            id="unknown key deep inside",
        ),
        pytest.param(
            SUITE + "\n" + SUITE.partition("\n\n")[2].replace('models = ["a:small"]\n', ""),
            "10: [suites.look.cases] needs the key 'models'",
            id="a key left out in the second of an array",
        ),
        pytest.param(
            '[suites.look]\nsummary = "A look."\n',
            "1: [suites.look] needs [[cases]], the combinations to run",
            id="a suite of nothing",
        ),
        pytest.param(
            SUITE + '[[suites.look.skip]]\nwhy = "tired"\n',
            "9: [suites.look.skip] skips everything: "
            "name models, operators, placements or backends",
            id="a skip of everything",
        ),
        pytest.param(
            SUITE + '[[suites.look.skip]]\nmodels = ["a"]\n',
            "9: [suites.look.skip] needs the key 'why'",
            id="a skip without a reason",
        ),
        pytest.param(
            ASSET.replace("0" * 64, "0a1b2c3"),
            "4: [assets.weights] sha256: must be 64 hexadecimal digits in lower case, "
            "or the first of them, at least 8",
            id="too little of a digest",
        ),
        pytest.param(
            ASSET.replace("0" * 64, "0A1B2C3D"),
            "4: [assets.weights] sha256: must be 64 hexadecimal digits in lower case, "
            "or the first of them, at least 8",
            id="a digest in capitals",
        ),
        pytest.param(
            ASSET.replace("https://example.org/weights", "file:///etc/passwd"),
            "3: [assets.weights] url: must be an address of a file, http:// or https://, "
            "not 'file:///etc/passwd'",
            id="a file that is not elsewhere",
        ),
        pytest.param(
            ASSET.replace("https://example.org/weights", "https://[example.org/weights"),
            "3: [assets.weights] url: Invalid IPv6 URL",
            id="an address that is none",
        ),
        pytest.param(
            ASSET.replace("size = 48104", "size = 97.8"),
            "5: [assets.weights] size: must be a whole number, not a number: 97.8",
            id="a size that is not in bytes",
        ),
        pytest.param(
            ASSET.replace("0.75", "80.858"),
            "7: [assets.weights] score: must be a share, at most 1, not 80.858",
            id="a score in percent",
        ),
        pytest.param(
            'tiers = {watch = {cpus = "1"}}\n',
            "1: [tiers.watch] cpus: must be a whole number, not a text: '1'",
            id="written inline",
        ),
        pytest.param(
            "# tiers\ntiers.watch.summary = 'x'\ntiers.watch.cpus = 1.5\n",
            "3: [tiers.watch] cpus: must be a whole number, not a number: 1.5",
            id="written with dots",
        ),
    ],
)
def test_a_mistake_is_one_line_with_line_table_and_key(wrong, text, said):
    assert wrong(text) == said


WORD = st.sampled_from(["a", "b", "cpus", "x-y", "plugins"])
VALUE = st.sampled_from(
    ["1", '"t"', "[1, 2]", "true", "{k = 1}", '[\n  "multi = 1",\n  "line",\n]']
)
LINES = st.lists(
    st.one_of(
        st.builds("{} = {}".format, WORD, VALUE),
        st.builds("[{}.{}]".format, WORD, WORD),
        st.builds("[[{}]]  # note".format, WORD),
        st.just("# comment = 1"),
        st.just(""),
    ),
    max_size=14,
)


def _leaves(table: Table):
    """Every table in a document that is reached through tables and arrays of tables."""
    yield table
    for key, value in table.values.items():
        if isinstance(value, dict):
            yield from _leaves(table.table(key))
        elif isinstance(value, list) and value and all(isinstance(v, dict) for v in value):
            for each in table.tables(key):
                yield from _leaves(each)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(lines=LINES)
@example(lines=["[[cpus]]", "cpus = 1", "[[cpus]]", "cpus = {k = 1}"])
def test_the_line_of_a_key_is_one_that_names_it(tmp_path, lines):
    text = "\n".join(lines)
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    path = tmp_path / "any.toml"
    path.write_text(text, encoding="utf-8")
    for table in _leaves(Table.parse(path)):
        for key in table.values:
            assert key in (text.splitlines() or [""])[table.line(key) - 1]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(lines=LINES)
def test_any_file_is_a_registry_or_a_registry_error(tmp_path, lines):
    path = tmp_path / "any.toml"
    path.write_text("\n".join(lines), encoding="utf-8")
    try:
        said = repr(Registry.of([path]).paths)
    except RegistryError as error:
        said = str(error)
    assert "any.toml" in said
    assert "\n" not in said


@pytest.mark.parametrize(
    "text",
    [
        "a = " + "[" * 5000,
        "a = " + "{b = " * 5000,
        "links" + ".a" * 5000 + " = 1",
        f"[tiers.{'.'.join('a' * 5000)}]\n[tiers.a]\nb = 1",
    ],
    ids=["lists", "tables", "dots", "headers"],
)
def test_what_is_nested_too_deeply_is_one_line(file, text):
    path = file(text)
    with pytest.raises(RegistryError) as caught:
        Registry.of([path])
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 1000


def test_a_number_too_long_to_be_read_is_one_line(file):
    with pytest.raises(RegistryError, match=r"mine\.toml cannot be read: Exceeds the limit"):
        Registry.of([file(f"a = {'9' * 5000}\n")])


# --- the shipped file ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shipped():
    return tomllib.loads(shipped_registry().read_text(encoding="utf-8"))


TABLES = ["assets", "defaults", "devices", "hybrids", "networks", "plugins", "suites", "tiers"]


@pytest.mark.parametrize("table", TABLES)
def test_the_shipped_rows_are_sorted(shipped, table):
    assert list(shipped[table]) == sorted(shipped[table])


def test_the_shipped_links_are_sorted_and_join_known_tiers(shipped):
    pairs = [link["between"] for link in shipped["links"]]
    assert pairs == sorted(pairs)
    assert {tier for pair in pairs for tier in pair} <= set(shipped["tiers"])


def test_lists_in_shipped_rows_are_sorted(shipped):
    for row in shipped["plugins"].values():
        assert row["offers"] == sorted(row["offers"])
        requires = row.get("requires", [])
        assert requires == sorted(requires, key=str.lower)


def test_every_row_that_requires_something_says_how_to_get_it(shipped):
    for name, row in shipped["plugins"].items():
        assert ("requires" in row) == ("install" in row), name


def test_install_sentences_name_extras_that_exist(shipped):
    project = shipped_registry().parent / "pyproject.toml"
    extras = tomllib.loads(project.read_text())["project"]["optional-dependencies"]
    for name, row in shipped["plugins"].items():
        if "install" in row:
            assert row["install"].startswith("pip install 'edgebench["), name
            named = row["install"].partition("[")[2].partition("]")[0].split(",")
            assert set(named) <= set(extras), name


def test_the_facts_of_the_studies():
    registry = Registry.read()
    facts = {name: (row.cpus, row.memory // 2**30) for name, row in registry.tiers.items()}
    assert facts == {"mobile": (4, 4), "edge": (8, 16), "cloud": (16, 64)}
    assert {link.between: link.rate for link in registry.links} == {
        ("mobile", "edge"): 200e6,
        ("edge", "cloud"): 1e6,
    }
    sources = [row.source for row in (*registry.tiers.values(), *registry.links)]
    assert all("arXiv" in source for source in sources)


def test_shipped_devices_say_how_their_figures_were_derived(shipped):
    """Clock, operations a cycle and share of the peak stand in the source, and make the figure."""
    for name, row in shipped["devices"].items():
        source = row["source"]
        clock = float(re.search(r"([\d.]+) GHz", source)[1])
        cycle = int(re.search(r"so (\d+) operations", source)[1])
        share = float(re.search(r"x (0\.\d+)", source)[1])
        assert row["gflops"] == pytest.approx(clock * cycle * share, rel=0.01), name
        assert row["threads"] <= row["cpus"], name


def test_shipped_networks_are_as_fast_as_their_sources_say():
    networks = Registry.read().networks
    frame = 1538 * 8
    for name, wire in (("ethernet-100m", 1e8), ("ethernet-1g", 1e9)):
        assert networks[name].rate == pytest.approx(wire * 1448 / 1538, rel=1e-3)
        assert networks[name].delay == pytest.approx(frame / wire + 1e-6, rel=0.05)
    for name, wire in (("wifi5", 866.7e6), ("wifi6", 1201e6)):
        assert networks[name].rate == pytest.approx(0.7 * wire, rel=1e-2)
    delays = [networks[name].delay for name in ("wifi6", "5g", "4g", "satellite-leo")]
    assert delays == sorted(delays)
    # Light takes as long to a satellite in geostationary orbit, and down again.
    assert networks["satellite-geo"].delay > 2 * 35_786e3 / 299_792_458


def test_the_quickstart_is_what_was_promised():
    suite = Registry.read().suites["quickstart"]
    cases = {
        (model, chain, placement, backend)
        for product in suite.products
        for model in product.models
        for chain in product.operators
        for placement in product.placements
        for backend in product.backends
    }
    assert suite.blocks == 3
    # 93 samples are the fewest for which an interval of the 95th percentile exists.
    assert suite.blocks * suite.requests >= 93
    assert len(cases) == 2 * (2 * 3 * 2 + 2 * 1 * 2 + 1)
    assert {link.between: link.rate for link in suite.links} == {
        ("mobile", "edge"): 200e6,
        ("edge", "cloud"): 50e6,
    }


def test_hybrids_are_chains_of_offered_operators():
    registry = Registry.read()
    rows = registry.plugins.values()
    offered = {name for row in rows for name in row.offers.get("operator", ())}
    for chain in registry.hybrids.values():
        assert {link.partition("(")[0] for link in chain.split("+")} <= offered


def test_a_wheel_has_its_registry_beside_the_package(tmp_path, python):
    """The package is found without a checkout around it, as a wheel would lay it out."""
    core = shipped_registry().parent / "core"
    copy = tmp_path / "copied" / "edgebench"
    for source in (core / "edgebench").rglob("*.py"):
        target = copy / source.relative_to(core / "edgebench")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(source.read_bytes())
    (copy / "registry.toml").write_text(TIER, encoding="utf-8")
    program = "from edgebench import Registry; print(*Registry.read().tiers)"
    done = python(program, env={"PYTHONPATH": str(copy.parent)})
    assert (done.stdout, done.stderr) == ("watch\n", "")
