# SPDX-License-Identifier: MIT
"""What reviewers of the published series objected to: one row a finding, in our words.

The ids are those of the specification of the series. A row says what a good driver does.
`rig.reviews` finds out which of them the runs on disk show.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Review:
    """One review finding."""

    id: str
    means: str
    """What a driver without the defect does."""
    impossible: str = ""
    """Why no run can show it; empty: a scenario and a mutant must."""
    on: str = ""
    """The only contract or series that can show it, with mutants of that; empty: any can."""


REVIEWS = (
    Review("T-1a", "an open file of a heap whose last reference goes must not use freed memory"),
    Review("T-1b", "opening a heap's file while the heap is removed must not race"),
    Review(
        "T-1c",
        "the TEE's own object may go before its heap: unload, allocate, load again",
        on="tee-fixes",
    ),
    Review(
        "T-1d",
        "a module that brought a heap must refuse to be unloaded",
        on="tee-fixes",
    ),
    Review("T-2a", "the look-up in the kernel ignores a newline behind the name"),
    Review("T-2b", "letting go of the wrong heap inside the look-up must not deadlock"),
    Review("T-2c", "the ioctl refuses the lengths and flags that it refused before"),
    Review("T-3a", "no CPU maps, writes, clears or syncs a protected section, ever"),
    Review("T-4a", "no name and an empty name mean no heap: the probe goes on"),
    Review("T-4b", "a probe that fails leaves neither clocks nor runtime PM on"),
    Review("T-4c", "a probe that waits for its heap has powered nothing on"),
    Review("T-4d", "loads and unloads give back every buffer and every reference"),
    Review("T-4e", "an unload and a load with a heap must not oops when it goes again"),
    Review("T-4f", "a deferral is no warning, and says what it waits for where one looks"),
    Review(
        "T-4g", "the probe waits as long as the heap is missing, and ends when OP-TEE brings it"
    ),
    Review("T-4g2", "a heap that binds no device does not end the wait, the next binding does"),
    Review(
        "T-4h", "memory that comes after the boot takes exactly one slow reset", on="protm-init"
    ),
    Review("T-4i", "ordinary memory as the protected section: the boot is fine, the entry faults"),
    Review(
        "T-4j", "a user's buffer that is not protected must cost others nothing", on="protm-init"
    ),
    Review(
        "T-4k",
        "the privileged call: capabilities, second and concurrent calls, wrong buffers",
        on="protm-init",
    ),
    Review("T-4l", "the labels of the two suspend buffers in debugfs are not swapped"),
    Review("T-4m", "an exhausted heap fails the next group, and only that"),
    Review("T-5a", "a stream's doorbell is rung also where the group's state needs no update"),
    Review("T-5b", "a priority reaches the 64-bit endpoint request of newer firmware"),
    Review("T-6a", "a partial unmap of a huge page locks all of it, and no region twice"),
    Review("T-6b", "VM_BINDs from others while the GPU is in protected mode"),
    Review("T-7a", "MMU commands wait for normal mode or force it, none is sent in protected mode"),
    Review("T-7b", "the periodic ping stays away while the GPU is in protected mode"),
    Review("T-7c", "a fault in protected mode is one reset, and the next one is seen again"),
    Review("T-7d", "exits that nobody waits for, or twice, change nothing"),
    Review(
        "T-7e", "a region that nobody may enter kills its group at once, not after the job timeout"
    ),
    Review("T-7f", "an entry that fails costs the group that asked and no other"),
    Review("T-7g", "after an entry that failed the driver acts as in normal mode"),
    Review("T-7h", "one entry for each request, and none without one"),
    Review("T-7i", "a request that was put aside is raised and granted again"),
    Review("T-7j", "a request and an exit told by one interrupt are both noticed"),
    Review("T-7k", "a normal group of higher priority goes before a protected one"),
    Review("T-7l", "a request of a group that loses its slot first is neither lost nor a warning"),
    Review("T-7m", "an entry that is over before the host looks is no failure"),
    Review("T-7n", "each wait that ends in a timeout leaves a GPU that works"),
    Review("T-7o", "a GPU that does not leave costs the group in it and no other"),
    Review("T-7p", "a GPU that says it is in protected mode after its reset is refused"),
    Review("T-7q", "two protected groups: one at a time, and both finish"),
    Review(
        "T-7r",
        "suspends, an unplug and the owner's death while the GPU is in protected mode",
    ),
    Review(
        "T-7s",
        "a wording",
        "it is about how a mail puts a thing, and no kernel behaves otherwise for it",
    ),
    Review("T-8a", "unknown flags, sizes of queries, and what is told without a heap"),
    Review("T-8b", "a protected group without support is refused, and none is half made"),
    Review("T-8c", "sizes asked for right behind a reset are never 0"),
    Review(
        "T-8d", "a suspend buffer of the user that is too small, or given twice", on="protm-init"
    ),
    Review("T-8e", "the comment above the driver's version names what came with it"),
)
