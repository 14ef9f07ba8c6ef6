# SPDX-License-Identifier: MIT
"""The GPUs that the model can be and the faults it knows: the rows of its own tables."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from rig.errors import usage
from rig.paths import REPO

TABLE = REPO / "qemu_models" / "core" / "gpus.c"
FAULTS = REPO / "qemu_models" / "core" / "faults.c"
_U32 = 1 << 32


_ROW = re.compile(
    r'\.name = "([\w-]+)", \.gpu_id = (0x[0-9a-f]+), \.shader_present = (0x[0-9a-f]+)'
)


@dataclass(frozen=True)
class GpuRow:
    """One GPU of the model."""

    name: str
    gpu_id: int
    shader_present: int

    @property
    def arch_major(self) -> int:
        """GPU_ID bits 31:28."""
        return self.gpu_id >> 28

    @property
    def arch(self) -> str:
        """``MAJOR.MINOR``, which names the driver's firmware folder (panthor_fw.c:811-814)."""
        return f"{self.arch_major}.{self.gpu_id >> 24 & 0xF}"


def gpu_rows() -> list[GpuRow]:
    """The rows, in the table's order."""
    found = _ROW.findall(TABLE.read_text())
    return [GpuRow(name, int(gpu_id, 16), int(cores, 16)) for name, gpu_id, cores in found]


def gpu_names() -> list[str]:
    """Names of the rows, in the table's order."""
    return [row.name for row in gpu_rows()]


def gpu_row(name: str) -> GpuRow:
    """The row of that name. Raises `RigError` (USAGE) that lists the rows."""
    rows = {row.name: row for row in gpu_rows()}
    if name not in rows:
        raise usage(f"no GPU {name!r}", f"one of: {', '.join(rows)}")
    return rows[name]


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
