# SPDX-License-Identifier: MIT
"""The device's fault plan, read from the model's own table; docs/faults.md is made from it.

python -m rig.gpu.fault_table > docs/faults.md
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from rig.paths import REPO

SOURCE = REPO / "qemu_models" / "core" / "faults.c"
_ROW = re.compile(r'\[MALI_FAULT_\w+\] = \{ "([\w-]+)", "([^"]+)", "(\w+)", (\w+),\s*"([^"]+)" \}')

KINDS = {
    "LEVEL": "as long as it is not 0",
    "COUNT": "n: the next n; counts down",
    "NTH": "n: the n-th from now; counts down",
    "US": "microseconds of virtual time",
    "VALUE": "a value",
    "MASK": "bits; each goes out when it has struck",
}
"""What the argument means, by the table's kind."""


@dataclass(frozen=True)
class FaultRow:
    """One fault of the plan."""

    name: str
    wait: str
    """The wait of the driver that it is about (mali-csf.md 6.12), "-" for none."""
    how: str
    """late, wrong, never; or what else it does."""
    kind: str
    """Key of `KINDS`."""
    meaning: str


def fault_rows() -> tuple[FaultRow, ...]:
    """The rows in the table's order."""
    return tuple(FaultRow(*match) for match in _ROW.findall(SOURCE.read_text()))


def page() -> str:
    """docs/faults.md."""
    lines = [
        "<!-- SPDX-License-Identifier: MIT -->",
        "<!-- made by `python -m rig.gpu.fault_table`; do not edit -->",
        "# The fault plan of the emulated GPU",
        "",
        "Each row is a property of the device, `fault-NAME`, 0 at start unless the device line",
        "says otherwise. It can be set while the guest runs:",
        "`qom-set /machine/peripheral/gpu fault-NAME N`. Time is virtual. The plan is part of a",
        "snapshot and outlives resets. How often a row has had an effect, in this QEMU, is told by",
        "`strikes-NAME`. What the driver makes of each: [fault-trials.md](fault-trials.md).",
        "",
        "| fault | wait of the driver | how | argument | what happens |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| `{row.name}` | {row.wait} | {row.how} | {KINDS[row.kind]} | {row.meaning} |"
        for row in fault_rows()
    ]
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    print(page(), end="")
