# SPDX-License-Identifier: MIT
"""Ctrl-C at each stage of a run: one line, 130, nothing left, what was found is kept.

The middle of a compile has tests of its own (test_stopped_build).
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from rig.errors import FailureClass
from rig.paths import REPO
from rig.store import Store
from tests.guest.damage import check_clean, wait_not_running

SCENARIO = "driver/reload"
"""Lasts long enough to be met in the middle."""
DEADLINE_S = 180.0


def heard(rig: subprocess.Popen[str], _run_dir: Path | None) -> bool:
    """The rig listens to signals: before that Python's own handler would answer."""
    for line in Path(f"/proc/{rig.pid}/status").read_text().splitlines():
        if line.startswith("SigCgt:"):
            return bool(int(line.split()[1], 16) >> (signal.SIGTERM - 1) & 1)
    return False


def has_folder(_rig: subprocess.Popen[str], run_dir: Path | None) -> bool:
    """Everything is built, the run begins."""
    return run_dir is not None


def guest_starts(_rig: subprocess.Popen[str], run_dir: Path | None) -> bool:
    """QEMU has a console."""
    return run_dir is not None and bool(list(run_dir.glob("*/console.log")))


def scenario_runs(_rig: subprocess.Popen[str], run_dir: Path | None) -> bool:
    """A command of the scenario is under way."""
    journals = list(run_dir.glob("*/journal.jsonl")) if run_dir is not None else []
    return any("modprobe panthor" in journal.read_text() for journal in journals)


@pytest.mark.parametrize("stage", [heard, has_folder, guest_starts, scenario_runs])
def test_ctrl_c(stage: Callable[[subprocess.Popen[str], Path | None], bool]) -> None:
    before = built()
    rig = start("--cold" if stage is guest_starts else "--warm")
    run_dir = wait_for(rig, stage)
    os.kill(rig.pid, signal.SIGINT)
    check_stopped(rig, run_dir)
    assert built() >= before


def built() -> set[Path]:
    """What was built; snapshots and verdicts make room for newer ones at any time."""
    kinds = ("qemu", "image", "modules", "firmware", "rootfs", "csffw")
    return {kept.path for kept, _used in Store().artifacts() if kept.name in kinds}


def test_a_second_ctrl_c_while_it_unwinds() -> None:
    """The user's impatience leaves nothing behind either."""
    rig = start("--warm")
    run_dir = wait_for(rig, scenario_runs)
    for _ in range(3):
        os.kill(rig.pid, signal.SIGINT)
        time.sleep(0.02)  # two that are pending at once are one
    check_stopped(rig, run_dir)


def start(mode: str) -> subprocess.Popen[str]:
    """A run. A shell's background job ignores SIGINT, and so would what it starts."""
    arguments = [*(["--cold"] if mode == "--cold" else []), SCENARIO]
    return subprocess.Popen(
        ["env", "--default-signal=INT", sys.executable, "-m", "rig.cli.main", "run", *arguments],
        cwd=REPO, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def wait_for(
    rig: subprocess.Popen[str], stage: Callable[[subprocess.Popen[str], Path | None], bool]
) -> Path | None:
    """Its run folder when it gets to `stage`."""
    deadline, since = time.monotonic() + DEADLINE_S, time.strftime("%Y%m%d-%H%M%S")
    while not stage(rig, run_dir := folder_of(rig.pid, since)):
        assert rig.poll() is None, rig.communicate()
        assert time.monotonic() < deadline, f"never got to {stage.__name__}"
        time.sleep(0.01)
    return run_dir


def folder_of(pid: int, since: str) -> Path | None:
    """The run folder that the process holds: it also looks whether older ones are in use."""
    for link in Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = link.readlink()
        except FileNotFoundError:
            continue
        if target.name == ".live" and target.parent.name >= since:
            return target.parent
    return None


def check_stopped(rig: subprocess.Popen[str], run_dir: Path | None) -> None:
    """One line, the exit code, no traceback; no process, no big file; records whole."""
    _out, err = rig.communicate(timeout=DEADLINE_S)
    # one that comes when all is said and Python is leaving is the same 130 to a shell
    assert rig.returncode in (FailureClass.INTERRUPTED.exit_code, -signal.SIGINT), err
    assert "rig: INTERRUPTED: stopped by Ctrl-C" in err
    assert "Traceback" not in err
    if run_dir is None:
        return
    wait_not_running("qemu-system", run_dir)
    for guest in (path for path in run_dir.iterdir() if path.is_dir()):
        check_clean(guest)
    for record in run_dir.rglob("*.json"):
        json.loads(record.read_text())
