# SPDX-License-Identifier: GPL-2.0-or-later
"""Protected mode without a kernel: each edge of the state machine, and the log it must leave."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.model.group import PROT_SIZE, PROT_VA, RESUME, SUSPEND, Group, Protected, told
from tests.model.mcu import CLEAR, GLB_PING, GPU_IRQ, JOB_IRQ, RAWSTAT, Mcu, move32
from tests.model.qtest import GPU, Event, QTest

NOP = 0
STORE = 21 << 56 | 1 << 48 | 2 << 40 | 1 << 16
"""mem32[r2] = r1"""
SLICE_NS = 1_000_000
GLOBAL, GROUP_0 = 1 << 31, 1
PEND = ["cs-blocked csg=0 cs=0 why=protm", "protm-pend csg=0 cs=0"]
FIELDS = ("csg", "cs", "why", "streams", "acked", "reason", "unfinished", "saved", "name", "kind",
          "rule", "cmd", "code")  # fmt: skip


def region(size: int) -> int:
    return 41 << 56 | size


class Rig:
    """A booted device, 1,000 instructions a second, its protected section mapped."""

    def __init__(self, qemu: QTest) -> None:
        self.qemu = qemu
        self.mcu = Mcu(qemu)
        self.mcu.vm.map(PROT_VA, self.mcu.memory.take(PROT_SIZE), PROT_SIZE)
        assert self.mcu.boot() == 1
        self.protected = Protected(self.mcu)
        self._seen = 0

    def group(self, slot: int, *programs: list[int]) -> Group:
        group = Group(self.mcu, slot, *programs)
        self.run(50)
        return group

    def run(self, instructions: int) -> None:
        """Virtual time for so many."""
        for _ in range(instructions):
            self.qemu.step(SLICE_NS)

    def log(self) -> list[str]:
        """What is new in the log."""
        events: list[Event] = self.qemu.events()[self._seen :]
        self._seen += len(events)
        return told(events, *FIELDS)

    def interrupts(self) -> int:
        return self.qemu.read(GPU + JOB_IRQ + RAWSTAT)

    def clear(self, bits: int) -> None:
        self.qemu.write(GPU + JOB_IRQ + CLEAR, bits)


@pytest.fixture
def rig(qemu_binary: Path) -> Iterator[Rig]:
    with QTest(qemu_binary, device="cs-ips=1000") as qemu:
        yield Rig(qemu)


def waiting(rig: Rig, size: int = 4, tail: int = 6) -> Group:
    """A group whose stream waits at a region; the log is read, its event not acknowledged."""
    group = rig.group(0, [region(size), *[move32(4, n) for n in range(size + tail)]])
    assert group.pending(0)
    assert rig.log()[-2:] == PEND
    return group


def inside(rig: Rig, size: int = 40) -> Group:
    """The same in protected mode, in the middle of the region."""
    group = waiting(rig, size)
    group.acknowledge(0)
    assert rig.protected.enter()
    rig.run(10)
    assert rig.protected.active
    assert rig.log() == ["glb-req name=protm-enter", "protm-enter csg=0 streams=1 acked=True"]
    return group


EXIT = ["reset kind=fast"]
TOLD = ["glb-event name=protm-exit"]


def test_request_is_told_once(rig: Rig) -> None:
    group = waiting(rig)
    rig.clear(0xFFFFFFFF)
    group.kick()
    rig.mcu.ring(1)
    rig.run(20)
    assert group.extract() == 0
    assert rig.log() == []
    assert rig.interrupts() == 0
    group.acknowledge(0)
    rig.run(20)
    assert not group.pending(0)
    assert rig.log() == []


def test_acknowledgement_is_sampled_at_the_entry(rig: Rig) -> None:
    group = waiting(rig)
    assert not rig.protected.enter()
    refused = ["glb-req name=protm-enter",
               "protm-enter csg=0 streams=0 acked=False reason=no-stream",
               "violation rule=protm-enter"]  # fmt: skip
    assert rig.log() == refused
    group.acknowledge(0)  # too late for that request
    rig.mcu.ring(0)
    assert not rig.protected.active
    assert rig.log() == []
    rig.protected.take_back()
    assert rig.protected.enter()
    assert rig.protected.active
    assert rig.log() == ["glb-req name=protm-enter", "protm-enter csg=0 streams=1 acked=True"]


def test_only_acknowledged_streams_go_in(rig: Rig) -> None:
    group = rig.group(0, [region(4), *[NOP] * 8], [region(4), *[NOP] * 8])
    assert group.pending(0) and group.pending(1)
    group.acknowledge(1)
    rig.log()
    assert rig.protected.enter()
    rig.run(20)
    assert rig.log() == ["glb-req name=protm-enter", "protm-enter csg=0 streams=2 acked=True",
                         "protm-exit csg=0 why=end unfinished=0", *EXIT, *TOLD]  # fmt: skip
    assert (group.extract(0), group.extract(1)) == (0, 9)
    assert group.pending(0), "its event still stands"


def test_other_groups_are_suspended_and_come_back(rig: Rig) -> None:
    group = waiting(rig)
    other = rig.group(1, [move32(4, n) for n in range(200)])
    done = other.extract()
    group.acknowledge(0)
    rig.log()
    assert rig.protected.enter()
    assert other.state() == SUSPEND
    assert rig.log() == ["glb-req name=protm-enter", "protm-enter csg=0 streams=1 acked=True",
                         "csg-suspend csg=1 saved=True"]  # fmt: skip
    rig.run(20)
    assert rig.log() == ["protm-exit csg=0 why=end unfinished=0", *EXIT, *TOLD]
    assert other.extract() - done <= 1, "it stood still"
    other.kick()
    assert other.state() == 1
    assert rig.log() == ["csg-resume csg=1 streams=1"]
    rig.run(20)
    assert other.extract() > done + 10


def test_end_of_the_region(rig: Rig) -> None:
    group = waiting(rig, size=4, tail=6)
    group.acknowledge(0)
    rig.clear(0xFFFFFFFF)
    assert rig.protected.enter()
    assert rig.protected.active
    rig.clear(0xFFFFFFFF)
    rig.run(20)
    assert not rig.protected.active
    assert rig.protected.exit_told
    assert rig.interrupts() & GLOBAL
    assert group.extract() == 11, "what follows the region runs in normal mode"
    assert rig.log()[-3:] == ["protm-exit csg=0 why=end unfinished=0", *EXIT, *TOLD]


def test_ping_ends_it_and_the_rest_is_saved(rig: Rig) -> None:
    group = inside(rig)
    rig.mcu.toggle(GLB_PING)
    assert rig.mcu.acknowledged(GLB_PING)
    assert not rig.protected.active
    log = rig.log()
    assert log == ["protm-suspend csg=0 streams=1 saved=True",
                   "protm-exit csg=0 why=ping unfinished=1", *EXIT, "protm-pend csg=0 cs=0",
                   *TOLD, "ping"]  # fmt: skip
    assert group.pending(0), "asked for again"
    rig.run(20)
    group.acknowledge(0)
    rig.protected.acknowledge_exit()
    assert rig.protected.enter()
    rig.run(60)
    assert rig.log() == ["glb-req name=protm-enter", "protm-enter csg=0 streams=1 acked=True",
                         "protm-exit csg=0 why=end unfinished=0", *EXIT, *TOLD]  # fmt: skip
    assert group.extract() == 47


def test_any_request_ends_it(rig: Rig) -> None:
    inside(rig)
    rig.mcu.toggle(1 << 9)  # FWCFG_UPDATE
    log = rig.log()
    assert "protm-exit csg=0 why=request unfinished=1" in log
    assert log[-1] == "glb-req name=fwcfg-update"


def test_update_of_a_group_ends_it(rig: Rig) -> None:
    group = inside(rig)
    group.request(SUSPEND)
    log = rig.log()
    assert "protm-exit csg=0 why=csg-update unfinished=1" in log
    assert log[-1] == "csg-suspend csg=0 saved=True"
    group.mcu.write(group.csg_in + 0x8, 1)
    group.request(RESUME)
    rig.run(2)
    assert rig.log() == ["csg-resume csg=0 streams=1", "protm-pend csg=0 cs=0"]


def test_address_space_commands_wait_for_the_exit(rig: Rig) -> None:
    inside(rig)
    rig.qemu.write(GPU + 0x2400 + 0x40 + 0x18, 4)
    assert rig.qemu.read(GPU + 0x2400 + 0x40 + 0x28) == 1, "AS_STATUS: active"
    assert rig.log() == ["violation rule=as-command-in-protm"]
    rig.mcu.toggle(GLB_PING)
    assert rig.qemu.read(GPU + 0x2400 + 0x40 + 0x28) == 0
    log = rig.log()
    assert log.index("as-cmd cmd=FLUSH_PT") > log.index("protm-exit csg=0 why=ping unfinished=1")


def test_page_fault_ends_it(rig: Rig) -> None:
    group = rig.group(0, [region(9), move32(2, 0x700000), move32(3, 0), STORE, *[NOP] * 9])
    group.acknowledge(0)
    rig.log()
    assert rig.protected.enter()
    rig.run(20)
    assert not rig.protected.active
    assert rig.log() == ["glb-req name=protm-enter", "protm-enter csg=0 streams=1 acked=True",
                         "mmu-fault code=194", "protm-suspend csg=0 streams=1 saved=True",
                         "protm-exit csg=0 why=fault unfinished=1", *EXIT,
                         "protm-pend csg=0 cs=0", *TOLD]  # fmt: skip


def test_bus_fault_is_protm_fault(rig: Rig) -> None:
    uart = 0x09000000
    group = rig.group(0, [region(9), move32(2, 0x700000), move32(3, 0), STORE, *[NOP] * 9])
    group.vm.map(0x700000, uart)
    group.acknowledge(0)
    rig.log()
    assert rig.protected.enter()
    rig.run(20)
    assert rig.qemu.read(GPU + GPU_IRQ + RAWSTAT) & 3 == 2, "PROTM_FAULT, not GPU_FAULT"
    log = rig.log()
    assert log[2:] == ["gpu-fault code=128", "protm-fault csg=0 cs=0",
                       "cs-fatal csg=0 cs=0 code=72", "protm-exit csg=0 why=fault unfinished=0",
                       *EXIT, *TOLD]  # fmt: skip


def test_unmapped_section_refuses_the_entry(rig: Rig) -> None:
    group = waiting(rig)
    group.acknowledge(0)
    rig.mcu.vm.unmap(PROT_VA + 0x3000)
    rig.qemu.write(GPU + 0x2400 + 0x18, 4)
    rig.log()
    assert not rig.protected.enter()
    assert rig.log()[-1] == "protm-enter csg=0 streams=1 acked=False reason=section-unmapped"
    assert not rig.protected.active


def test_spurious_exit(rig: Rig) -> None:
    waiting(rig)
    rig.qemu.set("fault-protm-exit-spurious", 1)
    rig.clear(0xFFFFFFFF)
    rig.mcu.ring(0)
    assert rig.protected.exit_told
    assert rig.interrupts() & GLOBAL
    assert rig.log() == ["protm-exit csg=0 why=spurious unfinished=0", *TOLD]
    rig.mcu.ring(0)
    assert rig.log() == []


def test_second_exit_waits_for_the_first_acknowledgement(rig: Rig) -> None:
    group = inside(rig)
    rig.mcu.toggle(GLB_PING)
    group.acknowledge(0)  # PROTM_EXIT is left alone
    assert rig.protected.enter()
    rig.run(5)
    rig.log()
    rig.mcu.toggle(GLB_PING)
    assert [e for e in rig.log() if e.startswith(("protm-exit", "glb-event"))] == [
        "protm-exit csg=0 why=ping unfinished=1"
    ]
    assert rig.protected.exit_told, "the first still stands"
    rig.protected.acknowledge_exit()
    assert rig.protected.exit_told, "and now the second is told"
    assert rig.log() == TOLD
    rig.protected.acknowledge_exit()
    assert not rig.protected.exit_told
    rig.mcu.toggle(GLB_PING)
    assert rig.log() == ["ping"], "nothing to leave"


@pytest.mark.parametrize("first", ["group", "global"])
def test_events_can_be_handled_in_both_orders(rig: Rig, first: str) -> None:
    group = inside(rig)
    rig.clear(0xFFFFFFFF)
    rig.mcu.toggle(GLB_PING)
    assert rig.interrupts() & (GLOBAL | GROUP_0) == GLOBAL | GROUP_0
    rig.log()
    steps: list[tuple[int, Callable[[], None]]] = [
        (GROUP_0, lambda: group.acknowledge(0)),
        (GLOBAL, rig.protected.acknowledge_exit),
    ]
    for bits, handle in steps if first == "group" else reversed(steps):
        rig.clear(bits)
        handle()
    assert rig.interrupts() & (GLOBAL | GROUP_0) == 0
    assert not group.pending(0) and not rig.protected.exit_told
    assert rig.log() == []
    assert rig.protected.enter(), "the acknowledgement holds for the next entry"
    rig.run(60)
    assert group.extract() == 47


def test_reset_ends_it_without_a_word(rig: Rig) -> None:
    inside(rig)
    rig.qemu.write(GPU + 0x30, 0x101)
    assert not rig.protected.active
    assert "protm-exit csg=0 why=reset unfinished=1" in rig.log()
