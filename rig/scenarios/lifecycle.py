# SPDX-License-Identifier: MIT
"""lifecycle: probes that fail, and ends and pauses that come while the GPU is at work."""

from __future__ import annotations

from rig.errors import FailureClass
from rig.scenarios.kit import EVERY, Scenario, check, scenario
from rig.scenarios.kit_protm import check_works, entries, guest_time, hold, last_line, load
from rig.scenarios.terms import CLOCK, DRIVER, GPU_DEVICE, POWER

GONE_SAYS = r"^(?:panthor|platform) \S+: (?!.*(?:Unhandled Page fault|GPU Fault))"
"""What is left of an unbound driver tells for an unnamed device that a job has timed out."""
TICKS_S = 0.5
"""Of the guest's time: fifty ticks of the scheduler (panthor_sched.c, tick_period)."""
GATE, TOLD = "/tmp/gate", "/tmp/told"
SLEEP = (
    "echo 0 > /sys/module/suspend/parameters/pm_test_delay && echo devices > /sys/power/pm_test "
    "&& echo freeze > /sys/power/state"
)


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


@scenario(flavour="direct", reviews=("T-7r",))
def test_killed_while_protected(rig: Scenario) -> None:
    """The owner of a group in protected mode is killed: the mode ends, nothing is kept (T-7r)."""
    holder = hold(rig)
    rig.session.journal.note("spawn", "SIGKILL")
    holder.kill()
    left_by_ping(rig, "the owner's death")
    rig.settle(lambda: rig.dmabufs()[0], 1, "dma-bufs behind the owner, the firmware's one too")
    check_works(rig)


@scenario(flavour="direct", reviews=("T-7r",))
def test_awake_while_protected(rig: Scenario) -> None:
    """A GPU in protected mode is not idle: runtime PM, free to suspend it, does not (T-7r)."""
    holder = hold(rig)
    rig.sh(f"echo 0 > {POWER}/autosuspend_delay_ms && echo auto > {POWER}/control")
    due = guest_time(rig) + TICKS_S
    rig.wait(lambda: guest_time(rig) >= due, "some ticks of the scheduler")
    left = rig.events("protm-exit")
    check(not left, f"protected mode was left by {left[0]['why'] if left else ''}: the driver "
          "lets a GPU sleep that is at work")  # fmt: skip
    check(rig.gpu_powered(), "the GPU was switched off in protected mode")
    told = rig.finish(holder)
    check("RESULT ok" in told, f"the protected region ended wrong: {last_line(told)}")
    rig.wait(lambda: not rig.gpu_powered(), "the GPU's runtime suspend behind the region")
    check_works(rig)


@scenario(flavour="direct", reviews=("T-7r",))
def test_asleep_while_protected(rig: Scenario) -> None:
    """The system sleeps while the GPU is in protected mode: the region goes on afterwards (T-7r).

    As far as the devices: the kernel's own test of a suspend wakes up again at once. The
    agent's port is closed by that, so this is driven over the serial console alone.
    """
    load(rig)
    rig.shell = rig.serial
    waiting = f"{{ tail -f /dev/null & echo $! > {GATE}; wait; }}"
    rig.sh(f"({waiting} | gpuctl region hold=1 > {TOLD} 2>&1) > /dev/null 2>&1 &")
    rig.wait(lambda: bool(entries(rig)), "the GPU to enter protected mode")
    boots = len(rig.events("mcu-boot"))
    rig.sh(SLEEP)
    left_by_ping(rig, "a suspend")
    check(len(rig.events("mcu-boot")) > boots, "the GPU was not suspended", FailureClass.INFRA)
    rig.sh(f"kill $(cat {GATE})")
    rig.wait(lambda: "RESULT" in rig.sh(f"cat {TOLD}"), "the end of the interrupted region")
    told = rig.sh(f"cat {TOLD}")
    check("RESULT ok" in told, f"the interrupted region ended wrong: {last_line(told)}")


@scenario(flavour="direct", reviews=("T-7r",))
def test_unbound_while_protected(rig: Scenario) -> None:
    """The driver is unbound while the GPU is in protected mode, and bound again (T-7r).

    That the buffers of a group that was on a slot then stay, and the old device with them, is
    Linux 7.3's own doing: nobody evicts it (panthor_sched.c, panthor_sched_unplug()).
    """
    holder = hold(rig)
    with rig.driver_may_complain(GONE_SAYS):
        rig.sh(f"echo {GPU_DEVICE} > {DRIVER}/unbind")
        left_by_ping(rig, "the unbinding")
        check(not rig.gpu_powered(), "the GPU is still powered without a driver")
        holder.kill()
        why = rig.bind_by_hand()
        check(not why, f"the driver cannot be bound again: {why}", FailureClass.PROBE)
        check(rig.bound(), "the GPU has no driver although it was bound", FailureClass.PROBE)
        check_works(rig)


@scenario(flavour="direct", reviews=("T-4e",))
def test_another_heap(rig: Scenario) -> None:
    """Loads without a heap, with one and with another: each unload gives everything back (T-4e)."""
    before = rig.dmabufs()
    for heap in (None, "one", "two", None):
        if heap is not None:
            rig.add_heap(heap, 4 << 20)
        rig.load_panthor(heap)
        rig.wait_bound()
        rig.run("gpuctl", "job")
        rig.unload_panthor()
        rig.settle(rig.dmabufs, before, "dma-bufs (count, bytes) after an unload")


def left_by_ping(rig: Scenario, after: str) -> None:
    """Protected mode was ended by the driver's ping, not by a reset or by stopping the MCU."""
    rig.wait(lambda: bool(rig.events("protm-exit")), f"the end of protected mode after {after}")
    left = rig.events("protm-exit")[0]
    check(left["why"] == "ping", f"{after} ended protected mode by {left['why']}, not by a ping")
