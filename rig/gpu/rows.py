# SPDX-License-Identifier: MIT
"""The GPUs that the model can be: the rows of its own table, which is the only one."""

from __future__ import annotations

import re

from rig.errors import usage
from rig.paths import REPO

TABLE = REPO / "qemu_models" / "core" / "gpus.c"


def gpu_names() -> list[str]:
    """Names of the rows, in the table's order."""
    return re.findall(r'\.name\s*=\s*"(\w+)"', TABLE.read_text())


def require_gpu(name: str) -> None:
    """Raise `RigError` (USAGE) that lists the rows unless `name` is one."""
    names = gpu_names()
    if name not in names:
        raise usage(f"no GPU {name!r}", f"one of: {', '.join(names)}")
