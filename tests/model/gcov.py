# SPDX-License-Identifier: MIT
"""Line and branch coverage of the model's core, out of gcov's JSON (gcc brings it)."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

LINES, BRANCHES = 95.0, 90.0
"""What `test_coverage` demands, %."""

EXCLUDED = {
    "*.h": "inline functions are counted once in every file that uses them",
    "tests/*": "the tests themselves",
    "../glue/*": "needs QEMU: driven by the other tests of this ring, not measured",
}
"""What does not count, with the reason. No single line or branch of the core is left out."""


@dataclass
class File:
    """Hit counts of one source file."""

    lines: dict[int, int] = field(default_factory=dict)
    """Line number: times executed."""
    branches: list[tuple[int, int]] = field(default_factory=list)
    """(line number, times taken)."""

    def line_hits(self) -> int:
        return sum(count > 0 for count in self.lines.values())

    def branch_hits(self) -> int:
        return sum(count > 0 for _, count in self.branches)


def measure(core: Path, objects: Path) -> dict[str, File]:
    """Counts of each file of `core`, whose coverage build has run in `objects` (make O=...).

    Raises `subprocess.CalledProcessError` if gcov fails.
    """
    notes = sorted(str(note) for note in objects.glob("*.gcno"))
    argv = ["gcov", "--branch-probabilities", "--json-format", "--stdout", *notes]
    told = subprocess.run(argv, cwd=core, capture_output=True, text=True, check=True).stdout
    files: dict[str, File] = {}
    for unit in map(json.loads, told.splitlines()):
        for entry in unit["files"]:
            if entry["file"].endswith(".c") and "/" not in entry["file"]:
                _count(files.setdefault(entry["file"], File()), entry["lines"])
    return files


def _count(file: File, lines: list[dict[str, object]]) -> None:
    for line in lines:
        number, count, branches = line["line_number"], line["count"], line["branches"]
        assert isinstance(number, int) and isinstance(count, int) and isinstance(branches, list)
        file.lines[number] = max(file.lines.get(number, 0), count)
        file.branches += [(number, int(branch["count"])) for branch in branches]


@dataclass(frozen=True)
class Total:
    """Shares of a measurement, %."""

    lines: float
    branches: float
    table: str
    """One line a file, the totals, what is excluded and why, and what no test reached."""


def share(hit: int, of: int) -> float:
    return 100 * hit / of if of else 100.0


def total(files: dict[str, File]) -> Total:
    """Sum up what `measure` found."""
    rows, missed = [], []
    for name, file in sorted(files.items()):
        lines = share(file.line_hits(), len(file.lines))
        branches = share(file.branch_hits(), len(file.branches))
        rows.append(
            f"{name:12} lines {lines:5.1f} % of {len(file.lines):4}"
            f"  branches {branches:5.1f} % of {len(file.branches):4}"
        )
        missed += [f"{name}:{number}" for number, count in file.lines.items() if not count]
    lines = share(
        sum(f.line_hits() for f in files.values()), sum(len(f.lines) for f in files.values())
    )
    branches = share(
        sum(f.branch_hits() for f in files.values()), sum(len(f.branches) for f in files.values())
    )
    rows.append(f"total        lines {lines:5.1f} %  branches {branches:5.1f} %")
    rows += [f"not counted: {what}: {why}" for what, why in EXCLUDED.items()]
    rows.append(f"no test reaches {len(missed)} lines: {' '.join(missed)}")
    return Total(lines, branches, "\n".join(rows))
