# SPDX-License-Identifier: MIT
"""What the GPU reported of the same things: its firmware's sections, the groups on its slots."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from rig.gpu.events import Event


class Section(msgspec.Struct):
    """One section as the MCU's page tables have it."""

    name: str
    va: int
    size: int
    prot: bool
    extents: list[tuple[int, int]]
    """(physical address, bytes)"""


class Slot(msgspec.Struct):
    """A group on a slot."""

    csg: int
    suspend_va: int
    protm_suspend_va: int


class Device(msgspec.Struct):
    """Since the last boot of the MCU."""

    boots: int = 0
    on: bool = False
    """The MCU runs."""
    sections: list[Section] = []
    slots: list[Slot] = []


def of_events(events: Iterable[Event]) -> Device:
    """Follow the events up to the last one."""
    device = Device()
    slots: dict[int, Slot] = {}
    for event in events:
        match event.kind:
            case "mcu-boot":
                device.boots += 1
                device.on = bool(event["ok"])
                slots.clear()
            case "mcu-halt" | "mcu-stop":
                device.on = False
            case "reset":
                device.on = False
                slots.clear()
            case "section":
                _put(device.sections, _section(event))
            case "csg-start" | "csg-resume":
                slots[event["csg"]] = Slot(
                    event["csg"], event["suspend_va"], event["protm_suspend_va"]
                )
            case "csg-suspend" | "csg-terminate":
                slots.pop(event["csg"], None)
    device.slots = [slots[number] for number in sorted(slots)]
    return device


def _section(event: Event) -> Section:
    extents = [(int(address), int(size)) for address, size in event["extents"]]
    return Section(event["name"], event["va"], event["size"], event["prot"], extents)


def _put(sections: list[Section], new: Section) -> None:
    """Each boot tells them anew."""
    sections[:] = [old for old in sections if old.va != new.va] + [new]
