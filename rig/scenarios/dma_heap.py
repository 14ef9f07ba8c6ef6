# SPDX-License-Identifier: MIT
"""dma-heap: heaps that come and go while they are in use, and what their ioctl refuses."""

from __future__ import annotations

from rig.scenarios.kit import EVERY, Scenario, check, scenario
from rig.scenarios.kit_protm import check_works
from rig.scenarios.terms import RIGHEAP

PAGE = "4096"
POOL_BYTES = 4 << 20
STAYS = "system"
"""A heap of Linux that every guest has."""
OPENERS = 3
CHURNS = 150
"""Each is a heap that goes while it is in use."""
HEAP_SAYS = r"^dma_heap: minor \d+ unknown\.$"
"""Somebody opens a node whose heap is going."""
REFUSALS = {
    "good": "4096",
    "read_only": "4096",
    "one_byte": "4096",
    "page_and_byte": "8192",
    "no_length": "EINVAL",
    "length_wraps": "EINVAL",
    "fd": "EINVAL",
    "fd_flags": "EINVAL",
    "fd_flags_high": "EINVAL",
    "heap_flags": "EINVAL",
    "heap_flags_high": "EINVAL",
    "short": "4096",
    "long": "4096",
    "command": "EINVAL",
}
"""What Linux 7.3 makes of `heapctl refusals`: an errno, or the size of a buffer."""


@scenario(flavour="direct", reviews=("T-1a",))
def test_removed_while_open(rig: Scenario) -> None:
    """A heap whose exporter lets go while a file of it is open: a clean error, then no heap (T-1a).

    Our helper writes over free memory of the object's size, so that its use does not go well.
    """
    for _ in range(2):  # the second one takes the name of the first
        rig.add_heap("gone", POOL_BYTES)
        late = rig.spawn("heapctl", "gone", "late", PAGE)
        late.expect("READY")
        rig.remove_heap("gone")
        told = rig.finish(late)
        check("errno=ENODEV" in told, f"an allocation from a heap that is gone: {told.strip()}")
        check(not rig.exists("/dev/dma_heap/gone"),
              "a heap without a reference is still in the system")  # fmt: skip
    rig.run("heapctl", STAYS, "alloc", PAGE)


@scenario(flavour="direct", reviews=("T-1b",))
def test_opened_while_removed(rig: Scenario) -> None:
    """Files of a heap are opened and closed while it goes: each ends well, or with no heap (T-1b).

    Each heap goes when somebody has just allocated from it. Two come and go at a time: while
    one is registered the other's end has to wait, and more than one opener meets that.
    """
    rig.load_helper()
    rig.sh("echo > /proc/sys/kernel/modprobe")  # or an unknown minor starts a process
    with rig.driver_may_complain(HEAP_SAYS):
        openers = [rig.spawn("heapctl", STAYS, "reopen") for _ in range(OPENERS)]
        for opener in openers:
            opener.expect("READY")
        one, two = (f"echo 'churned-{n} {rig.cycles(CHURNS)}' > {RIGHEAP}/churn" for n in "ab")
        rig.sh(f"{one} & {two} && wait $!")
        for opener in openers:
            rig.finish(opener)
    left = rig.sh("ls /dev/dma_heap").split()
    check(not any(name.startswith("churned") for name in left),
          f"heaps without a reference are still in the system: {' '.join(left)}")  # fmt: skip


@scenario(flavour="direct", reviews=("T-2b",))
def test_among_others(rig: Scenario) -> None:
    """The driver finds its heap between others, and keeps it when all of them go (T-2b)."""
    for name in ("first", "second", "third"):
        rig.add_heap(name, POOL_BYTES)
    rig.load_panthor("second")
    rig.wait_bound()
    check_works(rig)
    for name in ("third", "second", "first"):
        rig.remove_heap(name)
    rig.run("gpuctl", "job", "flags=0")
    rig.unload_panthor()
    left = rig.sh("ls /dev/dma_heap").split()
    check("second" not in left, "the driver's heap is still in the system behind the driver")


@scenario(contracts=EVERY, flavour="direct", reviews=("T-2c",))
def test_refusals(rig: Scenario) -> None:
    """The ioctl takes and refuses the lengths and flags that it always did (T-2c)."""
    said = rig.run("heapctl", STAYS, "refusals").output
    told = dict(word.split("=", 1) for word in said.split() if "=" in word)
    wrong = [f"{name} ended with {told.get(name)}, not {right}"
             for name, right in REFUSALS.items() if told.get(name) != right]  # fmt: skip
    check(not wrong, f"allocations from a heap: {'; '.join(wrong)}")
