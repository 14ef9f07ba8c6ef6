# SPDX-License-Identifier: MIT
"""vm-bind: what user space does to its VMs while the GPU uses them."""

from __future__ import annotations

from rig.gpu.events import Event
from rig.guest.agent import Process
from rig.scenarios.kit import EVERY, PROTECTED, Extent, Scenario, check, scenario
from rig.scenarios.kit_protm import entries, last_line, load

HUGE_PAGE = Extent(0x4000000, 2 << 20)
HOLE = Extent(0x4100000, 64 << 10)
"""Virtual addresses of `gpuctl unmap`: the hole, and the huge page that it lies in."""


@scenario(contracts=EVERY, flavour="direct", reviews=("T-6a",))
def test_hole(rig: Scenario) -> None:
    """A hole in a mapping: what changes is locked, once, and what is beside it stays (T-6a).

    Of a sparse mapping the driver takes the whole huge page away for a moment, and of a buffer
    in small pages no more than the hole. Buffers of a heap have `imports/hole`: Linux 7.3
    does not survive that.
    """
    rig.load_panthor(heap=None)
    rig.wait_bound()
    rig.keep_gpu_on()
    for changes, options in ((HOLE, ()), (HUGE_PAGE, ("sparse=1",))):
        cut(rig, changes, "a mapping", *options)


@scenario(contracts=PROTECTED, flavour="direct", reviews=("T-6b",))
def test_while_protected(rig: Scenario) -> None:
    """A VM_BIND of somebody else ends protected mode, and never changes a VM in it (T-6b)."""
    load(rig)
    other = written(rig)
    holder = rig.spawn("gpuctl", "region", "hold=1")
    holder.expect("READY")
    rig.wait(lambda: bool(entries(rig)), "the GPU to enter protected mode")
    other.write(b"\n")
    rig.wait(lambda: bool(rig.events("protm-exit")), "the end of protected mode for a VM_BIND")
    left = rig.events("protm-exit")[0]
    check(left["why"] == "ping", f"a VM_BIND ended protected mode by {left['why']}, not by a ping")
    rig.finish(other)
    told = rig.finish(holder)
    check("RESULT ok" in told, f"the interrupted region ended wrong: {last_line(told)}")


def cut(rig: Scenario, changes: Extent, what: str, *options: str) -> None:
    """A client takes the hole out of its mapping: `changes` is locked, the rest stays."""
    client = written(rig, *options)
    since = rig.session.gpu.last_seq
    # Only there: the driver takes the VM of the client before this one down when it likes.
    space = rig.last("csg-start")["as"]
    client.write(b"\n")
    client.expect("READY unmapped")
    check_locks([e for e in rig.events_since(since, "as-cmd") if e["as"] == space], changes)
    told = rig.finish(client)
    check("RESULT ok" in told, f"beside a hole in {what}: {last_line(told)}")


def written(rig: Scenario, *options: str) -> Process:
    """A client whose VM is on the GPU, and whose buffer a job has written to."""
    client = rig.spawn("gpuctl", "unmap", "flags=0", *options)
    client.expect("READY written")
    return client


def check_locks(commands: list[Event], changes: Extent) -> None:
    """From the first LOCK of an address space to its one UNLOCK, all that changes was locked."""
    names = [event["cmd"] for event in commands]
    locked = [Extent(event["base"], event["size"]) for event in commands if event["cmd"] == "LOCK"]
    told = f"{', '.join(names)} of {', '.join(map(str, locked))}"
    check(locked and changes.inside(locked[-1:]),
          f"{changes} of a VM changed, which was not locked: {told}")  # fmt: skip
    check(names == ["LOCK"] * len(locked) + ["UNLOCK"], f"a VM was not unlocked once: {told}")
    check(len(set(locked)) == len(locked), f"a region of a VM was locked twice: {told}")
