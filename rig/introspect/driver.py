# SPDX-License-Identifier: MIT
"""What panthor believes: its device, firmware sections, groups and heap, from its structures.

Members that a contract or a kernel version does not have are left out; the structures are
those of drivers/gpu/drm/panthor (7.3), drivers/base (base.h, dd.c) and dma-heap.c.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
from drgn import Object, Program, cast, container_of
from drgn.helpers.linux.list import list_for_each_entry
from drgn.helpers.linux.module import find_module

GPU_DEVICE = "b000000.gpu"
PROT = 1 << 5
"""CSF_FW_BINARY_IFACE_ENTRY_PROT, panthor_fw.c."""
_SG_CHAIN, _SG_LAST = 1, 2


class Buffer(msgspec.Struct):
    """A buffer object of the driver's own."""

    va: int
    """In the MCU's address space."""
    size: int
    extents: list[tuple[int, int]]
    """(bus address, bytes) as the driver gave them to the GPU's MMU."""
    cpu_mapped: bool


class Section(msgspec.Struct):
    """One section of the firmware."""

    name: str
    flags: int
    mem: Buffer

    @property
    def prot(self) -> bool:
        """Whether it must be in protected memory."""
        return bool(self.flags & PROT)


class Group(msgspec.Struct):
    """One scheduling group."""

    address: int
    state: str
    slot: int
    """-1: on none."""
    references: int
    task: str
    suspend: Buffer | None
    protm_suspend: Buffer | None


class Heap(msgspec.Struct):
    """One DMA heap."""

    name: str
    references: int | None
    """None: this kernel does not count them."""
    panthors: bool = False
    """It is the one that panthor allocates protected memory from."""


class Power(msgspec.Struct):
    """Runtime PM of the GPU's device."""

    status: str
    usage: int
    disabled: int
    error: int


class Driver(msgspec.Struct):
    """Everything that was read."""

    loaded: bool
    bound: bool
    deferred: list[tuple[str, str]]
    """(device, reason) of the kernel's list of deferred probes."""
    heaps: list[Heap]
    power: Power | None = None
    sections: list[Section] = []
    groups: list[Group] = []


def read(program: Program) -> Driver:
    """Read it all; the guest should stand still."""
    device = _gpu(program)
    panthor = _panthor(program, device)
    mine = _member(panthor, "protm.heap") if panthor is not None else None
    found = Driver(
        loaded=_loaded(program),
        bound=panthor is not None,
        deferred=list(_deferred(program)),
        heaps=list(heaps(program, mine)),
        power=_power(device) if device is not None else None,
    )
    if panthor is not None:
        found.sections = list(_sections(panthor))
        found.groups = list(_groups(panthor))
    return found


def _loaded(program: Program) -> bool:
    return bool(find_module(program, "panthor"))


def _gpu(program: Program) -> Object | None:
    """The GPU's `struct device`."""
    kset = program["devices_kset"]
    for kobj in list_for_each_entry("struct kobject", kset.list.address_of_(), "entry"):
        if kobj.name.string_() == GPU_DEVICE.encode():
            return container_of(kobj, "struct device", "kobj")
    return None


def _panthor(program: Program, device: Object | None) -> Object | None:
    """The driver's `struct panthor_device`, when it is bound."""
    if device is None or not device.driver or not device.driver_data:
        return None
    if device.driver.name.string_() != b"panthor":
        return None
    return cast("struct panthor_device *", device.driver_data)


def _deferred(program: Program) -> Iterator[tuple[str, str]]:
    head = program["deferred_probe_pending_list"].address_of_()
    for entry in list_for_each_entry("struct device_private", head, "deferred_probe"):
        reason = entry.deferred_probe_reason
        told = _text(reason).strip() if reason else ""
        yield _text(entry.device.kobj.name), told.partition(": ")[2] or told


def heaps(program: Program, mine: Object | None) -> Iterator[Heap]:
    """All DMA heaps; `mine` is the one that panthor uses."""
    head = program.variable("heap_list", "drivers/dma-buf/dma-heap.c").address_of_()
    for heap in list_for_each_entry("struct dma_heap", head, "list"):
        count = _member(heap, "refcount.refcount.refs.counter")
        references = int(count) if count is not None else None
        is_mine = mine is not None and int(mine) == int(heap)
        yield Heap(_text(heap.name), references, is_mine)


def _power(device: Object) -> Power:
    power = device.power
    status = power.runtime_status.format_(type_name=False).removeprefix("RPM_").lower()
    return Power(
        status, int(power.usage_count.counter), int(power.disable_depth), int(power.runtime_error)
    )


def _sections(panthor: Object) -> Iterator[Section]:
    head = panthor.fw.sections.address_of_()
    for section in list_for_each_entry("struct panthor_fw_section", head, "node"):
        if section.mem:
            name = _text(section.name) if section.name else ""
            yield Section(name, int(section.flags), _buffer(section.mem))


def _groups(panthor: Object) -> Iterator[Group]:
    """All groups: those on a slot, and those on the scheduler's lists."""
    scheduler = panthor.scheduler
    seen = set()
    for group in _all_groups(scheduler):
        if int(group) not in seen:
            seen.add(int(group))
            yield _group(group)


def _all_groups(scheduler: Object) -> Iterator[Object]:
    kind = "struct panthor_group"
    for slot in scheduler.csg_slots:
        if slot.group:
            yield slot.group
    lists = scheduler.groups
    for head in (*lists.runnable, *lists.idle):
        yield from list_for_each_entry(kind, head.address_of_(), "run_node")
    yield from list_for_each_entry(kind, lists.waiting.address_of_(), "wait_node")
    stopped = scheduler.reset.stopped_groups.address_of_()
    yield from list_for_each_entry(kind, stopped, "run_node")


def _group(group: Object) -> Group:
    state = group.state.format_(type_name=False).removeprefix("PANTHOR_CS_GROUP_").lower()
    comm, protm = _member(group, "task_info.comm"), _member(group, "protm_suspend_buf")
    return Group(
        int(group),
        state,
        int(group.csg_id),
        int(group.refcount.refcount.refs.counter),
        _text(comm) if comm is not None else "",
        _buffer(group.suspend_buf) if group.suspend_buf else None,
        _buffer(protm) if protm else None,
    )


def _buffer(bo: Object) -> Buffer:
    gem = container_of(bo.obj, "struct panthor_gem_object", "base")
    table = _member(gem, "dmap.sgt")
    return Buffer(
        int(bo.va_node.start),
        int(bo.obj.size),
        list(_extents(table)) if table else [],
        bool(bo.kmap),
    )


def _extents(table: Object) -> Iterator[tuple[int, int]]:
    """A mapped sg_table's bus addresses, neighbours joined (include/linux/scatterlist.h)."""
    start = size = 0
    entry, left = table.sgl, int(table.nents)
    while left:
        link = int(entry.page_link)
        if link & _SG_CHAIN:
            entry = cast("struct scatterlist *", entry.page_link & ~3)
            continue
        address, length = int(entry.dma_address), int(entry.dma_length)
        if address == start + size and size:
            size += length
        else:
            if size:
                yield start, size
            start, size = address, length
        left -= 1
        entry += 1
        if link & _SG_LAST:
            break
    if size:
        yield start, size


def _member(thing: Object, path: str) -> Any:
    """A member by its dotted path, or None where this kernel has none of that name."""
    for name in path.split("."):
        try:
            thing = thing.member_(name)
        except (AttributeError, LookupError):
            return None
    return thing


def _text(characters: Object) -> str:
    return str(characters.string_().decode(errors="replace"))
