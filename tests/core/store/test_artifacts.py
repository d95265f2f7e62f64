from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import attrs
import pytest

from edgebench.parts.errors import StoreError
from edgebench.parts.pipeline import Edit, Exit, Pipeline, Stage, TensorSpec
from edgebench.store.artifacts import Store, digest_content, read_pipeline, write_pipeline

KEY = "ab" + "0" * 62


def fill(directory: Path) -> None:
    (directory / "deep").mkdir()
    (directory / "deep" / "weights").write_bytes(b"1234")


def test_what_is_made_is_found_again(tmp_path):
    store = Store(tmp_path)
    assert store.find(KEY) is None
    path = store.make(KEY, "a thing", fill)
    assert (path / "deep" / "weights").read_bytes() == b"1234"
    assert Store(tmp_path).find(KEY) == path


def test_what_is_there_is_not_made_again(tmp_path):
    store = Store(tmp_path)
    made = []
    for _ in range(2):
        store.make(KEY, "a thing", lambda directory: (made.append(1), fill(directory)))
    assert made == [1]


def test_a_failure_leaves_nothing_behind(tmp_path):
    store = Store(tmp_path)

    def fails(directory: Path) -> None:
        fill(directory)
        raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        store.make(KEY, "a thing", fails)
    assert store.find(KEY) is None
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.parametrize("damage", ["changed", "missing", "added", "manifest"])
def test_a_damaged_entry_is_made_again(tmp_path, damage):
    path = Store(tmp_path).make(KEY, "a thing", fill)
    weights = path / "deep" / "weights"
    if damage == "changed":
        weights.write_bytes(b"1235")
    elif damage == "missing":
        weights.unlink()
    elif damage == "added":
        (path / "stray").write_text("x")
    else:
        (path / "manifest.json").write_text("{")
    store = Store(tmp_path)
    assert store.find(KEY) is None
    assert (store.make(KEY, "a thing", fill) / "deep" / "weights").read_bytes() == b"1234"


@pytest.mark.process
def test_a_kill_while_it_is_made_leaves_no_entry(tmp_path):
    script = (
        "import sys, os, signal\n"
        "from edgebench.store.artifacts import Store\n"
        "def fill(d):\n"
        "    (d / 'half').write_text('x')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        f"Store({str(tmp_path)!r}).make({KEY!r}, 'a thing', fill)\n"
    )
    ended = subprocess.run([sys.executable, "-c", script], check=False)
    assert ended.returncode == -9
    store = Store(tmp_path)
    assert store.measure_half_made() == len("x")
    store.clear_up()
    assert list((tmp_path / "tmp").iterdir()) == []
    assert list((tmp_path / "locks").iterdir()) == []
    assert store.measure_half_made() == 0
    assert store.find(KEY) is None
    assert store.make(KEY, "a thing", fill) == store.find(KEY)


@pytest.mark.process
def test_two_processes_make_it_once(tmp_path):
    script = (
        "import os, pathlib, sys, time\n"
        "from edgebench.store.artifacts import Store\n"
        "def fill(d):\n"
        "    (d / 'by').write_text(str(os.getpid()))\n"
        f"    with open({str(tmp_path / 'made')!r}, 'a') as f: f.write('made\\n')\n"
        "    time.sleep(0.3)  # long enough for the other to come and wait\n"
        f"print(Store({str(tmp_path / 'store')!r}).make({KEY!r}, 'a thing', fill))\n"
    )
    both = [
        subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    said = [process.communicate(timeout=60)[0] for process in both]
    assert said[0] == said[1]
    assert (tmp_path / "made").read_text() == "made\n"


def test_what_is_being_made_is_not_cleared_up(tmp_path):
    store = Store(tmp_path)

    def clear_up(directory):
        (directory / "half").write_text("half")
        store.clear_up()
        assert [lock.name for lock in (tmp_path / "locks").iterdir()] == [KEY]
        assert store.measure_half_made() == 4

    assert (store.make(KEY, "a thing", clear_up) / "half").read_text() == "half"


def test_what_is_made_elsewhere_is_cleared_up_when_it_is_old(tmp_path):
    elsewhere = tmp_path / "tmp" / "00000000-1-1-x"
    elsewhere.mkdir(parents=True)
    Store(tmp_path).clear_up()
    assert elsewhere.exists()
    long_ago = time.time() - 3 * 24 * 3600
    os.utime(elsewhere, (long_ago, long_ago))
    Store(tmp_path).clear_up()
    assert not elsewhere.exists()


def test_no_lock_is_left_behind(tmp_path):
    store = Store(tmp_path)
    store.make("ab" * 32, "a thing", lambda place: (place / "f").write_text("x"))
    with pytest.raises(ZeroDivisionError):
        store.make("cd" * 32, "a thing", lambda _: 1 / 0)
    store.collect(older_than_s=-1)
    assert list((tmp_path / "locks").iterdir()) == []


def test_an_unwritable_store_is_one_clear_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot write to the artifact store .*EDGEBENCH_STORE"):
        Store(tmp_path / "file").make(KEY, "a thing", fill)


def test_what_the_filling_lacks_is_not_the_stores_fault(tmp_path):
    def fails(directory: Path) -> None:
        (directory / "not" / "there").write_text("x")

    with pytest.raises(FileNotFoundError, match="not/there"):
        Store(tmp_path).make(KEY, "a thing", fails)


def test_no_room_is_one_clear_line(tmp_path):
    def fails(directory: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(StoreError, match="No space left on device; make room or set EDGEBENCH_STO"):
        Store(tmp_path).make(KEY, "a thing", fails)


def test_a_damaged_entry_is_listed_and_can_be_collected(tmp_path):
    store = Store(tmp_path)
    path = store.make(KEY, "a thing", fill)
    (path / "manifest.json").write_text("{")
    (entry,) = store.entries()
    assert (entry.key, entry.what) == (KEY, "damaged")
    assert store.collect(older_than_s=-1) == [entry]
    assert list(store.entries()) == []


def test_the_content_of_an_entry_is_what_its_files_hold(tmp_path):
    def other(directory: Path) -> None:
        fill(directory)
        (directory / "deep" / "weights").write_bytes(b"1235")

    store = Store(tmp_path)
    paths = [
        store.make(f"{n:02}" + "0" * 62, what, how)
        for n, (what, how) in enumerate([("one", fill), ("same", fill), ("other", other)])
    ]
    digests = [digest_content(path) for path in paths]
    assert digests[0] == digests[1] != digests[2]


def test_what_is_doubted_of_a_pipeline_can_be_left_aside(tmp_path):
    plain = pipeline()
    kept = [plain, attrs.evolve(plain, doubts=["Slow."]), attrs.evolve(plain, variant="w")]
    digests = []
    for number, one in enumerate(kept):
        store = Store(tmp_path / str(number))
        path = store.make(KEY, "a thing", lambda directory, one=one: write_pipeline(one, directory))
        digests.append((digest_content(path), digest_content(path, doubts=False)))
    assert len({one for one, _ in digests}) == 3
    assert digests[0][1] == digests[1][1] != digests[2][1]


def test_entries_are_listed_with_their_sizes(tmp_path):
    store = Store(tmp_path)
    store.make(KEY, "a thing", fill)
    (entry,) = store.entries()
    assert (entry.key, entry.what, entry.size) == (KEY, "a thing", 4)


def test_collecting_removes_what_was_not_used_for_long(tmp_path):
    store = Store(tmp_path)
    old = store.make(KEY, "old", fill)
    new = store.make("cd" + "0" * 62, "new", fill)
    long_ago = time.time() - 1000
    os.utime(old / "manifest.json", (long_ago, long_ago))
    assert [entry.what for entry in store.collect(older_than_s=500)] == ["old"]
    assert not old.exists()
    assert new.exists()


def test_what_is_compiled_is_listed_and_collected_too(tmp_path):
    store = Store(tmp_path)
    store.make(KEY, "a thing", fill)
    path = store.compiled.make(KEY, "the same, compiled", fill)
    left = store.compiled.root / "tmp" / "left-by-a-kill"
    left.mkdir()
    long_ago = time.time() - 3 * 24 * 3600
    os.utime(left, (long_ago, long_ago))
    os.utime(path / "manifest.json", (long_ago, long_ago))
    assert [entry.what for entry in store.entries()] == ["a thing", "the same, compiled"]
    assert [entry.what for entry in store.collect(older_than_s=500)] == ["the same, compiled"]
    assert not path.exists()
    assert not left.exists()
    assert [entry.what for entry in store.entries()] == ["a thing"]


def test_looking_for_an_entry_counts_as_using_it(tmp_path):
    store = Store(tmp_path)
    path = store.make(KEY, "a thing", fill)
    long_ago = time.time() - 1000
    os.utime(path / "manifest.json", (long_ago, long_ago))
    store.find(KEY)
    assert store.collect(older_than_s=500) == []


def pipeline() -> Pipeline:
    spec = TensorSpec(name="x", dtype="float32", shape=("batch", 3), port="in")
    middle = TensorSpec(name="h", dtype="uint8", shape=("batch", 4))
    out = TensorSpec(name="y", dtype="float32", shape=("batch", 2))
    sure = TensorSpec(name="sure", dtype="float32", shape=("batch",))
    return Pipeline(
        model="m",
        variant="v",
        outputs=["y"],
        cuts=[1],
        stages=[
            Stage(
                format="f",
                inputs=[spec],
                outputs=[middle, sure, attr(out, "early")],
                files=["a.bin"],
                exit=Exit(condition="sure", answer=["early"], threshold=0.9),
                edits=[Edit(operator="shrink", arguments=json.dumps({"by": 2}))],
                parameters=10,
            ),
            Stage(format="f", inputs=[middle], outputs=[out], files=["b.bin"], precision="int8"),
        ],
    )


def attr(spec: TensorSpec, name: str) -> TensorSpec:
    return TensorSpec(name=name, dtype=spec.dtype, shape=spec.shape)


def test_a_pipeline_is_read_as_it_was_written(tmp_path):
    write_pipeline(pipeline(), tmp_path)
    again = read_pipeline(tmp_path)
    assert [stage.directory for stage in again.stages] == [
        tmp_path / "stage-0",
        tmp_path / "stage-1",
    ]
    assert again.stages[0].edits[0].values == {"by": 2}
    bare = [attrs.evolve(stage, directory=None) for stage in again.stages]
    assert again.replaced(bare) == pipeline()


READ_ONLY = """
import sys
from pathlib import Path
from edgebench.parts.errors import StoreError
from edgebench.store.artifacts import Store

store, key = Store(Path(sys.argv[1])), sys.argv[2]

def never(directory):
    raise AssertionError("it is there")

found = store.find(key)
print(found == store.make(key, "a thing", never), (found / "deep" / "weights").read_bytes())
try:
    store.make("cd" + key[2:], "another thing", never)
except StoreError as error:
    print(error)
"""


def test_a_store_that_may_only_be_read_serves_what_is_in_it(process, tmp_path):
    store = tmp_path / "store"
    Store(store).make(KEY, "a thing", fill)
    mount = f"mount --bind {store} {store} && mount -o remount,ro,bind {store}"
    if subprocess.run(["unshare", "-m", "sh", "-c", mount], check=False).returncode:  # noqa: S607
        pytest.skip("nothing can be mounted here")
    asked = ["unshare", "-m", "sh", "-c", f'{mount} && exec "$@"', "sh", sys.executable, "-c"]
    said = subprocess.run(
        [*asked, READ_ONLY, store, KEY], capture_output=True, text=True, check=True
    )
    served, refused = said.stdout.splitlines()
    assert served == "True b'1234'"
    assert "cannot write to the artifact store" in refused
    assert "Read-only file system" in refused
