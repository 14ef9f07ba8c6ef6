# SPDX-License-Identifier: MIT
"""suspend-buffer: a group's normal and protected suspend buffers."""

from __future__ import annotations

from rig.deadlines import JOB_S, scaled
from rig.errors import FailureClass
from rig.gpu.events import Event
from rig.scenarios.kit import (
    EVERY,
    GPU_DEVICE,
    PRE_INSMOD,
    PROTECTED,
    Scenario,
    check,
    extents,
    scenario,
)

PAGE = 4096
ROOM = 3
"""Groups that fit into the heap which is to run out."""
GROUPS = 12
"""More than the eight slots of the GPU."""
LOADS = 10
CHURN = 100
"""Groups that live one after the other; `--soak` makes it ten times as many, and of LOADS."""


@scenario(contracts=PROTECTED, stage=PRE_INSMOD)
def test_from_heap(rig: Scenario) -> None:
    """A group takes exactly protm_suspend_size from the heap, and the firmware is given just that.

    The MCU's page tables say where the buffer is, the kernel's dma-buf list how big.
    """
    rig.load_panthor()
    rig.wait_bound()
    size = rig.last_boot()["protm_suspend_size"]
    before = rig.dmabufs()
    holder = rig.spawn("gpuctl", "groups", "3")
    holder.expect("READY groups=3")
    now = rig.dmabufs()
    taken = (now[0] - before[0], now[1] - before[1])
    check(
        taken == (3, 3 * size),
        f"three groups took {taken[0]} buffers with {taken[1]} bytes from the heap, "
        f"not 3 with {3 * size}: the firmware's protm_suspend_size is {size}",
    )
    rig.finish(holder)
    rig.settle(rig.dmabufs, before, "dma-bufs (count, bytes) after three groups' lives")
    check_flag(rig)
    rig.run("gpuctl", "rotate", "groups=3", "jobs=1")
    starts = rig.events("csg-start")
    check(len(starts) >= 3, f"three groups with jobs made {len(starts)} starts of a slot",
          FailureClass.INFRA)  # fmt: skip
    for start in starts:
        check_buffers(rig, start)
    check_own_buffers(starts[-3:])


@scenario(flavour="direct", reviews=("T-4l",))
def test_labels(rig: Scenario) -> None:
    """debugfs tells a group's two suspend buffers apart, and which one is protected (T-4l).

    Their sizes say which is which: the firmware demands different ones.
    """
    rig.add_heap("protected", 4 << 20)
    rig.load_panthor("protected")
    rig.wait_bound()
    boot = rig.last_boot()
    normal, protected = (boot[f"{kind}suspend_size"] for kind in ("", "protm_"))
    check(normal != protected, "both suspend buffers have one size", FailureClass.INFRA)
    holder = rig.spawn("gpuctl", "groups", "1")
    holder.expect("READY groups=1")
    for size, wanted in ((normal, False), (protected, True)):
        named = [label for label in gem_labels(rig, size) if "suspend" in label]
        check(len(named) == 1, f"debugfs has no suspend buffer of {size} bytes, or many: {named}")
        check(("prot" in named[0]) == wanted,
              f"debugfs calls the {'' if wanted else 'un'}protected suspend buffer {named[0]!r}",
              )  # fmt: skip
    rig.finish(holder)


@scenario(contracts=EVERY, flavour="direct")
def test_state_survives(rig: Scenario) -> None:
    """More groups than slots: each is suspended mid-loop, resumed, and counts right.

    The counters live in registers, so only a suspend buffer can carry them. Driven
    over the serial console alone.
    """
    rig.shell = rig.serial
    rig.load_panthor(heap=None)
    rig.wait_bound()
    done = rig.try_run("gpuctl", "rotate", f"groups={GROUPS}", timeout=60)
    suspended = rig.events("csg-suspend")
    resumed = rig.events("csg-resume")
    if suspended:
        check(all(e["saved"] for e in suspended), "a group's state could not be saved")
        check(resumed, "no suspended group was resumed: it was started anew or lost")
        check_restored([*rig.events("csg-start"), *suspended, *resumed])
    check(done.ok and "RESULT ok" in done.output, f"wrong results: {wrong_lines(done.output)}")
    check(suspended, "no group was suspended although there were more groups than slots",
          FailureClass.INFRA)  # fmt: skip


@scenario(contracts=PROTECTED, reviews=("T-4d",))
def test_returned(rig: Scenario) -> None:
    """Destroying groups and unloading gives every byte back; OP-TEE gets its reclaim."""
    rig.shell = rig.ssh
    rig.load_optee()
    before = rig.dmabufs()
    rig.load_panthor()
    rig.wait_bound()
    loaded = rig.dmabufs()
    count = rig.cycles(CHURN)
    rig.sh(f"gpuctl churn {count} < /dev/null", timeout=rig.cycles(JOB_S))
    rig.settle(rig.dmabufs, loaded, f"dma-bufs (count, bytes) after {count} groups' lives")
    rig.unload_panthor()
    rig.settle(rig.dmabufs, before, "dma-bufs (count, bytes) after the unload")
    rig.settle(lambda: len(rig.lent()), 0, "ranges still lent to OP-TEE after the unload")


@scenario(contracts=PROTECTED, flavour="direct", reviews=("T-4m",))
def test_exhaustion(rig: Scenario) -> None:
    """A full heap fails the next group only, with -ENOMEM (T-4m)."""
    loaded, group = demand(rig)
    rig.add_heap("small", loaded + ROOM * group)
    rig.load_panthor("small")
    rig.wait_bound()
    with rig.driver_may_complain():
        holder = rig.spawn("gpuctl", "groups", str(ROOM + 2))
        told = holder.expect("READY").strip()
    check(f"groups={ROOM} errno=ENOMEM" in told, f"a heap with room for {ROOM} groups said: {told}")
    told = rig.finish(holder, status=1)
    check("RESULT fail step=group_create why=ENOMEM" in told, f"gpuctl said: {told.strip()}")
    rig.wait_heap_bytes("small", loaded, "after its groups were destroyed")
    run = rig.run("gpuctl", "job")
    check("RESULT ok" in run.output, "no group can be made after others were destroyed")
    rig.wait_heap_bytes("small", loaded, "after all groups are gone")


def demand(rig: Scenario) -> tuple[int, int]:
    """Bytes that the loaded driver and that each group take, by the kernel's dma-buf list.

    Seen with a heap that has room for all; panthor is unloaded again.
    """
    rig.add_heap("roomy", 16 << 20)
    before = rig.dmabufs()[1]
    rig.load_panthor("roomy")
    rig.wait_bound()
    loaded = rig.dmabufs()[1] - before
    holder = rig.spawn("gpuctl", "groups", str(ROOM))
    holder.expect(f"READY groups={ROOM}")
    groups = rig.dmabufs()[1] - before - loaded
    rig.finish(holder)
    rig.unload_panthor()
    check(groups > 0, f"{ROOM} groups took nothing from the heap: it cannot be exhausted")
    check(groups % ROOM == 0, f"{ROOM} equal groups took {groups} bytes from the heap")
    return loaded, groups // ROOM


@scenario(contracts=PROTECTED, stage=PRE_INSMOD, reviews=("T-4d",))
def test_cycles(rig: Scenario) -> None:
    """Loads and unloads, each with groups that come and go, end where they began."""
    before, held = rig.dmabufs(), rig.references()
    for _ in range(rig.cycles(LOADS)):
        rig.load_panthor()
        rig.wait_bound()
        churn_open(rig)
        rig.unload_panthor()
        rig.settle(rig.dmabufs, before, "dma-bufs (count, bytes) after an unload")
        rig.settle(lambda: len(rig.lent()), 0, "ranges still lent to OP-TEE after an unload")
    if held is not None:
        rig.settle(lambda: str(rig.references()), str(held), "references after all unloads")


def churn_open(rig: Scenario) -> None:
    """Destroyed groups' buffers go back at once, not when their process closes the device."""
    loaded = rig.dmabufs()
    holder = rig.spawn("gpuctl", "churn", str(CHURN // LOADS))
    holder.expect("READY churned", scaled(JOB_S))
    rig.settle(rig.dmabufs, loaded, "dma-bufs (count, bytes) after the lives of a VM's groups")
    rig.finish(holder)


def gem_labels(rig: Scenario, size: int) -> list[str]:
    """Labels, in lower case, of the driver's buffers of `size` bytes, rounded up to pages."""
    whole = -(-size // PAGE) * PAGE
    lines = rig.sh(f"cat /sys/kernel/debug/dri/{GPU_DEVICE}/gems").splitlines()
    words = [line.split(maxsplit=9) for line in lines]
    return [w[9].lower() for w in words if len(w) == 10 and w[4] == str(whole)]


def check_taken(rig: Scenario, before: tuple[int, int]) -> None:
    """The loaded driver holds memory of the heap: only then is giving it back worth a look."""
    check(rig.lent(), "nothing is lent to OP-TEE although panthor has bound with its heap")
    check(rig.dmabufs() > before, "panthor has bound with its heap and taken no buffer from it")


def check_flag(rig: Scenario) -> None:
    """Where the uAPI has a flag for it, groups without the flag take nothing from the heap."""
    if "protected_features=0x1" not in rig.run("gpuctl", "query").output:
        return
    before = rig.dmabufs()
    holder = rig.spawn("gpuctl", "groups", "3", "flags=0")
    holder.expect("READY groups=3")
    taken = rig.dmabufs()[0] - before[0]
    check(taken == 0, f"three groups without the flag took {taken} buffers from the heap")
    rig.finish(holder)


def check_buffers(rig: Scenario, start: Event) -> None:
    """A started group's protected buffer is lent memory, the normal one is not; both are whole."""
    lent, boot = rig.lent(), rig.last_boot()
    protected, normal = extents(start["protm_suspend_pa"]), extents(start["suspend_pa"])
    outside = [extent for extent in protected if not extent.inside(lent)]
    check(
        not outside,
        f"the protected suspend buffer lies at {', '.join(map(str, outside))}, outside the memory "
        f"lent to OP-TEE ({', '.join(map(str, lent))}): it was not taken from the heap",
    )
    check(not any(e.inside(lent) for e in normal), "the normal suspend buffer lies in the heap")
    for what, found, size in (
        ("protected", protected, boot["protm_suspend_size"]),
        ("normal", normal, boot["suspend_size"]),
    ):
        mapped = sum(extent.size for extent in found)
        check(mapped >= size, f"the {what} suspend buffer has {mapped} bytes mapped, not {size}")


def check_own_buffers(starts: list[Event]) -> None:
    """Groups that live at the same time share no protected suspend buffer."""
    first = [extents(start["protm_suspend_pa"])[0].start for start in starts]
    check(len(set(first)) == len(first), "two groups were given the same protected suspend buffer")


def check_restored(taken: list[Event]) -> None:
    """Each resume found in its buffer what the suspend into that buffer had left there."""
    buffer: dict[int, int] = {}  # slot → suspend buffer in use there
    left: dict[int, int] = {}  # suspend buffer → checksum of what was left in it
    for event in sorted(taken, key=lambda e: e.seq):
        slot = event["csg"]
        if event.kind == "csg-suspend":
            left[buffer[slot]] = event["crc32"]
            continue
        buffer[slot] = event["suspend_va"]
        if event.kind == "csg-start":
            continue
        check(event["restored"], f"slot {slot} could not restore its group's state")
        check(
            left.get(buffer[slot]) == event["crc32"],
            f"the suspend buffer at {buffer[slot]:#x} changed between suspend and resume",
        )


def wrong_lines(output: str) -> str:
    """What gpuctl rotate complains about."""
    wrong = [line for line in output.splitlines() if "right=0" in line or "RESULT" in line]
    return "; ".join(wrong[:3]) or output.strip()[-200:]
