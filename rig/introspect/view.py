# SPDX-License-Identifier: MIT
"""Driver and device side by side: what `rig inspect` prints and a failed scenario keeps."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from rig.gpu.events import Event
from rig.introspect import device as gpu
from rig.introspect import driver


class View(msgspec.Struct):
    """Both, and where they differ."""

    driver: driver.Driver
    device: gpu.Device
    differences: list[str]


def compare(believed: driver.Driver, events: Iterable[Event]) -> View:
    """Lay them side by side."""
    seen = gpu.of_events(events)
    differences = [*_sections(believed, seen), *_slots(believed, seen)]
    return View(believed, seen, differences)


def _sections(believed: driver.Driver, seen: gpu.Device) -> Iterator[str]:
    """Only what both know: a driver that is gone has none, a booted MCU keeps its page tables."""
    if not believed.sections or not seen.sections:
        return
    ours = {section.mem.va: section for section in believed.sections}
    theirs = {section.va: section for section in seen.sections}
    for va in sorted(ours.keys() | theirs.keys()):
        name = f"section {va:#x}"
        if va not in theirs:
            yield f"{name}: the driver has it, the MCU does not see it"
        elif va not in ours:
            yield f"{name}: the MCU sees it, the driver has none"
        else:
            yield from _section(name, ours[va], theirs[va])


def _section(name: str, mine: driver.Section, its: gpu.Section) -> Iterator[str]:
    if mine.prot != its.prot:
        yield f"{name}: protected for the {'driver' if mine.prot else 'MCU'} alone"
    if mine.mem.size != its.size:
        yield f"{name}: {mine.mem.size:#x} bytes for the driver, {its.size:#x} for the MCU"
    if mine.mem.extents and joined(mine.mem.extents) != joined(its.extents):
        yield (
            f"{name}: at {_places(joined(mine.mem.extents))} for the driver, "
            f"at {_places(joined(its.extents))} in the MCU's page tables"
        )


def _slots(believed: driver.Driver, seen: gpu.Device) -> Iterator[str]:
    mine = {group.slot: group for group in believed.groups if group.slot >= 0}
    its = {slot.csg: slot for slot in seen.slots}
    for csg in sorted(mine.keys() & its.keys()):
        pairs = (
            ("suspend buffer", mine[csg].suspend, its[csg].suspend_va),
            ("protected suspend buffer", mine[csg].protm_suspend, its[csg].protm_suspend_va),
        )
        for what, buffer, va in pairs:
            if (buffer.va if buffer else 0) != va:
                place = f"{buffer.va:#x}" if buffer else "none"
                yield f"slot {csg}: {what} {place} for the driver, {va:#x} for the MCU"
    for csg in sorted(its.keys() - mine.keys()):
        yield f"slot {csg}: a group runs for the MCU, the driver has none there"


def joined(extents: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Extents with neighbours joined, in the order of the address space they are mapped in."""
    out: list[tuple[int, int]] = []
    for start, size in extents:
        if out and out[-1][0] + out[-1][1] == start:
            out[-1] = (out[-1][0], out[-1][1] + size)
        else:
            out.append((start, size))
    return out


def text(view: View) -> str:
    """For a person."""
    return "\n".join([*_driver(view.driver), *_device(view.device), *_verdict(view)]) + "\n"


def _driver(mine: driver.Driver) -> Iterator[str]:
    state = "bound" if mine.bound else "loaded, not bound" if mine.loaded else "not loaded"
    yield f"panthor: {state}"
    if mine.power is not None:
        power = mine.power
        yield (
            f"runtime PM: {power.status}, usage {power.usage}"
            + (f", disabled {power.disabled} deep" if power.disabled else "")
            + (f", error {power.error}" if power.error else "")
        )
    yield f"deferred probes: {len(mine.deferred)}"
    yield from (f"  {device}: {reason or 'no reason given'}" for device, reason in mine.deferred)
    yield f"DMA heaps: {len(mine.heaps)}"
    for heap in mine.heaps:
        count = "not counted" if heap.references is None else f"{heap.references} references"
        yield f"  {heap.name}: {count}" + (", panthor's" if heap.panthors else "")
    yield f"firmware sections: {len(mine.sections)}"
    for section in mine.sections:
        kind = "PROT" if section.prot else "    "
        cpu = ", mapped for the CPU" if section.mem.cpu_mapped else ""
        yield f"  {kind} {_buffer(section.mem)}{cpu} {section.name}".rstrip()
    yield f"groups: {len(mine.groups)}"
    yield from (line for group in mine.groups for line in _group(group))


def _group(group: driver.Group) -> Iterator[str]:
    slot = f"slot {group.slot}" if group.slot >= 0 else "no slot"
    yield f"  {group.address:#x}: {group.state}, {slot}, {group.references} references {group.task}"
    for name, buffer in (("suspend", group.suspend), ("protected", group.protm_suspend)):
        if buffer is not None:
            yield f"    {name:9} {_buffer(buffer)}"


def _device(its: gpu.Device) -> Iterator[str]:
    yield f"GPU: MCU {'on' if its.on else 'off'} after {its.boots} boots"
    yield f"  sections: {len(its.sections)}"
    for section in its.sections:
        kind = "PROT" if section.prot else "    "
        place = _places(joined(section.extents))
        yield f"  {kind} {section.va:#010x} {section.size:#9x} at {place} {section.name}".rstrip()
    yield f"  slots in use: {', '.join(str(slot.csg) for slot in its.slots) or 'none'}"


def _verdict(view: View) -> Iterator[str]:
    if not view.differences:
        yield "driver and device agree"
    yield from (f"DIFFERENCE: {line}" for line in view.differences)


def _buffer(buffer: driver.Buffer) -> str:
    return f"{buffer.va:#010x} {buffer.size:#9x} at {_places(joined(buffer.extents))}"


def _places(extents: list[tuple[int, int]]) -> str:
    shown = ", ".join(f"{start:#x}+{size:#x}" for start, size in extents[:4])
    more = len(extents) - 4
    return (shown or "nowhere") + (f", {more} more" if more > 0 else "")
