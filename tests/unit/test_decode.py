# SPDX-License-Identifier: MIT
"""`rig decode`: page tables, streams and the shared section, out of made-up memory."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from rig.cli.decode import SHARED_VA, command
from rig.errors import FailureClass, RigError
from rig.gpu import decode
from rig.gpu.events import Event
from rig.machine.launch import RAM_BASE

TOP, VA = RAM_BASE, 0x7FFF_0012_3000
RW, RO_NX = 0x703, 0x783 | 3 << 53
"""Valid, page, access flag, attributes."""


class Memory:
    """A few pages behind RAM_BASE, with tables made as they are needed."""

    def __init__(self) -> None:
        self.data = bytearray(1 << 20)
        self.free = TOP + decode.PAGE

    def read(self, address: int, length: int) -> bytes:
        return bytes(self.data[address - RAM_BASE : address - RAM_BASE + length])

    def write(self, address: int, *words: int, code: str = "Q") -> None:
        packed = struct.pack(f"<{len(words)}{code}", *words)
        self.data[address - RAM_BASE : address - RAM_BASE + len(packed)] = packed

    def page(self) -> int:
        self.free += decode.PAGE
        return self.free - decode.PAGE

    def map(self, va: int, pa: int, flags: int = RW, leaf: int = 3) -> None:
        table = TOP
        for level in range(leaf):
            at = table + ((va >> (39 - 9 * level)) & 511) * 8
            if not int.from_bytes(self.read(at, 8), "little"):
                self.write(at, self.page() | 3)
            table = int.from_bytes(self.read(at, 8), "little") & ~0xFFF
        self.write(table + ((va >> (39 - 9 * leaf)) & 511) * 8, pa | flags)


def test_a_page_is_found_through_four_levels() -> None:
    memory = Memory()
    memory.map(VA, RAM_BASE + 0x80000, RO_NX)
    found = decode.walk(memory.read, TOP, VA + 0x123)
    assert found.pa == RAM_BASE + 0x80123
    assert [step.meaning for step in found.steps] == ["table", "table", "table", "page"]
    assert "0x40080123, r, in a page of 0x1000 bytes" in found.text()


def test_a_block_of_2_mib() -> None:
    memory = Memory()
    memory.map(0x20_0000, 0x4020_0000, RW & ~2, leaf=2)
    found = decode.walk(memory.read, TOP, 0x21_2345)
    assert found.pa == 0x4021_2345
    assert "rwx, in a block of 0x200000 bytes" in found.text()


def test_what_is_not_mapped_is_a_fault_of_its_level() -> None:
    memory = Memory()
    memory.map(VA, RAM_BASE + 0x80000)
    assert "TRANSLATION_FAULT at level 3" in decode.walk(memory.read, TOP, VA + 0x1000).text()
    assert "TRANSLATION_FAULT at level 0" in decode.walk(memory.read, TOP, 0).text()
    memory.map(VA + 0x2000, RAM_BASE + 0x80000, RW & ~(1 << 10))
    found = decode.walk(memory.read, TOP, VA + 0x2000)
    assert found.pa is None
    assert "ACCESS_FLAG at level 3" in found.text()


def test_bytes_across_pages_that_are_apart() -> None:
    memory = Memory()
    memory.map(VA, RAM_BASE + 0x80000)
    memory.map(VA + 0x1000, RAM_BASE + 0x90000)
    memory.write(RAM_BASE + 0x80FF8, 0x1111)
    memory.write(RAM_BASE + 0x90000, 0x2222)
    data = decode.fetch(memory.read, TOP, VA + 0xFF8, 16)
    assert struct.unpack("<2Q", data) == (0x1111, 0x2222)
    with pytest.raises(RigError, match="is not mapped") as caught:
        decode.fetch(memory.read, TOP, VA + 0x1FF8, 16)
    assert caught.value.failure is FailureClass.USAGE


def update(space: int, base: int, mode: int = 6) -> Event:
    return Event(0, 0, "as-cmd", {"as": space, "cmd": "UPDATE", "base": base, "mode": mode})


def test_the_log_tells_the_tables_of_each_address_space() -> None:
    soft, fast = (Event(0, 0, "reset", {"kind": kind}) for kind in ("soft", "fast"))
    lock = Event(0, 0, "as-cmd", {"as": 2, "cmd": "LOCK", "base": 1, "size": 2})
    assert decode.spaces([update(0, 0x1000), update(1, 0x2000), lock]) == {0: 0x1000, 1: 0x2000}
    assert decode.spaces([update(1, 0x2000), update(1, 0, mode=1)]) == {}
    assert decode.spaces([update(1, 0x2000), fast]) == {1: 0x2000}
    assert decode.spaces([update(1, 0x2000), soft, update(0, 0x3000)]) == {0: 0x3000}


def interface(memory: Memory) -> None:
    """Version 1.5, two groups: one runs, one is asked to suspend; a ping is unanswered."""
    pa = RAM_BASE + 0x80000
    for page in range(4):
        memory.map(SHARED_VA + page * 0x1000, pa + page * 0x1000)
    memory.write(pa, 0x01050000, 7, SHARED_VA + 0x2000, SHARED_VA + 0x3000, 2, 0x100, code="I")
    memory.write(pa + 0x2000, 0x100, code="I")
    for number, (asked, told) in enumerate([(1, 1), (2, 1 | 1 << 29)]):
        at = 0x2100 + number * 0x100
        memory.write(pa + 0x1000 + number * 0x100, 0, SHARED_VA + at, SHARED_VA + at + 0x1000,
                     0, 0, 8, 0, code="I")  # fmt: skip
        memory.write(pa + at, asked, code="I")
        memory.write(pa + at + 0x1000, told, code="I")


def test_the_shared_section_tells_requests_and_answers() -> None:
    memory = Memory()
    interface(memory)
    glb, one, two = decode.shared(memory.read, TOP, SHARED_VA).splitlines()[1:]
    assert glb == "GLB    req 0x00000100 ack 0x00000000  differ: PING"
    assert one == "CSG 0  START      req 0x00000001 ack 0x00000001"
    assert two == "CSG 1  START → SUSPEND  req 0x00000002 ack 0x20000001  differ: IDLE"


def test_memory_without_an_interface_is_no_interface() -> None:
    memory = Memory()
    memory.map(SHARED_VA, RAM_BASE + 0x80000)
    with pytest.raises(RigError, match="no firmware interface"):
        decode.shared(memory.read, TOP, SHARED_VA)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    memory = Memory()
    interface(memory)
    memory.map(VA, RAM_BASE + 0x90000)
    memory.write(RAM_BASE + 0x90000, 0x0100_0000_0000_1000, 0)
    (tmp_path / "ram").write_bytes(memory.data)
    lines = [{"seq": n, "vns": 0, "ev": "as-cmd", "as": n, "cmd": "UPDATE", "base": TOP, "mode": 6}
             for n in (0, 1)]  # fmt: skip
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (tmp_path / "gpu-events.jsonl").write_text(text)
    return tmp_path


def decoded(folder: Path, *arguments: str) -> Any:
    name, *rest = arguments
    return CliRunner().invoke(command, [name, "--guest", str(folder), *rest])


def test_the_command_on_a_saved_guest(saved: Path) -> None:
    assert "0x40090008, rwx" in decoded(saved, "walk", f"{VA + 8:#x}").output
    stream = decoded(saved, "stream", f"{VA:#x}", "2").output
    assert "MOVE48 d0, 0x1000" in stream
    assert f"; {VA + 8:#x}: 0000000000000000" in stream
    assert decoded(saved, "shared").output.startswith("interface 1.5.0, features 0x7, 2 groups\n")


def test_what_cannot_be_decoded_says_why(saved: Path) -> None:
    assert "these are on: 0, 1" in decoded(saved, "walk", "--as", "3", "0").exception.hint
    assert "'here' is no address" in str(decoded(saved, "walk", "here").exception)
    with (saved / "ram").open("r+b") as ram:
        ram.truncate(decode.PAGE)
    assert "not in the guest's RAM" in str(decoded(saved, "walk", f"{VA:#x}").exception)
