# SPDX-License-Identifier: MIT
"""driver: the life of panthor on the emulated GPU, whatever contract it speaks."""

from __future__ import annotations

from rig.errors import FailureClass
from rig.scenarios.kit import EVERY, Scenario, check, scenario
from rig.scenarios.kit_protm import bystander, last_line

RELOADS = 100
PINGS = 4
PING_INTERVAL_S = 12
JOBS = 50
LOW, HIGH = 0, 2
"""enum drm_panthor_group_priority."""
BUSY_JOBS = 100
"""Of the group that must be on its slot until it is killed: 25 virtual seconds."""


@scenario(contracts=EVERY, flavour="direct")
def test_reload(rig: Scenario) -> None:
    """A hundred loads and unloads, each to a render node, each powering the GPU off again."""
    loop = (
        f"for i in $(seq {RELOADS}); do modprobe panthor && test -e /dev/dri/renderD128 && "
        "rmmod panthor || { echo failed in round $i; exit 1; }; done"
    )
    done = rig.try_run("sh", "-c", loop, timeout=240)
    check(done.ok, f"load/unload: {done.output.strip()}", FailureClass.PROBE)
    check(rig.power_ons() >= RELOADS, f"{RELOADS} loads powered the GPU on {rig.power_ons()} times")
    check(not rig.gpu_powered(), "the GPU is still powered after the last unload")


@scenario(contracts=EVERY, flavour="direct")
def test_pings(rig: Scenario) -> None:
    """Kept awake, the firmware answers the driver's pings and is never reset."""
    rig.load_panthor(heap=None)
    rig.wait_bound()
    rig.keep_gpu_on()
    rig.wait(lambda: len(rig.events("ping")) >= PINGS, f"{PINGS} pings",
             timeout=(PINGS + 1) * PING_INTERVAL_S)  # fmt: skip
    check(not rig.events("reset"), "the GPU was reset meanwhile")


@scenario(contracts=EVERY, flavour="direct")
def test_reset_recovers(rig: Scenario) -> None:
    """After a cache flush that never ends the driver resets the GPU, and jobs run again."""
    rig.load_panthor(heap=None)
    rig.wait_bound()
    rig.run("gpuctl", "job")
    rig.reset_gpu()
    done = rig.run("gpuctl", "job", "value=0x1234567")
    check("RESULT ok" in done.output, f"no job runs after the reset: {done.output.strip()}")


@scenario(contracts=EVERY, flavour="direct", reviews=("T-5a",))
def test_doorbell_alone(rig: Scenario) -> None:
    """What is new for a stream is told to the firmware though its group wants nothing (T-5a).

    More work for a group that runs, and an answer to a stream that waits for it: neither goes
    with a request for the group, and there is no other group whose turn brings a doorbell.
    """
    rig.load_panthor(heap=None)
    rig.wait_bound()
    done = rig.try_run("gpuctl", "submit-bench", str(JOBS), "flags=0")
    check(done.ok, f"{JOBS} jobs for a group that runs: {last_line(done.output)}")
    rig.session.set_fault("tiler-oom", 1)
    done = rig.try_run("gpuctl", "job", "run=6", "tiler=1", "flags=0")
    check(rig.events("tiler-oom"), "no tiling job ran out of memory", FailureClass.INFRA)
    check(done.ok and rig.events("heap-grow"), "a stream whose group wants nothing was not told, "
          f"or too late, that its heap has grown: {last_line(done.output)}")  # fmt: skip


@scenario(contracts=EVERY, flavour="direct")
def test_group_cores(rig: Scenario) -> None:
    """A group gets the cores that it was created with, and none that there are not."""
    rig.load_panthor(heap=None)
    rig.wait_bound()
    present = rig.session.bed.gpu.shader_present
    low = present & -present
    rig.run("gpuctl", "job", "flags=0", f"compute={low:#x}", f"fragment={present:#x}")
    start = rig.last("csg-start")
    told = (start["compute"], start["fragment"], start["tiler"])
    wanted = (1, present.bit_count(), 1)
    check(told == wanted, f"(compute, fragment, tiler) cores on the slot: {told}, not {wanted}")
    for wrong in (f"compute={present << 1:#x}", f"max-compute={present.bit_count() + 1}"):
        done = rig.try_run("gpuctl", "job", "flags=0", wrong)
        check("group_create why=EINVAL" in done.output, f"a group with {wrong} is not refused")


@scenario(contracts=EVERY, flavour="direct")
def test_priority_on_slot(rig: Scenario) -> None:
    """A group on its slot gets a lower priority when one that matters more comes beside it."""
    check_priority(rig)


@scenario(contracts=EVERY, flavour="direct", gpu="g1-pro", reviews=("T-5b",))
def test_priority_in_64_bits(rig: Scenario) -> None:
    """The same where the firmware has a 64-bit word for it (T-5b; panthor_fw.c, arch 14)."""
    check_priority(rig)


def check_priority(rig: Scenario) -> None:
    """The device sees the priority of a busy group fall below that of a later one."""
    rig.load_panthor(heap=None)
    rig.wait_bound()
    busy = bystander(rig, jobs=BUSY_JOBS, priority=LOW)
    start = rig.last("csg-start")
    rig.run("gpuctl", "job", "flags=0", f"priority={HIGH}")
    state = rig.try_run("test", "-d", f"/proc/{busy.pid}")
    check(state.ok, "the busy group was done too early", FailureClass.INFRA)
    other = rig.last("csg-start")
    check(other["csg"] != start["csg"], "the second group took the first one's slot",
          FailureClass.INFRA)  # fmt: skip
    changes = [e["prio"] for e in rig.events("csg-endpoints") if e["csg"] == start["csg"]]
    check(
        changes and changes[0] < other["prio"],
        f"a busy group keeps its priority {start['prio']} beside one of {other['prio']}",
    )
    busy.kill()
