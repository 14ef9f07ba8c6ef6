# SPDX-License-Identifier: MIT
"""QEMU's gdb stub on a UNIX socket: nothing listens on the network."""

from __future__ import annotations

from pathlib import Path

from rig.errors import infra
from rig.machine.qmp import Qmp

NAME = "gdb.sock"


def listen(qmp: Qmp, sockets: Path) -> Path:
    """Have QEMU wait for gdb on a socket in `sockets`; it may do so already.

    The guest stops when gdb connects. Raises `RigError` (INFRA) when QEMU cannot.
    """
    path = sockets.resolve() / NAME
    if not path.exists():
        answer = qmp.human(f"gdbserver unix:{path},server=on,wait=off")
        if not path.exists():
            raise infra(f"QEMU opened no gdb stub: {answer.strip()}")
    return path
