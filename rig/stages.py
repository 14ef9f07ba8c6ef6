# SPDX-License-Identifier: MIT
"""The stages of a guest's life, for the user who wants to look around at one of them."""

from __future__ import annotations

from rig.errors import usage
from rig.scenarios.kit import HEAP, Scenario
from rig.session import Session

STAGES = ("booted", "pre-insmod", "probed")


def advance(scenario: Scenario, stage: str) -> None:
    """Bring a freshly booted guest to `stage`.

    booted: a shell, no module loaded. pre-insmod: OP-TEE's heap is there (secure
    flavour). probed: panthor is bound, with the heap where the driver takes one.
    Raises `RigError` (USAGE) for an unknown stage.
    """
    if stage not in STAGES:
        raise usage(f"no stage {stage!r}", f"one of: {', '.join(STAGES)}")
    if stage == "booted":
        return
    secure = scenario.session.config.flavour == "secure"
    if secure:
        scenario.load_optee()
    if stage == "probed":
        scenario.load_panthor(heap_parameter(scenario.session))
        scenario.wait_bound()


def heap_parameter(session: Session) -> str | None:
    """The heap that panthor is given on the way to `probed`, if any."""
    takes = session.config.flavour == "secure"
    return HEAP if takes and session.bed.contract.contract.name == "heap-name" else None
