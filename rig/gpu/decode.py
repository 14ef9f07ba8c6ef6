# SPDX-License-Identifier: MIT
"""What lies in a guest's memory as the GPU sees it: page tables, streams, the shared section.

Everything is read past the guest by `Read`; nothing is asked of the driver or the device but
the device's log, which tells the page tables of each address space. Formats: VMSAv8-64 with
4 KiB pages (io-pgtable-arm.c), the interface of the firmware (panthor_fw.h).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from rig.errors import usage
from rig.gpu.events import Event

Read = Callable[[int, int], bytes]
"""(physical address, bytes) → content."""

PAGE = 4096
LEVELS = 4
MCU_AS = 0
_AARCH64_4K = 6
"""AS_TRANSCFG mode (panthor_mmu_regs.h)."""
_VALID, _TABLE = 1, 2
_READ_ONLY, _ACCESSED, _NO_EXEC = 1 << 7, 1 << 10, 3 << 53
_ADDRESS = 0xFFFF_FFFF_F000
GROUPS_AT = 0x1000
"""Of the first group's control block in the shared section (panthor_fw.c, CSF_GROUP_CONTROL)."""
MAX_GROUPS = 31
_STATES = ("TERMINATE", "START", "SUSPEND", "RESUME")
_GLB_BITS = {0: "HALT", 1: "CFG_PROGRESS_TIMER", 2: "CFG_ALLOC_EN", 3: "CFG_POWEROFF_TIMER",
             4: "PROTM_ENTER", 5: "PERFCNT_EN", 6: "PERFCNT_SAMPLE", 7: "COUNTER_EN", 8: "PING",
             9: "FWCFG_UPDATE", 10: "IDLE_EN", 23: "PROTM_EXIT", 26: "IDLE"}  # fmt: skip
_CSG_BITS = {4: "ENDPOINT_CONFIG", 5: "STATUS_UPDATE", 28: "SYNC_UPDATE", 29: "IDLE",
             31: "PROGRESS_TIMER"}  # fmt: skip


def spaces(events: Iterable[Event]) -> dict[int, int]:
    """Address space → physical address of its top table, after the last of these events."""
    found: dict[int, int] = {}
    for event in events:
        if event.kind == "reset" and event["kind"] != "fast":
            found.clear()
        elif event.kind == "as-cmd" and event["cmd"] == "UPDATE":
            found.pop(event["as"], None)
            if event["mode"] == _AARCH64_4K:
                found[event["as"]] = event["base"]
    return found


@dataclass(frozen=True)
class Step:
    """One descriptor on the way to a page."""

    level: int
    at: int
    """Physical address of the descriptor."""
    value: int

    @property
    def meaning(self) -> str:
        """table, page, block, or invalid."""
        if not self.value & _VALID or (self.level in (0, 3) and not self.value & _TABLE):
            return "invalid"
        if self.level == LEVELS - 1:
            return "page"
        return "table" if self.value & _TABLE else "block"

    @property
    def perm(self) -> str:
        """Of a page or block: r, w, x."""
        write = "" if self.value & _READ_ONLY else "w"
        return "r" + write + ("" if self.value & _NO_EXEC else "x")


@dataclass(frozen=True)
class Walk:
    """One translation."""

    va: int
    steps: tuple[Step, ...]

    @property
    def pa(self) -> int | None:
        """The physical address; None: nothing is mapped there."""
        last = self.steps[-1]
        if last.meaning not in ("page", "block") or not last.value & _ACCESSED:
            return None
        inside = (1 << _shift(last.level)) - 1
        return (last.value & _ADDRESS & ~inside) | (self.va & inside)

    def text(self) -> str:
        """One line a level, then the outcome."""
        lines = [
            f"  level {step.level}  {step.at:#012x}: {step.value:#018x}  {step.meaning}"
            for step in self.steps
        ]
        last, pa = self.steps[-1], self.pa
        if pa is not None:
            end = (
                f"  {pa:#x}, {last.perm}, in a {last.meaning} of {1 << _shift(last.level):#x} bytes"
            )
        elif last.meaning == "invalid":
            end = f"  not mapped: TRANSLATION_FAULT at level {last.level}"
        else:
            end = f"  not mapped: ACCESS_FLAG at level {last.level}"
        return "\n".join([f"{self.va:#x}", *lines, end, ""])


def _shift(level: int) -> int:
    return 12 + 9 * (LEVELS - 1 - level)


def walk(read: Read, table: int, va: int) -> Walk:
    """Walk the tables whose top is at the physical address `table`."""
    steps: list[Step] = []
    for level in range(LEVELS):
        at = table + ((va >> _shift(level)) & 511) * 8
        (value,) = struct.unpack("<Q", read(at, 8))
        steps.append(Step(level, at, value))
        if steps[-1].meaning != "table":
            break
        table = value & _ADDRESS
    return Walk(va, tuple(steps))


def fetch(read: Read, table: int, va: int, length: int) -> bytes:
    """`length` bytes at a GPU address. Raises `RigError` (USAGE) where nothing is mapped."""
    parts: list[bytes] = []
    while length > 0:
        pa = walk(read, table, va).pa
        if pa is None:
            raise usage(f"{va:#x} is not mapped in this address space", "`rig decode walk`")
        part = read(pa, min(length, PAGE - va % PAGE))
        parts.append(part)
        va, length = va + len(part), length - len(part)
    return b"".join(parts)


# ---- the shared section


def shared(read: Read, table: int, va: int) -> str:
    """The firmware's interface: versions, and each slot's requests against their answers."""

    def words(at: int, count: int) -> Sequence[int]:
        return struct.unpack(f"<{count}I", fetch(read, table, at, 4 * count))

    version, features, entry, answer, groups, stride = words(va, 6)
    if not version or groups > MAX_GROUPS:
        raise usage(f"there is no firmware interface at {va:#x}: version {version:#x}, "
                    f"{groups} groups", "has the MCU booted?")  # fmt: skip
    lines = [
        f"interface {version >> 24}.{version >> 16 & 255}.{version & 0xFFFF}, features "
        f"{features:#x}, {groups} groups",
        f"GLB    {_pending(words(entry, 1)[0], words(answer, 1)[0], _GLB_BITS)}",
    ]
    for number in range(groups):
        control = words(va + GROUPS_AT + number * stride, 7)
        asked, told = words(control[1], 1)[0], words(control[2], 1)[0]
        lines.append(f"CSG {number}  {_state(asked, told)}{_pending(asked, told, _CSG_BITS)}")
    return "\n".join([*lines, ""])


def _state(asked: int, told: int) -> str:
    wanted, done = (_STATES[word & 3] for word in (asked, told))
    return f"{done:<9}  " if wanted == done else f"{done} → {wanted}  "


def _pending(asked: int, told: int, names: dict[int, str]) -> str:
    differ = [name for bit, name in names.items() if (asked ^ told) >> bit & 1]
    return f"req {asked:#010x} ack {told:#010x}" + (f"  differ: {' '.join(differ)}" * bool(differ))
