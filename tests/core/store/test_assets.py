"""Pinned files are downloaded whole or not at all, from a server that does not always behave."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler

import attrs
import pytest

from edgebench import Model
from edgebench.catalogue.plugins import Plugins
from edgebench.catalogue.registry import Registry
from edgebench.catalogue.rows import Asset
from edgebench.parts.errors import DataError, StoreError
from edgebench.store import assets, digests
from edgebench.store.assets import fetch

CONTENT = bytes(range(256)) * 4096
"""A mebibyte, so that it comes in several pieces."""
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@attrs.define
class Behaviour:
    """What the server sends and what it does not do, and what it was asked."""

    content: bytes = CONTENT
    ranges: bool = True
    """Whether it heeds a request for a part."""
    cut: int = 0
    """Bytes after which it closes the connection; 0 for never."""
    cuts: int = 1
    """How often it does."""
    status: int = 200
    elsewhere: str = ""
    """Where it says the file is."""
    says_length: bool = True
    delay_s: float = 0.0
    asked: list = attrs.field(factory=list)
    """The range of each request; None where the whole was asked for."""


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *args):
        """Print nothing."""

    def do_GET(self):
        how = self.server.behaviour
        how.asked.append(self.headers["Range"])
        time.sleep(how.delay_s)
        if how.elsewhere:
            return self.head(302, Location=how.elsewhere)
        start = self.start(how)
        if how.status != 200:
            return self.head(how.status)
        if start and start >= len(how.content):
            return self.head(416)
        body = how.content[start:]
        length = {"Content-Length": len(body)} if how.says_length else {}
        self.head(206 if start else 200, **length)
        self.wfile.write(self.as_much(how, body))
        return None

    def start(self, how):
        asked = self.headers["Range"]
        return int(asked.removeprefix("bytes=").removesuffix("-")) if asked and how.ranges else 0

    def as_much(self, how, body):
        if how.cut and how.cuts:
            how.cuts -= 1
            return body[: how.cut]
        return body

    def head(self, status, **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, str(value))
        self.end_headers()


@pytest.fixture
def server(serving):
    with serving(Handler) as server:
        server.behaviour = Behaviour()
        server.handle_error = lambda *_: None  # a client that hangs up is what is tested
        yield server


@pytest.fixture
def asset(server):
    return Asset(
        name="tiny",
        summary="A mebibyte.",
        url=f"http://127.0.0.1:{server.server_port}/files/tiny-1.0.pth?download=1",
        sha256=DIGEST,
        size=len(CONTENT),
        licence="MIT",
    )


@pytest.fixture
def brought(asset, tmp_path):
    """Fetch the asset, or one like it, and return its path and what was said of its progress."""

    def bring(**changes):
        said = []
        path = fetch(attrs.evolve(asset, **changes), lambda *event: said.append(event), tmp_path)
        return path, said

    return bring


@pytest.fixture
def refused(brought, tmp_path):
    """Return in what one line fetching fails; the file is not there then."""

    def bring(error=DataError, **changes):
        with pytest.raises(error) as caught:
            brought(**changes)
        assert "\n" not in str(caught.value)
        assert not list(tmp_path.glob("tiny-????????.pth"))
        return str(caught.value)

    return bring


def part(tmp_path):
    return tmp_path / f"tiny-{DIGEST[:8]}.pth.part"


# --- what comes ----------------------------------------------------------------------------------


def test_a_file_is_brought_named_by_its_asset_and_digest_and_keeps_its_suffix(brought, tmp_path):
    path, said = brought()
    assert path == tmp_path / f"tiny-{DIGEST[:8]}.pth"
    assert path.read_bytes() == CONTENT
    assert not part(tmp_path).exists()
    assert said[0] == (0, len(CONTENT), "tiny")
    assert said[-1] == (len(CONTENT), len(CONTENT), "tiny")
    assert [done for done, _, _ in said] == sorted({done for done, _, _ in said})


def test_two_assets_never_share_a_file(brought, server):
    first, _ = brought()
    server.behaviour.content = other = CONTENT[::-1]
    pinned = hashlib.sha256(other).hexdigest()
    again, _ = brought(sha256=pinned)
    third, _ = brought(sha256=pinned, name="tiny-2")
    assert len({first, again, third}) == 3
    assert first.read_bytes() == CONTENT


def test_a_file_that_is_there_is_not_downloaded_again(brought, server):
    path, _ = brought()
    again, said = brought()
    assert (again, said) == (path, [])
    assert server.behaviour.asked == [None]


def test_the_digest_of_a_file_that_is_there_is_computed_once_a_process(brought, monkeypatch):
    brought()
    computed = []
    digest = digests.file_digest
    monkeypatch.setattr(digests, "file_digest", lambda path: computed.append(path) or digest(path))
    path, _ = brought()
    brought()
    assert computed == [path]


@pytest.mark.parametrize("damaged", [CONTENT[:-1], CONTENT[:-1] + b"x"], ids=["short", "changed"])
def test_a_damaged_file_is_downloaded_again(brought, damaged):
    path, _ = brought()
    brought()
    path.write_bytes(damaged)
    assert brought()[0].read_bytes() == CONTENT


def test_the_first_digits_of_a_digest_are_enough(brought):
    assert brought(sha256=DIGEST[:8])[0].read_bytes() == CONTENT


def test_all_digits_that_are_given_are_checked(refused):
    wrong = DIGEST[:8] + "0" * 8
    assert f"expected SHA-256 {wrong}, found {DIGEST[:16]}; " in refused(sha256=wrong)


@pytest.mark.parametrize("says_length", [True, False])
def test_the_size_may_be_unknown(brought, server, says_length):
    server.behaviour.says_length = says_length
    path, said = brought(size=None)
    assert path.read_bytes() == CONTENT
    assert said[-1] == (len(CONTENT), len(CONTENT) if says_length else 0, "tiny")


def test_the_cache_is_where_the_environment_says(asset, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("EDGEBENCH_CACHE")
    path = fetch(asset, lambda *_: None)
    assert path.parent == tmp_path / "home" / ".cache" / "edgebench" / "assets"
    monkeypatch.setenv("EDGEBENCH_CACHE", str(tmp_path / "mine"))
    assert fetch(asset, lambda *_: None).parent == tmp_path / "mine"


def test_a_cache_that_cannot_be_written_serves_what_it_has(brought, tmp_path, monkeypatch):
    path, _ = brought()

    def locked(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(assets, "hold_lock", locked)
    assert brought()[0] == path


# --- what is cut ---------------------------------------------------------------------------------


def test_what_a_kill_left_is_gone_on_from(brought, server, tmp_path):
    part(tmp_path).write_bytes(CONTENT[:1000])
    path, said = brought()
    assert path.read_bytes() == CONTENT
    assert server.behaviour.asked == ["bytes=1000-"]
    assert said[0] == (1000, len(CONTENT), "tiny")


def test_a_cut_connection_is_taken_up_again_at_once(brought, server):
    server.behaviour.cut, server.behaviour.cuts = 300_000, 2
    path, _ = brought()
    assert path.read_bytes() == CONTENT
    assert server.behaviour.asked == [None, "bytes=300000-", "bytes=600000-"]


def test_a_connection_that_is_always_cut_is_given_up_and_what_came_is_kept(
    refused, brought, server, tmp_path
):
    server.behaviour.cut, server.behaviour.cuts = 1000, 100
    assert (
        f"broken off after {1000 * assets.TRIES} of {len(CONTENT)} bytes; try again, or "
        in refused()
    )
    assert part(tmp_path).read_bytes() == CONTENT[: 1000 * assets.TRIES]
    server.behaviour.cuts = 0
    assert brought()[0].read_bytes() == CONTENT


def test_a_server_that_gives_only_the_whole_is_begun_again(brought, server, tmp_path):
    server.behaviour.ranges = False
    part(tmp_path).write_bytes(b"x" * 1000)
    path, said = brought()
    assert path.read_bytes() == CONTENT
    assert said[0] == (0, len(CONTENT), "tiny")


def test_a_server_that_gives_only_the_whole_and_cuts_it_is_asked_no_further(refused, server):
    server.behaviour.ranges = False
    server.behaviour.cut, server.behaviour.cuts = 1000, 100
    assert f"broken off after 1000 of {len(CONTENT)} bytes" in refused()
    assert server.behaviour.asked == [None, "bytes=1000-"]


@pytest.mark.parametrize("size", [len(CONTENT), None])
def test_a_part_that_is_complete_is_not_asked_for_again(brought, server, tmp_path, size):
    part(tmp_path).write_bytes(CONTENT)
    path, _ = brought(size=size)
    assert path.read_bytes() == CONTENT
    assert server.behaviour.asked == []
    assert not part(tmp_path).exists()


def test_a_part_as_long_as_it_should_be_and_wrong_is_begun_again(brought, server, tmp_path):
    part(tmp_path).write_bytes(b"x" * len(CONTENT))
    assert brought()[0].read_bytes() == CONTENT
    assert server.behaviour.asked == [f"bytes={len(CONTENT)}-", None]


def test_a_part_that_is_too_long_is_begun_again(brought, server, tmp_path):
    part(tmp_path).write_bytes(b"x" * (len(CONTENT) + 1))
    assert brought()[0].read_bytes() == CONTENT
    assert server.behaviour.asked == [f"bytes={len(CONTENT) + 1}-", None]


def test_a_part_of_another_file_is_deleted_so_that_the_next_try_begins_again(
    refused, brought, tmp_path
):
    part(tmp_path).write_bytes(b"x" * 1000)
    assert "is not what is pinned: expected SHA-256" in refused()
    assert not part(tmp_path).exists()
    assert brought()[0].read_bytes() == CONTENT


def test_a_server_that_falls_silent_is_not_waited_for(refused, server, monkeypatch):
    monkeypatch.setattr(assets, "TIMEOUT_S", 0.1)
    server.behaviour.delay_s = 0.5
    assert "127.0.0.1:" in (said := refused())
    assert ": no answer within 0.1 s; " in said


# --- what is wrong -------------------------------------------------------------------------------


def test_another_content_is_refused_with_both_digests(refused, server, tmp_path, asset):
    server.behaviour.content = b"x" * len(CONTENT)
    found = hashlib.sha256(b"x" * len(CONTENT)).hexdigest()
    assert refused() == (
        f"the asset tiny from 127.0.0.1:{server.server_port} is not what is pinned: "
        f"expected SHA-256 {DIGEST}, found {found}; it is deleted; "
        f"try again, or download {asset.url} by hand and use --weights file:PATH"
    )
    assert not part(tmp_path).exists()


@pytest.mark.parametrize("says_length", [True, False])
def test_another_size_is_refused_with_both_sizes(refused, server, tmp_path, says_length):
    server.behaviour.content, server.behaviour.says_length = CONTENT * 2, says_length
    said = refused()
    assert f"expected {len(CONTENT)} bytes, found " in said
    assert not part(tmp_path).exists()


def test_no_more_is_read_than_the_size_that_is_pinned(brought, server, tmp_path):
    server.behaviour.content, server.behaviour.says_length = CONTENT * 20, False
    events = []
    with pytest.raises(DataError, match="found"):
        fetch(asset_of(server), lambda *event: events.append(event), tmp_path)
    assert events[-1][0] <= len(CONTENT) + assets.CHUNK


@pytest.fixture
def free(monkeypatch):
    """Say how many bytes of the disk are free beside what is to stay so."""

    def say(count):
        usage = attrs.make_class("Usage", ["free"])(assets.RESERVE + count)
        monkeypatch.setattr(assets.shutil, "disk_usage", lambda path: usage)

    return say


def test_a_server_that_sends_without_end_never_fills_the_disk(refused, server, tmp_path, free):
    server.behaviour.content, server.behaviour.says_length = CONTENT * 20, False
    free(2 * len(CONTENT))
    said = refused(StoreError, size=None)
    assert said.startswith(f"the asset tiny is more than {2 * len(CONTENT)} bytes, and ")
    assert said.endswith("make room or set EDGEBENCH_CACHE to another directory")
    assert not part(tmp_path).exists()


def test_what_there_is_no_room_for_is_not_begun(refused, brought, server, tmp_path, free):
    free(len(CONTENT) - 1)
    assert f"the asset tiny is {len(CONTENT)} bytes, and {tmp_path} has no room" in refused(
        StoreError, size=None
    )
    assert not part(tmp_path).exists()
    part(tmp_path).write_bytes(CONTENT[:1])  # what is there already needs no room
    assert brought()[0].read_bytes() == CONTENT


def asset_of(server):
    url = f"http://127.0.0.1:{server.server_port}/tiny.pth"
    return Asset(name="tiny", summary="-", url=url, sha256=DIGEST, size=len(CONTENT), licence="MIT")


def test_a_file_that_is_not_there_is_said_with_host_and_remedy(refused, server, asset):
    server.behaviour.status = 404
    assert refused() == (
        f"the asset tiny cannot be downloaded from 127.0.0.1:{server.server_port}: "
        f"HTTP 404 Not Found; try again, or download {asset.url} by hand and use "
        "--weights file:PATH"
    )


def test_a_failing_server_does_not_cost_what_is_there(refused, server, tmp_path):
    server.behaviour.status = 503
    part(tmp_path).write_bytes(CONTENT[:1000])
    assert "HTTP 503 Service Unavailable" in refused()
    assert part(tmp_path).read_bytes() == CONTENT[:1000]


def test_a_machine_without_a_network_gets_one_line(refused):
    said = refused(url="http://edgebench.invalid/tiny.pth")
    assert "the asset tiny cannot be downloaded from edgebench.invalid: " in said
    assert said.endswith("--weights file:PATH")


def test_a_server_that_is_off_gets_one_line(refused):
    assert "127.0.0.1:9: Connection refused; " in refused(url="http://127.0.0.1:9/tiny.pth")


@pytest.mark.parametrize("elsewhere", ["file:///etc/hostname", "ftp://127.0.0.1/tiny.pth"])
def test_a_file_is_not_followed_out_of_the_web(refused, server, elsewhere):
    server.behaviour.elsewhere = elsewhere
    refused()
    assert len(server.behaviour.asked) == 1


@pytest.mark.parametrize("url", ["file:///etc/hostname", "ftp://127.0.0.1/tiny.pth", "tiny.pth"])
def test_an_address_out_of_the_web_is_not_opened(refused, url):
    with attrs.validators.disabled():  # a row of the registry refuses it first
        assert "unknown url type" in refused(url=url)


def test_a_cache_that_is_no_directory_is_said_to_be_none(asset, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="cannot use the cache of assets .*EDGEBENCH_CACHE"):
        fetch(asset, lambda *_: None, tmp_path / "file")


# --- what ships ----------------------------------------------------------------------------------

ROWS = Registry.read().assets.values()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_shipped_asset_is_pinned_by_the_digits_that_its_owner_publishes(row):
    name = row.url.rpartition("/")[2]
    assert row.sha256 == re.search(r"-([0-9a-f]{8,10})\.pth$", name)[1]
    assert row.url == f"https://download.pytorch.org/models/{name}"


@pytest.mark.framework
def test_every_shipped_asset_is_the_weights_of_a_model_and_has_a_row():
    plugins = Plugins.load(Registry.read())
    models = [plugins.get(Model, line.name) for line in plugins.listed(Model)]
    variants = [variant for model in models for variant in model.variants]
    assert {variant.asset for variant in variants} - {""} == {row.name for row in ROWS}
    for variant in variants:
        assert ("hub" in variant.weights) == bool(variant.asset), variant.name


# --- two at once ---------------------------------------------------------------------------------

PROGRAM = """
import sys
from pathlib import Path
from edgebench.store.assets import fetch
from edgebench.catalogue.rows import Asset

url, sha256, cache = sys.argv[1:]
asset = Asset(name="tiny", summary="-", url=url, sha256=sha256, licence="MIT")
print(fetch(asset, lambda *_: None, Path(cache)))
"""


@pytest.mark.process
def test_two_processes_at_once_download_it_once(asset, server, tmp_path):
    server.behaviour.delay_s = 0.3
    command = [sys.executable, "-c", PROGRAM, asset.url, DIGEST, str(tmp_path)]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    paths = {done.communicate(timeout=60)[0].strip() for done in started}
    assert paths == {str(tmp_path / f"tiny-{DIGEST[:8]}.pth")}
    assert [done.returncode for done in started] == [0, 0]
    assert server.behaviour.asked == [None]
