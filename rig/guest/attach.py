# SPDX-License-Identifier: MIT
"""A person on the serial console: raw pass-through between a terminal and the guest."""

from __future__ import annotations

import os
import select
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager

from rig.guest.serial import SerialStream

ESCAPE = b"\x1d"
ESCAPE_NAME = "Ctrl-]"
_SLICE_S = 0.2
_TAKES_NONE_S = 2.0
"""A guest that has read none of its console for so long does not listen (it is halted, dead)."""


def attach(stream: SerialStream, stdin: int = 0, stdout: int = 1) -> bool:
    """Connect the terminal until Ctrl-] (True) or until the guest or stdin ends (False).

    Every byte goes through, Ctrl-C and kernel lines included; the terminal is
    put back as it was in every case.
    """
    stream.tap(lambda chunk: _write_all(stdout, chunk))
    try:
        with _raw(stdin):
            stream.write(b"\n")  # brings the prompt
            left = _forward(stream, stdin)
            stream.drain(_TAKES_NONE_S)
            return left
    finally:
        stream.tap(None)
        stream.discard()


def _forward(stream: SerialStream, stdin: int) -> bool:
    while not stream.ended.is_set():
        readable, _, _ = select.select([stdin], [], [], _SLICE_S)
        if not readable:
            continue
        typed = os.read(stdin, 4096)
        before, escape, _ = typed.partition(ESCAPE)
        if before:
            stream.write(before)
        if escape or not typed:
            return bool(escape)
    return False


def _write_all(fd: int, data: bytes) -> None:
    while data:
        data = data[os.write(fd, data) :]


@contextmanager
def _raw(fd: int) -> Iterator[None]:
    """The terminal in raw mode; nothing when it is a pipe."""
    if not os.isatty(fd):
        yield
        return
    saved = termios.tcgetattr(fd)
    try:
        tty.setraw(fd, termios.TCSADRAIN)  # keep what was typed ahead
        yield
    finally:
        termios.tcsetattr(fd, termios.TCSADRAIN, saved)
