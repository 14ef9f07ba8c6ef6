# SPDX-License-Identifier: MIT
"""probe-defer: the heap named by `protected_heap_name` decides when panthor probes."""

from __future__ import annotations

from rig.errors import FailureClass
from rig.scenarios.kit import (
    RENDER_NODE,
    Scenario,
    check,
    check_prot_sections_lent,
    scenario,
)


@scenario()
def test_heap_late(rig: Scenario) -> None:
    """The heap is absent at load and comes later (T-4c, T-4g).

    Until then the device is deferred and its GPU was never powered; when OP-TEE
    has brought the heap, the driver binds by itself and its PROT section lies in
    memory that OP-TEE was lent. Driven over the serial console alone.
    """
    rig.shell = rig.serial
    rig.load_panthor()
    check(not rig.bound(), "panthor bound although its heap is absent", FailureClass.PROBE)
    check(rig.deferred(), "panthor's probe did not end in deferral while its heap was absent",
          FailureClass.PROBE)  # fmt: skip
    check(not rig.exists(RENDER_NODE), "there is a render node while the probe is deferred",
          FailureClass.PROBE)  # fmt: skip
    check(
        rig.power_ons() == 0,
        f"the GPU was powered on {rig.power_ons()} times before its heap was there",
    )

    rig.load_optee()
    rig.wait_bound()
    check(not rig.deferred(), "the GPU is bound and still listed as deferred", FailureClass.PROBE)
    check(rig.power_ons() > 0, "the driver is bound but never powered the GPU on")
    check_prot_sections_lent(rig)
