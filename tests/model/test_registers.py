# SPDX-License-Identifier: GPL-2.0-or-later
"""The device as QEMU's memory, lines and properties show it; no MCU needed."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.model.mcu import (
    CLEAR,
    GPU_CMD,
    GPU_ID,
    GPU_IRQ,
    GPU_LINE,
    JOB_IRQ,
    L2_PWRON,
    L2_READY,
    MASK,
    MCU_STATUS,
    RAWSTAT,
    STAT,
)
from tests.model.qtest import GPU, QTest, QTestError

G610 = 0xA8670005
RESET_COMPLETED, CLEAN_CACHES_COMPLETED = 1 << 8, 1 << 17
SOFT_RESET, FLUSH_CACHES = 0x101, 0x4 | 0x233 << 8
FLUSH_ID = 0x10000


def test_identity(gpu: QTest) -> None:
    assert gpu.read(GPU + GPU_ID) == G610
    assert gpu.read(GPU + MCU_STATUS) == 0
    assert gpu.read(GPU + 0x1FFFFC) == 0  # the last word of the window: unknown, reads 0


def test_line_follows_rawstat_and_mask(gpu: QTest) -> None:
    gpu.write(GPU + GPU_IRQ + RAWSTAT, RESET_COMPLETED)
    assert not gpu.irq.get(GPU_LINE), "masked: no line"
    gpu.write(GPU + GPU_IRQ + MASK, RESET_COMPLETED)
    assert gpu.irq[GPU_LINE]
    assert gpu.read(GPU + GPU_IRQ + STAT) == RESET_COMPLETED
    gpu.write(GPU + GPU_IRQ + MASK, 0)
    assert not gpu.irq[GPU_LINE], "a level, not a pulse: masking drops it"
    gpu.write(GPU + GPU_IRQ + MASK, RESET_COMPLETED)
    assert gpu.irq[GPU_LINE]
    gpu.write(GPU + GPU_IRQ + CLEAR, RESET_COMPLETED)
    assert not gpu.irq[GPU_LINE]
    assert gpu.read(GPU + GPU_IRQ + RAWSTAT) == 0


def test_every_line_is_its_own(gpu: QTest) -> None:
    for line, block in enumerate((JOB_IRQ, JOB_IRQ + 0x1000, GPU_IRQ)):
        gpu.write(GPU + block + MASK, 1)
        gpu.write(GPU + block + RAWSTAT, 1)
        assert [i for i, high in gpu.irq.items() if high] == [line]
        gpu.write(GPU + block + CLEAR, 1)


def test_soft_reset(gpu: QTest) -> None:
    gpu.write(GPU + L2_PWRON, 1)
    assert gpu.read(GPU + L2_READY) == 1
    gpu.write(GPU + GPU_IRQ + MASK, RESET_COMPLETED)
    gpu.write(GPU + JOB_IRQ + MASK, 0xFF)
    gpu.write(GPU + GPU_CMD, SOFT_RESET)
    assert gpu.irq[GPU_LINE]
    assert gpu.read(GPU + L2_READY) == 0
    assert gpu.read(GPU + JOB_IRQ + MASK) == 0xFF, "the driver waits across the reset"
    assert gpu.get("counter-resets") == 1


def test_flush_completes_and_moves_the_flush_id(gpu: QTest) -> None:
    before = gpu.read(GPU + FLUSH_ID)
    gpu.write(GPU + L2_PWRON, 1)
    gpu.write(GPU + GPU_CMD, FLUSH_CACHES)
    assert gpu.read(GPU + GPU_IRQ + RAWSTAT) & CLEAN_CACHES_COMPLETED
    assert gpu.read(GPU + FLUSH_ID) != before


def test_machine_reset_resets_the_device(gpu: QTest) -> None:
    """A device without a bus must see to its own reset."""
    gpu.write(GPU + L2_PWRON, 1)
    gpu.write(GPU + GPU_IRQ + MASK, RESET_COMPLETED)
    gpu.write(GPU + GPU_IRQ + RAWSTAT, RESET_COMPLETED)
    gpu.set("fault-ping-never", 3)
    gpu.qmp("system_reset")
    gpu.wait_event("RESET")
    assert gpu.read(GPU + L2_READY) == 0
    assert not gpu.irq[GPU_LINE]
    assert gpu.get("fault-ping-never") == 3, "the fault plan outlives a reset"


def test_faults_and_counters_are_properties(qemu_binary: Path) -> None:
    with QTest(qemu_binary, device="fault-boot-fail=2,fault-halt-never=1") as gpu:
        assert (gpu.get("fault-boot-fail"), gpu.get("fault-halt-never")) == (2, 1)
        gpu.set("fault-flush-never", 7)
        assert gpu.get("fault-flush-never") == 7
        names = {p["name"] for p in gpu.qmp("qom-list", path="/machine/peripheral/gpu")}
        assert {"counter-power-ons", "counter-violations", "counter-mmio-reads"} <= names
        reads = gpu.get("counter-mmio-reads")
        gpu.read(GPU)
        assert gpu.get("counter-mmio-reads") == reads + 1
        with pytest.raises(QTestError):
            gpu.set("counter-violations", 0)


@pytest.mark.parametrize(
    ("device", "complaint"),
    [("gpu=g4711", "unknown GPU"), ("fault-nonsense=1", "fault-nonsense"), ("cs-ips=x", "cs-ips")],
)
def test_wrong_property_is_refused(qemu_binary: Path, device: str, complaint: str) -> None:
    with pytest.raises(QTestError, match=complaint), QTest(qemu_binary, device=device):
        pass


def test_second_gpu_is_refused(qemu_binary: Path) -> None:
    extra = ("-device", "mali-csf,id=other")
    with pytest.raises(QTestError, match="only one mali-csf"), QTest(qemu_binary, *extra):
        pass


def test_events_are_ordered_json_lines(gpu: QTest) -> None:
    for _ in range(50):
        gpu.write(GPU + GPU_CMD, SOFT_RESET)
        gpu.step(1000)
    events = gpu.events()
    assert len(events) >= 50
    assert [e["seq"] for e in events] == sorted(e["seq"] for e in events)
    assert events[-1]["vns"] == 49_000


@pytest.mark.parametrize("seed", range(4))
def test_garbage_does_no_harm(gpu: QTest, seed: int) -> None:
    """Random writes everywhere; half of them to registers that exist, small values favoured."""
    chance = random.Random(seed)
    known = [0x20, 0x30, 0x1A0, 0x1E0, 0x700, 0x1000, 0x2000, *range(0x2400, 0x2600, 4), 0x80000]
    for _ in range(3000):
        offset = chance.choice(known) if chance.random() < 0.5 else chance.randrange(0, 0x200000, 4)
        value = chance.choice((chance.getrandbits(4), chance.getrandbits(32), 0x101, 2))
        gpu.write(GPU + offset, value)
        if chance.random() < 0.05:
            gpu.step(chance.randrange(1, 10_000_000))
    assert gpu.read(GPU + GPU_ID) == G610
    assert gpu.qmp("query-status")["running"]
