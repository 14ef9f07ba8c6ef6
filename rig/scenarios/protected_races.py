# SPDX-License-Identifier: MIT
"""protected-races: requests, entries and exits that come when the driver does not look."""

from __future__ import annotations

from rig.scenarios.kit import Scenario, check, scenario
from rig.scenarios.kit_protm import (
    check_counts,
    check_works,
    last_line,
    load,
    one_reset,
    resets,
)

STATUS_LATE_US = 100_000
"""How long GPU_STATUS keeps an entry to itself: a region of one instruction takes less than
one millisecond."""


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
