# SPDX-License-Identifier: MIT
"""Driver beside device: every difference is told, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from rig.gpu.events import Event
from rig.introspect import device, view
from rig.introspect.driver import PROT, Buffer, Driver, Group, Heap, Power, Section

EXTENTS = [(0x1000, 0x1000), (0x2000, 0x1000), (0x9000, 0x2000)]


def event(kind: str, /, **fields: Any) -> Event:
    return Event(0, 0, kind, fields)


BOOT = event("mcu-boot", ok=True)
SECTION = event("section", name="prot", va=0x3000000, size=0x4000, prot=True,
                extents=[[start, size] for start, size in EXTENTS])  # fmt: skip
START = event("csg-start", csg=1, suspend_va=0x5000, protm_suspend_va=0x6000)


def buffer(va: int, size: int = 0x1000) -> Buffer:
    return Buffer(va, size, [(0x1000, size)], cpu_mapped=False)


def driver(**change: Any) -> Driver:
    section = Section("", PROT | 3, Buffer(0x3000000, 0x4000, EXTENTS, cpu_mapped=False))
    group = Group(0xFF00, "active", 1, 2, "gpuctl", buffer(0x5000), buffer(0x6000))
    whole = Driver(
        loaded=True, bound=True, deferred=[], heaps=[Heap("h", 2, panthors=True)],
        power=Power("active", 1, 0, 0), sections=[section], groups=[group],
    )  # fmt: skip
    for name, value in change.items():
        setattr(whole, name, value)
    return whole


def differences(mine: Driver, *events: Event) -> list[str]:
    return view.compare(mine, [BOOT, SECTION, *events]).differences


def test_agreement() -> None:
    assert differences(driver(), START) == []
    assert differences(driver(sections=[], groups=[])) == []  # unbound: nothing to compare
    assert view.compare(driver(), []).differences == []  # the MCU never booted


@pytest.mark.parametrize(
    ("section", "says"),
    [
        (Section("", 3, Buffer(0x3000000, 0x4000, EXTENTS, False)), "protected for the MCU alone"),
        (Section("", PROT, Buffer(0x3000000, 0x3000, EXTENTS, False)), "0x3000 bytes"),
        (Section("", PROT, Buffer(0x3000000, 0x4000, [(0x1000, 0x4000)], False)), "page tables"),
        (Section("", PROT, Buffer(0x3000000, 0x4000, EXTENTS[::-1], False)), "page tables"),
        (Section("", PROT, Buffer(0x4000000, 0x4000, EXTENTS, False)), "does not see it"),
    ],
)
def test_a_section_that_differs(section: Section, says: str) -> None:
    assert any(says in line for line in differences(driver(sections=[section])))


def test_a_slot_that_differs() -> None:
    other = event("csg-start", csg=1, suspend_va=0x5000, protm_suspend_va=0x7000)
    assert "protected suspend buffer 0x6000" in differences(driver(), other)[0]
    elsewhere = event("csg-start", csg=2, suspend_va=0x5000, protm_suspend_va=0x6000)
    assert "the driver has none there" in differences(driver(), elsewhere)[0]


def test_the_device_follows_its_events() -> None:
    assert device.of_events([BOOT, START]).slots == [device.Slot(1, 0x5000, 0x6000)]
    for end in ("csg-suspend", "csg-terminate"):
        assert device.of_events([BOOT, START, event(end, csg=1)]).slots == []
    assert device.of_events([BOOT, START, event("reset", kind="soft")]) == device.Device(1)
    again = device.of_events([BOOT, SECTION, event("mcu-halt"), BOOT, SECTION])
    assert (again.boots, again.on, len(again.sections)) == (2, True, 1)


def test_the_page_names_it_all() -> None:
    mine = driver(deferred=[("b000000.gpu", "no heap")])
    page = view.text(view.compare(mine, [BOOT, SECTION, START]))
    for words in (
        "panthor: bound", "runtime PM: active, usage 1", "b000000.gpu: no heap",
        "h: 2 references, panthor's", "PROT 0x03000000    0x4000 at 0x1000+0x2000, 0x9000+0x2000",
        "active, slot 1, 2 references gpuctl", "driver and device agree",
    ):  # fmt: skip
        assert words in page
