# SPDX-License-Identifier: MIT
"""uapi: what user space is told of protected mode, and what it is refused."""

from __future__ import annotations

from rig.scenarios.kit import Scenario, check, scenario
from rig.scenarios.kit_protm import last_line, load

FLAG = 1
"""DRM_PANTHOR_GROUP_CREATE_PROTECTED."""
UNKNOWN = (2, 1 << 31, 3)
"""Flags that nobody knows, also beside one that is known."""


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
