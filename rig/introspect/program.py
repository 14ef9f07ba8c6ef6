# SPDX-License-Identifier: MIT
"""A guest's memory, or a vmcore, as a drgn program with the symbols of kernel and modules.

The kernel says by `-device vmcoreinfo` where its page tables are; QEMU's spare monitor
translates nothing and stops nothing. Nothing runs in the guest.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from pathlib import Path

from drgn import MissingDebugInfoError, Program

from rig.errors import infra, usage

logging.getLogger("drgn").setLevel(logging.ERROR)  # it warns of each module that is not loaded


def of_guest(monitor: Path, image: Path, modules: Path) -> Program:
    """A guest that runs or stands still. `monitor`: a QMP socket that nobody else uses.

    Raises `RigError` (INFRA) when the memory cannot be read.
    """
    program = Program()
    try:
        program.set_qemu_qmp(str(monitor))
    except (OSError, ValueError) as exc:
        raise infra(
            f"drgn cannot read the guest: {exc}",
            "the kernel has told QEMU nothing yet (too early in its boot?), or QEMU is gone",
        ) from exc
    return _with_symbols(program, image, modules)


def of_core(core: Path, image: Path, modules: Path) -> Program:
    """A vmcore as `rig dump` writes it. Raises `RigError` (USAGE)."""
    program = Program()
    try:
        program.set_core_dump(str(core))
    except (OSError, ValueError) as exc:
        raise usage(f"drgn cannot read {core}: {exc}") from exc
    return _with_symbols(program, image, modules)


def _with_symbols(program: Program, image: Path, modules: Path) -> Program:
    """Load vmlinux and the unstripped modules; files of modules that are not loaded are ignored."""
    files = [image / "vmlinux", *modules.glob("*.ko")]
    with suppress(MissingDebugInfoError):  # optee, gpu-sched: nothing of theirs is read
        program.load_debug_info([str(file) for file in files if file.exists()])
    if not _has_types(program):
        raise infra(f"the guest does not run the kernel in {image}")
    return program


def _has_types(program: Program) -> bool:
    try:
        program.type("struct device")
    except LookupError:
        return False
    return True
