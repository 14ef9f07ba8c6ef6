# SPDX-License-Identifier: MIT
"""Restored guests: as good as booted ones, each its own, and never from a bad snapshot."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from rig import snapshots
from rig.deadlines import COMMAND_S, scaled
from rig.errors import FailureClass, RigError
from rig.guest.shell import sh
from rig.machine import snapshot
from rig.machine.launch import RAM_BASE
from rig.options import Options
from rig.scenarios.kit import RENDER_NODE, Scenario
from rig.session import GuestConfig, Session
from rig.snapshots import Shelf, opened
from rig.stages import BOOTED, PRE_INSMOD, PROBED
from rig.testbed import TestBed
from rig.ui import Reporter
from rig.verdict import oracles, seclog

PLANTED = "BUG: planted by a test"
SECURE, DIRECT = GuestConfig("secure"), GuestConfig("direct")


@pytest.fixture(scope="module")
def bed() -> TestBed:
    made = TestBed(Options(), Reporter())
    made.build_all()
    return made


@pytest.fixture
def own_snapshots(bed: TestBed, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Snapshots that no other rig on this machine uses; they are removed at the end."""
    kind = f"snapshot-test-{os.getpid()}-"
    monkeypatch.setattr(snapshots, "KIND", kind)
    yield
    for artifact, _used in bed.builder.store.artifacts():
        if artifact.name.startswith(kind):
            bed.builder.store.remove(artifact)
    for folder in (bed.builder.store.root / "store").glob(f"{kind}*"):
        folder.rmdir()


def require_clean(session: Session) -> None:
    oracles.token(session, session.shell)
    assert oracles.complaints(session, []) == []


def test_a_restored_guest_is_a_whole_guest(bed: TestBed, tmp_path: Path) -> None:
    with opened(bed, tmp_path / "guest", SECURE) as session:
        assert session.timings.keys() >= {"restore"}
        now = int(session.shell.run(["date", "+%s"], timeout=scaled(COMMAND_S)).output)
        assert abs(now - time.time()) < 30
        assert session.ssh.run(["id", "-u"], timeout=scaled(COMMAND_S)).output == "0\n"
        assert session.vm.console.run(["echo", "x"], timeout=scaled(COMMAND_S)).output == "x\n"
        log = seclog.parse(session.vm.secure_log())
        assert log.complete
        assert "Booting Linux" in session.vm.console_log()
        rig = Scenario(session)
        rig.load_optee()
        rig.load_panthor()
        rig.wait_bound()
        assert rig.lent(), "OP-TEE's log goes on where the snapshot's ends"
        require_clean(session)


def test_pre_insmod_has_the_heap_and_no_panthor(bed: TestBed, tmp_path: Path) -> None:
    with opened(bed, tmp_path / "guest", SECURE, PRE_INSMOD) as session:
        rig = Scenario(session)
        assert rig.exists("/dev/dma_heap/protected,secure-video")
        assert not rig.exists("/sys/module/panthor")
        require_clean(session)


@pytest.mark.parametrize("config", [SECURE, DIRECT], ids=["secure", "direct"])
def test_probed_remembers_what_the_gpu_saw(
    bed: TestBed, tmp_path: Path, config: GuestConfig
) -> None:
    with opened(bed, tmp_path / "guest", config, PROBED) as session:
        rig = Scenario(session)
        assert rig.exists(RENDER_NODE)
        assert session.gpu.read()[0].seq == 0
        assert rig.last_boot()["ok"]
        rig.check_build_id()
        with pytest.raises(RigError, match="used its GPU before"):  # nothing to begin from
            snapshots._require_untouched(session)
        done = rig.run("gpuctl", "job")
        assert "RESULT ok" in done.output
        require_clean(session)


def test_guests_of_one_snapshot_are_apart(bed: TestBed, tmp_path: Path) -> None:
    """Together, each with its own memory, randomness and key; the snapshot stays as it was."""
    origin = Shelf(bed, tmp_path).get(DIRECT, BOOTED)
    before = (origin / snapshot.RAM).stat()
    with ExitStack() as stack:
        one, two = (
            stack.enter_context(opened(bed, tmp_path / name, DIRECT)) for name in ("one", "two")
        )
        assert one.user_key != two.user_key
        for session in (one, two):
            assert session.ssh.run(["true"], timeout=scaled(COMMAND_S)).ok
        ask = ["dd", "if=/dev/urandom", "bs=16", "count=1", "status=none"]
        with ThreadPoolExecutor() as pool:
            said = list(pool.map(lambda s: s.agent.run(ask).stdout_bytes, (one, two)))
        assert len(set(said)) == 2
        end = RAM_BASE + (DIRECT.memory_mib << 20) - 16
        kept = two.vm.ram.read(end, 16)
        one.vm.ram.write(end, b"only in this one")
        assert one.vm.ram.read(end, 16) == b"only in this one"
        assert two.vm.ram.read(end, 16) == kept
    after = (origin / snapshot.RAM).stat()
    assert (before.st_mtime_ns, before.st_blocks) == (after.st_mtime_ns, after.st_blocks)
    assert snapshot.intact(origin)


def test_faults_come_with_the_guest_not_with_the_snapshot(bed: TestBed, tmp_path: Path) -> None:
    origin = Shelf(bed, tmp_path).get(DIRECT, BOOTED)
    config = GuestConfig("direct", {"boot-fail": 1})
    assert Shelf(bed, tmp_path).get(config, BOOTED) == origin
    with opened(bed, tmp_path / "guest", config) as session:
        assert session.vm.qmp.qom_get("/machine/peripheral/gpu", "fault-boot-fail") == 1


@pytest.mark.usefixtures("own_snapshots")
def test_a_guest_with_a_finding_is_not_kept(
    bed: TestBed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def plant(session: Session) -> None:
        sh(session.shell, f"echo '{PLANTED}' > /dev/kmsg", timeout=scaled(COMMAND_S), check=True)

    monkeypatch.setattr(snapshots, "_require_untouched", plant)
    with pytest.raises(RigError, match="planted") as told:
        Shelf(bed, tmp_path).get(DIRECT, BOOTED)
    assert told.value.failure is FailureClass.OOPS
    assert not any(a.name.startswith(snapshots.KIND) for a, _ in bed.builder.store.artifacts())


@pytest.mark.usefixtures("own_snapshots")
def test_bad_snapshots_are_made_again(bed: TestBed, tmp_path: Path) -> None:
    shelf = Shelf(bed, tmp_path / "making")
    origin = shelf.get(DIRECT, BOOTED)

    with (origin / snapshot.RAM).open("r+b") as ram:  # a flipped bit in what the guest used
        ram.seek(2 << 20)
        byte = ram.read(1)[0]
        ram.seek(2 << 20)
        ram.write(bytes([byte ^ 1]))
    harmed = (origin / snapshot.RAM).stat().st_ino
    assert shelf.get(DIRECT, BOOTED) == origin
    assert (origin / snapshot.RAM).stat().st_ino != harmed, "checksums"

    (origin / snapshot.STATE).write_bytes(b"Q" * (origin / snapshot.STATE).stat().st_size)
    snapshot.seal(origin)  # now the checksums are right, and QEMU has to find out
    harmed = (origin / snapshot.STATE).stat().st_ino
    assert shelf.get(DIRECT, PROBED) != origin
    assert (origin / snapshot.STATE).stat().st_ino != harmed, "what later ones are made from"

    (origin / snapshot.STATE).write_bytes(b"Q" * (origin / snapshot.STATE).stat().st_size)
    snapshot.seal(origin)
    with opened(bed, tmp_path / "guest", DIRECT) as session:
        assert session.timings["snapshot"] > 0
        require_clean(session)
