# SPDX-License-Identifier: MIT
"""Protected mode from outside: groups that ask for it, bystanders, and what the device counts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rig.errors import FailureClass
from rig.gpu.events import Event
from rig.guest.agent import Process
from rig.scenarios.kit import Scenario, check
from rig.scenarios.terms import DRIVER_SAYS

HEAP_NAME, HEAP_BYTES = "protected", 4 << 20


def load(rig: Scenario) -> None:
    """Panthor with a heap of ours, bound."""
    rig.add_heap(HEAP_NAME, HEAP_BYTES)
    rig.load_panthor(HEAP_NAME)
    rig.wait_bound()


def hold(rig: Scenario) -> Process:
    """A job that keeps the GPU in protected mode until its stdin is closed."""
    load(rig)
    holder = rig.spawn("gpuctl", "region", "hold=1")
    holder.expect("READY")
    rig.wait(lambda: bool(entries(rig)), "the GPU to enter protected mode")
    return holder


def bystander(rig: Scenario, jobs: int = 12, priority: int = 1) -> Process:
    """A group that counts in its registers, `jobs` quarters of a virtual second on a slot.

    It has to come out right. Jobs are short: a busy host must not let one time out.
    """
    other = rig.spawn("gpuctl", "rotate", "groups=1", f"jobs={jobs}", "inner=20000", "outer=50",
                      "flags=0", f"priority={priority}")  # fmt: skip
    rig.wait(lambda: bool(rig.events("csg-start")), "the other group's start")
    return other


def check_unharmed(rig: Scenario, other: Process) -> None:
    """The bystander was put aside and counts right nevertheless."""
    told = rig.finish(other)
    check("RESULT ok" in told, f"a group that had nothing to do with it: {last_line(told)}")
    check(rig.events("csg-suspend"), "no other group was put aside", FailureClass.INFRA)


@contextmanager
def one_reset(rig: Scenario, says: str = DRIVER_SAYS) -> Iterator[None]:
    """What is done in here must end in exactly one GPU reset, and the MCU's boot after it."""
    before, boots = len(resets(rig)), len(rig.events("mcu-boot"))
    with rig.driver_may_complain(says):
        yield
        rig.settle(lambda: len(resets(rig)) - before, 1, "GPU resets for one incident")
        rig.wait(lambda: len(rig.events("mcu-boot")) > boots, "the MCU's boot after the reset")


def resets(rig: Scenario) -> list[Event]:
    """Resets that the driver asked for; protected mode ends with a fast one of its own."""
    return [e for e in rig.events("reset") if e["kind"] != "fast"]


def check_entry(rig: Scenario, fault: str, bystander_jobs: int) -> None:
    """An entry that fails costs a reset and the group that asked for it, nothing else (T-7f)."""
    load(rig)
    other = bystander(rig, bystander_jobs)
    rig.session.set_fault(fault, 1)
    with one_reset(rig):
        run = rig.try_run("gpuctl", "region")
    rig.session.set_fault(fault, 0)
    check("why=dead" in run.output, f"the group that asked ended in: {last_line(run.output)}")
    check_unharmed(rig, other)
    check_works(rig)


def check_works(rig: Scenario) -> None:
    """A protected region runs."""
    run = rig.try_run("gpuctl", "region")
    check(run.ok, f"no protected region runs afterwards: {last_line(run.output)}")


def check_let_in_again(rig: Scenario) -> None:
    """A region that was put aside has asked again before the exit was told, and got in."""
    left = rig.events("protm-exit")[0].seq
    since = [e for kind in ("protm-pend", "glb-event") for e in rig.events_since(left, kind)]
    first = min(since, key=lambda e: e.seq, default=None)
    check(first and first.kind == "protm-pend", "the device told of the exit before the request",
          FailureClass.INFRA)  # fmt: skip
    rig.wait(lambda: len(entries(rig)) > 1 or bool(rig.events("csg-terminate")),
             "the second entry, or the end of the group")  # fmt: skip
    check(len(entries(rig)) > 1, "a region that was put aside asked again by the interrupt that "
          "told of the exit, and was never let in again")  # fmt: skip


def entries(rig: Scenario) -> list[Event]:
    """Requests for protected mode that the device has granted."""
    return [e for e in rig.events("protm-enter") if e["acked"]]


def check_counts(rig: Scenario, regions: int) -> None:
    """One request of the stream, one entry and one exit a region."""
    for kind in ("protm-pend", "protm-enter", "protm-exit"):
        seen = len(rig.events(kind))
        check(seen == regions, f"{regions} protected regions made {seen} events {kind}")


def last_line(output: str) -> str:
    """What gpuctl said last."""
    return (output.strip().splitlines() or ["nothing"])[-1]


def guest_time(rig: Scenario) -> float:
    """The guest's monotonic clock, s: what the driver's own timers run on."""
    return float(rig.sh("cut -d' ' -f1 /proc/uptime"))
