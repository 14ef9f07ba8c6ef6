# SPDX-License-Identifier: MIT
"""uapi: what user space is told of protected mode, and what it is refused."""

from __future__ import annotations

import re

from rig.errors import FailureClass
from rig.kernel.repo import PANTHOR
from rig.scenarios.kit import EVERY, PROTECTED, Scenario, check, scenario
from rig.scenarios.kit_protm import last_line, load

FLAG = 1
"""DRM_PANTHOR_GROUP_CREATE_PROTECTED."""
UNKNOWN = (2, 1 << 31, 3)
"""Flags that nobody knows, also beside one that is known."""
SOURCE = "panthor_drv.c"
BOOT_US = 600_000
"""How long the MCU boots behind a reset: less than the second that panthor_fw_start() waits."""


@scenario(flavour="direct", reviews=("T-8a", "T-8b"))
def test_without_heap(rig: Scenario) -> None:
    """No heap: the query tells of nothing, the flag is refused, others are made (T-8b)."""
    rig.load_panthor(heap=None)
    rig.wait_bound()
    told = rig.run("gpuctl", "query").output
    check("protected_features=0" in told.split(),
          f"without a heap the query says {features(told)}")  # fmt: skip
    check_refused(rig, FLAG, "a protected group was made without a heap")
    rig.run("gpuctl", "job", "flags=0")


@scenario(flavour="direct", reviews=("T-8a",))
def test_with_heap(rig: Scenario) -> None:
    """With a heap: the query tells, the flag is taken, flags that nobody knows are not (T-8a)."""
    load(rig)
    told = rig.run("gpuctl", "query").output
    check("protected_features=0x1" in told.split(), f"with a heap the query says {features(told)}")
    rig.run("gpuctl", "sizes")
    for flags in UNKNOWN:
        check_refused(rig, flags, f"unknown group flags {flags:#x} were taken")
    before = rig.dmabufs()
    rig.run("gpuctl", "job", f"flags={FLAG}")
    rig.settle(rig.dmabufs, before, "dma-bufs (count, bytes) behind a protected group")


@scenario(contracts=EVERY, flavour="direct", reviews=("T-8e",))
def test_version_explained(rig: Scenario) -> None:
    """The version that the driver says it has is explained in its source, once (T-8e)."""
    rig.load_panthor(heap=None)
    rig.wait_bound()
    found = re.search(r"\bversion=(\d+\.\d+)\.", rig.run("gpuctl", "info").output)
    check(found, "gpuctl told no version", FailureClass.INFRA)
    assert found is not None
    bed = rig.session.bed
    source = bed.repo.read(bed.tree, f"{PANTHOR}/{SOURCE}") or b""
    lines = re.findall(rf"^ \* - {re.escape(found[1])} - \w", source.decode(), re.MULTILINE)
    check(len(lines) == 1, f"the driver's version is {found[1]}, which the comment above it in "
          f"{SOURCE} has {len(lines)} lines for")  # fmt: skip


@scenario(contracts=PROTECTED, flavour="direct", reviews=("T-8c",))
def test_sizes_behind_reset(rig: Scenario) -> None:
    """Groups can be made while the MCU boots behind a slow reset (T-8c).

    The firmware's interface has been reloaded then and says 0 for all sizes until the boot ends.
    They are made all the time, so that it does not matter when the reset comes.
    """
    load(rig)
    rig.keep_gpu_on()
    maker = rig.spawn("gpuctl", "regroup")
    maker.expect("READY")
    rig.session.set_fault("boot-late", BOOT_US)
    since, boots = rig.session.gpu.last_seq, len(rig.events("mcu-boot"))
    with rig.driver_may_complain():
        rig.session.set_fault("flush-never", 1)
        rig.wait(lambda: bool(rig.events_since(since, "reset")), "the GPU reset")
        rig.wait(lambda: len(rig.events("mcu-boot")) > boots, "the MCU's boot after the reset")
    rig.finish(maker)
    check(rig.last_boot()["full"], "the firmware was not reloaded", FailureClass.INFRA)


def check_refused(rig: Scenario, flags: int, sentence: str) -> None:
    """GROUP_CREATE with these flags ends in EINVAL, and leaves no buffer behind."""
    before = rig.dmabufs()
    made = rig.try_run("gpuctl", "region", f"flags={flags}")
    check("step=group_create why=EINVAL" in made.output,
          f"{sentence}: {last_line(made.output)}")  # fmt: skip
    rig.settle(rig.dmabufs, before, "dma-bufs (count, bytes) behind a group that was refused")


def features(told: str) -> str:
    """What the query said of protected mode."""
    words = [word for word in told.split() if word.startswith("protected_features")]
    return " ".join(words) or "nothing of protected mode"
