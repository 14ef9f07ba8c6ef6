# SPDX-License-Identifier: GPL-2.0-or-later
"""The host's side of the GPU, as small as the tests need it, in guest RAM through `QTest`.

Page tables, the shared section of a firmware image, MCU boot, global requests,
and one group with one queue. Numbers: docs/mali-csf.md 1 to 5; offsets of the
firmware interface: panthor_fw.h of 7.3.4.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from tests.model.qtest import GPU, RAM, QTest

PAGE = 4096
GPU_ID, GPU_IRQ, GPU_CMD, L2_READY, L2_PWRON = 0x0, 0x20, 0x30, 0x160, 0x1A0
MCU_CONTROL, MCU_STATUS = 0x700, 0x704
JOB_IRQ, MMU_IRQ = 0x1000, 0x2000
RAWSTAT, CLEAR, MASK, STAT = 0x0, 0x4, 0x8, 0xC
JOB_LINE, MMU_LINE, GPU_LINE = 0, 1, 2
AS_BASE, AS_STRIDE = 0x2400, 0x40
DOORBELL, DOORBELL_STRIDE = 0x80000, 0x10000
STATUS_ENABLED, STATUS_HALT, STATUS_FATAL = 1, 2, 3

SHARED, SHARED_SIZE = 0x04000000, 0x10000
GLB_IN, GLB_OUT = SHARED + 0x2000, SHARED + 0x6000
GLB_HALT, GLB_PING = 1 << 0, 1 << 8
CSG_IN, CSG_OUT = SHARED + 0x3000, SHARED + 0x7000
CS_IN = SHARED + 0x3400
CSG_START, CS_START, CSG_ENDPOINT_CONFIG = 1, 1, 1 << 4


def shared_section() -> bytes:
    """The control blocks as all public images have them (docs/mali-csf.md 3.4)."""
    page = bytearray(SHARED_SIZE)
    struct.pack_into("<IIII", page, 0x8, GLB_IN, GLB_OUT, 8, 0xA0)
    struct.pack_into("<II", page, 0x1C, 0x71, 1)
    for csg in range(8):
        at = 0x1000 + csg * 0xA0
        struct.pack_into("<II", page, at + 0x4, CSG_IN + csg * 0x80, CSG_OUT + csg * 0x40)
        struct.pack_into("<II", page, at + 0x14, 8, 0xC)
        for cs in range(8):
            pages = (CS_IN + csg * 0x400 + cs * 0x80, SHARED + 0x7200 + csg * 0x800 + cs * 0x100)
            struct.pack_into("<II", page, at + 0x40 + cs * 0xC + 0x4, *pages)
    return bytes(page)


class Memory:
    """Guest RAM, handed out from the bottom."""

    def __init__(self, qemu: QTest) -> None:
        self.qemu = qemu
        self._next = RAM + 0x100000

    def take(self, length: int = PAGE) -> int:
        """Zeroed, page-aligned; its physical address."""
        at, self._next = self._next, self._next + (length + PAGE - 1) // PAGE * PAGE
        return at


class AddressSpace:
    """Page tables of one VM: four levels, 4 KiB pages, ARM LPAE stage 1."""

    TRANSCFG = 0x420001C6
    MEMATTR = 0x4C4C4C4C8C4C8F4C
    # AF, nG, AP unprivileged, inner shareable, write-back, page
    LEAF = 1 << 11 | 1 << 10 | 3 << 8 | 1 << 6 | 1 << 2 | 3

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self.root = memory.take()
        self._tables: dict[tuple[int, int], int] = {(0, 0): self.root}
        self._pages: dict[int, int] = {}

    def map(self, va: int, pa: int, length: int = PAGE) -> None:
        for offset in range(0, length, PAGE):
            self._pages[(va + offset) // PAGE] = pa + offset
            entry = self._table(3, va + offset) + (va + offset >> 12 & 511) * 8
            self._memory.qemu.fill(entry, struct.pack("<Q", pa + offset | self.LEAF))

    def unmap(self, va: int) -> None:
        entry = self._table(3, va) + (va >> 12 & 511) * 8
        self._memory.qemu.fill(entry, bytes(8))

    def _table(self, level: int, va: int) -> int:
        """Physical address of the table of `level` that covers `va`."""
        shift = 48 - 9 * level
        key = (level, va >> shift)
        if key not in self._tables:
            self._tables[key] = self._memory.take()
            above = self._table(level - 1, va) + (va >> shift & 511) * 8
            self._memory.qemu.fill(above, struct.pack("<Q", self._tables[key] | 3))
        return self._tables[key]

    def physical(self, va: int) -> int:
        return self._pages[va // PAGE] + va % PAGE

    def activate(self, number: int) -> None:
        """Program address space `number` and UPDATE it (panthor_mmu.c:608-621)."""
        at = GPU + AS_BASE + number * AS_STRIDE
        for offset, value in ((0x0, self.root), (0x8, self.MEMATTR), (0x30, self.TRANSCFG)):
            self._memory.qemu.write(at + offset, value & 0xFFFFFFFF)
            self._memory.qemu.write(at + offset + 4, value >> 32)
        self._memory.qemu.write(at + 0x18, 1)


class Mcu:
    """The microcontroller's address space with a shared section, and its requests."""

    def __init__(self, qemu: QTest) -> None:
        self.qemu = qemu
        self.memory = Memory(qemu)
        self.vm = AddressSpace(self.memory)
        self.shared = self.memory.take(SHARED_SIZE)
        self.vm.map(SHARED, self.shared, SHARED_SIZE)
        qemu.fill(self.shared, shared_section())

    def boot(self) -> int:
        """Power the L2, activate AS0, start; the resulting MCU_STATUS."""
        self.qemu.write(GPU + L2_PWRON, 1)
        self.vm.activate(0)
        self.qemu.write(GPU + MCU_CONTROL, 2)
        return self.qemu.read(GPU + MCU_STATUS)

    def read(self, va: int) -> int:
        return self.qemu.read(self.vm.physical(va))

    def read64(self, va: int) -> int:
        return self.read(va) | self.read(va + 4) << 32

    def write(self, va: int, value: int) -> None:
        self.qemu.write(self.vm.physical(va), value)

    def write64(self, va: int, value: int) -> None:
        self.write(va, value & 0xFFFFFFFF)
        self.write(va + 4, value >> 32)

    def toggle(self, bits: int) -> None:
        """Make `bits` of the global request differ from the acknowledgement, and ring."""
        self.write(GLB_IN, self.read(GLB_IN) & ~bits | ~self.read(GLB_OUT) & bits)
        self.ring(0)

    def acknowledged(self, bits: int) -> bool:
        return not (self.read(GLB_IN) ^ self.read(GLB_OUT)) & bits

    def ring(self, doorbell: int) -> None:
        self.qemu.write(GPU + DOORBELL + doorbell * DOORBELL_STRIDE, 1)


@dataclass
class Queue:
    """Group 0 with one stream, in address space 1 (sched.c:1184-1472)."""

    mcu: Mcu
    ring_va: int = 0x10000
    ring_size: int = PAGE
    io: int = SHARED + SHARED_SIZE
    """MCU VA of the ring's input page; the output page is the next one."""
    vm: AddressSpace = field(init=False)

    def start(self, instructions: list[int]) -> None:
        memory, mcu = self.mcu.memory, self.mcu
        self.vm = AddressSpace(memory)
        ring = memory.take(self.ring_size)
        self.vm.map(self.ring_va, ring, self.ring_size)
        mcu.qemu.fill(ring, struct.pack(f"<{len(instructions)}Q", *instructions))
        mcu.vm.map(self.io, memory.take(2 * PAGE), 2 * PAGE)
        mcu.write64(self.io, len(instructions) * 8)
        suspend = self.io + 2 * PAGE
        mcu.vm.map(suspend, memory.take(16 * PAGE), 16 * PAGE)
        self.vm.activate(1)
        self._program(suspend)

    def _program(self, suspend: int) -> None:
        mcu = self.mcu
        mcu.write64(CS_IN + 0x10, self.ring_va)
        mcu.write(CS_IN + 0x18, self.ring_size)
        mcu.write64(CS_IN + 0x30, self.io)
        mcu.write64(CS_IN + 0x38, self.io + PAGE)
        mcu.write(CS_IN + 0x4, 1 << 8)
        mcu.write(CS_IN + 0xC, 0xFFFFFFFF)
        mcu.write(CS_IN, CS_START)
        mcu.write64(CSG_IN + 0x40, suspend)
        mcu.write64(CSG_IN + 0x48, suspend + 8 * PAGE)
        mcu.write(CSG_IN + 0x50, 1)
        mcu.write(CSG_IN + 0x4, 0xFFFFFFFF)
        mcu.write(CSG_IN + 0x8, 1)
        mcu.write(CSG_IN, CSG_START | CSG_ENDPOINT_CONFIG)
        mcu.write(GLB_IN + 0x8, 1)
        mcu.ring(0)

    def extract(self) -> int:
        """Bytes of the ring that the stream has executed."""
        return self.mcu.read64(self.io + PAGE)


def move32(register: int, value: int) -> int:
    """MOVE32: register := value."""
    return 2 << 56 | register << 48 | value
