# SPDX-License-Identifier: MIT
"""lifecycle: probes that fail, and what they leave behind."""

from __future__ import annotations

from rig.errors import FailureClass
from rig.scenarios.kit import EVERY, Scenario, check, scenario
from rig.scenarios.terms import CLOCK


@scenario(contracts=EVERY, flavour="direct", reviews=("T-4b",))
def test_unknown_gpu(rig: Scenario) -> None:
    """A GPU that no driver knows: the probe fails and leaves nothing on; the next one works (T-4b).

    The driver is told so by the first register it reads, right behind its first runtime resume.
    """
    rig.session.set_fault("gpu-id-wrong", 1)
    with rig.driver_may_complain():
        rig.load_panthor(heap=None)
    check(not rig.bound(), "panthor bound to a GPU of an architecture that nobody knows",
          FailureClass.PROBE)  # fmt: skip
    check(not rig.deferred(), "a GPU that nobody knows ended in deferral", FailureClass.PROBE)
    clocks = rig.clock_enables()
    check(clocks == 0, f"{CLOCK} is enabled {clocks} times after a probe that failed early")
    rig.unload_panthor()

    rig.session.set_fault("gpu-id-wrong", 0)
    rig.load_panthor(heap=None)
    rig.wait_bound()
    rig.run("gpuctl", "job")
    rig.unload_panthor()
    clocks = rig.clock_enables()
    check(clocks == 0, f"{CLOCK} is enabled {clocks} times after the unload")
