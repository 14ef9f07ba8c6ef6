# SPDX-License-Identifier: MIT
"""What every run leaves behind for those who come later, as JSON: the one source of all reports.

`run.json` lies in the folder of a run and says what was tested on what, by content;
`guest.json` lies in each guest's folder and says what a scenario wanted and got. The
logs beside them are the guest's own: console.log, secure.log, gpu-events.jsonl,
firewall-events.jsonl, journal.jsonl (what the rig did), qemu.log, qemu.cmdline.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import msgspec

from rig import tested
from rig.errors import FailureClass, infra, usage
from rig.leftovers import SCRATCH
from rig.testbed import TestBed
from rig.tested import Inputs
from rig.verdict.klog import Expected
from rig.verdict.verdict import Note, Outcome, Verdict

RUN, GUEST, MATRIX = "run.json", "guest.json", "matrix.json"
SCHEMA = 2
_S = TypeVar("_S", bound=msgspec.Struct)


class Row(msgspec.Struct):
    """One verdict of a run."""

    scenario: str
    outcome: str
    sentence: str
    failure: str | None
    seconds: float
    stages: dict[str, float]
    folder: str | None
    """The guest's folder below the run's."""
    notes: list[Note] = []


class Run(msgspec.Struct):
    """run.json."""

    argv: list[str]
    """The command."""
    started: float
    """s since the epoch."""
    inputs: Inputs
    wanted: list[str]
    """Scenarios that were chosen; those without a row were not finished."""
    rows: list[Row] = []
    seconds: float = 0.0
    timings: dict[str, float] = {}
    """Stage before the guests -> s."""
    reviews: dict[str, tuple[str, ...]] = {}
    """Scenario -> review findings that it speaks to."""
    schema: int = SCHEMA


class Cell(msgspec.Struct):
    """One verdict of a matrix."""

    scenario: str
    outcome: str
    sentence: str
    failure: str | None
    reused: bool = False
    """Found before on the same content; no guest was booted."""
    signature: str | None = None
    fresh: bool = False
    """A failure that this row brought in."""
    wanted: str = ""
    """What it had to be (mutants); empty when nothing was foretold."""
    good: bool = True
    run_dir: str | None = None
    notes: list[Note] = []


class Line(msgspec.Struct):
    """One row of a matrix: a patch of a series, or a mutant."""

    name: str
    title: str
    cells: list[Cell]
    contract: str = ""
    build_s: float = 0.0
    run_s: float = 0.0
    reviews: tuple[str, ...] = ()
    """Review findings that a mutant has."""


class Matrix(msgspec.Struct):
    """matrix.json: patch by scenario, or mutant by scenario."""

    kind: str
    """series or teeth."""
    title: str
    argv: list[str]
    started: float
    lines: list[Line] = []
    seconds: float = 0.0
    rig: str = ""
    """The rig's version and the digest of its code."""
    schema: int = SCHEMA


class Guest(msgspec.Struct):
    """guest.json."""

    scenario: str
    file: str
    """The scenario's file, below the rig's own folder."""
    flavour: str
    faults: dict[str, int]
    memory_mib: int
    smp: int
    outcome: str = ""
    """Empty while it runs."""
    sentence: str = ""
    failure: str | None = None
    expected: list[Expected] = []
    """Kernel lines that the scenario provokes on purpose."""
    complaints: list[str] = []
    """What the logs and the device had against a pass."""
    where: list[str] = []
    """Lines of the scenario that led to the failure, the failing one last."""
    stage: str = "booted"
    """Where the scenario starts."""
    snapshot: str = ""
    """Key in the store of the snapshot that the guest was restored from; empty: it was booted."""
    gpu: str = ""
    """Row of the GPU table that the scenario is about; empty: that of the run."""
    schema: int = SCHEMA


def begin(bed: TestBed, run_dir: Path, wanted: Mapping[str, tuple[str, ...]]) -> Run:
    """Write run.json before the first guest: a run that is killed still says what it was.

    `wanted`: scenario -> the review findings that it speaks to.
    """
    reviews = {scenario: ids for scenario, ids in wanted.items() if ids}
    argv = ["rig", *sys.argv[1:]]
    run = Run(argv, time.time(), tested.inputs_of(bed), list(wanted), reviews=reviews)
    save(run_dir / RUN, run)
    return run


def finish(run: Run, run_dir: Path, verdicts: Sequence[Verdict], seconds: float) -> None:
    """Write the verdicts."""
    run.rows = [_row(verdict, run_dir) for verdict in verdicts]
    run.seconds = seconds
    save(run_dir / RUN, run)


def _row(verdict: Verdict, run_dir: Path) -> Row:
    folder = verdict.run_dir
    inside = folder is not None and folder.is_relative_to(run_dir)
    return Row(
        verdict.scenario,
        verdict.outcome.value,
        verdict.sentence,
        verdict.failure.name if verdict.failure else None,
        round(verdict.seconds, 3),
        {name: round(seconds, 3) for name, seconds in verdict.stages.items()},
        str(folder.relative_to(run_dir)) if folder is not None and inside else None,
        list(verdict.notes),
    )


def verdict_of(row: Row, run_dir: Path) -> Verdict:
    """A row as the verdict it came from."""
    return Verdict(
        row.scenario,
        Outcome(row.outcome),
        row.sentence,
        FailureClass[row.failure] if row.failure else None,
        row.seconds,
        row.stages,
        run_dir / row.folder if row.folder else None,
        tuple(row.notes),
    )


def save(path: Path, record: msgspec.Struct) -> None:
    """Write a record; a reader finds the old one or the new one, never half of it."""
    scratch = path.with_suffix(SCRATCH)
    scratch.write_bytes(msgspec.json.format(msgspec.json.encode(record), indent=1) + b"\n")
    scratch.rename(path)


def load(path: Path, kind: type[_S]) -> _S:
    """Read a record. Raises `RigError`: USAGE when there is none, INFRA when it is damaged."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except FileNotFoundError as exc:
        raise usage(f"{path.parent} is no run of this rig: it has no {path.name}") from exc
    except msgspec.MsgspecError as exc:
        raise infra(f"{path} is damaged or of another version of the rig: {exc}") from exc
