# SPDX-License-Identifier: MIT
"""What the rig did to one guest, as it happened: one JSON object a line.

The report lays these entries beside the guest's own logs. Every entry has `mono`
(host's CLOCK_MONOTONIC, ns: when it began), `kind` and `what`; a step that takes
time also has `seconds`. Appending is all that is done while a guest runs: about
10 us an entry.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

NAME = "journal.jsonl"
_PRINTK = re.compile(r"(?:<\d+>)?\[ *(\d+\.\d+)\]")
_TEXT_MAX = 4000
"""Characters kept of one text: a journal is read by people."""


class Entry(msgspec.Struct, omit_defaults=True):
    """One thing the rig did or noticed."""

    mono: int
    """Host time when it began, CLOCK_MONOTONIC, ns."""
    kind: str
    """stage, step, spawn, fault, qmp, qmp-event, anchor, printk, secure, note."""
    what: str
    seconds: float | None = None
    """How long it took; None for what is an instant."""
    error: str = ""
    """Why it failed."""
    data: dict[str, Any] = {}


class Journal:
    """Appends entries to a file; safe for the threads of one process."""

    def __init__(self, path: Path) -> None:
        self.after_step: Callable[[], None] = lambda: None
        """Called when a step ended: a moment to look at what has no clock of its own."""
        self._lock = threading.Lock()
        self._file = path.open("ab", buffering=0)

    def add(self, entry: Entry) -> None:
        """Append one entry; nothing once the journal is closed."""
        line = msgspec.json.encode(entry) + b"\n"
        with self._lock:
            if not self._file.closed:
                self._file.write(line)

    def note(self, kind: str, what: str, **data: Any) -> None:
        """Append an instant."""
        self.add(Entry(time.monotonic_ns(), kind, what[:_TEXT_MAX], data=data))

    @contextmanager
    def step(self, kind: str, what: str, **data: Any) -> Iterator[dict[str, Any]]:
        """Append a step when it ends; what is put into the yielded dict is kept with it."""
        started = time.monotonic_ns()
        error = ""
        try:
            yield data
        except BaseException as exc:
            error = str(exc) or type(exc).__name__
            raise
        finally:
            self.after_step()
            seconds = (time.monotonic_ns() - started) / 1e9
            entry = Entry(started, kind, what[:_TEXT_MAX], seconds, error[:_TEXT_MAX], data)
            self.add(entry)

    def close(self) -> None:
        """Close the file; later entries are dropped."""
        with self._lock:
            self._file.close()


class Clocks:
    """Notes when the guest's own logs said something, as far as they do not tell themselves.

    A kernel line carries the guest's time; the smallest lag between that and its arrival
    is where the guest's clock stands against ours. OP-TEE's log has no time at all: it is
    looked at whenever the kernel says something or a step ends.
    """

    def __init__(self, journal: Journal, secure_log: Path) -> None:
        self._journal = journal
        self._secure_log = secure_log
        self._secure_size = 0
        self._least: int | None = None
        journal.after_step = self.look

    def kernel_line(self, line: str) -> None:
        """One line of the kernel's log arrived: ``<6>[    1.234567] …``."""
        now = time.monotonic_ns()
        if (match := _PRINTK.match(line)) is None:
            return
        seconds = match[1]
        lag = now - round(float(seconds) * 1e9)
        if self._least is None or lag < self._least:
            self._least = lag
            self._journal.add(Entry(now, "printk", seconds))
        self.look()

    def look(self) -> None:
        """Note what the secure log has grown to."""
        try:
            size = self._secure_log.stat().st_size
        except FileNotFoundError:
            return
        if size != self._secure_size:
            self._secure_size = size
            self._journal.note("secure", "", size=size)


def read(path: Path) -> list[Entry]:
    """All entries in the order they were appended; a torn last line (a killed rig) is left out."""
    decoder = msgspec.json.Decoder(Entry)
    found = []
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError:
        return []
    for number, line in enumerate(lines, 1):
        try:
            found.append(decoder.decode(line))
        except msgspec.MsgspecError:
            if number != len(lines):
                raise
    return found
