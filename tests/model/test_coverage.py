# SPDX-License-Identifier: MIT
"""How much of the core its own tests execute. The table is printed with `pytest -s`, and kept."""

from __future__ import annotations

from tests.model.gcov import BRANCHES, LINES, File, measure, total
from tests.model.native import CORE, made


def test_core_is_covered() -> None:
    with made("counts") as objects:
        found = measure(CORE, objects / "cov")
    assert set(found) == {file.name for file in CORE.glob("*.c")}, "a file was not measured"
    told = total(found)
    (objects / "coverage.txt").write_text(told.table + "\n")
    print(told.table)
    assert told.lines >= LINES, told.table
    assert told.branches >= BRANCHES, told.table


def test_a_gap_shows() -> None:
    gap = File({1: 3, 2: 0}, [(1, 2), (1, 0), (2, 0), (2, 0)])
    told = total({"a.c": gap})
    assert (told.lines, told.branches) == (50.0, 25.0)
    assert "a.c:2" in told.table
