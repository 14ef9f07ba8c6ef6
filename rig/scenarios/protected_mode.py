# SPDX-License-Identifier: MIT
"""protected-mode: entering it, staying in it, leaving it, as the device sees it."""

from __future__ import annotations

from rig.errors import FailureClass
from rig.kernel.contract import PROTM_INIT
from rig.scenarios.kit import PROTECTED, Scenario, check, extents, scenario
from rig.scenarios.kit_protm import (
    HEAP_NAME,
    bystander,
    check_counts,
    check_entry,
    check_let_in_again,
    check_unharmed,
    check_works,
    entries,
    guest_time,
    hold,
    last_line,
    load,
    one_reset,
    resets,
)
from rig.scenarios.terms import FAULT_SAYS, PRE_INSMOD, RENDER_NODE

REGIONS = 5
TAIL = 4_000_000
"""Loops of two instructions: a virtual second."""
JOB_TIMEOUT_MS = 5000
"""panthor_sched.c JOB_TIMEOUT_MS: what a queue that nobody lets in ends in."""
PING_S = 12.0
"""panthor_fw.c PING_INTERVAL_MS, from the MCU's boot on."""
LEAD_S, BEHIND_S = 3.1, 0.4
"""How long before the ping is due the GPU is sent into protected mode, and kept there behind it:
together less than the job timeout."""
JOBS_MEANWHILE = 3
LOW, HIGH = 0, 2
"""enum drm_panthor_group_priority."""


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


@scenario(contracts=PROTECTED, flavour="direct", reviews=("T-7a", "T-7i", "T-7j"))
def test_bind_forces_exit(rig: Scenario) -> None:
    """An MMU command ends protected mode by a ping (T-7a), and the region is let in again (T-7i).

    What was put aside asks again by the very interrupt that tells of the exit (T-7j).
    """
    holder = hold(rig)
    run = rig.try_run("gpuctl", "groups", "1")
    rig.wait(lambda: bool(rig.events("protm-exit")), "the end of protected mode")
    left = rig.last("protm-exit")
    check(left["why"] == "ping", f"protected mode was left by {left['why']}, not by a ping")
    check(run.ok, f"no group can be created in protected mode: {last_line(run.output)}")
    check(left["unfinished"], "the region that waits for the CPU was called finished")
    saved = rig.last("protm-suspend")
    check(saved["saved"], "the unfinished region was not saved into the protected suspend buffer")
    check_let_in_again(rig)
    told = rig.finish(holder)
    check("RESULT ok" in told, f"the interrupted region ended wrong: {last_line(told)}")


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
    check(rig.events("csg-suspend"), "no group was put aside", FailureClass.INFRA)

    def done() -> list[int]:
        return [e.seq for e in rig.events("csg-terminate") if e["csg"] == left["csg"]]

    rig.wait(lambda: bool(done()), "the group with the region to leave its slot")
    back = [e.seq for e in rig.events("csg-resume") if e.seq > left.seq]
    check(back and back[0] < done()[0],
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


@scenario(flavour="direct", reviews=("T-7n", "T-7o"))
def test_reset_while_protected(rig: Scenario) -> None:
    """A GPU that never leaves protected mode is reset: only the group in it is lost (T-7o)."""
    load(rig)
    other = bystander(rig)
    holder = rig.spawn("gpuctl", "region", "hold=1")
    holder.expect("READY")
    rig.wait(lambda: bool(entries(rig)), "the GPU to enter protected mode")
    with one_reset(rig):  # a tick of the scheduler may be the first to want it out
        rig.session.set_fault("protm-exit-never", 1)
        rig.try_run("gpuctl", "groups", "1")
    rig.session.set_fault("protm-exit-never", 0)
    told = rig.finish(holder, status=1)
    check("why=dead" in told, f"the group of a GPU that was reset is not lost: {last_line(told)}")
    check_unharmed(rig, other)
    check_works(rig)


@scenario(contracts=PROTECTED, flavour="direct", reviews=("T-7p",))
def test_status_behind_reset(rig: Scenario) -> None:
    """A GPU that says behind its reset that it is in protected mode is refused (T-7p).

    Its MCU is not started, and the device is gone until the driver is loaded again.
    """
    holder = hold(rig)
    before = len(resets(rig))
    with rig.driver_may_complain():
        rig.session.set_fault("protm-status-stuck", 1)
        rig.try_run("gpuctl", "groups", "1")
        rig.settle(lambda: len(resets(rig)) - before, 1, "resets of a GPU that does not leave")
        since = resets(rig)[-1].seq
        rig.wait(lambda: not rig.exists(RENDER_NODE) or bool(rig.events_since(since, "mcu-boot")),
                 "the device's unplug, or the MCU's boot")  # fmt: skip
        check(not rig.events_since(since, "mcu-boot"), "the driver goes on with a GPU that says "
              "it is in protected mode behind its reset")  # fmt: skip
        told = rig.finish(holder, status=1)
    check("RESULT fail" in told, f"a job of a GPU that is refused ended in: {last_line(told)}")
    rig.session.set_fault("protm-status-stuck", 0)
    rig.unload_panthor()
    rig.load_panthor(HEAP_NAME)
    rig.wait_bound()
    check_works(rig)


@scenario(flavour="direct", reviews=("T-7q",))
def test_two_groups(rig: Scenario) -> None:
    """Two groups that want protected mode at the same time take turns, and both end well (T-7q)."""
    load(rig)
    holders = [rig.spawn("gpuctl", "region", "hold=1") for _ in range(2)]
    for holder in holders:
        holder.expect("READY")

    def turns() -> int:
        return len({event["csg"] for event in entries(rig)})

    rig.wait(lambda: turns() == 2 or bool(resets(rig)) or bool(rig.events("csg-terminate")),
             "the second group's turn, or the first one's end")  # fmt: skip
    check(turns() == 2, "the second group that wants protected mode never has its turn")
    check(not resets(rig), "the GPU was reset between two protected groups")
    for holder in holders:
        told = rig.finish(holder)
        check("RESULT ok" in told, f"one of two protected groups ended wrong: {last_line(told)}")


@scenario(flavour="direct", reviews=("T-7k",))
def test_higher_priority(rig: Scenario) -> None:
    """A busy normal group of a higher priority goes before a protected one (T-7k)."""
    load(rig)
    busy = bystander(rig, jobs=100, priority=HIGH)
    low = rig.spawn("gpuctl", "region", f"priority={LOW}")
    rig.wait(lambda: bool(rig.events("protm-pend")), "the low group's request")
    for _ in range(JOBS_MEANWHILE):  # each job is a turn of the scheduler, or more
        rig.run("gpuctl", "job", "flags=0", f"priority={HIGH}")
    ahead = len(entries(rig))
    state = rig.try_run("test", "-d", f"/proc/{busy.pid}")
    check(state.ok, "the busy group was done too early", FailureClass.INFRA)
    check(not ahead, "protected mode was entered ahead of a busy group of a higher priority")
    busy.kill()
    told = rig.finish(low)
    check("RESULT ok" in told, f"the protected group ended wrong: {last_line(told)}")
    check_counts(rig, 1)


@scenario(flavour="direct", reviews=("T-7b",))
def test_ping_stays_away(rig: Scenario) -> None:
    """The periodic ping does not throw the GPU out of protected mode (T-7b)."""
    load(rig)
    rig.keep_gpu_on()
    due = guest_time(rig) + PING_S
    rig.wait(lambda: guest_time(rig) >= due - LEAD_S, "the time before the ping")
    check(not rig.events("ping"), "the ping was early", FailureClass.INFRA)
    holder = rig.spawn("gpuctl", "region", "hold=1")
    holder.expect("READY")
    rig.wait(lambda: bool(entries(rig)), "the GPU to enter protected mode")
    check(guest_time(rig) < due - BEHIND_S, "it took too long to enter", FailureClass.INFRA)
    rig.wait(lambda: guest_time(rig) >= due + BEHIND_S, "the time behind the ping")
    left = rig.events("protm-exit")
    check(not left, f"protected mode was left by {left[0]['why'] if left else ''}: the driver "
          "pings although the GPU is in protected mode")  # fmt: skip
    told = rig.finish(holder)
    check("RESULT ok" in told, f"the protected region ended wrong: {last_line(told)}")
    check_counts(rig, 1)


@scenario(contracts=PROTECTED, flavour="direct", reviews=("T-7f", "T-7n"))
def test_entry_unanswered(rig: Scenario) -> None:
    """A firmware that does not answer PROTM_ENTER: reset, only the group that asked is lost."""
    check_entry(rig, "protm-enter-never", bystander_jobs=28)


@scenario(contracts=PROTECTED, flavour="direct", reviews=("T-7f", "T-7n"))
def test_entry_without_effect(rig: Scenario) -> None:
    """A GPU that does not say it is in protected mode: reset, only the group is lost (T-7n)."""
    check_entry(rig, "protm-status-never", bystander_jobs=12)


@scenario(flavour="direct", reviews=("T-7d",))
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
