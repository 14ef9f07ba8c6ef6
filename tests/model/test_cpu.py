# SPDX-License-Identifier: GPL-2.0-or-later
"""What only a running CPU can show: two dozen instructions at EL1, under TCG."""

from __future__ import annotations

import struct
from pathlib import Path

from tests.model.qtest import RAM, QTest

# The 32-bit reads of TIMESTAMP between two reads of the counter, then one 64-bit
# read of GPU_ID; x0 := 1 when it passes, ESR_EL1 when it aborts; then power off.
MAIN = (
    (0xD2A80009, "mov  x9, #0x40000000           // result"),
    (0x10003FE2, "adr  x2, vectors"),
    (0xD518C002, "msr  vbar_el1, x2"),
    (0xD2A16001, "mov  x1, #0xb000000"),
    (0xD5033FDF, "isb"),
    (0xD53BE044, "mrs  x4, cntvct_el0"),
    (0xB9409825, "ldr  w5, [x1, #0x98]"),
    (0xB9409C26, "ldr  w6, [x1, #0x9c]"),
    (0xD5033FDF, "isb"),
    (0xD53BE047, "mrs  x7, cntvct_el0"),
    (0xD53BE008, "mrs  x8, cntfrq_el0"),
    (0xA9001D24, "stp  x4, x7, [x9]"),
    (0x29021925, "stp  w5, w6, [x9, #16]"),
    (0xF9000D28, "str  x8, [x9, #24]"),
    (0xF9400025, "ldr  x5, [x1]"),
    (0xD2800020, "mov  x0, #1"),
    (0xD503201F, "nop"),
    (0xF9001120, "off: str x0, [x9, #32]"),
    (0x52800100, "mov  w0, #8"),
    (0x72B08000, "movk w0, #0x8400, lsl #16      // PSCI SYSTEM_OFF"),
    (0xD4000002, "hvc  #0"),
    (0x14000000, "b    ."),
)
HANDLER_AT = 0xA00  # vectors are at 0x800; synchronous exception of the current EL
HANDLER = ((0xD5385200, "mrs  x0, esr_el1"), (0x17FFFD90, "b    off"))


def _words(program: tuple[tuple[int, str], ...]) -> bytes:
    return b"".join(struct.pack("<I", word) for word, _ in program)


def test_timestamp_is_the_counter_and_wide_reads_abort(qemu_binary: Path, tmp_path: Path) -> None:
    image = tmp_path / "image"
    image.write_bytes(_words(MAIN).ljust(HANDLER_AT, b"\0") + _words(HANDLER))
    with QTest(qemu_binary, "-S", "-bios", str(image), accel="tcg") as qemu:
        qemu.qmp("cont")  # only now: nobody hears an event before qmp_capabilities
        qemu.wait_event("SHUTDOWN")
        result = qemu.memory(RAM, 40)
    before, after, timestamp, frequency, outcome = struct.unpack("<5Q", result)
    assert frequency == 62_500_000
    assert before <= timestamp <= after
    assert outcome >> 26 == 0x25, f"ESR {outcome:#x}: a data abort at the same EL"
    assert outcome & 0x3F == 0x10, f"ESR {outcome:#x}: a synchronous external abort"
