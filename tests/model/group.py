# SPDX-License-Identifier: GPL-2.0-or-later
"""Groups on slots, with several streams, and protected mode: the host's side through `QTest`."""

from __future__ import annotations

import struct

from tests.model.mcu import (
    CS_IN,
    CSG_ENDPOINT_CONFIG,
    CSG_IN,
    CSG_OUT,
    CSG_START,
    GLB_IN,
    GLB_OUT,
    PAGE,
    SHARED,
    SHARED_SIZE,
    AddressSpace,
    Mcu,
)
from tests.model.qtest import GPU, Event

CS_OUT = SHARED + 0x7200
PROT_VA, PROT_SIZE = 0x03000000, 0x40000
"""The protected section of all public images."""
GPU_STATUS, PROTM_ACTIVE = 0x34, 1 << 7
PROTM_ENTER, PROTM_EXIT = 1 << 4, 1 << 23
PROTM_PENDING, CS_FATAL, CS_FAULT = 1 << 27, 1 << 30, 1 << 31
STATE, SUSPEND, RESUME = 7, 2, 3


class Group:
    """A group with one ring of a page for each stream, on slot `slot` in address space `slot` + 1.

    Offsets: panthor_fw.h of 7.3.4; order of the writes: panthor_sched.c:1184-1472.
    """

    def __init__(self, mcu: Mcu, slot: int, *programs: list[int]) -> None:
        self.mcu, self.slot = mcu, slot
        self.csg_in, self.csg_out = CSG_IN + slot * 0x80, CSG_OUT + slot * 0x40
        self.io = SHARED + SHARED_SIZE + slot * 0x100000
        self.vm = AddressSpace(mcu.memory)
        for stream, program in enumerate(programs):
            self._stream(stream, program)
        self.streams = len(programs)
        suspend = self.io + 0x80000
        mcu.vm.map(suspend, mcu.memory.take(16 * PAGE), 16 * PAGE)
        self.vm.activate(slot + 1)
        mcu.write64(self.csg_in + 0x40, suspend)
        mcu.write64(self.csg_in + 0x48, suspend + 8 * PAGE)
        mcu.write(self.csg_in + 0x50, slot + 1)
        mcu.write(self.csg_in + 0x4, 0xFFFFFFFF)
        mcu.write(self.csg_in + 0x8, (1 << self.streams) - 1)
        mcu.write(self.csg_in, CSG_START | CSG_ENDPOINT_CONFIG)
        self.kick()

    def _stream(self, stream: int, program: list[int]) -> None:
        mcu, at, io = self.mcu, self.cs_in(stream), self.io + stream * 2 * PAGE
        ring = mcu.memory.take(PAGE)
        self.vm.map(0x10000 + stream * PAGE, ring)
        mcu.qemu.fill(ring, struct.pack(f"<{len(program)}Q", *program))
        mcu.vm.map(io, mcu.memory.take(2 * PAGE), 2 * PAGE)
        mcu.write64(io, len(program) * 8)
        mcu.write64(at + 0x10, 0x10000 + stream * PAGE)
        mcu.write(at + 0x18, PAGE)
        mcu.write64(at + 0x30, io)
        mcu.write64(at + 0x38, io + PAGE)
        mcu.write(at + 0x4, (self.slot + 1) << 8)
        mcu.write(at + 0xC, 0xFFFFFFFF)
        mcu.write(at, 1)

    def cs_in(self, stream: int) -> int:
        return CS_IN + self.slot * 0x400 + stream * 0x80

    def cs_ack(self, stream: int) -> int:
        return self.mcu.read(CS_OUT + self.slot * 0x800 + stream * 0x100)

    def kick(self) -> None:
        """The group's bit in GLB's doorbell_req, and doorbell 0."""
        acked = self.mcu.read(GLB_OUT + 0x8)
        self.mcu.write(GLB_IN + 0x8, acked ^ 1 << self.slot)
        self.mcu.ring(0)

    def request(self, state: int) -> None:
        if state == RESUME:  # the host says where each ring goes on
            for stream in range(self.streams):
                ring = self.io + stream * 2 * PAGE
                self.mcu.write64(ring + 8, self.mcu.read64(ring + PAGE))
        self.mcu.write(self.csg_in, self.mcu.read(self.csg_in) & ~STATE | state)
        self.kick()

    def state(self) -> int:
        """What CSG_ACK says."""
        return self.mcu.read(self.csg_out) & STATE

    def pending(self, stream: int, event: int = PROTM_PENDING) -> bool:
        """Whether the stream has an event that the host has not acknowledged."""
        return bool((self.mcu.read(self.cs_in(stream)) ^ self.cs_ack(stream)) & event)

    def acknowledge(self, stream: int, event: int = PROTM_PENDING) -> None:
        """In CS_REQ, and by the stream's and the group's doorbells."""
        at = self.cs_in(stream)
        self.mcu.write(at, self.mcu.read(at) & ~event | self.cs_ack(stream) & event)
        self.mcu.write(self.csg_in + 0xC, self.mcu.read(self.csg_out + 0xC))
        self.mcu.write(self.csg_in + 0x8, self.mcu.read(self.csg_out + 0x8) ^ 1 << stream)
        self.kick()

    def extract(self, stream: int = 0) -> int:
        """Instructions of the ring that have been executed."""
        return self.mcu.read64(self.io + stream * 2 * PAGE + PAGE) // 8


class Protected:
    """The host's requests about protected mode, and what the device tells of it."""

    def __init__(self, mcu: Mcu) -> None:
        self.mcu = mcu
        mcu.write(GLB_IN + 0x4, PROTM_ENTER | PROTM_EXIT)

    def enter(self) -> bool:
        """Toggle PROTM_ENTER; whether it is acknowledged."""
        self.mcu.toggle(PROTM_ENTER)
        return self.mcu.acknowledged(PROTM_ENTER)

    def take_back(self) -> None:
        """PROTM_ENTER as it was before."""
        at = self.mcu.read(GLB_IN)
        self.mcu.write(GLB_IN, at ^ (at ^ self.mcu.read(GLB_OUT)) & PROTM_ENTER)
        self.mcu.ring(0)

    @property
    def active(self) -> bool:
        return bool(self.mcu.qemu.read(GPU + GPU_STATUS) & PROTM_ACTIVE)

    @property
    def exit_told(self) -> bool:
        """Whether there is a PROTM_EXIT that the host has not acknowledged."""
        return not self.mcu.acknowledged(PROTM_EXIT)

    def acknowledge_exit(self) -> None:
        acked = self.mcu.read(GLB_OUT) & PROTM_EXIT
        self.mcu.write(GLB_IN, self.mcu.read(GLB_IN) & ~PROTM_EXIT | acked)
        self.mcu.ring(0)


def told(events: list[Event], *fields: str) -> list[str]:
    """The log in short: kind, and the named fields where an event has them."""
    return [
        " ".join([e["ev"], *(f"{name}={e[name]}" for name in fields if name in e)]) for e in events
    ]
