# SPDX-License-Identifier: MIT
"""A run as plain text for a mail: what was tested, what failed and why, how to see it again."""

from __future__ import annotations

import shlex
import textwrap
from collections.abc import Iterator
from pathlib import Path

from rig.bundle import MATRIX, RUN, Matrix, Row, Run, load
from rig.errors import usage
from rig.report.timeline import printable
from rig.tested import Inputs

COLUMNS = 72
_ORDER = ("FAIL", "ERROR", "PASS", "NOT_APPLICABLE")
_WORDS = {"FAIL": "failed", "ERROR": "not judged", "PASS": "passed", "NOT_APPLICABLE": "skipped"}


def mail(run_dir: Path) -> str:
    """The text. A folder with a matrix (series, mutants) gives its rows.

    Raises `RigError` (USAGE) when it is no run.
    """
    if (run_dir / MATRIX).exists():
        return "\n".join(_matrix(load(run_dir / MATRIX, Matrix))) + "\n"
    if not (run_dir / RUN).exists():
        raise usage(f"{run_dir} is no run of this rig: it has no {RUN}", "`rig run` makes one")
    return "\n".join(_run(load(run_dir / RUN, Run))) + "\n"


def _run(run: Run) -> Iterator[str]:
    counts = {name: sum(row.outcome == name for row in run.rows) for name in _ORDER}
    told = ", ".join(f"{counts[name]} {_WORDS[name]}" for name in _ORDER if counts[name])
    yield f"panthor-rig: {told or 'nothing was judged'}"
    if left := [name for name in run.wanted if name not in {row.scenario for row in run.rows}]:
        yield from _wrapped("not finished: ", ", ".join(left))
    yield ""
    yield from _inputs(run.inputs)
    for outcome in _ORDER:
        rows = [row for row in run.rows if row.outcome == outcome]
        if outcome in ("FAIL", "ERROR"):
            yield from (line for row in rows for line in _explained(row))
        elif rows:
            yield ""
            yield f"{outcome}:"
            yield from _wrapped("  ", ", ".join(row.scenario for row in rows))
    yield ""
    yield "Again:"
    yield f"  {printable(shlex.join(run.argv))}"


def _inputs(inputs: Inputs) -> Iterator[str]:
    yield from _wrapped("tree:     ", f"{inputs.label} (git tree {inputs.tree[:12]})")
    yield from _wrapped("contract: ", f"{inputs.contract}: {inputs.why}")
    yield f"module:   panthor.ko, build-id {inputs.build_id}"
    faults = "".join(f", fault {name}={value}" for name, value in inputs.faults.items())
    yield from _wrapped("machine:  ", f"emulated {inputs.gpu}, rig {inputs.rig}{faults}")
    for series in inputs.patches:
        for number, subject in enumerate(series.subjects, 1):
            head = "patches:  " if number == 1 else "          "
            yield from _wrapped(f"{head}{number}. ", subject)


def _explained(row: Row) -> Iterator[str]:
    yield ""
    yield f"{row.outcome} {row.failure or ''} {row.scenario}".replace("  ", " ")
    yield from _wrapped("  ", row.sentence)
    for note in row.notes:
        yield from _wrapped("  ", f"{note.kind.value}: {note.text}")


def _matrix(matrix: Matrix) -> Iterator[str]:
    yield from _wrapped("panthor-rig: ", matrix.title)
    for line in matrix.lines:
        yield ""
        yield from _wrapped(f"{line.name}: ", line.title)
        for cell in line.cells:
            failure = f" {cell.failure}" if cell.outcome in ("FAIL", "ERROR") else ""
            marks = " (new)" * cell.fresh + f" (wanted {cell.wanted})" * (not cell.good)
            yield f"  {cell.outcome}{failure} {cell.scenario}{marks}"
            if cell.sentence and cell.outcome in ("FAIL", "ERROR"):
                yield from _wrapped("    ", cell.sentence)
            for note in cell.notes:
                yield from _wrapped("    ", f"{note.kind.value}: {note.text}")
    yield ""
    yield "Again:"
    yield f"  {printable(shlex.join(matrix.argv))}"


def _wrapped(head: str, text: str) -> list[str]:
    """`text` behind `head`, later lines below it. Words longer than a line stay whole."""
    text = printable(" ".join(text.split()))
    return textwrap.wrap(
        text, COLUMNS, initial_indent=head, subsequent_indent=" " * len(head),
        break_long_words=False, break_on_hyphens=False,
    ) or [head.rstrip()]  # fmt: skip
