# SPDX-License-Identifier: GPL-2.0-or-later
"""The MCU through page tables in guest RAM: boot, requests, what it must refuse."""

from __future__ import annotations

from pathlib import Path

from tests.model.mcu import (
    CLEAR,
    GLB_HALT,
    GLB_IN,
    GLB_OUT,
    GLB_PING,
    JOB_IRQ,
    JOB_LINE,
    MASK,
    MCU_CONTROL,
    MCU_STATUS,
    PAGE,
    RAWSTAT,
    SHARED,
    STATUS_ENABLED,
    STATUS_FATAL,
    STATUS_HALT,
    Mcu,
    Queue,
    move32,
)
from tests.model.qtest import GPU, QTest

GLOBAL = 1 << 31
UART, RTC = 0x09000000, 0x09010000


def test_boot_publishes_the_interface(mcu: Mcu) -> None:
    qemu = mcu.qemu
    assert mcu.read(SHARED) == 0x01050000
    assert mcu.read(SHARED + 0x1000 + 0xC) == 0x3000  # suspend size
    assert mcu.read(SHARED + 0x1000 + 0x10) == 0x5000  # protected-mode suspend size
    assert qemu.read(GPU + JOB_IRQ + RAWSTAT) == GLOBAL
    qemu.write(GPU + JOB_IRQ + MASK, 0xFFFFFFFF)
    assert qemu.irq[JOB_LINE]
    (boot,) = qemu.events("mcu-boot")
    assert boot["ok"]


def test_suspend_sizes_are_properties(qemu_binary: Path) -> None:
    with QTest(qemu_binary, device="suspend-size=0x2000,protm-suspend-size=0x9000") as gpu:
        mcu = Mcu(gpu)
        assert mcu.boot() == STATUS_ENABLED
        assert mcu.read(SHARED + 0x1000 + 0xC) == 0x2000
        assert mcu.read(SHARED + 0x1000 + 0x10) == 0x9000


def test_boot_needs_the_shared_section(gpu: QTest) -> None:
    mcu = Mcu(gpu)
    mcu.vm.unmap(SHARED + PAGE)
    assert mcu.boot() == STATUS_FATAL
    (boot,) = gpu.events("mcu-boot")
    assert not boot["ok"]


def test_ping(mcu: Mcu) -> None:
    mcu.write(GLB_IN + 0x4, GLB_PING)
    mcu.qemu.write(GPU + JOB_IRQ + CLEAR, 0xFFFFFFFF)
    mcu.qemu.write(GPU + JOB_IRQ + MASK, 0xFFFFFFFF)
    for n in (1, 2, 3):
        mcu.toggle(GLB_PING)
        assert mcu.acknowledged(GLB_PING)
        assert mcu.qemu.irq[JOB_LINE]
        mcu.qemu.write(GPU + JOB_IRQ + CLEAR, GLOBAL)
        assert not mcu.qemu.irq[JOB_LINE]
        assert mcu.qemu.get("counter-pings") == n


def test_ping_fault_set_while_running(mcu: Mcu) -> None:
    mcu.qemu.set("fault-ping-never", 1)
    mcu.toggle(GLB_PING)
    assert not mcu.acknowledged(GLB_PING)
    mcu.qemu.set("fault-ping-never", 0)
    mcu.ring(0)
    assert mcu.acknowledged(GLB_PING)


def test_halt_and_reboot(mcu: Mcu) -> None:
    mcu.write(GLB_IN, mcu.read(GLB_IN) | GLB_HALT)
    mcu.ring(0)
    assert mcu.qemu.read(GPU + MCU_STATUS) == STATUS_HALT
    mcu.qemu.write(GPU + MCU_CONTROL, 0)
    assert mcu.qemu.read(GPU + MCU_STATUS) == 0
    mcu.write(GLB_IN, mcu.read(GLB_IN) & ~GLB_HALT)
    mcu.qemu.write(GPU + MCU_CONTROL, 2)
    assert mcu.qemu.read(GPU + MCU_STATUS) == STATUS_ENABLED


def test_page_tables_in_mmio_are_a_bus_error(gpu: QTest) -> None:
    """Nothing may be read from a device on behalf of the GPU's page walker."""
    mcu = Mcu(gpu)
    mcu.vm.root = GPU
    reads = gpu.get("counter-mmio-reads")
    assert mcu.boot() == STATUS_FATAL
    assert gpu.get("counter-mmio-reads") == reads + 1, "only the test's own MCU_STATUS read"


def test_pages_in_mmio_are_a_bus_error(qemu_binary: Path, tmp_path: Path) -> None:
    """The firmware's output page mapped at a serial port: no byte may come out of it."""
    serial = tmp_path / "serial"
    with QTest(qemu_binary, "-serial", f"file:{serial}") as gpu:
        mcu = Mcu(gpu)
        mcu.vm.map(GLB_OUT, UART)
        mcu.boot()
        mcu.toggle(GLB_PING)
        mcu.vm.map(GLB_OUT, RTC)
        before = gpu.memory(RTC, 0x20)
        mcu.boot()
        mcu.toggle(GLB_PING)
        assert gpu.memory(RTC, 0x20) == before
        gpu.write(UART, ord("x"))  # the serial port itself works
    assert serial.read_bytes() == b"x"


def test_stream_is_paced_by_virtual_time(qemu_binary: Path) -> None:
    with QTest(qemu_binary, device="cs-ips=1000") as gpu:
        queue = Queue(mcu := Mcu(gpu))
        assert mcu.boot() == STATUS_ENABLED
        queue.start([move32(1, n) for n in range(100)])
        assert queue.extract() < 20 * 8
        gpu.step(50_000_000)
        assert 40 * 8 <= queue.extract() <= 60 * 8
        gpu.step(60_000_000)
        assert queue.extract() == 100 * 8


def test_bus_error_of_a_stream_is_not_forwarded(qemu_binary: Path, tmp_path: Path) -> None:
    serial = tmp_path / "serial"
    with QTest(qemu_binary, "-serial", f"file:{serial}") as gpu:
        queue = Queue(mcu := Mcu(gpu))
        assert mcu.boot() == STATUS_ENABLED
        store = 21 << 56 | 1 << 48 | 2 << 40 | 1 << 16  # mem32[r2] = r1
        queue.start([move32(1, ord("y")), move32(2, 0x40000), move32(3, 0), store])
        queue.vm.map(0x40000, UART, PAGE)
        gpu.step(1_000_000_000)
        assert gpu.read(GPU + 0x20) & 1, "GPU_FAULT"
    assert serial.read_bytes() == b""


def test_late_answer_set_at_start_and_while_running(qemu_binary: Path) -> None:
    with QTest(qemu_binary, device="fault-boot-late=300") as gpu:
        mcu = Mcu(gpu)
        assert mcu.boot() == 0
        gpu.step(300_000)
        assert gpu.read(GPU + MCU_STATUS) == STATUS_ENABLED
        gpu.set("fault-ping-late", 500)
        mcu.toggle(GLB_PING)
        gpu.step(499_000)
        assert not mcu.acknowledged(GLB_PING)
        gpu.step(1_000)
        assert mcu.acknowledged(GLB_PING)


def test_wait_for_a_scoreboard_takes_its_time(qemu_binary: Path) -> None:
    """A store is told as done after async-ns; the stream's WAIT lasts as long."""
    store, wait = 21 << 56 | 1 << 48 | 2 << 40 | 1 << 16, 3 << 56 | 1 << 16
    with QTest(qemu_binary, device="cs-ips=0,async-ns=1000000") as gpu:
        queue = Queue(mcu := Mcu(gpu))
        assert mcu.boot() == STATUS_ENABLED
        queue.start([move32(2, queue.ring_va + 0x800), move32(3, 0), store, wait, 0])
        gpu.step(900_000)
        assert queue.extract() == 3 * 8
        gpu.step(200_000)
        assert queue.extract() == 5 * 8
