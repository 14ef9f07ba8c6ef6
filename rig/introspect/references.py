# SPDX-License-Identifier: MIT
"""Who still holds protected memory: references to heaps and to the buffers of the guest.

Two looks are equal when nothing was leaked in between, also what no list of the kernel
shows: a heap that is never put keeps its driver's module in for good.
"""

from __future__ import annotations

import msgspec
from drgn import FaultError, Program
from drgn.helpers.linux.list import list_for_each_entry

from rig.errors import infra
from rig.introspect import program
from rig.introspect.driver import heaps
from rig.session import Session


class Buffer(msgspec.Struct, frozen=True, order=True):
    """One dma-buf of the guest."""

    exporter: str
    size: int
    """Bytes."""
    references: int
    """To its file; `file_ref_t` counts from -1 (include/linux/file_ref.h of 7.3)."""


class References(msgspec.Struct, frozen=True):
    """One look."""

    heaps: tuple[tuple[str, int | None], ...]
    """(name, references) by name; None: this kernel does not count them."""
    buffers: tuple[Buffer, ...]

    def __str__(self) -> str:
        told = [f"heap {name}: {count}" for name, count in self.heaps]
        told += [f"{b.exporter} buffer of {b.size} bytes: {b.references}" for b in self.buffers]
        return ", ".join(told) or "none"


def of_session(session: Session) -> References:
    """Look at a guest of our own, which stands still meanwhile.

    Raises `RigError` (INFRA) when its memory cannot be read.
    """
    session.vm.qmp.stop()
    try:
        bed = session.bed
        return read(program.of_guest(session.vm.user_monitor, bed.image, bed.modules))
    except (FaultError, LookupError) as exc:
        raise infra(f"the guest's references cannot be counted: {exc}") from exc
    finally:
        session.vm.qmp.cont()


def read(guest: Program) -> References:
    """What the kernel's lists of heaps (dma-heap.c) and of dma-bufs (dma-buf.c) hold."""
    counted = sorted((heap.name, heap.references) for heap in heaps(guest, None))
    head = guest.variable("dmabuf_list", "drivers/dma-buf/dma-buf.c").address_of_()
    found = []
    for dmabuf in list_for_each_entry("struct dma_buf", head, "list_node"):
        name = dmabuf.exp_name.string_().decode() if dmabuf.exp_name else "?"
        references = int(dmabuf.file.f_ref.refcnt.counter) + 1
        found.append(Buffer(name, int(dmabuf.size), references))
    return References(tuple(counted), tuple(sorted(found)))
