# SPDX-License-Identifier: MIT
"""A run as one HTML file: no network, no other file. Everything from a log is escaped."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from rig.bundle import GUEST, MATRIX, RUN, Guest, Matrix, Row, Run, load
from rig.errors import usage
from rig.report.timeline import SOURCES, Mark, printable, timeline

NAME = "report.html"
MAX_ROWS = 3000
"""Rows of one guest's time line, the last ones; what was before is in the files."""
_LAST = 8
_ORDER = ("FAIL", "ERROR", "NOT_APPLICABLE", "PASS")


@dataclass(frozen=True)
class Story:
    """One scenario for the reader."""

    row: Row
    guest: Guest | None
    marks: Sequence[Mark]
    left_out: int
    """Rows of the time line that were before `marks`."""

    @property
    def bad(self) -> bool:
        """Whether it needs to be explained."""
        return self.row.outcome in ("FAIL", "ERROR")

    @property
    def last(self) -> list[Mark]:
        """What happened last, without the noise of the console's shell."""
        return [m for m in self.marks if m.source != "tty" and not _token(m)][-_LAST:]


def _token(mark: Mark) -> bool:
    return "rig-token-" in mark.text


def write(run_dir: Path) -> Path:
    """Write report.html into a run's folder. Raises `RigError` (USAGE) when it is no run."""
    page = render(run_dir)
    path = run_dir / NAME
    path.write_text(page)
    return path


def render(run_dir: Path) -> str:
    """The page. A folder with a matrix (series, mutants) shows it, and the runs below it."""
    matrix = load(run_dir / MATRIX, Matrix) if (run_dir / MATRIX).exists() else None
    folders = [path.parent for path in sorted(run_dir.rglob(RUN))]
    if not folders:
        raise usage(f"{run_dir} is no run of this rig: it has no {RUN}", "`rig run` makes one")
    runs = [(folder, load(folder / RUN, Run)) for folder in folders]
    stories = [(folder.relative_to(run_dir), run, _stories(folder, run)) for folder, run in runs]
    env = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    env.filters["clean"] = printable
    env.filters["day"] = lambda s: time.strftime("%Y-%m-%d %H:%M", time.localtime(s))
    return env.get_template("report.html.j2").render(
        name=run_dir.name, matrix=matrix, runs=stories, sources=SOURCES
    )


def _stories(folder: Path, run: Run) -> list[Story]:
    rows = sorted(run.rows, key=lambda row: (_ORDER.index(row.outcome), row.scenario))
    return [_story(folder, row) for row in rows]


def _story(folder: Path, row: Row) -> Story:
    if row.folder is None:
        return Story(row, None, [], 0)
    below = folder / row.folder
    guest = load(below / GUEST, Guest) if (below / GUEST).exists() else None
    marks = timeline(below, guest.expected if guest else [])
    return Story(row, guest, marks[-MAX_ROWS:], max(0, len(marks) - MAX_ROWS))
