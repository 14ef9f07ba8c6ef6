# SPDX-License-Identifier: MIT
"""The bound on the cache folder: what goes first, and what never goes."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import ClassVar

import pytest
from rich.console import Console

from rig import cache
from rig.artifacts.recipe import Builder, Job, Recipe
from rig.cli import main as cli
from rig.errors import FailureClass, RigError
from rig.hold import hold, holding, unused
from rig.paths import REPO
from rig.runner import new_run_dir
from rig.store import GIB, MANIFEST, Store
from rig.ui import Reporter

MIB = 1 << 20
HOLDER = """\
import sys
from pathlib import Path
from rig.hold import hold
print(hold(Path(sys.argv[1])), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    root = tmp_path / "cache"
    monkeypatch.setenv("RIG_CACHE", str(root))
    monkeypatch.delenv(cache.VARIABLE, raising=False)
    return Store(root)


def publish(store: Store, key: str, used: float, size: int = MIB) -> Path:
    with store.publishing("thing", key, {}) as out:
        (out / "file").write_bytes(b"x" * size)
    path = store.path_of("thing", key)
    os.utime(path / MANIFEST, (used, used))
    return path


def trim(store: Store, size: float) -> list[str]:
    """What goes when the folder may take `size` bytes."""
    return [item.what for item, _size in cache.make_room(store, size / GIB, fresh=True)]


def whole(store: Store) -> int:
    return sum(cache.sizes(store, fresh=True).values())


class OtherRig:
    """Another process that holds a file until it is killed."""

    def __init__(self, file: Path) -> None:
        self._child = subprocess.Popen(
            [sys.executable, "-c", HOLDER, str(file)], cwd=REPO, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self._child.stdout is not None
        assert self._child.stdout.readline() == "True\n"

    def kill(self) -> None:
        self._child.kill()
        self._child.communicate()


@pytest.fixture
def other(store: Store) -> Iterator[OtherRig]:
    rig = OtherRig(publish(store, "old", 1000) / MANIFEST)
    yield rig
    rig.kill()


def test_the_least_recently_used_goes_first_and_no_more_than_needed(store: Store) -> None:
    for number, key in enumerate(("b", "a", "c")):
        publish(store, key, 1000 + number)
    assert trim(store, whole(store)) == []
    assert trim(store, whole(store) - MIB / 2) == ["thing b"]
    assert trim(store, whole(store) - 1.5 * MIB) == ["thing a", "thing c"]


def test_what_a_live_rig_uses_stays_and_goes_when_it_was_killed(
    store: Store, other: OtherRig
) -> None:
    publish(store, "new", 2000)
    assert trim(store, 1) == ["thing new"]
    assert store.find("thing", "old") is not None
    other.kill()
    assert trim(store, 1) == ["thing old"]


def test_holding_what_is_gone(store: Store) -> None:
    path = publish(store, "k", 1000)
    artifact = store.find("thing", "k")
    assert artifact is not None
    store.remove(artifact)
    assert not store.hold(artifact)
    assert not hold(path / MANIFEST)


def test_what_is_made_anew_is_not_what_was_held(tmp_path: Path) -> None:
    """The file that waited for the lock is another one by then."""
    file = tmp_path / "f"
    file.touch()
    with unused(file) as free:
        assert free
    assert hold(file)
    file.rename(tmp_path / "old")
    file.touch()
    with unused(file) as free:
        assert free
    with unused(tmp_path / "old") as free:
        assert not free


@pytest.mark.parametrize("anew", [False, True])
def test_what_went_while_its_lock_was_waited_for_is_not_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, anew: bool
) -> None:
    file = tmp_path / "f"
    file.touch()

    def removed_meanwhile(_lock: int, _how: int) -> None:
        file.rename(tmp_path / "old")
        if anew:
            file.touch()

    monkeypatch.setattr("fcntl.flock", removed_meanwhile)
    with pytest.raises(FileNotFoundError), holding(file):
        pass


def test_old_runs_and_logs_go_too_but_not_a_live_run(store: Store) -> None:
    live = new_run_dir(store)
    runs = [store.root / f"runs/2000010{day}-000000-run" for day in range(1, 6)]
    for day, run in enumerate(runs):
        run.mkdir()
        (run / cache.LIVE).touch()
        os.utime(run, (day, day))
    old, new = store.root / "logs" / "old.log", store.root / "logs" / "new.log"
    old.touch()
    new.touch()
    os.utime(old, (50, 50))
    assert trim(store, 1) == [*(f"runs/{run.name}" for run in runs[:3]), "logs/old.log"]
    assert live.exists()
    assert new.exists()


def test_sources_and_build_trees_are_counted_but_stay(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("work/linux", "sources/qemu"):
        (store.root / name).mkdir()
        (store.root / name / "file").write_bytes(b"x" * MIB)
    sizes = cache.sizes(store, fresh=True)
    assert sizes["work"] >= MIB
    assert sizes["sources"] >= MIB
    assert trim(store, 1) == []
    assert cli._run(["cache", "ls"]) == 0
    out = capsys.readouterr().out
    assert all(f"\n{name} " in "\n" + out for name in cache.PARTS)
    assert "bound 20 GiB, RIG_CACHE_GIB" in out


def test_large_parts_are_not_counted_at_every_build(store: Store) -> None:
    before = cache.sizes(store, fresh=False)
    (store.root / "work" / "file").write_bytes(b"x" * MIB)
    assert cache.sizes(store, fresh=False)["work"] == before["work"]
    assert cache.sizes(store, fresh=True)["work"] >= MIB
    (store.root / "sizes.json").write_text("torn{")
    assert cache.sizes(store, fresh=False)["work"] >= MIB


def test_an_artifact_is_counted_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(store, "first", 1000)
    before = cache.sizes(store, fresh=False)["store"]
    publish(store, "second", 2000)
    counted: list[Path] = []
    real = cache.disk_bytes

    def noting(path: Path) -> int:
        counted.append(path)
        return real(path)

    monkeypatch.setattr(cache, "disk_bytes", noting)
    after = cache.sizes(store, fresh=False)["store"]
    assert MIB <= after - before < 2 * MIB
    assert [path.name for path in counted if path.parent.name == "thing"] == ["second"]
    shutil.rmtree(store.path_of("thing", "second"))
    assert cache.sizes(store, fresh=False)["store"] == before
    (store.root / "artifacts.json").write_text("torn{")
    assert cache.sizes(store, fresh=False)["store"] == before


def test_a_build_over_the_bound_makes_room_for_the_next_ones(store: Store) -> None:
    for number in range(100):
        publish(store, f"{number:02}", 1000 + number)
    limit = (whole(store) - MIB // 2) / GIB
    gone = [item.what for item, _size in cache.make_room(store, limit)]
    assert gone == ["thing 00", "thing 01", "thing 02"]
    assert not list(cache.make_room(store, limit))


@pytest.mark.parametrize("text", ["much", "-1", "0", "inf", "nan"])
def test_a_bound_that_is_none(store: Store, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv(cache.VARIABLE, text)
    with pytest.raises(RigError, match="is no size in GiB") as caught:
        cache.bound()
    assert caught.value.failure is FailureClass.USAGE


class Big(Recipe):
    """Writes a MiB."""

    name: ClassVar[str] = "big"
    version: ClassVar[int] = 1

    def __init__(self, number: int) -> None:
        self.number = number

    def inputs(self, builder: Builder) -> Mapping[str, str]:
        """Its number."""
        return {"number": str(self.number)}

    def build(self, job: Job) -> None:
        """A file."""
        (job.out / "file").write_bytes(b"x" * MIB)


def test_a_build_makes_room_and_keeps_its_own(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also what this rig only found: it goes on using it."""
    said = io.StringIO()
    past = Builder(store, Reporter(Console(file=said)))
    first, second = past.get(Big(1)), past.get(Big(2))
    for artifact, when in ((first, 1000), (second, 2000)):
        os.utime(artifact.path / MANIFEST, (when, when))
    with unused(first.path / MANIFEST) as free:
        assert not free, "the rig that built it may remove it"
    publish(store, "else", time.time() - 10)
    monkeypatch.setenv(cache.VARIABLE, str(1.0 / GIB))
    Builder(store, Reporter(Console(file=said))).get(Big(3))
    assert store.find("thing", "else") is None
    assert store.find("big", first.key) is not None
    assert "made room in the cache: 1 old" in " ".join(said.getvalue().split())
