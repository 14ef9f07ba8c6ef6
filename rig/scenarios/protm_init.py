# SPDX-License-Identifier: MIT
"""protm-init: memory for protected mode that user space hands in by a privileged ioctl."""

from __future__ import annotations

from rig.errors import FailureClass
from rig.kernel.contract import PROTM_INIT
from rig.scenarios.kit import Scenario, check, prot_extents, scenario
from rig.scenarios.kit_protm import bystander, last_line, resets

HANDED_IN = (PROTM_INIT.name,)
POOL_BYTES = 4 << 20
UNINITIALIZED, READY = 1, 2
"""enum drm_panthor_protm_state."""
BAD_MEMORY = {
    "capability": "EPERM",
    "flags": "EINVAL",
    "handle": "ENOENT",
    "own": "EINVAL",
    "small": "EINVAL",
}
"""What `gpuctl protm-misuse` offers the firmware, and how it must be refused."""
FIRST = {name: BAD_MEMORY[name] for name in ("capability", "flags")}
"""Whoever may not ask, or asks for what there is not, is not told if there is memory already."""
TOO_EARLY = dict.fromkeys(
    (
        "group_handle",
        "group_own",
        "group_small",
        "group_other_file",
        "group_good",
        "group_again",
    ),
    "EINVAL",
)
"""Groups for protected mode while the firmware has no memory for it."""
BAD_GROUPS = {
    "group_handle": "ENOENT",
    "group_own": "EINVAL",
    "group_small": "EINVAL",
    "group_other_file": "ENOENT",
    "group_good": "0",
    "group_again": "EBUSY",
}
"""The same when it has: all are refused but the one good buffer, while nobody has it."""


@scenario(contracts=HANDED_IN, flavour="direct", reviews=("T-4h",))
def test_one_slow_reset(rig: Scenario) -> None:
    """The firmware boots without the memory and is given it by one slow reset; jobs survive."""
    pool = rig.add_heap("late", POOL_BYTES)
    rig.load_panthor(heap=None)
    rig.wait_bound()
    before = info(rig)
    check(before["protm_state"] == UNINITIALIZED, "protected mode is ready before it has memory")
    check(before["fw_size"] and before["suspend_size"], "the driver asks for buffers of no size")
    check(not any(s["mapped"] for s in rig.prot_sections()), "a PROT section is mapped too early")
    other = bystander(rig)

    rig.hand_in("late")
    check(info(rig) == before | {"protm_state": READY},
          "protected mode is not ready, or wants other buffers, with its memory")  # fmt: skip
    check(len(resets(rig)) == 1, f"{len(resets(rig))} GPU resets for the memory, not 1")
    check(rig.last_boot()["full"], "the firmware was not reloaded: it never saw its memory")
    where = prot_extents(rig)
    check(where and all(extent.inside([pool]) for extent in where),
          "the PROT section is not mapped in the memory that was handed in")  # fmt: skip
    told = rig.finish(other)
    check("RESULT ok" in told, f"a job did not survive the reset: {last_line(told)}")
    again = rig.try_run("gpuctl", "protm-init", "heap=late")
    check("why=EBUSY" in again.output, f"memory was handed in twice: {last_line(again.output)}")
    check(len(resets(rig)) == 1, "memory that was refused reset the GPU")
    run = rig.try_run("gpuctl", "region")
    check(run.ok, f"no protected region runs: {last_line(run.output)}")


@scenario(contracts=HANDED_IN, flavour="direct", reviews=("T-4k", "T-8d"))
def test_misuse(rig: Scenario) -> None:
    """Memory that is too small, the driver's own, somebody else's, or in use is refused (T-4k)."""
    rig.add_heap("misused", POOL_BYTES)
    rig.load_panthor(heap=None)
    rig.wait_bound()
    check_refused(rig, BAD_MEMORY | TOO_EARLY)
    check(info(rig)["protm_state"] == UNINITIALIZED, "protected mode is ready although nobody "
          "handed in memory that is good for it")  # fmt: skip
    check(not resets(rig), "memory that was refused reset the GPU")
    rig.wait_heap_bytes("misused", 0, "after all of it was refused")

    rig.hand_in("misused")
    held, before = rig.heap_bytes("misused"), len(resets(rig))
    check_refused(rig, dict.fromkeys(BAD_MEMORY, "EBUSY") | FIRST | BAD_GROUPS)
    rig.wait_heap_bytes("misused", held, "after groups were refused and destroyed")
    check(len(resets(rig)) == before, "memory that was refused reset the GPU")


@scenario(contracts=HANDED_IN, flavour="direct")
def test_kept(rig: Scenario) -> None:
    """The memory stays when its giver is gone, through a suspend, and goes with the driver."""
    rig.add_heap("given", POOL_BYTES)
    rig.load_panthor(heap=None)
    rig.wait_bound()
    rig.suspend_gpu()
    rig.hand_in("given")
    size = info(rig)["fw_size"]
    rig.wait_heap_bytes("given", size, "while the firmware has its memory")
    where = prot_extents(rig)
    rig.suspend_gpu()
    rig.resume_gpu()
    check(prot_extents(rig) == where, "the PROT section is elsewhere after a suspend")
    run = rig.try_run("gpuctl", "region")
    check(run.ok, f"no protected region runs after a suspend: {last_line(run.output)}")
    rig.wait_heap_bytes("given", size, "after the life of a group")
    rig.unload_panthor()
    rig.wait_heap_bytes("given", 0, "after the unload")


def info(rig: Scenario) -> dict[str, int]:
    """What the driver says of protected mode: state, and sizes in bytes."""
    words = [w for w in rig.run("gpuctl", "query").output.split() if "=" in w]
    told = dict(word.split("=", 1) for word in words)
    names = ("protm_state", "fw_size", "suspend_size")
    check(all(name in told for name in names), "the driver says nothing of protected mode",
          FailureClass.INFRA)  # fmt: skip
    return {name: int(told[name]) for name in names}


def check_refused(rig: Scenario, wanted: dict[str, str]) -> None:
    """Each of gpuctl's misuses ends in the errno that it must end in."""
    said = rig.run("gpuctl", "protm-misuse", "heap=misused").output
    told = dict(word.split("=", 1) for word in said.split() if "=" in word)
    wrong = [f"{name} ended with {told.get(name)}, not {errno}"
             for name, errno in wanted.items() if told.get(name) != errno]  # fmt: skip
    check(not wrong, f"protected memory that is no good: {'; '.join(wrong)}")
