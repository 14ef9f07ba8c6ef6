# SPDX-License-Identifier: MIT
"""The GPUs that the model can be and the faults it knows: the rows of its own tables."""

from __future__ import annotations

import re
from collections.abc import Iterable

from rig.errors import usage
from rig.paths import REPO

TABLE = REPO / "qemu_models" / "core" / "gpus.c"
FAULTS = REPO / "qemu_models" / "core" / "faults.c"
_U32 = 1 << 32


def gpu_names() -> list[str]:
    """Names of the rows, in the table's order."""
    return re.findall(r'\.name\s*=\s*"(\w+)"', TABLE.read_text())


def require_gpu(name: str) -> None:
    """Raise `RigError` (USAGE) that lists the rows unless `name` is one."""
    names = gpu_names()
    if name not in names:
        raise usage(f"no GPU {name!r}", f"one of: {', '.join(names)}")


def fault_names() -> list[str]:
    """Names of the fault plan's rows, in the table's order."""
    return re.findall(r'\[MALI_FAULT_\w+\]\s*=\s*\{\s*"([\w-]+)"', FAULTS.read_text())


def require_faults(plan: Iterable[tuple[str, int]]) -> None:
    """Raise `RigError` (USAGE) for a fault that is no row or an argument of more than 32 bits."""
    names = fault_names()
    for name, value in plan:
        if name not in names:
            raise usage(f"the device has no fault {name!r}", f"one of: {', '.join(names)}")
        if not 0 <= value < _U32:
            raise usage(f"fault {name}: {value} is no 32-bit number", "0 is off")
