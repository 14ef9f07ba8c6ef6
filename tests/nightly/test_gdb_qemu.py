# SPDX-License-Identifier: MIT
"""`rig gdb --qemu`, as a person uses it when the device model is in doubt.

Not in CI's ring: attaching to a process that is no child needs ptrace, which a container
may refuse.
"""

from __future__ import annotations

import pexpect
import pytest

from tests.guest.test_interactive import BOOT_S, LEAVE, PROMPT, Terminal, folder_of, rig, terminal

__all__ = ["terminal"]  # the fixture


def test_gdb_stops_in_the_device_model(terminal: Terminal) -> None:
    shell = terminal("shell", "--direct", "--stage", "probed")
    shell.expect(PROMPT, timeout=BOOT_S)
    shell.send(LEAVE)
    where = folder_of(shell)
    gdb = terminal("gdb", "--guest", where, "--qemu")
    gdb.expect(r"\(gdb\) ")
    if gdb.before and "Operation not permitted" in gdb.before:
        pytest.skip("ptrace is refused here: run as root, or kernel.yama.ptrace_scope=0")
    gdb.sendline("handle SIGUSR1 nostop noprint")  # QEMU kicks its CPUs with it
    gdb.expect(r"\(gdb\) ")
    gdb.sendline("break mali_mmio_write")
    gdb.expect(r"Breakpoint 1 at 0x\w+")
    gdb.sendline("continue")
    gdb.expect("Continuing")
    shell.sendline("c")
    shell.sendline("gpuctl job &")
    gdb.expect(r'Thread \d+ "CPU \d/TCG" hit Breakpoint 1')
    gdb.expect(r"\(gdb\) ")
    gdb.sendline("backtrace 8")
    gdb.expect(r"memory_region_\w+")
    gdb.expect(r"\(gdb\) ")
    gdb.sendline("delete 1")
    gdb.sendline("detach")
    gdb.expect("detached")
    gdb.sendline("quit")
    gdb.expect(pexpect.EOF)
    assert gdb.wait() == 0
    assert rig("ssh", "--guest", where, "uname", "-m").stdout == "aarch64\n"  # it goes on
