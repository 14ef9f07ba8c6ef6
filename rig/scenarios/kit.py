# SPDX-License-Identifier: MIT
"""What a scenario is written with: the guest's ways in, the driver's life, and checks.

A check rests on what is seen from outside the driver: errno, sysfs, device
events, the model's page-table walk, OP-TEE's lend and reclaim lines.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pytest

from rig.deadlines import COMMAND_S, PROBE_S, scaled
from rig.errors import FailureClass, RigError
from rig.gpu.events import Event
from rig.guest.shell import GuestShell, ShellResult, sh
from rig.kernel.module import build_id_of_note
from rig.machine.launch import Flavour
from rig.session import GuestConfig, Session
from rig.verdict import klog, seclog

GPU_DEVICE = "b000000.gpu"
HEAP = "protected,secure-video"
RENDER_NODE = "/dev/dri/renderD128"
POLL_S = 0.05


@dataclass(frozen=True)
class Spec:
    """What a scenario needs; the decorator's arguments."""

    contracts: tuple[str, ...]
    config: GuestConfig


def scenario(
    *,
    contracts: tuple[str, ...] = ("heap-name",),
    flavour: Flavour = "secure",
    faults: dict[str, int] | None = None,
) -> pytest.MarkDecorator:
    """Mark a test function as a scenario and say on what it runs.

    `contracts`: those it applies to. `flavour`: secure (TF-A, OP-TEE) or direct.
    `faults`: the device's fault plan at start.
    """
    return pytest.mark.scenario(Spec(contracts, GuestConfig(flavour, faults or {})))


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


class Scenario:
    """The fixture `rig`: one booted guest and what a scenario does with it."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.shell: GuestShell = session.shell
        """The channel commands go over; a scenario may set it to `serial` or `ssh`."""
        self.expected: list[klog.Expected] = []
        """Kernel lines that this scenario provokes, with counts."""

    # ---- channels
    @property
    def serial(self) -> GuestShell:
        """Commands typed at the serial console."""
        return self.session.vm.console

    @property
    def ssh(self) -> GuestShell:
        """Commands over ssh."""
        return self.session.ssh

    def run(self, *argv: str, timeout: float = COMMAND_S) -> ShellResult:
        """A command that must succeed, over the scenario's channel."""
        return self.shell.run(argv, timeout=scaled(timeout), check=True)

    def try_run(self, *argv: str, timeout: float = COMMAND_S) -> ShellResult:
        """A command that may fail; the caller looks at its status."""
        return self.shell.run(argv, timeout=scaled(timeout))

    def sh(self, script: str, timeout: float = COMMAND_S) -> str:
        """Output of a line of shell that must succeed."""
        return sh(self.shell, script, timeout=scaled(timeout), check=True).output

    def exists(self, path: str) -> bool:
        """Whether a path exists in the guest."""
        return self.try_run("test", "-e", path).ok

    def wait(self, condition: Callable[[], bool], what: str, timeout: float = PROBE_S) -> None:
        """Look until `condition` holds. Raises `RigError` (HANG) at the deadline."""
        deadline = time.monotonic() + scaled(timeout)
        while not condition():
            self.session.vm.check()
            if time.monotonic() > deadline:
                raise RigError(FailureClass.HANG, f"waited {scaled(timeout):.0f} s for {what}")
            time.sleep(POLL_S)

    # ---- modules
    def load_optee(self) -> None:
        """Load OP-TEE's driver: the heap arrives."""
        self.run("modprobe", "optee")
        check(self.exists(f"/dev/dma_heap/{HEAP}"), f"OP-TEE brought no heap {HEAP}",
              FailureClass.INFRA)  # fmt: skip

    def load_panthor(self, heap: str | None = HEAP) -> ShellResult:
        """Load panthor with the given heap name (None: without the parameter).

        Checks that what was loaded is what was built. Returns modprobe's result.
        """
        parameter = [] if heap is None else [f"protected_heap_name={heap}"]
        result = self.try_run("modprobe", "panthor", *parameter)
        check(result.ok, f"modprobe panthor failed: {result.output.strip()}", FailureClass.PROBE)
        self.check_build_id()
        return result

    def check_build_id(self) -> None:
        """The loaded panthor must be the module that this run built."""
        note = self.sh("od -An -v -tx1 /sys/module/panthor/notes/.note.gnu.build-id")
        loaded = build_id_of_note(bytes.fromhex("".join(note.split())))
        built = self.session.bed.panthor.build_id
        check(loaded == built, f"the guest loaded panthor {loaded}, not the built {built}",
              FailureClass.INFRA)  # fmt: skip

    def unload_panthor(self) -> None:
        """rmmod panthor; must succeed."""
        self.run("rmmod", "panthor")

    # ---- the driver, from outside
    def bound(self) -> bool:
        """Whether the GPU's platform device has a driver."""
        return self.exists(f"/sys/bus/platform/devices/{GPU_DEVICE}/driver")

    def deferred(self) -> bool:
        """Whether the GPU is on the kernel's list of deferred devices."""
        listed = self.sh("cat /sys/kernel/debug/devices_deferred")
        return any(line.split()[:1] == [GPU_DEVICE] for line in listed.splitlines())

    def wait_bound(self) -> None:
        """Wait for the probe to succeed and the render node to be there."""
        self.wait(lambda: self.exists(RENDER_NODE), "panthor's render node")
        check(self.bound(), "there is a render node but the GPU has no driver", FailureClass.PROBE)

    # ---- the secure world
    def secure(self) -> seclog.SecureLog:
        """OP-TEE's log, parsed."""
        return seclog.parse(self.session.vm.secure_log())

    def lent(self) -> list[Extent]:
        """Memory that Linux has lent to OP-TEE and not got back yet."""
        return [Extent(lend.pa, lend.size) for lend in self.secure().outstanding]

    # ---- the device
    def events(self, kind: str) -> list[Event]:
        """The device's events of one kind so far."""
        return self.session.gpu.of_kind(kind)

    def last(self, kind: str) -> Event:
        """The latest event of one kind."""
        found = self.events(kind)
        check(found, f"the GPU reported no {kind}")
        return found[-1]

    def power_ons(self) -> int:
        """How often the GPU was powered on, counted by the device."""
        return self.session.counter("power-ons")

    def last_boot(self) -> Event:
        """The MCU's last boot, which must have gone well."""
        boot = self.last("mcu-boot")
        check(boot["ok"], "the MCU's last boot failed", FailureClass.PROBE)
        return boot

    def prot_sections(self) -> list[Event]:
        """The PROT sections as the MCU found them mapped at its last boot."""
        boot = self.last_boot()
        before = [e.seq for e in self.events("mcu-boot") if e.seq < boot.seq]
        # a boot reports its sections first and its outcome last
        since = before[-1] if before else -1
        found = [e for e in self.events("section") if since < e.seq < boot.seq and e["prot"]]
        check(found, "the firmware image has no PROT section", FailureClass.INFRA)
        return found


def prot_extents(rig: Scenario) -> list[Extent]:
    """Physical memory of all PROT sections, in the order of the image."""
    return [extent for section in rig.prot_sections() for extent in extents(section["extents"])]


def check_prot_sections_lent(rig: Scenario) -> None:
    """Every PROT section is mapped, whole, in memory that Linux lent to OP-TEE."""
    lent = rig.lent()
    check(lent, "Linux has lent OP-TEE no memory although panthor bound with a protected heap")
    for section in rig.prot_sections():
        name = f"PROT section {section['va']:#x}"
        check(section["mapped"], f"{name} is not mapped in the MCU's address space")
        found = extents(section["extents"])
        size = sum(extent.size for extent in found)
        check(size == section["size"], f"{name} has {size} bytes mapped, not {section['size']}")
        outside = [extent for extent in found if not extent.inside(lent)]
        check(
            not outside,
            f"{name} lies at {', '.join(map(str, outside))}, outside the memory lent to OP-TEE "
            f"({', '.join(map(str, lent))}): the driver did not take it from the heap",
        )
