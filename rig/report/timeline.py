# SPDX-License-Identifier: MIT
"""One guest's logs, events and steps on one clock: QEMU's virtual time.

Device events carry it. A kernel line carries the guest's own clock, which runs beside
it at a constant distance; what the rig did carries the host's clock, which the journal's
anchors tie to virtual time. OP-TEE's log has no time: a line is placed where it was
first seen, which is late by up to one step (`late` is set).
"""

from __future__ import annotations

import bisect
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rig.errors import RigError
from rig.gpu.events import EventLog
from rig.gpu.pretty import pretty, style_of
from rig.journal import NAME as JOURNAL
from rig.journal import Entry, read
from rig.verdict import klog, seclog

SOURCES = ("driver", "kernel", "tty", "secure", "gpu", "firewall", "step", "qmp")
_HEADER = re.compile(r"\[ *(\d+\.\d{6})\](?:\[ *[TC]\d+\])? ?")
_DRIVER = re.compile(r"\bpanthor\b|\[drm\b")
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_STEPS = ("stage", "step", "spawn", "note")


@dataclass(frozen=True)
class Mark:
    """One row of the time line."""

    vns: int
    """Virtual time, ns."""
    source: str
    text: str
    bad: bool = False
    late: bool = False
    """The time is that of the first look at it."""
    seconds: float | None = None


def printable(text: str) -> str:
    """Text of a log with what moves cursors or turns directions made visible."""
    return _UNPRINTABLE.sub(lambda m: f"\\x{ord(m[0]):02x}", text)


def timeline(folder: Path, expected: Sequence[klog.Expected] = ()) -> list[Mark]:
    """All that is known of one guest, in the order of virtual time."""
    entries = read(folder / JOURNAL)
    clock = Clock(entries)
    marks = [
        *_steps(entries, clock),
        *_events(folder / "gpu-events.jsonl", "gpu"),
        *_events(folder / "firewall-events.jsonl", "firewall"),
        *_kernel(folder / "console.log", clock, expected),
        *_secure(folder / "secure.log", entries, clock),
    ]
    return sorted(marks, key=lambda mark: mark.vns)


class Clock:
    """Host time and guest's time as virtual time."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        anchors = [(e.mono, int(e.what)) for e in entries if e.kind == "anchor"]
        if not anchors:  # it never came up: virtual time began with the CPUs
            began = [e.mono for e in entries if e.kind == "qmp" and e.what == "cont"]
            anchors = [((began or [e.mono for e in entries] or [0])[0], 0)]
        self._anchors = sorted(anchors)
        lags = [
            self.virtual(e.mono) - round(float(e.what) * 1e9) for e in entries if e.kind == "printk"
        ]
        self.printk_offset = min(lags, default=0)
        """ns to add to the guest's clock."""

    def virtual(self, mono: int) -> int:
        """Virtual time of a host time: straight between anchors, in step outside of them."""
        anchors = self._anchors
        right = bisect.bisect_left(anchors, (mono, 0))
        if right in (0, len(anchors)):
            host, vns = anchors[0 if right == 0 else -1]
            return max(0, vns + mono - host)
        (host_a, vns_a), (host_b, vns_b) = anchors[right - 1], anchors[right]
        return vns_a + (vns_b - vns_a) * (mono - host_a) // max(1, host_b - host_a)


def _steps(entries: Iterable[Entry], clock: Clock) -> list[Mark]:
    """What the rig did; the same command over and over is one row."""
    marks: list[Mark] = []
    last: tuple[str, str, object] | None = None
    for entry in sorted(entries, key=lambda e: e.mono):
        if entry.kind not in _STEPS and not entry.kind.startswith("qmp"):
            continue
        this = (entry.kind, entry.what, entry.data.get("status"))
        if this == last and entry.kind == "step":
            continue
        last = this
        source = "qmp" if entry.kind.startswith("qmp") else "step"
        bad = bool(entry.error)
        marks.append(
            Mark(clock.virtual(entry.mono), source, _told(entry), bad, seconds=entry.seconds)
        )
    return marks


def _told(entry: Entry) -> str:
    data = dict(entry.data)
    text = entry.what if entry.kind == "step" else f"{entry.kind}: {entry.what}"
    if entry.kind == "step":
        channel, status = data.pop("channel", "?"), data.pop("status", None)
        output = " ".join(str(data.pop("output", "")).split())
        text = f"{channel}# {text}" + (f" → {status}" if status else "")
        text += f" · {output[:160]}" if output else ""
    elif data:
        text += " " + " ".join(f"{key}={value}" for key, value in data.items())
    return printable(text + (f" ✗ {entry.error}" if entry.error else ""))


def _events(path: Path, source: str) -> list[Mark]:
    try:
        events = EventLog(path).read()
    except RigError as error:
        return [Mark(0, source, error.message, bad=True)]
    found = []
    for event in events:
        head = f"{event.kind} "
        fields = pretty(event).plain.partition(head)[2].strip()
        bad = "red" in style_of(event)
        found.append(Mark(event.vns, source, printable(f"{head}{fields}"), bad))
    return found


def _kernel(path: Path, clock: Clock, expected: Sequence[klog.Expected]) -> list[Mark]:
    text = _text(path)
    bad = {
        number
        for finding in klog.scan(text, expected)
        for number in range(finding.first_line_no, finding.first_line_no + len(finding.lines))
    }
    marks, now = [], clock.printk_offset
    for number, line in enumerate(text.split("\n"), 1):
        before, (stamp, after) = line, ("", "")
        if match := _HEADER.search(line):
            before, stamp, after = line[: match.start()], match[1], line[match.end() :]
            now = clock.printk_offset + round(float(stamp) * 1e9)
        if before.strip():
            marks.append(Mark(now, "tty", printable(before.rstrip()), late=True))
        if stamp:
            source = "driver" if _DRIVER.search(after) else "kernel"
            marks.append(Mark(now, source, printable(after), number in bad))
    return marks


def _secure(path: Path, entries: Iterable[Entry], clock: Clock) -> list[Mark]:
    text = _text(path)
    seen = [(e.data["size"], clock.virtual(e.mono)) for e in entries if e.kind == "secure"]
    bad = {finding.first_line_no for finding in seclog.parse(text).findings}
    marks, end, now = [], 0, 0
    for number, line in enumerate(text.split("\n"), 1):
        end += len(line.encode()) + 1
        while seen and seen[0][0] < end:
            now = seen.pop(0)[1]
        at = seen[0][1] if seen else now
        if line.strip():
            marks.append(Mark(at, "secure", printable(line.rstrip()), number in bad, late=True))
    return marks


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode(errors="replace").replace("\r", "")  # as the oracles do
    except FileNotFoundError:
        return ""
