# SPDX-License-Identifier: MIT
"""SIGKILL at random instants: of the rig, a worker, QEMU, the agent. The next run works.

So it does after a disk that is full at some point, with room for a random part of a run.

``RIG_KILLS`` says how many (20; `make soak` takes 200), ``RIG_SEED`` where the dice
begin; the name of a test says who dies when, so that one can be repeated.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from rig.catalogue import entries
from rig.errors import FailureClass
from rig.paths import REPO
from rig.runner import new_run_dir, run
from rig.store import Store
from tests.guest.damage import HEAD, check_clean, fresh_bed, running, wait_not_running
from tests.guest.test_bad_input_host import namespace

KILLS = int(os.environ.get("RIG_KILLS", "20"))
SEED = int(os.environ.get("RIG_SEED", "2"))
VICTIMS = ("rig", "qemu", "agent", "worker", "disk")
LONGEST_S = 4.0
"""After this a run is over on a quiet machine; on a slow one the kills fall into its beginning."""
LEAST_KIB, MOST_KIB = 4, 400
"""Room on the disk that gets full: a run in a guest that was restored writes about 200 KiB."""
AFTER = "RIG_TEST_KILL_AGENT_AFTER"
SCENARIO = f"""
    import os

    @scenario(flavour="direct")
    def test_busy(rig: Scenario) -> None:
        after = os.environ.get({AFTER!r})
        if after:
            kill = f"(sleep {{after}}; killall -9 rig-agent) < /dev/null > /dev/null 2>&1 &"
            rig.serial.run(["sh", "-c", kill], timeout=120)
        rig.load_panthor(heap=None)
        rig.wait_bound()
        for _ in range(10):
            rig.run("gpuctl", "job")

    @scenario(flavour="direct")
    def test_beside(rig: Scenario) -> None:
        rig.load_panthor(heap=None)
"""
RUN = """
    import sys
    from pathlib import Path
    import click
    from rig.catalogue import entries
    from rig.cli import main
    from rig.report.table import print_verdicts
    from rig.runner import new_run_dir, run
    from rig.options import Options
    from rig.testbed import TestBed
    from rig.ui import Reporter, output
    from rig.verdict.verdict import exit_code

    def go() -> int:
        bed = TestBed(Options(), Reporter())
        folder = new_run_dir(bed.builder.store, "kill")
        print(folder, flush=True)
        jobs = int(sys.argv[2])  # a scenario each; two have workers
        verdicts = run(bed, entries(Path(sys.argv[1]))[:jobs], folder, jobs=jobs).verdicts
        print_verdicts(output(), "kill", verdicts)
        return exit_code(verdicts)

    main._Lazy.get_command = lambda *_: click.Command("x", callback=go)
    main.main(["x"])
"""


TOLD = {"worker": "a worker of the run was killed", "disk": "no space left on the disk"}
"""What is said when the run could not be finished."""


def cases() -> Iterator[tuple[int, str, float]]:
    dice = random.Random(SEED)
    for number in range(KILLS):
        yield number, VICTIMS[number % len(VICTIMS)], round(dice.uniform(0, LONGEST_S), 3)


@pytest.fixture(scope="module")
def scenarios(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scenario of our own; what it needs is built before the first kill."""
    folder = tmp_path_factory.mktemp("scenarios")
    (folder / "kills.py").write_text(HEAD + textwrap.dedent(SCENARIO))
    check_a_run_passes(folder)
    return folder


def check_a_run_passes(scenarios: Path) -> None:
    bed = fresh_bed()
    for verdict in run(bed, entries(scenarios), new_run_dir(bed.builder.store, "kill")).verdicts:
        assert verdict.exit_code == 0, verdict.sentence


@pytest.mark.parametrize(("number", "victim", "after"), list(cases()))
def test_killed(scenarios: Path, number: int, victim: str, after: float) -> None:
    assert number < KILLS
    jobs = "2" if victim == "worker" else "1"
    rig = subprocess.Popen(
        [*(small_disk(after) if victim == "disk" else ()),
         sys.executable, "-c", textwrap.dedent(RUN), str(scenarios), jobs],
        cwd=REPO, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env={**os.environ, **({AFTER: str(after)} if victim == "agent" else {})},
    )  # fmt: skip
    if victim == "rig":
        time.sleep(after)  # the instant is the test's input: nothing is waited for
        rig.kill()
    elif victim == "qemu":
        kill(rig, "qemu-system-aarch64", after)
    elif victim == "worker":
        kill(rig, str(scenarios), after)
    told = rig.communicate(timeout=300)[0]
    print(told)
    if victim in TOLD:
        assert "Traceback" not in told
        assert rig.returncode in (0, FailureClass.INFRA.exit_code), told
        assert rig.returncode == 0 or TOLD[victim] in told
    elif victim != "rig":
        check_told(rig.returncode, told)
    check_left(told)


def small_disk(after: float) -> tuple[str, ...]:
    """A command in front: the folder of all runs is on a disk with room for a part of one."""
    room = LEAST_KIB + int((MOST_KIB - LEAST_KIB) * after / LONGEST_S)
    mount = f'mount -t tmpfs -o size={room}k none "$0" && exec "$@"'
    return (*namespace(), "sh", "-c", mount, str(Store().root / "runs"))


def kill(rig: subprocess.Popen[str], word: str, after: float) -> None:
    """SIGKILL to the first process with `word` that the rig started, `after` s behind its start.

    Unless it has ended by then.
    """
    deadline = time.monotonic() + 120
    while not (found := [pid for pid in running(word) if pid != rig.pid and below(pid, rig.pid)]):
        assert time.monotonic() < deadline, f"no {word} was started"
        assert rig.poll() is None, rig.communicate()
        time.sleep(0.01)
    time.sleep(after)
    for pid in found[:1]:
        with suppress(ProcessLookupError):  # the run was over before
            os.kill(pid, signal.SIGKILL)


def below(pid: int, ancestor: int) -> bool:
    """Whether `ancestor` started `pid`."""
    while pid not in (0, ancestor):
        try:
            pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            return False
    return pid == ancestor


def check_told(code: int, told: str) -> None:
    """A pass, when the kill came too late, or that the guest was lost: never a FAIL."""
    assert "Traceback" not in told
    assert code in (0, FailureClass.LOST.exit_code, FailureClass.INFRA.exit_code), told
    if code:
        assert "ERROR" in told
        assert "logs: " in told


def check_left(told: str) -> None:
    """No process, no big file, nothing half-written; and the run's records can be read."""
    first = told.splitlines()[:1]
    # a disk that was full is gone, with what was on it
    if first and first[0].startswith("/") and (run_dir := Path(first[0])).is_dir():
        wait_not_running("qemu-system", run_dir)
        wait_not_running("janitor", run_dir)
        for guest in (path for path in run_dir.iterdir() if path.is_dir()):
            check_clean(guest)
        for record in run_dir.rglob("*.json"):
            json.loads(record.read_text())
    store = Store()
    for artifact, _used in store.artifacts():
        there = store.find(artifact.name, artifact.key) is not None
        assert there or not artifact.path.exists(), artifact  # another rig may make room


def test_the_next_run_works(scenarios: Path) -> None:
    check_a_run_passes(scenarios)
