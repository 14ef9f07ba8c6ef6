# SPDX-License-Identifier: MIT
"""A rig that is stopped or killed in the middle of its scenarios: real processes, fake guests.

Each rig is forked off one process that has imported everything and has no threads: an
import costs more than all that these tests do.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from rig import runner
from rig.errors import FailureClass
from rig.paths import REPO

SLOW_S = 60.0
"""A deadline that only a hang reaches."""
FAKED = """
    import os, sys
    from pathlib import Path
    from rig import judge as judge_module, tested
    from rig.cli import main
    from tests.unit import test_judge
    judge_module.opened = test_judge.FakeSession
    tested.inputs_of = lambda _bed: test_judge.INPUTS
    judge_module.token = lambda *_: None
    judge_module.complaints = lambda *_: []
    while line := sys.stdin.readline():
        folder, source = eval(line)
        if not (child := os.fork()):
            os.setsid()
            for name in ("stdin", "stdout", "stderr"):
                stream = getattr(sys, name)
                mode = "r" if name == "stdin" else "w"
                path = "/dev/null" if name == "stdin" else f"{folder}/{name}"
                with open(path, mode) as file:
                    os.dup2(file.fileno(), stream.fileno())
            break  # and ends as a rig does, through the interpreter's own shutdown
        print(child, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
    else:
        sys.exit()
    bench = test_judge.Bench(Path(folder))
    main.cli.add_command(main.click.Command(
        "faked", callback=lambda: [bench.judge(source, jobs=2), 0][1]))
    main._Lazy.get_command = lambda self, ctx, name: self.commands[name]
    main.main(["faked"])
"""


class Rig:
    """A rig of its own process group that judges private scenarios, two at a time."""

    def __init__(self, nursery: subprocess.Popen[str], folder: Path, source: str) -> None:
        assert nursery.stdin is not None
        assert nursery.stdout is not None
        self.folder, self._out = folder, nursery.stdout
        nursery.stdin.write(f"{(str(folder), source)!r}\n")
        nursery.stdin.flush()
        self.pid = int(self._out.readline())

    def wait(self) -> int:
        """Its exit code, as `subprocess` counts them."""
        return int(self._out.readline())

    @property
    def stderr(self) -> str:
        return (self.folder / "stderr").read_text()


@pytest.fixture(scope="module")
def nursery() -> Iterator[subprocess.Popen[str]]:
    argv = [sys.executable, "-c", textwrap.dedent(FAKED)]
    with subprocess.Popen(
        argv, cwd=REPO, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        yield parent
        assert parent.stdin is not None
        parent.stdin.close()


def test_a_killed_worker_is_not_a_pass(nursery: subprocess.Popen[str], tmp_path: Path) -> None:
    source = "@scenario()\ndef test_a(rig): os.kill(os.getpid(), 9)\n"
    rig = Rig(nursery, tmp_path, source + "@scenario()\ndef test_b(rig): pass\n")
    assert rig.wait() == FailureClass.INFRA.exit_code
    assert "a worker of the run was killed" in rig.stderr


SLEEP = "open(f'{FOLDER}/pid-{os.getpid()}', 'w').close(); time.sleep(600)"
LATE = """class Late:
        def __del__(self):
            open(f'{FOLDER}/pid-{os.getpid()}', 'w').close()
            time.sleep(1)
    Late()
    time.sleep(600)"""
SLOW_END = """try:
        open(f'{FOLDER}/pid-{os.getpid()}', 'w').close()
        time.sleep(600)
    finally:
        time.sleep(1)
        open(f'{FOLDER}/end-{os.getpid()}', 'w').close()"""


@contextmanager
def sleepy(
    nursery: subprocess.Popen[str], folder: Path, body: str = SLEEP
) -> Iterator[tuple[Rig, list[int]]]:
    """A rig in the middle of two scenarios, and its workers' process ids."""
    source = f"import time\nFOLDER = {str(folder)!r}\n" + "".join(
        f"@scenario()\ndef test_s{n}(rig):\n    {body}\n" for n in range(4)
    )
    rig = Rig(nursery, folder, source)
    # a rig that does not stop must fail its test, not hold up all the others
    watchdog = threading.Timer(2 * SLOW_S, os.killpg, (rig.pid, signal.SIGKILL))
    watchdog.start()
    try:
        deadline = time.monotonic() + SLOW_S
        while len(found := list(folder.glob("pid-*"))) < 2:
            assert time.monotonic() < deadline, rig.stderr
            assert _runs(rig.pid), rig.stderr
            time.sleep(0.01)
        yield rig, [int(path.name.removeprefix("pid-")) for path in found]
    except BaseException:
        with suppress(ProcessLookupError):  # it ended in time, but not as it should
            os.killpg(rig.pid, signal.SIGKILL)
        raise
    finally:
        watchdog.cancel()


def wait_gone(pids: list[int]) -> None:
    deadline = time.monotonic() + SLOW_S
    while any(_runs(pid) for pid in pids):
        assert time.monotonic() < deadline, f"still there: {pids}"
        time.sleep(0.01)


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split(") ")[1][0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.parametrize(
    ("number", "whole_group"),
    [
        (signal.SIGINT, True),
        (signal.SIGINT, False),
        (signal.SIGTERM, True),
        (signal.SIGTERM, False),
    ],
)
def test_a_stopped_rig_stops_its_scenarios(
    nursery: subprocess.Popen[str], tmp_path: Path, number: signal.Signals, whole_group: bool
) -> None:
    """One process by `kill`, or all by the terminal's Ctrl-C: 130, one line, nothing left."""
    with sleepy(nursery, tmp_path) as (rig, workers):
        started = time.monotonic()
        (os.killpg if whole_group else os.kill)(rig.pid, number)
        assert rig.wait() == FailureClass.INTERRUPTED.exit_code
        assert time.monotonic() - started < SLOW_S
        assert f"stopped by {'Ctrl-C' if number is signal.SIGINT else number.name}" in rig.stderr
        assert "Traceback" not in rig.stderr
        wait_gone(workers)


def test_a_signal_that_python_drops_is_not_lost(
    nursery: subprocess.Popen[str], tmp_path: Path
) -> None:
    """A scenario that sits in a destructor when it comes: what is raised there goes nowhere."""
    with sleepy(nursery, tmp_path, LATE) as (rig, workers):
        os.kill(rig.pid, signal.SIGINT)
        assert rig.wait() == FailureClass.INTERRUPTED.exit_code
        assert "stopped by Ctrl-C" in rig.stderr
        wait_gone(workers)


def test_what_is_taken_down_bears_more_signals(
    nursery: subprocess.Popen[str], tmp_path: Path
) -> None:
    with sleepy(nursery, tmp_path, SLOW_END) as (rig, workers):
        os.kill(rig.pid, signal.SIGINT)
        assert rig.wait() == FailureClass.INTERRUPTED.exit_code
        assert "Traceback" not in rig.stderr
        for pid in workers:
            assert (tmp_path / f"end-{pid}").exists(), "the end of a scenario was cut short"


def test_a_killed_rig_leaves_no_worker(nursery: subprocess.Popen[str], tmp_path: Path) -> None:
    with sleepy(nursery, tmp_path) as (rig, workers):
        os.kill(rig.pid, signal.SIGKILL)
        assert rig.wait() == -signal.SIGKILL
        wait_gone(workers)


def test_the_pools_own_thread_has_ended_with_it() -> None:
    """Else the interpreter's end complains, now and then, of a pipe that is just being closed."""
    before = threading.enumerate()
    for _ in range(5):
        pool = ProcessPoolExecutor(
            2, mp_context=multiprocessing.get_context("fork"),
            initializer=signal.signal, initargs=(signal.SIGINT, signal.SIG_IGN),
        )  # fmt: skip
        assert [pool.submit(abs, number).result() for number in (-1, -2)] == [1, 2]
        runner._end(pool, multiprocessing.active_children())
        assert set(threading.enumerate()) <= set(before)
