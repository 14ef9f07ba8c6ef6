# SPDX-License-Identifier: MIT
"""imports: dma-bufs in a VM of the GPU."""

from __future__ import annotations

from rig.scenarios.kit import EVERY, Scenario, scenario
from rig.scenarios.vm_bind import HUGE_PAGE, cut

ON_DEMAND = "a defect of Linux 7.3 that kernel_config/series/panthor-fixes mends"
HEAPS = ("system", "default_cma_region")
"""The second's memory is contiguous: huge entries map it."""


@scenario(contracts=EVERY, flavour="direct")
def test_hole(rig: Scenario) -> None:
    """A hole in the mapping of a dma-buf: what is beside it stays, and the kernel too.

    Linux 7.3 follows a null pointer (panthor_mmu.c:2305, iova_mapped_as_huge_page()).
    """
    rig.load_panthor(heap=None)
    rig.wait_bound()
    rig.keep_gpu_on()
    for heap in HEAPS:
        cut(rig, HUGE_PAGE, f"a buffer of {heap}", f"heap={heap}")
