# SPDX-License-Identifier: MIT
"""How much of the core its own tests execute. The table is printed with `pytest -s`, and kept."""

from __future__ import annotations

import subprocess

from rig.paths import REPO
from rig.store import Store
from tests.model.gcov import BRANCHES, LINES, File, measure, total

CORE = REPO / "qemu_models" / "core"


def test_core_is_covered() -> None:
    objects = Store().work("core-coverage")
    argv = ["make", "-s", "-j2", "-C", str(CORE), "counts", f"O={objects}"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
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
