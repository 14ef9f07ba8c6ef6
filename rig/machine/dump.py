# SPDX-License-Identifier: MIT
"""A guest's memory and registers as a vmcore, written by QEMU."""

from __future__ import annotations

import subprocess
from pathlib import Path

from rig.errors import infra
from rig.machine.qmp import Qmp

TIMEOUT_S = 300.0


def write(qmp: Qmp, path: Path) -> None:
    """Write a vmcore in ELF, with the kernel's own note in it (`-device vmcoreinfo`).

    Not in kdump's format: QEMU 10 leaves the machine's name out of it, and libkdumpfile asks
    for that. The guest stands still meanwhile. Raises `RigError` (INFRA) when QEMU could not
    write it all.
    """
    arguments: dict[str, object] = {
        "paging": False,  # physical memory: the kernel's own page tables may be what is broken
        "protocol": f"file:{path}",
    }
    qmp.execute_with("dump-guest-memory", arguments, TIMEOUT_S)
    status = qmp.execute("query-dump")["status"]
    if status != "completed":
        raise infra(f"QEMU did not finish the vmcore {path}: {status}", "is the disk full?")
    path.chmod(0o600)
    # most of the RAM is zeros; where the file system knows no holes, they stay
    subprocess.run(["fallocate", "--dig-holes", path], check=False, capture_output=True)
