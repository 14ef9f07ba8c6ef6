# SPDX-License-Identifier: MIT
"""The stages of a guest's life: where scenarios start, and where a user may look around.

booted: a shell, no module loaded. pre-insmod: OP-TEE's heap is there (secure flavour;
without OP-TEE it is the same as booted). probed: panthor is bound, with the heap where
the driver takes one.
"""

from __future__ import annotations

from rig.machine.launch import Flavour
from rig.scenarios.kit import HEAP, Scenario
from rig.scenarios.terms import BOOTED, PRE_INSMOD, PROBED, PROTECTED, STAGES
from rig.testbed import TestBed

__all__ = ["BOOTED", "PRE_INSMOD", "PROBED", "STAGES", "advance", "canonical", "heap_parameter"]


def canonical(stage: str, flavour: Flavour) -> str:
    """The stage under its one name: without OP-TEE there is nothing to load before panthor."""
    return BOOTED if stage == PRE_INSMOD and flavour == "direct" else stage


def heap_parameter(bed: TestBed, flavour: Flavour) -> str | None:
    """The heap that panthor is told of on the way to `probed`, if any."""
    takes = flavour == "secure" and bed.contract.contract.name in PROTECTED
    return HEAP if takes else None


def advance(scenario: Scenario, stage: str, since: str = BOOTED) -> None:
    """Bring a guest that is at stage `since` to `stage`."""
    flavour = scenario.session.config.flavour
    todo = STAGES[STAGES.index(since) + 1 : STAGES.index(stage) + 1]
    if PRE_INSMOD in todo and flavour == "secure":
        scenario.load_optee()
    if PROBED in todo:
        scenario.load_panthor(heap_parameter(scenario.session.bed, flavour))
        scenario.wait_bound()
