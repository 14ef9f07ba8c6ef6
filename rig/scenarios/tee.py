# SPDX-License-Identifier: MIT
"""tee: the heap's own life in Linux: first and last buffers, unloads while one is held."""

from __future__ import annotations

from rig.deadlines import COMMAND_S, scaled
from rig.errors import FailureClass
from rig.guest.agent import Process
from rig.scenarios.kit import EVERY, HEAP, Scenario, check, scenario

ON_DEMAND = "defects of Linux 7.3 that kernel_config/series/tee-fixes mends"
PAGE = "4096"
TASKS = 2
ROUNDS = 4
"""Of each task, in each start: a round lends 16 MiB, scrubs them and takes them back (80 ms)."""

STARTS = 24
"""Without the fix a third of the starts end in the warning if the guest's CPUs really run side
by side; on a busy host fewer do, and `--soak` gives it the time to be met all the same."""

LOOKS = 5


@scenario(contracts=EVERY)
def test_first_and_last_at_once(rig: Scenario) -> None:
    """Tasks that each hold one page at most: the pool comes and goes, and is whole each time."""
    rig.load_optee()
    for _ in range(rig.cycles(STARTS)):
        loops = [rig.spawn("heapctl", HEAP, "loop", PAGE, str(ROUNDS)) for _ in range(TASKS)]
        for loop in loops:
            rig.finish(loop)
    rig.settle(lambda: len(rig.lent()), 0, "ranges still lent to OP-TEE behind the last buffer")
    rig.run("heapctl", HEAP, "alloc", PAGE)


@scenario(contracts=EVERY, reviews=("T-1c",))
def test_unload_while_held(rig: Scenario) -> None:
    """optee's unload waits for a buffer that somebody holds, ends with it, and can be undone.

    Between the two the heap is there without a TEE, and says so (T-1c).
    """
    rig.load_optee()
    late = rig.spawn("heapctl", HEAP, "late", PAGE)
    late.expect("READY")
    holder = rig.spawn("heapctl", HEAP, "hold", PAGE)
    holder.expect("READY n=1")
    unload = rig.spawn("rmmod", "optee")
    wait_asleep(rig, unload)
    check(rig.lent(), "OP-TEE gave the memory back although a buffer is held")
    rig.finish(holder)
    ended = unload.wait(scaled(COMMAND_S))
    check(not ended.timed_out, "rmmod optee does not end although the last buffer is free",
          FailureClass.HANG)  # fmt: skip
    check(ended.status == 0, f"rmmod optee {ended.describe()}")
    check(not rig.lent(), "memory is still lent to OP-TEE behind the unload")
    told = rig.finish(late)
    check("errno=EINVAL" in told, f"an allocation from a heap without its TEE: {told.strip()}")
    rig.load_optee()
    rig.run("heapctl", HEAP, "alloc", PAGE)


@scenario(contracts=EVERY, debug=True, reviews=("T-1d",))
def test_module_stays(rig: Scenario) -> None:
    """tee.ko cannot go, for its heap cannot; optee comes back to the same heap (T-1d).

    Only the debug kernel has TEE as a module.
    """
    rig.load_optee()
    rig.run("rmmod", "optee")
    gone = rig.try_run("rmmod", "tee")
    check(not gone.ok, "tee.ko was unloaded although its heap stays in the system")
    rig.load_optee()
    rig.run("heapctl", HEAP, "alloc", PAGE)


def wait_asleep(rig: Scenario, process: Process) -> None:
    """Wait until a process sleeps uninterruptibly at `LOOKS` looks in a row.

    One look could meet it on its way through a lock.
    """
    seen = 0

    def asleep() -> bool:
        nonlocal seen
        state = rig.try_run("cut", "-d ", "-f3", f"/proc/{process.pid}/stat")
        check(state.ok, f"{process.what} ended although a buffer is held")
        seen = seen + 1 if state.output.strip() == "D" else 0
        return seen >= LOOKS

    rig.wait(asleep, f"{process.what} to wait for the buffer")
