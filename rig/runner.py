# SPDX-License-Identifier: MIT
"""A run: chosen scenarios on one test bed, in one folder, with one list of verdicts."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import pytest

from rig.catalogue import Entry
from rig.errors import infra
from rig.judge import Judge
from rig.store import Store
from rig.testbed import TestBed
from rig.verdict.verdict import Verdict

KEEP_RUNS = 30


@dataclass(frozen=True)
class RunResult:
    """What a run found."""

    verdicts: list[Verdict]
    run_dir: Path
    seconds: float


def new_run_dir(store: Store, label: str = "run") -> Path:
    """A fresh folder for a run's logs; the oldest ones make room."""
    root = store.root / "runs"
    root.mkdir(exist_ok=True)
    for old in sorted(p for p in root.iterdir() if p.is_dir() and not p.is_symlink())[:-KEEP_RUNS]:
        shutil.rmtree(old, ignore_errors=True)
    stamp = time.strftime("%Y%m%d-%H%M%S")
    number = 0
    while True:
        path = root / (f"{stamp}-{label}" + (f"-{number}" if number else ""))
        try:
            path.mkdir()
        except FileExistsError:
            number += 1
            continue
        return path


def run(
    bed: TestBed, entries: Sequence[Entry], run_dir: Path, junit: Path | None = None
) -> RunResult:
    """Run scenarios; every entry ends in exactly one verdict, or the run is the rig's failure."""
    started = time.monotonic()
    judge = Judge(bed, run_dir)
    arguments = [
        *("-q", "-p", "no:cacheprovider", "--rootdir", str(entries[0].file.parent)),
        *("-c", "/dev/null", "-o", "python_files=*.py", "--no-header", "--tb=short"),
        *(["--junitxml", str(junit)] if junit else []),
        *(entry.node for entry in entries),
    ]
    with (run_dir / "pytest.log").open("w") as log:
        code = _pytest(arguments, judge, log)
    if code == pytest.ExitCode.INTERRUPTED:
        raise KeyboardInterrupt
    judged = {verdict.scenario for verdict in judge.verdicts}
    lost = [entry.id for entry in entries if entry.id not in judged]
    if lost:
        raise infra(f"no verdict for {', '.join(lost)}", "see the log", run_dir / "pytest.log")
    return RunResult(judge.verdicts, run_dir, time.monotonic() - started)


def _pytest(arguments: list[str], judge: Judge, log: TextIO) -> int:
    """pytest in this process, its own report in a file: the user sees our table."""

    with contextlib.redirect_stdout(log), contextlib.redirect_stderr(log):
        return int(pytest.main(arguments, plugins=[judge]))
