# SPDX-License-Identifier: MIT
"""Variants of the guest's device tree, as data: which property of which node says what.

The tree is QEMU's own. A variant is applied to a running guest by our helper module
(`guest/modules/righeap`, file `dt`), before the driver that reads it is loaded: so every
variant starts from the same snapshot. The properties are those of the binding that the
series heap-phandle brings (arm,mali-valhall-csf.yaml, linaro,optee-tz.yaml).
"""

from __future__ import annotations

from dataclasses import dataclass

GPU_NODE = "/gpu@b000000"
OPTEE_NODE = "/firmware/optee"
"""Made by OP-TEE: core/kernel/dt.c, add_optee_dt_node()."""
HELPER_NODE = "/rig-heaps"
"""Provider of the heaps of our helper module, which makes the node."""
MEMORY = "protected-memory"
MEMORY_CELLS = "#protected-memory-cells"
OPTEE_SECURE_VIDEO = 1
"""enum tee_dma_heap_id, include/linux/tee_core.h:38."""


@dataclass(frozen=True)
class Property:
    """One property of one node, as the tree is to have it."""

    node: str
    name: str
    value: tuple[str | int, ...] | str | None
    """Cells, in which a path stands for the phandle of that node; a text; None: not there."""

    def line(self) -> str:
        """The line that righeap's file `dt` is given."""
        if self.value is None:
            return f"{self.node} {self.name} -"
        if isinstance(self.value, str):
            return f"{self.node} {self.name} ={self.value}"
        cells = [f"&{cell}" if isinstance(cell, str) else str(cell) for cell in self.value]
        return " ".join([self.node, self.name, *cells])


def provider(node: str) -> tuple[Property, ...]:
    """`node` provides protected memory, each kind named by one cell."""
    return (Property(node, MEMORY_CELLS, (1,)),)


def disabled(node: str) -> tuple[Property, ...]:
    """`node` is there and must not be used."""
    return (Property(node, "status", "disabled"),)


def consumer(node: str, kind: int) -> tuple[Property, ...]:
    """The GPU takes protected memory of this kind from `node`."""
    return (Property(GPU_NODE, MEMORY, (node, kind)),)


def memory_of_optee() -> tuple[Property, ...]:
    """The GPU takes the memory that OP-TEE keeps for secure video."""
    return (*provider(OPTEE_NODE), *consumer(OPTEE_NODE, OPTEE_SECURE_VIDEO))


def memory_of_helper(kind: int) -> tuple[Property, ...]:
    """The GPU takes memory of a heap of our helper module."""
    return (*provider(HELPER_NODE), *consumer(HELPER_NODE, kind))


NO_MEMORY = (Property(GPU_NODE, MEMORY, None),)
"""The GPU has no protected memory: what QEMU's tree says by itself."""
