# SPDX-License-Identifier: GPL-2.0-or-later
"""The firewall in QEMU: what CPUs, devices and the GPU see of protected memory."""

from __future__ import annotations

import struct
import time
from pathlib import Path

import pytest

from tests.model.mcu import PAGE, STATUS_ENABLED, Mcu, Queue, move32
from tests.model.qtest import GPU, RAM, QTest, QTestError
from tests.model.test_snapshot import migrate

PROTECTED = 0x41000000
SIZE = 0x100000
RANGE = f"{PROTECTED:#x}+{SIZE:#x}"
BUFFER = 0x40000
"""GPU VA of the page under test."""
STORE = 21 << 56 | 1 << 48 | 2 << 40 | 1 << 16  # mem32[r2] = r1
LOAD = 20 << 56 | 1 << 48 | 2 << 40 | 1 << 16  # r1 = mem32[r2]
BUS_FAULT = 0x48
CODE = RAM + 0x10000

# EL3 programs the firewall over its registers, uses the memory, and drops to non-secure
# EL1, which loads, stores and jumps there and reads a register of the firewall. Results
# at x9: what EL3 read back, the number of aborts, an id, then the ESR of each.
MAIN = (
    (0x10004000, "adr x0, vectors"),
    (0xD2A8002D, "mov x13, #0x40010000       // where the host put a copy of this"),
    (0x8B0D0000, "add x0, x0, x13"),
    (0xD518C000, "msr vbar_el1, x0"),
    (0xD2A80009, "mov x9, #0x40000000"),
    (0xD2A8200A, "mov x10, #0x41000000"),
    (0xD2A121A1, "mov x1, #0x90d0000"),
    (0x528B4B42, "mov w2, #0x5a5a"),
    (0xB9000142, "str w2, [x10]"),
    (0x12800002, "mov w2, #0xffffffff"),
    (0xB9011422, "str w2, [x1, #0x114]       // background: every id"),
    (0xB901202A, "str w10, [x1, #0x120]      // region 1: base,"),
    (0x113FFD43, "add w3, w10, #0xfff"),
    (0xB9012823, "str w3, [x1, #0x128]       // top,"),
    (0x32020BE2, "mov w2, #0xc0000001"),
    (0xB9013022, "str w2, [x1, #0x130]       // attributes: secure only"),
    (0x52800022, "mov w2, #0x1"),
    (0xB9000422, "str w2, [x1, #4]           // action: error"),
    (0xB9000822, "str w2, [x1, #8]           // open the gate"),
    (0xB9400144, "ldr w4, [x10]"),
    (0xB9000124, "str w4, [x9]"),
    (0x397FC024, "ldrb w4, [x1, #0xff0]      // component id, as OP-TEE reads it"),
    (0xB9000924, "str w4, [x9, #8]"),
    (0xD2808620, "mov x0, #0x431"),
    (0xD51E1100, "msr scr_el3, x0            // non-secure, 64 bit"),
    (0xD28078A0, "mov x0, #0x3c5"),
    (0xD51E4000, "msr spsr_el3, x0           // EL1h"),
    (0x100000A0, "adr x0, ns"),
    (0x8B0D0000, "add x0, x0, x13"),
    (0xD51E4020, "msr elr_el3, x0"),
    (0x5280000B, "mov w11, #0"),
    (0xD69F03E0, "eret"),
    (0xB9400144, "ns: ldr w4, [x10]"),
    (0xB9000944, "str w4, [x10, #8]"),
    (0x1000004C, "adr x12, back"),
    (0xD61F0140, "br x10"),
    (0xB9400824, "back: ldr w4, [x1, #8]"),
    (0x14000000, "b ."),
)
HANDLER_AT = 0xA00  # vectors are at 0x800; synchronous exception of the current EL
HANDLER = (
    (0xD5385205, "mrs x5, esr_el1"),
    (0x91004126, "add x6, x9, #16"),
    (0xF82B78C5, "str x5, [x6, x11, lsl #3]"),
    (0x1100056B, "add w11, w11, #1"),
    (0x71000D7F, "cmp w11, #3"),
    (0x540000E0, "b.eq fetch"),
    (0x7100117F, "cmp w11, #4"),
    (0x540000E0, "b.eq off"),
    (0xD5384025, "mrs x5, elr_el1"),
    (0x910010A5, "add x5, x5, #4"),
    (0xD5184025, "msr elr_el1, x5"),
    (0xD69F03E0, "eret"),
    (0xD518402C, "fetch: msr elr_el1, x12"),
    (0xD69F03E0, "eret"),
    (0xB900052B, "off: str w11, [x9, #4]"),
    (0x14000000, "b ."),
)


def _words(program: tuple[tuple[int, str], ...]) -> bytes:
    return b"".join(struct.pack("<I", word) for word, _ in program)


def test_closed_and_open_again(qemu_binary: Path) -> None:
    with QTest(qemu_binary, firewall=True) as qemu:
        for address in (PROTECTED - 4, PROTECTED, PROTECTED + SIZE - 4, PROTECTED + SIZE):
            qemu.write(address, 0x11223344)
        qemu.firewall("protect", RANGE)
        assert qemu.firewall("counter-regions") == 1
        assert qemu.read(PROTECTED) == 0
        qemu.write(PROTECTED + SIZE - 4, 0)
        assert qemu.read(PROTECTED - 4) == qemu.read(PROTECTED + SIZE) == 0x11223344
        qemu.firewall("unprotect", RANGE)
        assert qemu.read(PROTECTED) == qemu.read(PROTECTED + SIZE - 4) == 0x11223344
        denials = qemu.denials()
        assert qemu.firewall("counter-denials") == len(denials) == 2
    read, write = denials
    assert (read["addr"], read["access"], read["master"]) == (PROTECTED, "read", "other")
    assert (write["addr"], write["access"]) == (PROTECTED + SIZE - 4, "write")


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("0x41000000", "is not BASE"),
        ("0x41000000+", "is not BASE"),
        ("0x41000800+0x1000", "whole pages"),
        ("0x41000000+0", "whole pages"),
    ],
)
def test_wrong_ranges_are_refused(qemu_binary: Path, value: str, why: str) -> None:
    with QTest(qemu_binary, firewall=True) as qemu:
        with pytest.raises(QTestError, match=why):
            qemu.firewall("protect", value)
        with pytest.raises(QTestError, match=r"no such range|is not BASE"):
            qemu.firewall("unprotect", value)
        assert qemu.firewall("counter-regions") == 0


def test_off_it_keeps_what_it_is_told_and_denies_nothing(qemu_binary: Path) -> None:
    with QTest(qemu_binary, firewall="enforce=off") as qemu:
        queue = Queue(mcu := Mcu(qemu))
        assert mcu.boot() == STATUS_ENABLED
        qemu.firewall("protect", RANGE)
        assert qemu.firewall("counter-regions") == 1
        qemu.write(PROTECTED, 7)
        assert qemu.read(PROTECTED) == 7
        queue.start([move32(1, 99), move32(2, BUFFER), move32(3, 0), STORE])
        queue.vm.map(BUFFER, PROTECTED, PAGE)
        qemu.step(1_000_000_000)
        assert qemu.read(PROTECTED) == 99
        assert qemu.firewall("counter-denials") == 0


def test_reset_opens(qemu_binary: Path) -> None:
    with QTest(qemu_binary, firewall=True) as qemu:
        qemu.write(PROTECTED, 7)
        qemu.firewall("protect", RANGE)
        qemu.qmp("system_reset")
        qemu.wait_event("RESET")
        assert qemu.read(PROTECTED) == 7


@pytest.mark.parametrize(("instruction", "access"), [(LOAD, "read"), (STORE, "write")])
def test_the_gpu_in_normal_mode_is_kept_out(
    qemu_binary: Path, instruction: int, access: str
) -> None:
    with QTest(qemu_binary, firewall=True) as qemu:
        queue = Queue(mcu := Mcu(qemu))
        assert mcu.boot() == STATUS_ENABLED
        qemu.firewall("protect", RANGE)
        queue.start([move32(1, 99), move32(2, BUFFER), move32(3, 0), instruction])
        queue.vm.map(BUFFER, PROTECTED, PAGE)
        qemu.step(1_000_000_000)
        (denial,) = qemu.denials()
        assert (denial["addr"], denial["access"], denial["master"]) == (PROTECTED, access, "gpu")
        assert qemu.read(GPU + 0x20) & 1, "GPU_FAULT"
        assert [e["code"] for e in qemu.events("cs-fatal")] == [BUS_FAULT]
        qemu.firewall("unprotect", RANGE)
        assert qemu.read(PROTECTED) == 0


def test_closed_memory_stays_closed_behind_a_snapshot(qemu_binary: Path, tmp_path: Path) -> None:
    state = tmp_path / "state"
    with QTest(qemu_binary, firewall=True) as before:
        before.write(PROTECTED, 0x55667788)
        before.firewall("protect", RANGE)
        before.read(PROTECTED)
        migrate(before, "migrate", state)
    with QTest(qemu_binary, "-incoming", "defer", firewall=True) as after:
        migrate(after, "migrate-incoming", state)
        assert after.read(PROTECTED) == 0
        assert after.firewall("counter-denials") == 2
        assert next(event["seq"] for event in after.denials()) > 0
        after.firewall("unprotect", RANGE)
        assert after.read(PROTECTED) == 0x55667788


def test_cpus_abort_unless_secure(qemu_binary: Path, tmp_path: Path) -> None:
    image = tmp_path / "image"
    code = _words(MAIN).ljust(HANDLER_AT, b"\0") + _words(HANDLER)
    image.write_bytes(code)
    machine = "virt,gic-version=3,secure=on"
    extra = ("-S", "-bios", str(image))
    with QTest(qemu_binary, *extra, machine=machine, accel="tcg", firewall=True) as qemu:
        qemu.fill(CODE, code)
        qemu.qmp("cont")
        deadline = time.monotonic() + 20
        while qemu.read(RAM + 4) != 4:
            assert time.monotonic() < deadline, f"{qemu.read(RAM + 4)} aborts"
        result = qemu.memory(RAM, 48)
        denials = qemu.denials()
    secure, _, ident, load, store, fetch, register = struct.unpack("<3I4x4Q", result)
    assert secure == 0x5A5A, "the secure world reads what it wrote"
    assert ident == 0x0D
    assert [esr >> 26 for esr in (load, store, fetch, register)] == [0x25, 0x25, 0x21, 0x25]
    assert all(esr & 0x3F == 0x10 for esr in (load, store, fetch, register))
    assert [(e["addr"], e["access"], e["master"], e["cpu"]) for e in denials] == [
        (PROTECTED, "read", "cpu", 0),
        (PROTECTED + 8, "write", "cpu", 0),
        (PROTECTED, "exec", "cpu", 0),
    ]
