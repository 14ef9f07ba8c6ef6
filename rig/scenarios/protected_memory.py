# SPDX-License-Identifier: MIT
"""protected-memory: ordinary memory, handed in for protected mode.

Nothing tells the driver, and the firmware boots with it. The GPU in protected mode cannot write
there: the firewall denies it, and the GPU tells of a fault (GPU_IRQ bit 1).
"""

from __future__ import annotations

from rig.errors import FailureClass
from rig.kernel.contract import PROTM_INIT
from rig.scenarios.kit import PROTECTED, Extent, Scenario, check, prot_extents, scenario
from rig.scenarios.kit_driver import SUSPEND_HEAP_FILE
from rig.scenarios.kit_protm import (
    HEAP_BYTES,
    bystander,
    check_unharmed,
    check_works,
    last_line,
    load,
    one_reset,
)
from rig.scenarios.terms import FAULT_SAYS

ORDINARY = "ordinary"
TRIES = 2
SAVED = b"MCSP"
"""What the buffer of a group begins with that was suspended in protected mode (core/suspend.c)."""


@scenario(contracts=PROTECTED, flavour="direct", reviews=("T-4i",))
def test_section(rig: Scenario) -> None:
    """Ordinary memory as the firmware's section: the boot is fine, each entry faults (T-4i).

    The fault costs one reset and the group that asked; whoever needs no protected mode works.
    """
    rig.add_heap("closed", HEAP_BYTES)
    pool = rig.add_heap(ORDINARY, HEAP_BYTES, closed=False)
    rig.load_panthor(ORDINARY)
    rig.wait_bound()
    where = prot_extents(rig)
    check(where and all(extent.inside([pool]) for extent in where),
          "the PROT section is not in the memory that was given for it")  # fmt: skip
    other = bystander(rig)
    rig.expect_denials("write", pool, count=TRIES, master="gpu-protected")
    for count in range(1, TRIES + 1):
        with one_reset(rig, FAULT_SAYS):
            run = rig.try_run("gpuctl", "region")
        check("why=dead" in run.output, f"the group that asked ended in: {last_line(run.output)}")
        check_fault(rig, pool, count)
    check_unharmed(rig, other)
    done = rig.try_run("gpuctl", "job", "flags=0")
    check(done.ok, f"no job runs behind entries that faulted: {last_line(done.output)}")


def check_fault(rig: Scenario, pool: Extent, count: int) -> None:
    """So many faults by now, the last one of a write of protected mode in the pool."""
    faults = rig.events("protm-fault")
    check(len(faults) == count and faults[-1]["write"]
          and pool.start <= faults[-1]["addr"] < pool.end,
          f"{len(faults)} faults in protected mode, not {count}", FailureClass.INFRA)  # fmt: skip


@scenario(contracts=(PROTM_INIT.name,), flavour="direct", reviews=("T-4j",))
def test_suspend_buffer(rig: Scenario) -> None:
    """Ordinary memory as a group's suspend buffer costs others nothing (T-4j).

    The kernel takes it: it cannot know. What would be saved there is not, nothing of it gets
    out, and the fault costs one reset and that group.
    """
    load(rig)
    pool = rig.add_heap(ORDINARY, HEAP_BYTES, closed=False)
    good = rig.sh(f"cat {SUSPEND_HEAP_FILE}").strip()
    other = bystander(rig)
    rig.expect_denials("write", pool, count=2, master="gpu-protected")  # of the save, of a look
    with one_reset(rig, FAULT_SAYS):
        rig.sh(f"echo {ORDINARY} > {SUSPEND_HEAP_FILE}")
        holder = rig.spawn("gpuctl", "region", "hold=1")
        holder.expect("READY")
        rig.sh(f"echo {good} > {SUSPEND_HEAP_FILE}")
        rig.wait(lambda: bool(rig.events("protm-suspend")), "the end of the group's slice")
        told = rig.finish(holder, status=1)
    check("why=dead" in told, f"a group without a suspend buffer ended in: {last_line(told)}")
    check(SAVED not in rig.ram.read(pool.start, pool.size),
          "what was in protected mode lies in ordinary memory")  # fmt: skip
    check_fault(rig, pool, 1)
    check_unharmed(rig, other)
    check_works(rig)
