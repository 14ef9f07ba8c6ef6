# SPDX-License-Identifier: MIT
"""Snapshots without a guest: what is damaged is seen, what is copied keeps its holes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from rig import snapshots
from rig.artifacts.kernel import RIG
from rig.errors import RigError
from rig.gpu.rows import gpu_row
from rig.guest.resume import pack
from rig.hold import holding
from rig.machine import snapshot
from rig.machine.ram import ProcessRam
from rig.options import Options
from rig.session import GuestConfig
from rig.snapshots import Shelf
from rig.stages import BOOTED, PRE_INSMOD, PROBED, canonical
from rig.store import MANIFEST, Store
from rig.ui import Reporter

MIB = 1 << 20


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A snapshot: 64 MiB of RAM with two pages of data, and a state."""
    with (tmp_path / snapshot.RAM).open("wb") as ram:
        ram.truncate(64 * MIB)
        for offset in (5 * MIB, 40 * MIB + 4096):
            ram.seek(offset)
            ram.write(os.urandom(4096))
    (tmp_path / snapshot.STATE).write_bytes(b"devices")
    (tmp_path / snapshot.LOGS[0]).write_text("[    0.000000] Booting Linux\n")
    snapshot.seal(tmp_path)
    return tmp_path


def overwrite(path: Path, offset: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(data)


def test_whole_snapshot_is_taken_twice(folder: Path) -> None:
    assert snapshot.intact(folder)
    assert snapshot.intact(folder)


@pytest.mark.parametrize("looked_at_before", [False, True])
@pytest.mark.parametrize(
    "harm",
    [
        lambda f: overwrite(f / snapshot.RAM, 5 * MIB + 17, b"\0\1"),
        lambda f: overwrite(f / snapshot.RAM, 20 * MIB, b"\1"),
        lambda f: os.truncate(f / snapshot.RAM, 63 * MIB),
        lambda f: overwrite(f / snapshot.STATE, 0, b"D"),
        lambda f: (f / snapshot.STATE).unlink(),
        lambda f: (f / snapshot.LOGS[0]).write_text("[    0.000000] Boot1ng Linux\n"),
        lambda f: (f / snapshot.LOGS[0]).unlink(),
        lambda f: (f / snapshot.SUMS).write_text("{"),
        lambda f: (f / snapshot.SUMS).write_text("{}"),
        lambda f: (f / snapshot.SUMS).write_text("[]"),
        lambda f: (f / snapshot.SUMS).unlink(),
    ],
)
def test_harm_is_seen(folder: Path, harm: Callable[[Path], None], looked_at_before: bool) -> None:
    if looked_at_before:
        assert snapshot.intact(folder)
        (folder / "verified").unlink()
    harm(folder)
    assert not snapshot.intact(folder)


def test_harm_behind_a_first_look_is_seen(folder: Path) -> None:
    assert snapshot.intact(folder)
    overwrite(folder / snapshot.RAM, 5 * MIB, b"harm")
    assert not snapshot.intact(folder)


def test_copy_has_the_content_and_the_holes(folder: Path) -> None:
    copy = folder / "copy"
    snapshot.own_ram(folder, copy)
    assert copy.read_bytes() == (folder / snapshot.RAM).read_bytes()
    assert copy.stat().st_blocks * 512 < 2 * MIB


def test_files_as_the_guest_reads_them() -> None:
    one, two = b"/a\x00\x00", b"xyz"
    assert pack({"/a": (b"\0\0", 0o600), "/b": (two, 0o644)}) == (
        b"\2\0\0\0\x80\1\0\0\2\0\0\0" + one + b"\2\0\0\0\xa4\1\0\0\3\0\0\0" + b"/b" + two
    )


MAPPER = """
import mmap, sys
with open(sys.argv[1], "rb") as file:
    ram = mmap.mmap(file.fileno(), 0, mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_WRITE)
ram[4096:4101] = b"mine!"
print("mapped", flush=True)
sys.stdin.readline()
print(ram[8192:8196].decode(), flush=True)
"""


@pytest.fixture
def child(folder: Path) -> Iterator[subprocess.Popen[str]]:
    argv = [sys.executable, "-c", MAPPER, str(folder / snapshot.RAM)]
    with subprocess.Popen(argv, stdin=-1, stdout=-1, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "mapped\n"
        yield process
        process.kill()


def test_ram_that_is_copied_on_write(folder: Path, child: subprocess.Popen[str]) -> None:
    path = folder / snapshot.RAM
    before = path.read_bytes()
    inode = path.stat().st_ino
    path.rename(folder / "moved")
    ram = ProcessRam(child.pid, inode, 0x4000_0000, 64 * MIB)
    assert ram.read(0x4000_1000, 5) == b"mine!"
    assert ram.find(b"mine!") == 0x4000_1000
    assert ram.find(b"nobody's") is None
    ram.write(0x4000_2000, b"ours")
    told, _ = child.communicate("go\n")
    assert told == "ours\n"
    assert (folder / "moved").read_bytes() == before
    ram.close()


def test_ram_that_is_not_mapped(folder: Path, child: subprocess.Popen[str]) -> None:
    with pytest.raises(RigError, match="not mapped"):
        ProcessRam(child.pid, (folder / snapshot.STATE).stat().st_ino, 0, 64 * MIB)


class Beds:
    """Test beds of names only."""

    def __init__(self, root: Path) -> None:
        for name in ("q", "i", "f", "m1", "m2", "r/rootfs.cpio"):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / "mcu").write_bytes(b"image")
        (root / "own-mcu").write_bytes(b"another image")
        self.root = root

    def bed(self, **differs: Any) -> Any:
        root = self.root
        options = Options(gpu=differs.get("gpu", "g610"), coherent=differs.pop("coherent", False))
        names = {
            "options": options, "root": None, "flavour": RIG,
            "qemu": root / "q", "image": root / "i", "modules": root / "m1",
            "firmware": root / "f", "rootfs": root / "r" / "rootfs.cpio",
            "mcu_firmware": root / "mcu", "ui": Reporter(), "gpu": gpu_row(options.gpu),
            "panthor": SimpleNamespace(build_id="aa"),
            "contract": SimpleNamespace(contract=SimpleNamespace(name="heap-name")),
            "builder": SimpleNamespace(store=Store(root / "cache")),
        }  # fmt: skip
        differs.pop("gpu", None)
        found = {**names, **differs}
        return SimpleNamespace(**found, mcu_image=lambda _gpu: found["mcu_firmware"])

    def key(self, stage: str, config: GuestConfig | None = None, **differs: Any) -> object:
        shelf = Shelf(self.bed(**differs), self.root / "run")
        return shelf.inputs(config or GuestConfig(), stage)


@pytest.fixture
def beds(tmp_path: Path) -> Beds:
    return Beds(tmp_path)


@pytest.mark.parametrize("stage", [BOOTED, PRE_INSMOD, PROBED])
@pytest.mark.parametrize("name", ["qemu", "image", "firmware"])
def test_what_is_below_every_stage_is_in_its_key(beds: Beds, stage: str, name: str) -> None:
    another: dict[str, Any] = {name: beds.root / "another"}
    assert beds.key(stage, **another) != beds.key(stage)


@pytest.mark.parametrize("stage", [BOOTED, PRE_INSMOD, PROBED])
def test_the_machine_is_in_every_key(beds: Beds, stage: str) -> None:
    plain = beds.key(stage)
    assert beds.key(stage, gpu="g310") != plain
    assert beds.key(stage, coherent=True) != plain
    for other in (GuestConfig(smp=1), GuestConfig("direct"), GuestConfig(gpu="g1-pro")):
        assert beds.key(stage, other) != plain
    assert beds.key(stage, rootfs=beds.root / "other" / "rootfs.cpio") != plain


def test_what_comes_with_the_driver_is_in_the_key_of_probed_only(beds: Beds) -> None:
    faults, image = GuestConfig(faults={"ping": 1}), GuestConfig(mcu_firmware=b"mine")
    base = SimpleNamespace(contract=SimpleNamespace(name="base"))
    for stage, matters in ((BOOTED, False), (PRE_INSMOD, False), (PROBED, True)):
        plain = beds.key(stage)
        assert (beds.key(stage, faults) != plain) == matters
        assert (beds.key(stage, image) != plain) == matters
        assert (beds.key(stage, mcu_firmware=beds.root / "own-mcu") != plain) == matters
        assert (beds.key(stage, modules=beds.root / "m2") != plain) == matters
        assert (beds.key(stage, panthor=SimpleNamespace(build_id="b")) != plain) == matters
        assert (beds.key(stage, contract=base) != plain) == matters


def test_stages_have_different_keys(beds: Beds) -> None:
    keys = [beds.key(stage) for stage in (BOOTED, PRE_INSMOD, PROBED)]
    assert all(keys.count(key) == 1 for key in keys)


def test_without_optee_there_is_nothing_before_panthor() -> None:
    assert canonical(PRE_INSMOD, "direct") == BOOTED
    assert canonical(PRE_INSMOD, "secure") == PRE_INSMOD


def test_the_oldest_snapshots_make_room(beds: Beds, monkeypatch: pytest.MonkeyPatch) -> None:
    store = beds.bed().builder.store
    for number, key in enumerate(("old", "middle", "new")):
        with store.publishing("snapshot-direct", key, {}) as out:
            (out / "ram").write_bytes(os.urandom(MIB))
        os.utime(store.path_of("snapshot-direct", key) / "manifest.json", (number, number))
    with store.publishing("image", "kernel", {}) as out:
        (out / "Image").write_bytes(os.urandom(MIB))
    monkeypatch.setattr(snapshots, "KEEP_BYTES", 5 * MIB // 2)
    Shelf(beds.bed(), beds.root).bound()
    left = {artifact.key for artifact, _used in store.artifacts()}
    assert left == {"middle", "new", "kernel"}


def test_a_snapshot_in_use_stays(beds: Beds, monkeypatch: pytest.MonkeyPatch) -> None:
    store = beds.bed().builder.store
    for number, key in enumerate(("held", "free", "new")):
        with store.publishing("snapshot-direct", key, {}) as out:
            (out / "ram").write_bytes(os.urandom(MIB))
        os.utime(store.path_of("snapshot-direct", key) / MANIFEST, (number, number))
    monkeypatch.setattr(snapshots, "KEEP_BYTES", MIB // 2)
    with holding(store.path_of("snapshot-direct", "held") / MANIFEST):
        Shelf(beds.bed(), beds.root).bound()
        assert {artifact.key for artifact, _used in store.artifacts()} == {"held", "new"}
    Shelf(beds.bed(), beds.root).bound()
    assert {artifact.key for artifact, _used in store.artifacts()} == {"new"}
