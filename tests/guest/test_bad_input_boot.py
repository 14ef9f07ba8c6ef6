# SPDX-License-Identifier: MIT
"""Guests that do not come up: half an image, half a flash, an init that stops."""

from __future__ import annotations

from pathlib import Path

import pytest

from rig.artifacts.cpio import CpioWriter
from rig.errors import FailureClass
from rig.testbed import TestBed
from rig.verdict.verdict import Outcome
from tests.guest.damage import check_told, fresh_bed, judge

SECURE = """
    @scenario()
    def test_nothing(rig: Scenario) -> None:
        rig.run("true")
"""
DIRECT = SECURE.replace("()\n", '(flavour="direct")\n', 1)


@pytest.fixture(autouse=True)
def short_boot(monkeypatch: pytest.MonkeyPatch) -> None:
    """A guest that says nothing is given up soon; one that boots takes 2 s."""
    monkeypatch.setattr("rig.session.BOOT_S", 6.0)


def half(path: Path, folder: Path) -> Path:
    """A copy of the first half of a file, in a folder of its own."""
    folder.mkdir()
    data = path.read_bytes()
    (folder / path.name).write_bytes(data[: len(data) // 2])
    return folder


@pytest.mark.parametrize("code", [SECURE, DIRECT], ids=["secure", "direct"])
def test_half_an_image(tmp_path: Path, code: str) -> None:
    bed = fresh_bed(cold=True)
    bed.image = half(bed.image / "Image", tmp_path / "image")
    verdict = judge(bed, tmp_path, code)
    assert (verdict.outcome, verdict.failure) == (Outcome.ERROR, FailureClass.BOOT)
    assert verdict.exit_code == 125
    check_told(verdict)


def test_half_a_flash_image(tmp_path: Path) -> None:
    bed = fresh_bed(cold=True)
    bed.firmware = half(bed.firmware / "flash.bin", tmp_path / "flash")
    verdict = judge(bed, tmp_path, SECURE)
    assert (verdict.outcome, verdict.failure) == (Outcome.ERROR, FailureClass.FIRMWARE)
    assert verdict.exit_code == 131
    assert "the firmware did not start the kernel; it said last: " in verdict.sentence
    check_told(verdict)


def with_script(bed: TestBed, folder: Path, guest_path: str, script: str) -> None:
    """Put a script into the guest's image, over what may be there."""
    more = CpioWriter()
    more.add_file(guest_path, f"#!/bin/sh\n{script}\n".encode(), mode=0o755)
    rootfs = folder / "rootfs.cpio"
    rootfs.write_bytes(bed.rootfs.read_bytes() + more.bytes())
    bed.rootfs = rootfs


def test_a_guest_that_stops_in_init(tmp_path: Path) -> None:
    """init runs /etc/rig/rc before it says that the guest is ready (guest/init)."""
    bed = fresh_bed(cold=True)
    script = "echo '<4>the hook waits for what never comes' > /dev/kmsg; sleep 999"
    with_script(bed, tmp_path, "etc/rig/rc", script)
    verdict = judge(bed, tmp_path, DIRECT)
    assert (verdict.outcome, verdict.failure) == (Outcome.ERROR, FailureClass.BOOT)
    assert verdict.exit_code == 125
    assert "the hook waits for what never comes" in verdict.sentence
    check_told(verdict)


def test_an_init_that_ends(tmp_path: Path) -> None:
    bed = fresh_bed(cold=True)
    with_script(bed, tmp_path, "init", "exit 3")
    verdict = judge(bed, tmp_path, DIRECT)
    assert (verdict.outcome, verdict.failure) == (Outcome.ERROR, FailureClass.BOOT)
    assert "Attempted to kill init! exitcode=0x00000300" in verdict.sentence
    check_told(verdict)
