# SPDX-License-Identifier: MIT
"""The store: damaged artifacts are built again, a full disk is told, readers keep their files."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from rig.errors import FailureClass, RigError
from rig.store import MANIFEST, Store, full_disk_words, key_of


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "cache")


def publish(store: Store, text: str = "content") -> Path:
    with store.publishing("thing", "k1", {"a": "1"}) as out:
        (out / "sub").mkdir()
        (out / "sub" / "file").write_text(text)
        (out / "link").symlink_to("sub/file")
    return store.path_of("thing", "k1")


def test_what_was_published_is_found(store: Store) -> None:
    path = publish(store)
    found = store.find("thing", "k1")
    assert found is not None
    assert (found.path, dict(found.inputs)) == (path, {"a": "1"})
    assert found.size > 0
    assert store.find("thing", "k2") is None
    assert [artifact.key for artifact, _used in store.artifacts()] == ["k1"]


@pytest.mark.parametrize("damage", ["file", "short", "manifest", "garbled", "fields", "folder"])
def test_a_damaged_artifact_is_none_and_can_be_made_again(store: Store, damage: str) -> None:
    path = publish(store)
    manifest = json.loads((path / MANIFEST).read_text())
    match damage:
        case "file":
            (path / "sub" / "file").unlink()
        case "short":
            (path / "sub" / "file").write_text("con")
        case "manifest":
            (path / MANIFEST).unlink()
        case "garbled":
            (path / MANIFEST).write_text('{"inputs": {')
        case "fields":
            del manifest["inputs"]
            (path / MANIFEST).write_text(json.dumps(manifest))
        case "folder":
            (path / "sub" / "file").unlink()
            (path / "sub").rmdir()
            (path / "sub").touch()
    assert store.find("thing", "k1") is None
    assert store.artifacts() == []
    publish(store, "made anew")
    assert store.find("thing", "k1") is not None
    assert (path / "sub" / "file").read_text() == "made anew"


def test_what_a_killed_build_left_is_swept(store: Store) -> None:
    left = store.root / "tmp" / "thing-k0-99999999"
    left.mkdir()
    (left / "half").touch()
    other = store.root / "tmp" / "thing-else-k0-1"
    other.mkdir()
    publish(store)
    assert list((store.root / "tmp").iterdir()) == [other]


def test_who_waits_has_the_lock_before_who_had_it(
    store: Store, capfd: pytest.CaptureFixture[str]
) -> None:
    order: list[str] = []

    def wait() -> None:
        with store.lock("thing", "another rig waits"):
            order.append("another")

    waiting = threading.Thread(target=wait)
    with store.lock("thing"):
        waiting.start()
        said = ""
        while "another rig waits" not in said:
            said += capfd.readouterr().out
    with store.lock("thing"):
        order.append("the first again")
    waiting.join()
    assert order == ["another", "the first again"]


def test_looking_is_not_using(store: Store) -> None:
    path = publish(store)
    os.utime(path / MANIFEST, (1000, 1000))
    assert store.artifacts()[0][1] == 1000
    store.find("thing", "k1")
    assert store.artifacts()[0][1] > 1000


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_while_building(store: Store, code: int) -> None:
    publish(store)
    with (
        pytest.raises(RigError, match="no space left") as caught,
        store.publishing("thing", "k2", {}),
    ):
        raise OSError(code, os.strerror(code))
    assert caught.value.failure is FailureClass.INFRA
    assert "RIG_CACHE" in caught.value.hint
    assert list((store.root / "tmp").iterdir()) == []
    assert store.find("thing", "k1") is not None


def test_other_errors_are_not_called_a_full_disk(store: Store) -> None:
    with pytest.raises(PermissionError), store.publishing("thing", "k2", {}):
        raise PermissionError(errno.EACCES, "no")


def test_a_tool_that_met_a_full_disk(tmp_path: Path) -> None:
    words = "fatal error: error writing to x.s: No space left on device"
    assert full_disk_words(words, tmp_path) is not None
    assert full_disk_words("x.c:1: error: expected ';'", tmp_path) is None


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path | None]:
    """A disk of 256 KiB, where this process may mount one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    argv = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(argv, check=False, capture_output=True).returncode:
        yield None  # the injected errors above hold what can be held here
        return
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_disk_that_really_is_full(small_disk: Path | None) -> None:
    if small_disk is None:
        return
    store = Store(small_disk / "cache")
    publish(store)
    with pytest.raises(RigError, match="no space left"), store.publishing("big", "k", {}) as out:
        (out / "big").write_bytes(bytes(1 << 20))
    assert list((store.root / "tmp").iterdir()) == []
    assert store.find("thing", "k1") is not None
    publish(store, "there is room for this again")


def test_a_key_depends_on_every_input() -> None:
    assert key_of({"a": "1", "b": "2"}) == key_of({"b": "2", "a": "1"})
    assert key_of({"a": "1", "b": "2"}) != key_of({"a": "1", "b": "3"})
