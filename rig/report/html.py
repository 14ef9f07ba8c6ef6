# SPDX-License-Identifier: MIT
"""A run as one HTML file: no network, no other file. Everything from a log is escaped."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from rig.bundle import GUEST, MATRIX, RUN, Cell, Guest, Matrix, Row, Run, load
from rig.errors import FailureClass, usage
from rig.introspect import NAME as INSPECT
from rig.report import pack
from rig.report.history import Timing, timings
from rig.report.timeline import SOURCES, Mark, printable, timeline

NAME = "report.html"
MAX_ROWS = 40_000
"""Rows of one guest's time line, the last ones; what was before is in the files."""
MANY = 8
"""Verdicts from which on their table has a filter."""
UNFOLDED = 3
"""Failures whose guests are shown at once."""
_LAST = 8
_ORDER = ("FAIL", "ERROR", "NOT_APPLICABLE", "PASS")
_HERE = Path(__file__).parent


@dataclass(frozen=True)
class Story:
    """One scenario for the reader."""

    id: str
    """Of its part of the page."""
    row: Row
    guest: Guest | None
    last: Sequence[Mark]
    """What happened last to guest and device."""
    count: int
    """Rows of its time line."""
    left_out: int
    """Rows that were before those."""
    packed: str
    """Time line and memory map, for the script."""
    inspected: str

    @property
    def bad(self) -> bool:
        """Whether it needs to be explained."""
        return self.row.outcome in ("FAIL", "ERROR")


@dataclass(frozen=True)
class Part:
    """One run of the page."""

    folder: str
    run: Run
    stories: Sequence[Story]
    timings: Sequence[Timing]

    @property
    def counts(self) -> dict[str, int]:
        """Outcome -> verdicts, the worst first."""
        found = Counter(story.row.outcome for story in self.stories)
        return {outcome: found[outcome] for outcome in _ORDER if found[outcome]}


def write(run_dir: Path) -> Path:
    """Write report.html into a run's folder. Raises `RigError` (USAGE) when it is no run."""
    page = render(run_dir)
    path = run_dir / NAME
    path.write_text(page)
    return path


def render(run_dir: Path) -> str:
    """The page. A folder with a matrix (series, mutants) shows it, and the runs below it."""
    run_dir = run_dir.absolute()
    matrix = load(run_dir / MATRIX, Matrix) if (run_dir / MATRIX).exists() else None
    folders = [path.parent for path in sorted(run_dir.rglob(RUN))]
    if not folders and matrix is None:
        raise usage(f"{run_dir} is no run of this rig: it has no {RUN}", "`rig run` makes one")
    parts = [_part(run_dir, folder, number) for number, folder in enumerate(folders)]
    ids = {
        str(folder / story.row.folder): story.id
        for folder, part in zip(folders, parts, strict=True)
        for story in part.stories
        if story.row.folder is not None and story.packed
    }
    return _environment().get_template("report.html.j2").render(
        name=run_dir.name, matrix=matrix, parts=parts, sources=SOURCES, many=MANY,
        columns=_columns(matrix), cells=_cells(matrix), link=lambda cell: ids.get(cell.run_dir),
        meaning={kind.name: kind.meaning for kind in FailureClass}, unfolded=UNFOLDED,
        css=Markup((_HERE / "report.css").read_text()),  # ours: no log is in it
        js=Markup((_HERE / "report.js").read_text()),
    )  # fmt: skip


def _environment() -> Environment:
    env = Environment(
        loader=FileSystemLoader(_HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    env.filters["clean"] = printable
    env.filters["day"] = lambda s: time.strftime("%Y-%m-%d %H:%M", time.localtime(s))
    return env


def _columns(matrix: Matrix | None) -> list[str]:
    """Every scenario of a matrix, as they appear."""
    lines = matrix.lines if matrix else []
    return list(dict.fromkeys(cell.scenario for line in lines for cell in line.cells))


def _cells(matrix: Matrix | None) -> list[dict[str, Cell]]:
    lines = matrix.lines if matrix else []
    return [{cell.scenario: cell for cell in line.cells} for line in lines]


def _part(run_dir: Path, folder: Path, number: int) -> Part:
    run = load(folder / RUN, Run)
    rows = sorted(run.rows, key=lambda row: (_ORDER.index(row.outcome), row.scenario))
    stories = list(_stories(folder, rows, number))
    inside = folder.relative_to(run_dir)
    return Part("" if inside == Path() else str(inside), run, stories, timings(folder, run))


def _stories(folder: Path, rows: Sequence[Row], part: int) -> Iterator[Story]:
    for number, row in enumerate(rows):
        yield _story(folder, row, f"g{part}-{number}")


def _telling(mark: Mark) -> bool:
    """Whether it may explain an end: not the console's shell, nor what the rig itself asked."""
    noise = mark.source == "tty" or (mark.source == "qmp" and not mark.bad)
    return not noise and "rig-token-" not in mark.text


def _story(folder: Path, row: Row, name: str) -> Story:
    if row.folder is None or not (below := folder / row.folder).is_dir():
        return Story(name, row, None, [], 0, 0, "", "")
    guest = load(below / GUEST, Guest) if (below / GUEST).exists() else None
    marks = timeline(below, guest.expected if guest else [])
    last = [m for m in marks if _telling(m)][-_LAST:]
    kept = marks[-MAX_ROWS:]
    inspected = (below / INSPECT).read_text() if (below / INSPECT).exists() else ""
    packed = pack.packed(below, kept) if kept else ""
    return Story(name, row, guest, last, len(kept), len(marks) - len(kept), packed, inspected)
