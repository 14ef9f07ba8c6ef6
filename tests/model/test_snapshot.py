# SPDX-License-Identifier: GPL-2.0-or-later
"""Migration: the whole state of the device goes into a file and on in a new process."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.model.mcu import (
    GLB_PING,
    JOB_IRQ,
    JOB_LINE,
    MASK,
    MCU_STATUS,
    STATUS_ENABLED,
    Mcu,
    Queue,
    move32,
)
from tests.model.qtest import GPU, QTest, QTestError

PACED = "cs-ips=1000"


def migrate(qemu: QTest, command: str, path: Path) -> None:
    """Run `migrate` or `migrate-incoming` to its end."""
    events = [{"capability": "events", "state": True}]
    qemu.qmp("migrate-set-capabilities", capabilities=events)
    qemu.qmp(command, uri=f"file:{path}")
    while (status := qemu.wait_event("MIGRATION")["status"]) != "completed":
        if status == "failed":
            raise QTestError(f"{command} failed")


def test_state_lines_timer_and_faults_come_back(qemu_binary: Path, tmp_path: Path) -> None:
    state = tmp_path / "state"
    with QTest(qemu_binary, device=PACED) as before:
        queue = Queue(mcu := Mcu(before))
        assert mcu.boot() == STATUS_ENABLED
        before.write(GPU + JOB_IRQ + MASK, 0xFFFFFFFF)
        assert before.irq[JOB_LINE]
        before.set("fault-flush-never", 5)
        queue.start([move32(1, n) for n in range(100)])
        now = before.step(50_000_000)
        done = queue.extract()
        assert 0 < done < 100 * 8, "the stream is in the middle"
        counters = before.get("counter-instructions")
        migrate(before, "migrate", state)
    with QTest(qemu_binary, "-incoming", "defer", device=PACED) as after:
        after.command("clock_set", now)  # qtest's clock is not part of the state
        migrate(after, "migrate-incoming", state)
        mcu.qemu = mcu.memory.qemu = after
        assert after.read(GPU + MCU_STATUS) == STATUS_ENABLED
        assert after.irq[JOB_LINE]
        assert after.get("fault-flush-never") == 5
        assert after.get("counter-instructions") == counters
        assert queue.extract() == done
        after.step(60_000_000)
        assert queue.extract() == 100 * 8, "the pending timer fired"
        mcu.toggle(GLB_PING)
        assert mcu.acknowledged(GLB_PING)


def test_state_of_another_gpu_is_refused(qemu_binary: Path, tmp_path: Path) -> None:
    state = tmp_path / "state"
    with QTest(qemu_binary) as before:
        migrate(before, "migrate", state)
    other = QTest(qemu_binary, "-incoming", "defer", device="gpu=g310")
    with pytest.raises(QTestError), other as after:
        migrate(after, "migrate-incoming", state)
    assert "the saved state is of another GPU" in other.stderr
