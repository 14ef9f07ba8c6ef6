# SPDX-License-Identifier: MIT
"""fw-protected-section: where the firmware's PROT sections live, and that nobody touches them."""

from __future__ import annotations

from rig.errors import FailureClass
from rig.scenarios.kit import (
    EVERY,
    HEAP,
    PRE_INSMOD,
    PROTECTED,
    Extent,
    Scenario,
    check,
    check_prot_sections_lent,
    prot_extents,
    scenario,
)

PATTERN = bytes(range(1, 256)) + b"\x5a"
"""256 bytes without a zero and without a run: a cleared, moved or copied page shows."""


@scenario(contracts=PROTECTED)
def test_in_heap(rig: Scenario) -> None:
    """With a heap, each PROT section lies in it, whole, and mapped for the MCU."""
    rig.shell = rig.ssh
    rig.load_optee()
    rig.load_panthor()
    rig.wait_bound()
    check_prot_sections_lent(rig)
    for section in rig.prot_sections():
        check(section["perm"] == "rw", f"the MCU may {section['perm']!r} the PROT section, not rw")
    check_heap_refuses_cpu(rig)
    run_a_job(rig)


@scenario(contracts=PROTECTED, stage=PRE_INSMOD, reviews=("T-3a",))
def test_never_touched(rig: Scenario) -> None:
    """What lies in the section survives load, suspend, slow reset and a GPU reset (T-3a).

    The host writes a pattern past the guest, over the whole heap before the load;
    whoever clears, loads or moves the section at any time loses it.
    """
    keeper = rig.spawn("heapctl", HEAP, "hold", "4096")  # lends the pool before the driver does
    keeper.expect("READY")
    for extent in rig.lent():
        rig.ram.write(extent.start, PATTERN * (extent.size // len(PATTERN)))
    rig.load_panthor()
    rig.wait_bound()
    where = prot_extents(rig)
    check_untouched(rig, where, "the load")

    rig.suspend_gpu()
    rig.resume_gpu()
    check(not rig.last_boot()["full"], "the firmware was reloaded after a clean suspend",
          FailureClass.INFRA)  # fmt: skip
    check_untouched(rig, where, "suspend and resume")

    rig.suspend_gpu_uncleanly()
    rig.resume_gpu()
    check(rig.last_boot()["full"], "the firmware was not reloaded after a failed halt")
    check_untouched(rig, where, "a slow reset")

    rig.reset_gpu()
    check_untouched(rig, where, "a GPU reset")
    check_prot_sections_lent(rig)
    run_a_job(rig)
    rig.finish(keeper)


@scenario(contracts=EVERY, flavour="direct")
def test_no_heap(rig: Scenario) -> None:
    """Without a heap the section is skipped and the driver works (T-4a). Driven over serial."""
    rig.shell = rig.serial
    rig.load_panthor(heap=None)
    rig.wait_bound()
    mapped = [s for s in rig.prot_sections() if s["mapped"]]
    check(not mapped, "a PROT section is mapped although no heap was named")
    run_a_job(rig)


@scenario(flavour="direct", reviews=("T-4b",))
def test_heap_too_small(rig: Scenario) -> None:
    """A heap too small for the section: -ENOMEM, nothing kept, a later good load works (T-4b)."""
    rig.add_heap("tiny", 64 << 10)
    with rig.driver_may_complain():
        rig.load_panthor("tiny")
        check(not rig.bound(), "panthor bound although its heap is too small for the firmware",
              FailureClass.PROBE)  # fmt: skip
        check(not rig.deferred(), "a heap that is too small ended in deferral", FailureClass.PROBE)
        why = rig.bind_by_hand()
        check(why == "Cannot allocate memory",
              f"with a heap that is too small the probe fails with {why!r}, not with ENOMEM",
              FailureClass.PROBE)  # fmt: skip
    check_nothing_kept(rig, "tiny")
    check(not rig.gpu_powered(), "the GPU is still powered after the failed probe")
    clocks = rig.clock_enables()
    check(clocks == 0, f"the GPU's clock is still enabled {clocks} times after the failed probe")
    rig.unload_panthor()

    rig.add_heap("good", 16 << 20)
    rig.load_panthor("good")
    rig.wait_bound()
    run_a_job(rig)
    rig.unload_panthor()
    check_nothing_kept(rig, "good")


def run_a_job(rig: Scenario) -> None:
    """The GPU runs a command stream to a signalled fence, with the right memory content."""
    done = rig.run("gpuctl", "job", "value=0xc0ffee01")
    check("RESULT ok" in done.output, f"a job did not finish: {done.output.strip()}")


def check_heap_refuses_cpu(rig: Scenario) -> None:
    """User space can map no buffer of the protected heap, but one of the system heap.

    The second half is the control: a heap that cannot be asked would pass the first.
    """
    for heap, wanted in ((HEAP, "EINVAL"), ("system", "ok")):
        said = rig.run("heapctl", heap, "cpu").output.split()
        for way in ("mmap_read", "mmap_write"):
            check(f"{way}={wanted}" in said, f"{way} of a buffer of {heap}: {said}, not {wanted}")


def check_untouched(rig: Scenario, where: list[Extent], after: str) -> None:
    """The sections are where they were and hold the pattern."""
    now = prot_extents(rig)
    check(
        now == where and now,
        f"after {after} the PROT section lies at {at(now)}, before it did at {at(where)}",
    )
    for extent in now:
        found = rig.ram.read(extent.start, extent.size)
        wrong = next((i for i, byte in enumerate(found) if byte != PATTERN[i % 256]), None)
        check(
            wrong is None,
            f"after {after} the PROT section has changed at offset {wrong or 0:#x}: "
            "somebody wrote to it",
        )


def at(where: list[Extent]) -> str:
    """Extents for a sentence."""
    return ", ".join(map(str, where)) or "no address"


def check_nothing_kept(rig: Scenario, heap: str) -> None:
    """No buffer of a helper heap is alive."""
    rig.wait_heap_bytes(heap, 0, "still allocated")
