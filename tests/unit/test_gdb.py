# SPDX-License-Identifier: MIT
"""What rig/debug/symbols.py does to gdb's breakpoints, without a guest."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from rig.debug.commands import GDB
from rig.paths import REPO

SOURCE = """
static inline int twice(int x) { return 2 * x; }
int fw_init(int *ptdev) { *ptdev = twice(*ptdev); return 3; }
"""
HOOKS = """python
from types import SimpleNamespace
rig = SimpleNamespace()
exec(open("{script}").read(), rig.__dict__)
gdb.events.breakpoint_created.connect(rig.one_place)
gdb.events.breakpoint_modified.connect(rig.one_place)
end
"""


def compile_(source: str, path: Path, *options: str) -> None:
    """An object file for the guest's CPU, with debug information."""
    command = ["aarch64-linux-gnu-gcc", "-g", "-O2", "-xc", "-", "-c", "-o", str(path), *options]
    subprocess.run(command, input=source, text=True, check=True)


@pytest.mark.parametrize("freed", [False, True], ids=["alone", "upon-freed-init-text"])
def test_a_breakpoint_lies_behind_ftraces_nops(tmp_path: Path, freed: bool) -> None:
    """Also where the module took the place of the .init.text of one that was loaded before."""
    compile_(SOURCE, tmp_path / "driver.o", "-fpatchable-function-entry=2")
    compile_('int __attribute__((section(".init.text"))) start(void) { return 1; }',
             tmp_path / "before.o")  # fmt: skip
    compile_("int later(void) { return 1; }", tmp_path / "later.o")
    lines = [
        "set breakpoint pending on",
        "set confirm off",
        HOOKS.format(script=REPO / "rig" / "debug" / "symbols.py"),
        "break fw_init",
        *(["add-symbol-file before.o -s .init.text 0x10000"] if freed else []),
        "add-symbol-file driver.o 0x10000",
        "info breakpoints",
        "add-symbol-file later.o 0x20000",  # gdb looks for all places again
        "info breakpoints",
    ]
    (tmp_path / "script").write_text("\n".join(lines) + "\n")
    gdb = [GDB, "-nx", "-q", "-batch", "-x", "script"]
    done = subprocess.run(gdb, cwd=tmp_path, capture_output=True, text=True, check=True)
    found = re.findall(r"^1\.\d +([yn]) +0x0*(\w+)", done.stdout, re.M)
    assert found == [("n", "10000"), ("y", "10008")] * 2, done.stdout + done.stderr
