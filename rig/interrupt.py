# SPDX-License-Identifier: MIT
"""Ctrl-C and its relatives: heard once, never forgotten.

A signal raises `KeyboardInterrupt` in the main thread, wherever that is. What unwinds
then may raise something else in its place (a guest half started that cannot be taken
down), and Python drops an exception in a destructor; so the handler also keeps a note.
Whoever is about to make an error or a verdict of what came out asks `stopped_by` first.

A signal may come again: it does nothing to what is being taken down already, and raises
once more where the first one was dropped.
"""

from __future__ import annotations

import signal
import sys
from types import FrameType

_WORDS = {signal.SIGINT: "Ctrl-C"}
_heard: list[str] = []
_taken: list[bool] = []


def listen() -> None:
    """Hear Ctrl-C, SIGTERM and a closed terminal. Main thread only.

    What the rig was started to ignore (`nohup`, a shell's background job) stays ignored.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if number is signal.SIGTERM or signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, on_signal)


def on_signal(number: int, _frame: FrameType | None) -> None:
    """The handler: note it, then unwind, taking down all that runs."""
    name = _WORDS.get(signal.Signals(number), signal.Signals(number).name)
    _heard.append(name)
    if not _taken and not _unwinding():
        raise KeyboardInterrupt(name)


def _unwinding() -> bool:
    """Whether a `finally` or an `__exit__` is at work because of an earlier signal."""
    exc = sys.exc_info()[1]
    while exc is not None and not isinstance(exc, KeyboardInterrupt):
        exc = exc.__context__
    return exc is not None


def taken() -> None:
    """The `KeyboardInterrupt` has arrived where it ends: what follows is the taking down."""
    _taken.append(True)


def stopped_by() -> str:
    """The first signal that was heard, or an empty string."""
    return _heard[0] if _heard else ""


def check() -> None:
    """Raise `KeyboardInterrupt` when the rig was told to stop, whatever became of it since."""
    if _heard:
        raise KeyboardInterrupt(_heard[0])


def forget() -> None:
    """Start afresh: for a process, or a test, that outlives what was stopped."""
    _heard.clear()
    _taken.clear()
