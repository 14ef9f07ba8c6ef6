# SPDX-License-Identifier: MIT
"""stress: as many groups as the driver bears, whose queues wait for one another.

Everything follows from one seed: the order of the turns, the priorities, and what is done to
the GPU between the rounds. The records that gpuctl checks tell whether a turn was lost,
repeated or taken too early, and whether a register survived.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from rig.deadlines import scaled
from rig.errors import FailureClass, RigError
from rig.guest.agent import Process
from rig.scenarios.kit import Scenario, check, scenario
from rig.scenarios.suspend_buffer import check_restored

ON_DEMAND = "a minute: `make nightly`"
EVERY = ("base", "heap-name")
SEED = 20261121
SLOTS = 8
GROUPS, QUEUES, ROUNDS, INNER = 64, 8, 4, 3000
"""Eight groups a slot, all queues that a slot has; loops of a turn: 6,000 instructions."""
ROUND_S = 60
MESH = (f"groups={GROUPS}", f"queues={QUEUES}", f"jobs={ROUNDS}", f"inner={INNER}",
        f"seed={SEED}", "ring=4096", "hold=1", "flags=0")  # fmt: skip


def nothing(rig: Scenario) -> None:
    """The GPU goes on as it is."""


def sleep(rig: Scenario) -> None:
    """Runtime PM suspends the idle GPU; the next job wakes it by a fast boot."""
    rig.suspend_gpu()


def sleep_badly(rig: Scenario) -> None:
    """The same with a firmware that does not halt: a reset, and a slow boot."""
    rig.suspend_gpu_uncleanly()


BETWEEN: tuple[Callable[[Scenario], None], ...] = (nothing, sleep, sleep_badly)


@scenario(contracts=EVERY, flavour="direct")
def test_mesh(rig: Scenario) -> None:
    """64 groups with eight queues each on eight slots end with the right memory content."""
    rig.load_panthor(heap=None)
    rig.wait_bound()
    chance = random.Random(SEED)
    process = rig.spawn("gpuctl", "mesh", *MESH)
    for number in range(ROUNDS):
        wait_for_round(process, number)
        act = chance.choice(BETWEEN)
        rig.session.journal.note("stress", f"round {number}: {act.__name__}")
        act(rig)
        process.write(b"\n")
    check_ended(process)
    check_rotated(rig)


def wait_for_round(process: Process, number: int) -> None:
    """Rounds up to this one are over and right; otherwise gpuctl ends and says what is wrong."""
    try:
        process.expect(f"PHASE {number}", scaled(ROUND_S))
    except RigError as error:
        if error.failure is FailureClass.ASSERT:
            check_ended(process)
        raise


def check_ended(process: Process) -> None:
    """gpuctl came to its end, and all records were right."""
    told = process.wait(scaled(ROUND_S))
    check(not told.timed_out, "the groups do not come to their end", FailureClass.HANG)
    last = (told.stdout.strip().splitlines() or ["nothing"])[-2:]
    check(told.ok, f"wrong records: {'; '.join(last)}")


def check_rotated(rig: Scenario) -> None:
    """Groups were swapped while they worked, at queues that waited, and came back whole."""
    starts, suspends = rig.events("csg-start"), rig.events("csg-suspend")
    resumes = rig.events("csg-resume")
    check(len(starts) >= GROUPS, f"{len(starts)} groups started, not {GROUPS}")
    check(len(suspends) > GROUPS, f"only {len(suspends)} suspends: nothing was swapped",
          FailureClass.INFRA)  # fmt: skip
    check(resumes, "no group was resumed", FailureClass.INFRA)
    both = [*starts, *resumes]
    for field, least in (("csg", SLOTS), ("prio", SLOTS)):
        seen = {event[field] for event in both}
        check(len(seen) >= least, f"groups ran with {field} {sorted(seen)} only",
              FailureClass.INFRA)  # fmt: skip
    check_restored([*starts, *suspends, *resumes])
