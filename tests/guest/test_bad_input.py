# SPDX-License-Identifier: MIT
"""Guests that hang, die or break, and a rig that is stopped with guests running."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from rig.catalogue import entries
from rig.errors import FailureClass
from rig.options import Options
from rig.runner import new_run_dir, run
from rig.store import Store
from rig.testbed import TestBed
from rig.ui import Reporter
from rig.verdict.verdict import Outcome, Verdict

SCENARIOS = """
    from rig.scenarios.kit import Scenario, scenario

    @scenario(flavour="direct")
    def test_endless(rig: Scenario) -> None:
        rig.run("sleep", "1000", timeout=1)

    @scenario(flavour="direct")
    def test_crash(rig: Scenario) -> None:
        rig.try_run("sh", "-c", "echo c > /proc/sysrq-trigger")

    @scenario(flavour="direct")
    def test_power_off(rig: Scenario) -> None:
        rig.try_run("sh", "-c", "echo o > /proc/sysrq-trigger; sleep 20")

    @scenario(flavour="direct")
    def test_bug(rig: Scenario) -> None:
        rig.run("true")
        raise KeyError("a slip in the scenario")
"""


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Verdict]:
    """All of them in one run: each must leave the next one alone."""
    folder = tmp_path_factory.mktemp("scenarios")
    (folder / "bad.py").write_text(textwrap.dedent(SCENARIOS))
    bed = TestBed(Options(), Reporter())
    found = run(bed, entries(folder), new_run_dir(bed.builder.store, "bad-input")).verdicts
    return {verdict.scenario: verdict for verdict in found}


@pytest.mark.parametrize(
    ("name", "outcome", "failure", "says"),
    [
        ("endless", Outcome.FAIL, FailureClass.HANG, "`sleep 1000` did not end"),
        ("crash", Outcome.FAIL, FailureClass.OOPS, "sysrq triggered crash"),
        ("power-off", Outcome.ERROR, FailureClass.LOST, ""),
        ("bug", Outcome.ERROR, FailureClass.INFRA, "a slip in the scenario"),
    ],
)
def test_a_guest_that_ends_badly(
    verdicts: dict[str, Verdict], name: str, outcome: Outcome, failure: FailureClass, says: str
) -> None:
    verdict = verdicts[f"bad/{name}"]
    assert (verdict.outcome, verdict.failure) == (outcome, failure), verdict.sentence
    assert says in verdict.sentence


def descendants(pid: int) -> dict[int, str]:
    """Processes below `pid` with their names, by who started whom."""
    found: dict[int, str] = {}
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, task.read_text().split()):
            found[child] = Path(f"/proc/{child}/comm").read_text().strip()
            found.update(descendants(child))
    return found


def qemus(rig: subprocess.Popen[str]) -> list[int]:
    """The QEMUs of a running rig, once there is one."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        assert rig.poll() is None, rig.communicate()
        try:
            below = descendants(rig.pid)
        except (FileNotFoundError, ProcessLookupError):
            continue  # one of them ended while we looked
        if found := [pid for pid, name in below.items() if name.startswith("qemu-system")]:
            return found
        time.sleep(0.05)
    raise AssertionError("no QEMU was started")


def wait_gone(pids: list[int]) -> None:
    deadline = time.monotonic() + 15
    while left := [pid for pid in pids if Path(f"/proc/{pid}/exe").exists()]:
        assert time.monotonic() < deadline, f"still there: {left}"
        time.sleep(0.05)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_stopped_rig_leaves_no_guest(number: signal.Signals) -> None:
    store = Store()
    before = {artifact.path for artifact, _used in store.artifacts()}
    # a shell's background job is started with SIGINT ignored, and so is what it starts
    default = ["env", "--default-signal=INT"]
    rig = subprocess.Popen(
        [*default, sys.executable, "-m", "rig.cli.main", "run", "driver/reload"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    running = qemus(rig)
    os.kill(rig.pid, number)
    _out, err = rig.communicate(timeout=60)
    wait_gone(running)
    assert {artifact.path for artifact, _used in store.artifacts()} >= before
    if number is not signal.SIGKILL:
        assert rig.returncode == FailureClass.INTERRUPTED.exit_code, err
        assert "stopped by" in err
        assert "Traceback" not in err
