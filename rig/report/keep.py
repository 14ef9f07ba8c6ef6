# SPDX-License-Identifier: MIT
"""Series and mutant runs as matrix.json, beside the folders of their guests."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path

from rig.bundle import MATRIX, Cell, Line, Matrix, save
from rig.series import findings
from rig.states import Judged, Ruling
from rig.teeth import Bite
from rig.tested import rig_version
from rig.verdict.signature import signature_of


def keep_series(run_dir: Path, title: str, rows: Sequence[Ruling], seconds: float) -> None:
    """Patch by scenario."""
    fresh = {(one.row, one.verdict.scenario) for one in findings(rows)}
    lines = [
        Line(
            row.state.name,
            row.state.title,
            [_cell(one, (number, one.verdict.scenario) in fresh) for one in row.judged],
            row.contract,
            round(row.build_s, 2),
            round(row.run_s, 2),
        )
        for number, row in enumerate(rows)
    ]
    _save(run_dir, "series", title, lines, seconds)


def _cell(judged: Judged, fresh: bool) -> Cell:
    verdict = judged.verdict
    signature = signature_of(verdict)
    return Cell(
        verdict.scenario,
        verdict.outcome.value,
        verdict.sentence,
        verdict.failure.name if verdict.failure else None,
        judged.reused,
        signature.id if signature else None,
        fresh,
        run_dir=str(verdict.run_dir) if verdict.run_dir else None,
        notes=list(verdict.notes),
    )


def keep_teeth(run_dir: Path, bites: Sequence[Bite], seconds: float) -> None:
    """Mutant by scenario."""
    lines: dict[str, Line] = {}
    for bite in bites:
        verdict, mutant = bite.verdict, bite.mutant
        line = lines.setdefault(
            mutant.name, Line(mutant.name, mutant.finding, [], mutant.base, reviews=mutant.reviews)
        )
        line.run_s = round(line.run_s + verdict.seconds, 2)
        line.cells.append(
            Cell(
                verdict.scenario,
                verdict.outcome.value,
                verdict.sentence,
                verdict.failure.name if verdict.failure else None,
                wanted=bite.wanted.value,
                good=bite.good,
                run_dir=str(verdict.run_dir) if verdict.run_dir else None,
                notes=list(verdict.notes),
            )
        )
    _save(run_dir, "teeth", "mutants of driver and device", list(lines.values()), seconds)


def _save(run_dir: Path, kind: str, title: str, lines: list[Line], seconds: float) -> None:
    argv = ["rig", *sys.argv[1:]]
    started = time.time() - seconds
    save(run_dir / MATRIX, Matrix(kind, title, argv, started, lines, seconds, rig_version()))
