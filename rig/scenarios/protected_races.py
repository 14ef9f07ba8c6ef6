# SPDX-License-Identifier: MIT
"""protected-races: requests, entries and exits that come when the driver does not look."""

from __future__ import annotations

from rig.artifacts.csffw_default import GROUPS
from rig.deadlines import COMMAND_S, scaled
from rig.errors import FailureClass
from rig.guest.agent import Process
from rig.scenarios.kit import Scenario, check, scenario
from rig.scenarios.kit_protm import (
    check_counts,
    check_works,
    entries,
    guest_time,
    last_line,
    load,
    one_reset,
    resets,
)

STATUS_LATE_US = 100_000
"""How long GPU_STATUS keeps an entry to itself: a region of one instruction takes less than
one millisecond."""
TICKS_S = 0.2
"""Of the guest's time: twenty ticks of the scheduler (panthor_sched.c, tick_period)."""
LOW, HIGH = 0, 2
"""enum drm_panthor_group_priority."""


@scenario(flavour="direct", reviews=("T-7m",))
def test_over_at_once(rig: Scenario) -> None:
    """A region that is over before GPU_STATUS has told of it is no failed entry (T-7m)."""
    load(rig)
    rig.session.set_fault("protm-status-late", STATUS_LATE_US)
    run = rig.try_run("gpuctl", "region")
    check(run.ok, "a region that was over before GPU_STATUS told of protected mode was taken for "
          f"an entry that failed: {last_line(run.output)}")  # fmt: skip
    check_counts(rig, 1)
    check(not resets(rig), "the GPU was reset for a region that ended well")
    rig.session.set_fault("protm-status-late", 0)
    check_works(rig)


@scenario(flavour="direct", reviews=("T-7g",))
def test_entry_failed(rig: Scenario) -> None:
    """An entry that failed and the reset behind it are over: nobody is forced to leave (T-7g)."""
    load(rig)
    rig.session.set_fault("protm-status-never", 1)
    with one_reset(rig):
        run = rig.try_run("gpuctl", "region")
    rig.session.set_fault("protm-status-never", 0)
    check("why=dead" in run.output, f"the group that asked ended in: {last_line(run.output)}")
    since = rig.last("mcu-boot").seq
    run = rig.try_run("gpuctl", "job", "flags=0")
    check(run.ok, f"no job runs behind an entry that failed: {last_line(run.output)}")
    check(not rig.events_since(since, "ping"), "the GPU was told to leave protected mode, which "
          "it had never entered: the driver goes by an entry that failed")  # fmt: skip
    check_works(rig)


@scenario(flavour="direct", reviews=("T-7l",))
def test_loses_slot(rig: Scenario) -> None:
    """A request goes with the slot of its group, which asks again when it is back (T-7l).

    Busy groups of a higher priority, on all slots but its own, keep the request from being
    granted; one more takes that slot. No stream runs from then on, so that the group is back
    on its slot before it can ask.
    """
    load(rig)
    before = len(resets(rig))
    others = [many(rig, groups, HIGH) for groups in (1, GROUPS - 2)]
    low = rig.spawn("gpuctl", "region", f"priority={LOW}")
    rig.wait(lambda: bool(rig.events("protm-pend")), "the low group's request")
    asked = rig.events("protm-pend")[0]
    rig.session.set_fault("job-never", 1)
    last = many(rig, 1, HIGH)

    def on_slot(kind: str) -> bool:
        return asked["csg"] in {event["csg"] for event in rig.events_since(asked.seq, kind)}

    rig.wait(lambda: on_slot("csg-suspend") or bool(rig.events("protm-enter")), "the eviction")
    last.kill()
    rig.wait(lambda: on_slot("csg-resume") or bool(rig.events("protm-enter")), "the return")
    for process in others:
        process.kill()
        process.wait(scaled(COMMAND_S))
    due = guest_time(rig) + TICKS_S
    rig.wait(lambda: guest_time(rig) >= due, "some ticks of the scheduler")
    check(not rig.events("protm-enter"), "protected mode was asked for although the request had "
          "gone with the slot, and nobody had asked again")  # fmt: skip
    rig.session.set_fault("job-never", 0)
    told = rig.finish(low)
    check("RESULT ok" in told, f"the group that lost its slot ended wrong: {last_line(told)}")
    check(len(rig.events("protm-pend")) == 2, "it did not ask again", FailureClass.INFRA)
    check(len(entries(rig)) == 1, f"one region was entered {len(entries(rig))} times")
    check(len(resets(rig)) == before, "the GPU was reset for a group that had lost its slot")


def many(rig: Scenario, groups: int, priority: int) -> Process:
    """So many busy groups of one VM; returns when all are on slots. See `bystander`."""
    before = len(rig.events("csg-start"))
    found = rig.spawn("gpuctl", "rotate", f"groups={groups}", "shared-vm=1", "jobs=100",
                      "inner=20000", "outer=50", "flags=0", f"priority={priority}")  # fmt: skip
    rig.wait(lambda: len(rig.events("csg-start")) == before + groups, "the groups' start")
    return found
