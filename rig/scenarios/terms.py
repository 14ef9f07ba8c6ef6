# SPDX-License-Identifier: MIT
"""The terms scenarios are written in: marker, checks, physical extents, names in the guest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import pytest

from rig.errors import FailureClass, RigError
from rig.kernel.contract import BASE, HEAP_NAME, HEAP_PHANDLE, PROTM_INIT
from rig.machine.launch import Flavour
from rig.session import GuestConfig

GPU_DEVICE = "b000000.gpu"
CLOCK = "gpu-clk"
HEAP = "protected,secure-video"
RENDER_NODE = "/dev/dri/renderD128"
POWER = f"/sys/devices/platform/{GPU_DEVICE}/power"
DRIVER = "/sys/bus/platform/drivers/panthor"
TRACE = "/sys/kernel/tracing"
CLIENTS = ("gpuctl", "heapctl", "memctl", "fwfuzz", "failnth")
"""Our programs in the guest; their last line is `RESULT ok` or `RESULT fail step=… why=…`."""
RIGHEAP = "/sys/kernel/debug/righeap"
DRIVER_SAYS = r"^panthor \S+: (?!.*(?:Unhandled Page fault|GPU Fault))"
"""A line about the GPU's device, from the driver or the driver core, that tells no fault."""
FAULT_SAYS = r"^panthor \S+: (?!.*Unhandled Page fault)|^CS_FA(?:TAL|ULT)"
"""The same, with a fault of the GPU or of a stream: where a bus error is provoked."""
POLL_S = 0.05
SETTLE_S = 5.0
"""Buffers are freed by a worker after the call that let them go."""


BOOTED: Final = "booted"
PRE_INSMOD: Final = "pre-insmod"
PROBED: Final = "probed"
STAGES = (BOOTED, PRE_INSMOD, PROBED)
"""Where a guest may be taken up: see `rig.stages`."""
StageName = Literal["booted", "pre-insmod"]


KERNEL_HEAP = (HEAP_NAME.name, HEAP_PHANDLE.name)
"""Contracts in which the driver takes memory from a heap that it finds by itself."""
PROTECTED = (*KERNEL_HEAP, PROTM_INIT.name)
"""Contracts with protected mode, wherever the memory comes from."""
EVERY = (BASE.name, *PROTECTED)


@dataclass(frozen=True)
class Spec:
    """What a scenario needs; the decorator's arguments."""

    contracts: tuple[str, ...]
    config: GuestConfig
    stage: str = BOOTED
    reviews: tuple[str, ...] = ()
    debug: bool = False
    """Only the debug kernel has what it needs."""


def scenario(
    *,
    contracts: tuple[str, ...] = KERNEL_HEAP,
    flavour: Flavour = "secure",
    faults: dict[str, int] | None = None,
    stage: StageName = BOOTED,
    reviews: tuple[str, ...] = (),
    debug: bool = False,
    gpu: str = "",
) -> pytest.MarkDecorator:
    """Mark a test function as a scenario and say on what it runs.

    `contracts`: those it applies to. `flavour`: secure (TF-A, OP-TEE) or direct.
    `faults`: the device's fault plan at start. `stage`: how far the guest is when it starts:
    booted (no module loaded) or pre-insmod (OP-TEE's driver and heap are there). `reviews`:
    the review findings (`rig.review_table`) that a driver with them fails it for.
    `debug`: only with the debug kernel (`rig run --debug`). `gpu`: the row of the GPU table
    that it is about, whatever `--gpu` says.
    """
    config = GuestConfig(flavour, faults or {}, gpu=gpu)
    return pytest.mark.scenario(Spec(contracts, config, stage, reviews, debug))


def check(condition: object, sentence: str, failure: FailureClass = FailureClass.ASSERT) -> None:
    """Fail the scenario with a sentence that names the cause, unless `condition` holds."""
    if not condition:
        raise RigError(failure, sentence)


@dataclass(frozen=True)
class Extent:
    """A run of physical memory."""

    start: int
    size: int

    @property
    def end(self) -> int:
        """First byte behind it."""
        return self.start + self.size

    def inside(self, others: Sequence[Extent]) -> bool:
        """Whether one of `others` holds all of it."""
        return any(other.start <= self.start and self.end <= other.end for other in others)

    def __str__(self) -> str:
        return f"{self.start:#x}+{self.size:#x}"


def extents(pairs: Sequence[Sequence[int]]) -> list[Extent]:
    """The [[pa, len], ...] of an event."""
    return [Extent(int(start), int(size)) for start, size in pairs]
