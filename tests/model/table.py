# SPDX-License-Identifier: MIT
"""What the core's tests touch and would notice: measured (tests/probe.h), kept as a page.

    python -m tests.model.table > docs/model-coverage.md

Every row is knocked out, and a test that has touched it has to fail. The page says which one;
it is asked first next time, and only if it does not notice any more all the others are.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path

from rig.paths import REPO
from tests.model.native import made, make

PAGE = REPO / "docs" / "model-coverage.md"

NOT_MODELLED = {
    **dict.fromkeys(
        ("GLB_CTL_PERFCNT_SIZE", "GLB_IN_PERFCNT_AS", "GLB_IN_PERFCNT_BASE",
         "GLB_IN_PERFCNT_EXTRACT", "GLB_IN_PERFCNT_CONFIG", "GLB_OUT_PERFCNT_STATUS",
         "GLB_OUT_PERFCNT_INSERT"),
        "panthor 7.3 has no performance counters: requests are acknowledged, nothing is sampled"),
    **dict.fromkeys(
        ("CSG_IN_ITER_TRACE_CONFIG", "CS_IN_INSTR_CONFIG", "CS_IN_INSTRBUF_SIZE",
         "CS_IN_INSTRBUF_BASE", "CS_IN_INSTRBUF_OFFSET_PTR"),
        "instrumentation buffers are not used by panthor; their format is not public"),
    "GLB_IN_POWEROFF_TIMER": "the firmware's power is only visible in a trace point of the driver",
    "CSG_CTL_FEATURES": "0 in all public images and left as it is",
    "CS_IN_HEAP_END": "the driver answers TILER_OOM with one chunk, HEAP_START equal to HEAP_END",
}  # fmt: skip
"""Words of the interface that the model does not look at, with the reason."""

OUTSIDE = {
    "IPA_CONTROL (0x40000...)": "kbase only: reads 0",
    "shader and tiler work of RUN_*": "needs the shader ISA: they take the time of their cores, "
    "nothing else",
    "exclusive endpoints": "told as requested: panthor 7.3 names the bits and sets none",
    "TRACE_POINT, timeline, firmware log": "their format is not public",
    "caches": "host memory is coherent: flushes only count",
}
"""Of the spec, without a row of their own."""


@dataclass(frozen=True)
class Row:
    """One part of the interface."""

    kind: str
    name: str
    touched: int
    """Tests that touch it."""
    noticed_by: str
    """A test that fails without it; "-" if there is none."""


def known() -> str:
    """Who noticed what, out of the kept page: the first that are asked."""
    found = re.findall(r"^\| ([\w-]+) \| `(.+)` \| `(\w+)` \|$", PAGE.read_text(), re.M)
    return "".join(f"{kind}\t{name}\t{test}\n" for kind, name, test in found)


def measure(earlier: Path | None = None) -> list[Row]:
    """Run the tests with the probe; `earlier` gets the kept answers written.

    Raises `MakeError` if a test fails without anything knocked out.
    """
    with made() as objects:
        hints = earlier or objects / "earlier.tsv"
        hints.write_text(known() if PAGE.exists() else "")
        make(objects, "table", f"EARLIER={hints}")
        lines = (objects / "table.tsv").read_text().splitlines()
    rows = [line.split("\t") for line in lines[lines.index("rows") + 1 :]]
    return [Row(row[0], row[1], int(row[2]), row[3]) for row in rows]


def page(rows: list[Row]) -> str:
    """docs/model-coverage.md."""
    lines = [
        "<!-- SPDX-License-Identifier: MIT -->",
        "<!-- made by `python -m tests.model.table`; do not edit -->",
        "# What the model's tests hold",
        "",
        "Measured, not claimed: with a row knocked out (a register that reads inverted, a",
        "request, event or word that gets lost, an instruction that does nothing, a code that",
        "is another) the test named here fails. `make model` knocks all of them out again.",
        "",
        "| kind | part | noticed by |",
        "|---|---|---|",
    ]
    lines += [f"| {r.kind} | `{r.name}` | `{r.noticed_by}` |" for r in rows if r.noticed_by != "-"]
    lines += ["", "## Not modelled", "", "| part | reason |", "|---|---|"]
    lines += [f"| `{name}` | {why} |" for name, why in NOT_MODELLED.items()]
    lines += [f"| {name} | {why} |" for name, why in OUTSIDE.items()]
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    sys.stdout.write(page(measure()))
