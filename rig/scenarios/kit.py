# SPDX-License-Identifier: MIT
"""What a scenario is written with: the guest's ways in, the driver's life, and checks.

A check rests on what is seen from outside the driver: errno, sysfs, device
events, the model's page-table walk, OP-TEE's lend and reclaim lines.
"""

from __future__ import annotations

from rig.scenarios.kit_device import Device
from rig.scenarios.kit_driver import Driver
from rig.scenarios.terms import (
    DRIVER,
    EVERY,
    FAULT_SAYS,
    GPU_DEVICE,
    HEAP,
    PRE_INSMOD,
    PROTECTED,
    RENDER_NODE,
    Extent,
    Spec,
    check,
    extents,
    scenario,
)

__all__ = [
    "DRIVER",
    "EVERY",
    "FAULT_SAYS",
    "GPU_DEVICE",
    "HEAP",
    "PRE_INSMOD",
    "PROTECTED",
    "RENDER_NODE",
    "Extent",
    "Scenario",
    "Spec",
    "check",
    "check_prot_sections_lent",
    "extents",
    "prot_extents",
    "scenario",
]


class Scenario(Driver, Device):
    """The fixture `rig`: one booted guest and what a scenario does with it."""


def prot_extents(rig: Scenario) -> list[Extent]:
    """Physical memory of all PROT sections, in the order of the image."""
    return [extent for section in rig.prot_sections() for extent in extents(section["extents"])]


def check_prot_sections_lent(rig: Scenario) -> None:
    """Every PROT section is mapped, whole, in memory that Linux lent to OP-TEE."""
    lent = rig.lent()
    check(lent, "Linux has lent OP-TEE no memory although panthor bound with a protected heap")
    for section in rig.prot_sections():
        name = f"PROT section {section['va']:#x}"
        check(section["mapped"], f"{name} is not mapped in the MCU's address space")
        found = extents(section["extents"])
        size = sum(extent.size for extent in found)
        check(size == section["size"], f"{name} has {size} bytes mapped, not {section['size']}")
        outside = [extent for extent in found if not extent.inside(lent)]
        check(
            not outside,
            f"{name} lies at {', '.join(map(str, outside))}, outside the memory lent to OP-TEE "
            f"({', '.join(map(str, lent))}): the driver did not take it from the heap",
        )
