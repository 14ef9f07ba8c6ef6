# SPDX-License-Identifier: MIT
"""protected-mode: entering it, staying in it, leaving it, as the device sees it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rig.errors import FailureClass
from rig.gpu.events import Event
from rig.guest.agent import Process
from rig.kernel.contract import PROTM_INIT
from rig.scenarios.kit import PROTECTED, Scenario, check, extents, scenario
from rig.scenarios.terms import DRIVER_SAYS, FAULT_SAYS, PRE_INSMOD

REGIONS = 5
TAIL = 4_000_000
"""Loops of two instructions: a virtual second."""
HEAP_NAME, HEAP_BYTES = "protected", 4 << 20
JOB_TIMEOUT_MS = 5000
"""panthor_sched.c JOB_TIMEOUT_MS: what a queue that nobody lets in ends in."""


@scenario(contracts=PROTECTED, stage=PRE_INSMOD, reviews=("T-7h",))
def test_enter_exit(rig: Scenario) -> None:
    """Each region is asked for once, entered once and left when it ends (T-7h)."""
    rig.load_panthor()
    rig.wait_bound()
    run = rig.try_run("gpuctl", "region", f"regions={REGIONS}")
    check(run.ok, f"a job with protected regions failed: {last_line(run.output)}")
    check_counts(rig, REGIONS)
    check(all(e["why"] == "end" for e in rig.events("protm-exit")),
          "protected mode was left before its region ended")  # fmt: skip
    lent = rig.lent()
    for extent in extents(rig.last("csg-start")["protm_suspend_pa"]):
        check(extent.inside(lent),
              f"the protected suspend buffer at {extent} is not lent to OP-TEE")  # fmt: skip


@scenario(contracts=PROTECTED, flavour="direct", reviews=("T-7a",))
def test_bind_forces_exit(rig: Scenario) -> None:
    """An MMU command waits for normal mode: a ping ends protected mode, and it goes on (T-7a)."""
    holder = hold(rig)
    run = rig.try_run("gpuctl", "groups", "1")
    rig.wait(lambda: bool(rig.events("protm-exit")), "the end of protected mode")
    left = rig.last("protm-exit")
    check(left["why"] == "ping", f"protected mode was left by {left['why']}, not by a ping")
    check(run.ok, f"no group can be created in protected mode: {last_line(run.output)}")
    check(left["unfinished"], "the region that waits for the CPU was called finished")
    saved = rig.last("protm-suspend")
    check(saved["saved"], "the unfinished region was not saved into the protected suspend buffer")
    told = rig.finish(holder)
    check("RESULT ok" in told, f"the interrupted region ended wrong: {last_line(told)}")
    check(len(entries(rig)) >= 2, "the interrupted region was never let in again")


@scenario(contracts=PROTECTED, flavour="direct")
def test_others_come_back(rig: Scenario) -> None:
    """A group put aside by protected mode comes back from its buffer and counts right."""
    load(rig)
    before = len(resets(rig))  # where user space hands memory in, loading takes one
    other = bystander(rig)
    holder = rig.spawn("gpuctl", "region", "hold=1")
    holder.expect("READY")
    rig.wait(
        lambda: len(entries(rig)) > 1 or len(resets(rig)) > before, "protected mode, once more"
    )
    check(len(resets(rig)) == before, "the GPU was reset for a group that has had its slice")
    told = rig.finish(holder)
    check("RESULT ok" in told, f"the protected region ended wrong: {last_line(told)}")
    told = rig.finish(other)
    check("RESULT ok" in told, f"the group put aside counted wrong: {last_line(told)}")
    check(rig.events("csg-suspend"), "no group was put aside", FailureClass.INFRA)
    back = rig.events("csg-resume")
    check(back and all(e["restored"] for e in back), "a group put aside was not resumed")


@scenario(contracts=PROTECTED, flavour="direct", reviews=("T-7h",))
def test_back_at_once(rig: Scenario) -> None:
    """Others come back when the region ends, not when the group that had it is done (T-7h)."""
    load(rig)
    other = bystander(rig)
    run = rig.try_run("gpuctl", "region", f"tail={TAIL}")
    check(run.ok, f"a job with a protected region failed: {last_line(run.output)}")
    check_counts(rig, 1)
    left = rig.last("protm-exit")
    back = [e.seq for e in rig.events("csg-resume") if e.seq > left.seq]
    done = [e.seq for e in rig.events("csg-terminate") if e["csg"] == left["csg"]]
    check(rig.events("csg-suspend"), "no group was put aside", FailureClass.INFRA)
    check(done, "the group with the region is still on its slot", FailureClass.INFRA)
    check(back and back[0] < done[0],
          "the group put aside came back only when the one with the region was done")  # fmt: skip
    check_unharmed(rig, other)


@scenario(contracts=PROTECTED, flavour="direct", reviews=("T-7c",))
def test_fault(rig: Scenario) -> None:
    """Each fault in protected mode: one reset, its group is lost, the others are not (T-7c)."""
    load(rig)
    other = bystander(rig)
    for count in (1, 2):
        rig.session.set_fault("protm-fault-at", 1)
        with one_reset(rig, FAULT_SAYS):
            run = rig.try_run("gpuctl", "job", "protect=1")
        check("why=dead" in run.output,
              f"the group of fault {count} ended in: {last_line(run.output)}")  # fmt: skip
        check(len(rig.events("protm-fault")) == count, "no fault was provoked", FailureClass.INFRA)
    check_unharmed(rig, other)
    check_works(rig)


@scenario(contracts=PROTECTED, flavour="direct", reviews=("T-7n",))
def test_entry_unanswered(rig: Scenario) -> None:
    """A firmware that does not answer PROTM_ENTER: reset, only the group that asked is lost."""
    check_entry(rig, "protm-enter-never", bystander_jobs=28)


@scenario(contracts=PROTECTED, flavour="direct", reviews=("T-7n",))
def test_entry_without_effect(rig: Scenario) -> None:
    """A GPU that does not say it is in protected mode: reset, only the group is lost (T-7n)."""
    check_entry(rig, "protm-status-never", bystander_jobs=12)


@scenario(contracts=PROTECTED, flavour="direct", reviews=("T-7d",))
def test_spurious_exit(rig: Scenario) -> None:
    """PROTM_EXIT while nobody is in protected mode changes nothing (T-7d)."""
    load(rig)
    rig.session.set_fault("protm-exit-spurious", 3)
    rig.run("gpuctl", "rotate", "groups=2", "flags=0")
    exits = [e for e in rig.events("protm-exit") if e["why"] == "spurious"]
    check(len(exits) == 3, f"{len(exits)} exits out of nothing, not 3", FailureClass.INFRA)
    check_works(rig)


@scenario(contracts=PROTECTED, flavour="direct", reviews=("T-7e", "T-8a"))
def test_group_without_flag(rig: Scenario) -> None:
    """A region in a group without the flag kills it at once, not after the job timeout (T-7e)."""
    load(rig)
    run = rig.try_run("gpuctl", "region", "flags=0", f"timeout={JOB_TIMEOUT_MS - 1000}")
    check("why=dead" in run.output,
          f"a region in an unprotected group ended in: {last_line(run.output)}")  # fmt: skip
    check(not entries(rig), "protected mode was entered for an unprotected group")
    run = rig.try_run("gpuctl", "region", "flags=2")
    # where the field is the handle of a buffer, 2 is one that nobody has
    wanted = "ENOENT" if rig.contract == PROTM_INIT else "EINVAL"
    check(f"why={wanted}" in run.output,
          f"an unknown group flag was taken: {last_line(run.output)}")  # fmt: skip


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


def bystander(rig: Scenario, jobs: int = 12) -> Process:
    """A group that counts in its registers, `jobs` quarters of a virtual second on a slot.

    It has to come out right. Jobs are short: a busy host must not let one time out.
    """
    other = rig.spawn("gpuctl", "rotate", "groups=1", f"jobs={jobs}", "inner=20000", "outer=50",
                      "flags=0")  # fmt: skip
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
