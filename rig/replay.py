# SPDX-License-Identifier: MIT
"""A recorded guest once more, and whether it did the same: events, consoles, virtual times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rig.deadlines import scaled
from rig.gpu.event_table import FIREWALL_KINDS
from rig.gpu.events import Event, EventLog
from rig.machine import recording
from rig.machine.icount import Icount
from rig.machine.launch import LaunchSpec
from rig.session import GuestConfig, Session
from rig.testbed import TestBed

START_S = 60.0
SLOWER = 20.0
"""A replay takes about twice as long as the recording took; this is when it is called stuck."""


@dataclass(frozen=True)
class Compared:
    """One log of a guest and of its replay."""

    name: str
    count: int
    """Entries of the recording: events, or lines."""
    difference: str = ""
    """The first place where they part; empty: nowhere."""


def replayed(bed: TestBed, config: GuestConfig, then: Path, folder: Path) -> list[Compared]:
    """Replay the guest that was recorded in the folder `then`; its new logs go to `folder`.

    Raises `RigError` as `rig.machine.recording.replay`; `ValueError` without a recording.
    """
    kept = recording.read(then)
    if kept is None:
        raise ValueError(f"{then} has no recording")
    spec = spec_of(bed, config, then, folder)
    folder.mkdir(parents=True, exist_ok=True)
    recording.replay(spec, kept, scaled(START_S + SLOWER * kept.seconds))
    return compared(then, folder)


def spec_of(bed: TestBed, config: GuestConfig, then: Path, folder: Path) -> LaunchSpec:
    """The recorded guest's launch line, with files in another folder and nobody attached."""
    spec = Session(bed, folder, config).spec()
    clock = Icount(log=then / recording.LOG, replays=True)
    return replace(spec, initrd=then / recording.INITRD, icount=clock)


def compared(then: Path, now: Path) -> list[Compared]:
    """Every log that a guest and its devices write."""
    found = [
        events("GPU events", *(EventLog(at / "gpu-events.jsonl").read() for at in (then, now))),
        events("firewall events", *(
            EventLog(at / "firewall-events.jsonl", "firewall", FIREWALL_KINDS).read()
            for at in (then, now)
        )),
    ]  # fmt: skip
    for name in ("console.log", "secure.log"):
        if (then / name).exists():
            found.append(lines(name, *((at / name).read_bytes() for at in (then, now))))
    return found


def events(name: str, then: Sequence[Event], now: Sequence[Event]) -> Compared:
    """Event for event: number, virtual time, kind and every field."""
    for old, new in zip(then, now, strict=False):
        if old != new:
            return Compared(name, len(then), f"recorded {_told(old)}, replayed {_told(new)}")
    if len(then) != len(now):
        return Compared(name, len(then), f"the replay has {len(now)} instead of {len(then)}")
    return Compared(name, len(then))


def lines(name: str, then: bytes, now: bytes) -> Compared:
    """Byte for byte; the first line that differs is told."""
    olds, news = then.splitlines(), now.splitlines()
    for number, (old, new) in enumerate(zip(olds, news, strict=False), 1):
        if old != new:
            return Compared(name, len(olds), f"line {number}: recorded {old!r}, replayed {new!r}")
    if then != now:
        return Compared(name, len(olds), f"the replay has {len(news)} lines, not {len(olds)}")
    return Compared(name, len(olds))


def _told(event: Event) -> str:
    fields = " ".join(f"{key}={value}" for key, value in event.fields.items())
    return f"#{event.seq} {event.kind} at {event.vns / 1e9:.9f} s {fields}".rstrip()
