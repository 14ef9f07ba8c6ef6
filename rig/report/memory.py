# SPDX-License-Identifier: MIT
"""What lay where in a guest's memory, as GPU and firewall told it: the report's memory map.

Everything has a time from which on it was known, and one at which it ended. A section is
known until the MCU's next boot tells it anew; a suspend buffer while its group is on a
slot, and after that while it holds the group's saved state.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from rig.gpu.events import Event
from rig.report.timeline import printable

_GAP = 32 << 20
"""Addresses further apart than this get a bar of their own."""
_MARGIN = 1 << 16
_READ, _WRITE = 0, 16
_MASTERS = {0: "CPU and devices", 8: "GPU", 9: "GPU in protected mode"}
"""NSAID -> who sends it (rig/gpu/event_table.py, `nsaid`)."""
Extents = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Area:
    """One buffer."""

    kind: str
    """(protected) section, (protected) suspend buffer."""
    name: str
    va: int
    """GPU virtual address."""
    extents: Extents
    """(physical address, bytes)"""
    begin: int
    """vns."""
    end: int | None = None
    """vns; None: to the end."""
    state: str = ""


@dataclass(frozen=True)
class Zone:
    """One region of the firewall."""

    number: int
    base: int
    size: int
    access: str
    """Who of the normal world gets in."""
    begin: int
    end: int | None = None


def zones(events: Iterable[Event]) -> list[Zone]:
    """Of the firewall's log; the background is left out."""
    found: list[Zone] = []
    now: dict[int, Zone] = {}
    for event in events:
        if event.kind != "region" or event["region"] == 0:
            continue
        number = event["region"]
        if number in now:
            found.append(replace(now.pop(number), end=event.vns))
        if event["on"]:
            size = event["top"] - event["base"] + 1
            access = _access(event["id_access"])
            now[number] = Zone(number, event["base"], size, access, event.vns)
    return sorted([*found, *now.values()], key=lambda zone: zone.begin)


def _access(mask: int) -> str:
    who = []
    for nsaid in range(16):
        rights = "".join(
            right for bit, right in ((_READ, "r"), (_WRITE, "w")) if mask >> (bit + nsaid) & 1
        )
        if rights:
            who.append(f"{_MASTERS.get(nsaid, f'NSAID {nsaid}')}: {rights}")
    return ", ".join(who) or "closed to the normal world"


def areas(events: Iterable[Event]) -> list[Area]:
    """Of the GPU's log."""
    follow = _Follow()
    for event in events:
        follow.event(event)
    return sorted([*follow.done, *follow.now.values()], key=lambda area: (area.begin, area.va))


class _Follow:
    """The log up to one event."""

    def __init__(self) -> None:
        self.done: list[Area] = []
        self.now: dict[tuple[str, int], Area] = {}
        """By kind of key and number: section by address, buffer by slot, saved by page."""
        self._slots: dict[int, tuple[tuple[str, int], ...]] = {}

    def event(self, event: Event) -> None:
        match event.kind:
            case "section" if event["mapped"]:
                kind = "protected section" if event["prot"] else "section"
                extents = tuple((int(pa), int(size)) for pa, size in event["extents"])
                area = Area(kind, printable(event["name"]), event["va"], extents, event.vns)
                self._put(("section", event["va"]), area)
            case "csg-start" | "csg-resume":
                self._enter(event)
            case "csg-suspend":
                self._leave(event, saved=bool(event["saved"]))
            case "csg-terminate":
                self._leave(event, saved=False)
            case "reset":
                for csg in list(self._slots):
                    self._drop(csg, event.vns)

    def _put(self, key: tuple[str, int], area: Area) -> None:
        old = self.now.get(key)
        if old is not None:
            if replace(old, begin=area.begin) == area:  # told anew
                return
            self._end(key, area.begin)
        self.now[key] = area

    def _end(self, key: tuple[str, int], vns: int) -> None:
        if (area := self.now.pop(key, None)) is not None and vns > area.begin:
            self.done.append(replace(area, end=vns))

    def _enter(self, event: Event) -> None:
        csg = event["csg"]
        self._drop(csg, event.vns)
        keys = []
        for which, kind in (("", "suspend buffer"), ("protm_", "protected suspend buffer")):
            extents = tuple((int(pa), int(size)) for pa, size in event[f"{which}suspend_pa"])
            if not extents:
                continue
            self._forget(extents, event.vns)
            key = (kind, extents[0][0])
            va = event[f"{which}suspend_va"]
            self._put(key, Area(kind, f"slot {csg}", va, extents, event.vns, state="on a slot"))
            keys.append(key)
        self._slots[csg] = tuple(keys)

    def _forget(self, extents: Extents, vns: int) -> None:
        """What was saved in these pages is gone: another group has them, or the same again."""
        mine = {base for base, _size in extents}
        for key, area in list(self.now.items()):
            if area.state == "saved" and mine & {base for base, _size in area.extents}:
                self._end(key, vns)

    def _leave(self, event: Event, *, saved: bool) -> None:
        held = [self.now[key] for key in self._slots.get(event["csg"], ()) if key in self.now]
        self._drop(event["csg"], event.vns)
        if saved:
            for area in held:
                key = (area.kind, area.extents[0][0])
                self._put(key, replace(area, begin=event.vns, state="saved"))

    def _drop(self, csg: int, vns: int) -> None:
        for key in self._slots.pop(csg, ()):
            self._end(key, vns)


def windows(found: Sequence[Area], guarded: Sequence[Zone]) -> list[tuple[int, int]]:
    """[first, end) of addresses that hold something at some time, with room around."""
    spans = sorted(
        [(base, base + size) for area in found for base, size in area.extents]
        + [(zone.base, zone.base + zone.size) for zone in guarded]
    )
    out: list[tuple[int, int]] = []
    for first, end in spans:
        if out and first - out[-1][1] < _GAP:
            out[-1] = (out[-1][0], max(out[-1][1], end))
        else:
            out.append((first, end))
    return [(max(0, first - _MARGIN), end + _MARGIN) for first, end in out]


def peak(found: Sequence[Area]) -> int:
    """vns of the last moment at which the most was known: what a reader sees first."""
    best, best_vns, alive = 0, 0, 0
    for vns, change in sorted(_changes(found), key=lambda one: one[0]):
        alive += change
        if alive >= best:
            best, best_vns = alive, vns
    return best_vns


def _changes(found: Sequence[Area]) -> Iterator[tuple[int, int]]:
    times = sorted({vns for a in found for vns in (a.begin, a.end) if vns is not None})
    sums = dict.fromkeys(times, 0)
    for area in found:
        sums[area.begin] += 1
        if area.end is not None:
            sums[area.end] -= 1
    yield from sums.items()
