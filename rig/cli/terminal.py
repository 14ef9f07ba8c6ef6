# SPDX-License-Identifier: MIT
"""The user's terminal, lent to other programs, and the wait at a guest that is kept alive."""

from __future__ import annotations

import pdb
import select
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from types import FrameType, TracebackType
from typing import TextIO

from rig import live
from rig.errors import infra
from rig.guest.attach import attach
from rig.guest.serial import SerialStream
from rig.session import Session
from rig.verdict.verdict import Verdict

_SLICE_S = 0.2


def call(argv: Sequence[str]) -> int:
    """Run a program on the terminal; Ctrl-C is its own affair. Its exit status."""
    with _deaf():
        try:
            return subprocess.run(argv, check=False).returncode
        except FileNotFoundError as exc:
            raise infra(f"{argv[0]} is not there", "`rig doctor` names its package") from exc


@contextmanager
def _deaf() -> Iterator[None]:
    """Ctrl-C goes to every program of the terminal; here it means nothing meanwhile.

    A handler, not SIG_IGN: a child would inherit that.
    """
    before = signal.signal(signal.SIGINT, _nothing)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _nothing(_number: int, _frame: FrameType | None) -> None:
    pass


def console(folder: Path) -> bool:
    """The terminal on a guest's console; whether the user left (and not the guest)."""
    stream = SerialStream(folder / "sockets" / "console.sock")
    try:
        return attach(stream)
    finally:
        stream.close()


def failed(session: Session, verdict: Verdict, error: BaseException, *, debugger: bool) -> None:
    """Show the user the guest of a failed scenario; a worker's own output is in a file."""
    out = sys.__stderr__
    assert out is not None
    with redirect_stdout(sys.__stdout__), redirect_stderr(out):
        what = verdict.failure.name if verdict.failure else verdict.outcome.value
        print(f"\n{verdict.scenario}: {what}: {verdict.sentence}", file=out)
        if session.vm.pid is None:
            print("its guest is gone: QEMU ended", file=out)
            return
        if debugger:
            live.announce(session)
            pdb.post_mortem(_of_scenario(error) or error.__traceback__)
        keep(session, f"{verdict.scenario} failed")


def _of_scenario(error: BaseException | None) -> TracebackType | None:
    """The part of a failure that lies in the scenario's own file: not pytest, not the kit.

    The judge adds what the logs say in an error of its own, so causes count.
    """
    while error is not None:
        steps = list(_steps(error.__traceback__))
        codes = [step.tb_frame.f_code for step in steps]
        file = next((c.co_filename for c in codes if c.co_name.startswith("test_")), None)
        if file is not None:
            chain: TracebackType | None = None
            for step in reversed(steps):
                if step.tb_frame.f_code.co_filename == file:
                    chain = TracebackType(chain, step.tb_frame, step.tb_lasti, step.tb_lineno)
            return chain
        error = error.__cause__
    return None


def _steps(trace: TracebackType | None) -> Iterator[TracebackType]:
    while trace is not None:
        yield trace
        trace = trace.tb_next


def keep(session: Session, why: str, *, attached: bool = False) -> None:
    """Leave the guest to the user until he ends it, or until it ends.

    `attached` begins on its console. The rig lets go of the console meanwhile, so that any
    terminal can have it. Without a terminal (stdin at its end) this returns at once.
    """
    folder = live.announce(session)
    session.vm.console.close()
    out = sys.stderr
    if attached:
        print("Ctrl-] leaves the console; the guest stays", file=out)
        console(folder)
    while session.vm.pid is not None:
        print(f"\n{why}. The guest runs on; from any terminal:", file=out)
        for line in live.ways_in(folder):
            print(f"  {line}", file=out)
        print("Here: c + Enter for its console, Enter to end it.", file=out, flush=True)
        if _answer(session, sys.stdin).strip() != "c":
            return
        console(folder)
    print("the guest ended", file=out)


def _answer(session: Session, stdin: TextIO) -> str:
    """A line from the user; an empty one when the guest ended."""
    while session.vm.pid is not None:
        if select.select([stdin], [], [], _SLICE_S)[0]:
            return stdin.readline()
    return ""
