# SPDX-License-Identifier: MIT
"""driver: the life of panthor on the emulated GPU, whatever contract it speaks."""

from __future__ import annotations

from rig.errors import FailureClass
from rig.scenarios.kit import EVERY, Scenario, check, scenario
from rig.scenarios.kit_protm import last_line

RELOADS = 100
PINGS = 4
PING_INTERVAL_S = 12
JOBS = 50


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
