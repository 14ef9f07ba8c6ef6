# SPDX-License-Identifier: MIT
"""What a run says while it works: one line a stage, with its time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from rich.console import Console
from rich.status import Status

HEARTBEAT_S = 30.0
"""Without a terminal, a long build says every so often how far it is."""


LOG_COLUMNS = 120


def output() -> Console:
    """Where results go: stdout; in a file or a pipe with a fixed width instead of 80 columns."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=LOG_COLUMNS)


class Timed(Protocol):
    """What the reporter shows of an artifact."""

    @property
    def key(self) -> str:
        """Content key."""

    @property
    def cpu_seconds(self) -> float:
        """User + system time of the build."""


class Reporter:
    """Progress on a terminal (a live line) or in a log (plain lines)."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(stderr=True, highlight=False)
        self.timings: dict[str, float] = {}
        self._status: Status | None = None
        self._last = 0.0

    def say(self, text: str) -> None:
        """One plain line."""
        self.console.print(text, soft_wrap=True, markup=False)

    def reused(self, name: str, artifact: Timed) -> None:
        """An artifact came from the store."""
        self.timings.setdefault(f"build {name}", 0.0)

    def built(self, name: str, artifact: Timed, seconds: float) -> None:
        """An artifact was built."""
        self.timings[f"build {name}"] = seconds
        cpu = artifact.cpu_seconds
        self.say(f"  built {name:<10} {seconds:7.1f} s {cpu:7.1f} CPU s  {artifact.key}")

    @contextmanager
    def building(self, name: str, log: Path) -> Iterator[None]:
        """Show that `name` is being built; nested builds show the innermost."""
        outer, self._last = self._status, time.monotonic()
        text = f"building {name} (log: {log})"
        if self.console.is_terminal:
            if outer is not None:
                outer.stop()
            self._status = self.console.status(text)
            self._status.start()
        else:
            self.say(f"  {text}")
        try:
            yield
        finally:
            if self._status is not None:
                self._status.stop()
            self._status = outer
            if outer is not None:
                outer.start()

    def progress(self, what: str, done: int, total: int) -> None:
        """A build step ended."""
        if self._status is not None:
            self._status.update(f"{what}: {done}/{total}")
        elif time.monotonic() - self._last > HEARTBEAT_S:
            self._last = time.monotonic()
            self.say(f"    {what}: {done}/{total}")

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a stage of a run."""
        started = time.monotonic()
        try:
            yield
        finally:
            self.timings[name] = time.monotonic() - started
