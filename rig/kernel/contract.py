# SPDX-License-Identifier: MIT
"""Which published contract the driver under test speaks, found by looking at what was built.

Never by a version number: the first series and mainline both used driver minor 9
for different things (specs: protected-mode series §0.3).
"""

from __future__ import annotations

from dataclasses import dataclass

from rig.errors import RigError, usage
from rig.kernel.module import ModuleInfo

HEAP_PARAMETER = "protected_heap_name"
HEAP_PROPERTY = "protected-memory"
PROTM_IOCTL = "PANTHOR_PROTM_INIT"
"""As the DRM core calls it in its own messages: DRM_IOCTL_DEF_DRV, include/drm/drm_ioctl.h."""


@dataclass(frozen=True)
class Contract:
    """One published way of giving panthor its protected memory."""

    name: str
    meaning: str


BASE = Contract("base", "no protected-mode support")
HEAP_NAME = Contract("heap-name", f"module parameter {HEAP_PARAMETER}, probe deferral")
HEAP_PHANDLE = Contract(
    "heap-phandle", f"device-tree property {HEAP_PROPERTY} (phandle and id), probe deferral"
)
PROTM_INIT = Contract("protm-init", f"memory handed in by user space, ioctl {PROTM_IOCTL}")
TYR = Contract("tyr", "no panthor but the Rust driver, which boots the MCU and answers one query")
CONTRACTS = {
    contract.name: contract for contract in (BASE, HEAP_NAME, HEAP_PHANDLE, PROTM_INIT, TYR)
}


@dataclass(frozen=True)
class Detected:
    """A contract and the evidence for it."""

    contract: Contract
    why: str


def detect(module: ModuleInfo) -> Detected:
    """The contract of a built panthor module."""
    if HEAP_PARAMETER in module.parameters:
        return Detected(HEAP_NAME, f"{module.name}.ko has the parameter {HEAP_PARAMETER}")
    if HEAP_PROPERTY in module.texts:
        return Detected(HEAP_PHANDLE, f"{module.name}.ko reads the property {HEAP_PROPERTY}")
    if PROTM_IOCTL in module.texts:
        return Detected(PROTM_INIT, f"{module.name}.ko has the ioctl {PROTM_IOCTL}")
    why = (
        f"has no parameter {HEAP_PARAMETER} and no ioctl {PROTM_IOCTL}, "
        f"and does not read the property {HEAP_PROPERTY}"
    )
    return Detected(BASE, f"{module.name}.ko {why}")


def by_name(name: str) -> Contract:
    """A contract of the table. Raises `RigError` (USAGE) that lists the names."""
    try:
        return CONTRACTS[name]
    except KeyError:
        error: RigError = usage(f"no contract {name!r}", f"one of: {', '.join(CONTRACTS)}")
        raise error from None
