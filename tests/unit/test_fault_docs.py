# SPDX-License-Identifier: MIT
"""The fault plan: one table in the model; the rig and the docs read it."""

from __future__ import annotations

import re

from rig.gpu.fault_table import KINDS, SOURCE, fault_rows, page
from rig.gpu.rows import fault_names
from rig.paths import REPO

WAITS = (
    "L2 PWRTRANS/READY", "GPU soft reset irq", "cache flush irq", "AS_STATUS", "MCU boot irq",
    "MCU halt", "MCU stop", "PING ack", "CSG request ack", "PROTM active", "PROTM exit",
    "arch 14 transition", "arch 14 delegation", "arch 14 retract", "arch 14 reset",
)  # fmt: skip
"""Waits of the driver that the device can spoil in all three ways."""


def test_no_row_is_lost() -> None:
    rows = fault_rows()
    assert len(rows) == SOURCE.read_text().count("\n    [MALI_FAULT_") > 70
    assert [row.name for row in rows] == fault_names()
    assert {row.kind for row in rows} <= KINDS.keys()


def test_each_wait_comes_late_wrong_and_never() -> None:
    for wait in WAITS:
        ways = {row.how for row in fault_rows() if row.wait == wait}
        assert ways == {"late", "wrong", "never"}, wait


def test_each_row_has_a_test_in_the_core() -> None:
    tests = "\n".join(f.read_text() for f in (SOURCE.parent / "tests").glob("test_*.c"))
    made = {f"pwr-{what}-{how}" for what in re.findall(r'each_pwr_fault\("(\w+)"', tests)
            for how in ("late", "wrong", "never")}  # fmt: skip
    assert {row.name for row in fault_rows() if f'"{row.name}"' not in tests} <= made


def test_page_is_current() -> None:
    told = (REPO / "docs" / "faults.md").read_text()
    assert told == page(), "run: python -m rig.gpu.fault_table > docs/faults.md"
