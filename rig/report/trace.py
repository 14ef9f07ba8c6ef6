# SPDX-License-Identifier: MIT
"""A run's time lines in Chrome's trace format, for Perfetto or about:tracing.

A guest is a process, a source of its time line a thread; times are virtual, in us. What
the rig did has a length (in host time), everything else is an instant.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rig.bundle import GUEST, RUN, Guest, load
from rig.errors import usage
from rig.report.timeline import SOURCES, Mark, timeline

_NAME_MAX = 80


def write(run_dir: Path, path: Path) -> int:
    """Write the trace; the number of events. Raises `RigError` (USAGE) when it is no run."""
    guests = sorted(file.parent for file in run_dir.rglob(GUEST))
    if not guests:
        raise usage(f"no guest was started in {run_dir}", f"a run with {RUN} and {GUEST} has one")
    events = [event for number, guest in enumerate(guests, 1) for event in _guest(number, guest)]
    path.write_text(json.dumps({"traceEvents": events, "displayTimeUnit": "ms"}) + "\n")
    return len(events)


def _guest(number: int, folder: Path) -> Iterator[dict[str, Any]]:
    guest = load(folder / GUEST, Guest)
    expected = list(guest.expected)
    yield _meta(number, 0, "process_name", f"{guest.scenario} {guest.outcome}".strip())
    for thread, source in enumerate(SOURCES, 1):
        yield _meta(number, thread, "thread_name", source)
    for mark in timeline(folder, expected):
        yield _event(number, mark)


def _meta(pid: int, tid: int, what: str, name: str) -> dict[str, Any]:
    return {"ph": "M", "pid": pid, "tid": tid, "name": what, "args": {"name": name}}


def _event(pid: int, mark: Mark) -> dict[str, Any]:
    event: dict[str, Any] = {
        "name": mark.text[:_NAME_MAX],
        "cat": f"{mark.source},bad" if mark.bad else mark.source,
        "ts": mark.vns / 1000,
        "pid": pid,
        "tid": SOURCES.index(mark.source) + 1,
        "args": {"text": mark.text, "late": mark.late},
    }
    if mark.seconds is None:
        return {**event, "ph": "i", "s": "t"}
    return {**event, "ph": "X", "dur": mark.seconds * 1e6}
