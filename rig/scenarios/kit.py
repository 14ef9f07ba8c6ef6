# SPDX-License-Identifier: MIT
"""What a scenario is written with: the guest's ways in, the driver's life, and checks.

A check rests on what is seen from outside the driver: errno, sysfs, device
events, the model's page-table walk, OP-TEE's lend and reclaim lines.
"""

from __future__ import annotations

import re
import shlex
import time
from collections.abc import Callable
from typing import TypeVar

from rig.deadlines import COMMAND_S, PROBE_S, scaled
from rig.errors import FailureClass, RigError
from rig.gpu.events import Event
from rig.guest.agent import Process
from rig.guest.shell import GuestShell, ShellResult, sh
from rig.kernel.module import build_id_of_note
from rig.machine.ram import GuestRam
from rig.scenarios.terms import (
    CLOCK,
    GPU_DEVICE,
    HEAP,
    POLL_S,
    POWER,
    RENDER_NODE,
    RIGHEAP,
    SETTLE_S,
    Extent,
    Spec,
    check,
    extents,
    scenario,
)
from rig.session import Session
from rig.verdict import klog, seclog

__all__ = [
    "GPU_DEVICE",
    "HEAP",
    "RENDER_NODE",
    "Extent",
    "Scenario",
    "Spec",
    "check",
    "check_prot_sections_lent",
    "extents",
    "prot_extents",
    "scenario",
]

T = TypeVar("T")

SOAK_FACTOR = 10


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
        return self.session.recorded(self.session.vm.console, "serial")

    @property
    def ssh(self) -> GuestShell:
        """Commands over ssh."""
        return self.session.recorded(self.session.ssh, "ssh")

    def run(self, *argv: str, timeout: float = COMMAND_S) -> ShellResult:
        """A command that must succeed, over the scenario's channel."""
        return self.shell.run(argv, timeout=scaled(timeout), check=True)

    def try_run(self, *argv: str, timeout: float = COMMAND_S) -> ShellResult:
        """A command that may fail; the caller looks at its status."""
        return self.shell.run(argv, timeout=scaled(timeout))

    def sh(self, script: str, timeout: float = COMMAND_S) -> str:
        """Output of a line of shell that must succeed."""
        return sh(self.shell, script, timeout=scaled(timeout), check=True).output

    def spawn(self, *argv: str) -> Process:
        """Start a program by the agent; it runs until it ends or its stdin is closed."""
        with self.session.journal.step("spawn", shlex.join(argv)):
            return self.session.agent.spawn(argv)

    def cycles(self, count: float) -> int:
        """How often to repeat, or seconds to allow for it: ten times as much with `--soak`."""
        return round(count * (SOAK_FACTOR if self.session.bed.options.soak else 1))

    def finish(self, process: Process, *, status: int = 0) -> str:
        """Close a spawned program's stdin and wait for its end; returns what it printed."""
        self.session.journal.note("spawn", f"close stdin of {process.what}")
        process.close_stdin()
        ended = process.wait(scaled(COMMAND_S))
        if ended.timed_out:
            raise RigError(FailureClass.HANG, f"{process.what} does not end")
        told = ended.stdout.strip().splitlines()[-1:] or ["nothing"]
        check(ended.status == status, f"{process.what} {ended.describe()}; it said: {told[0]}")
        return ended.stdout

    def expect(self, regex: str, count: int = 1) -> None:
        """Declare kernel lines that this scenario provokes; fewer or more of them fail it."""
        self.expected.append(klog.Expected(regex, count))

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

    def deferral_reason(self) -> str:
        """What the kernel's list of deferred devices says about the GPU."""
        listed = self.sh("cat /sys/kernel/debug/devices_deferred")
        for line in listed.splitlines():
            name, _, reason = line.partition("\t")
            if name.strip() == GPU_DEVICE:
                return reason.strip()
        return ""

    def reprobe(self, count: int) -> None:
        """Make the driver core retry deferred probes: our dummy device is bound `count` times."""
        before = int(self.sh(f"cat {RIGHEAP}/kick"))
        self.sh(f"echo {count} > {RIGHEAP}/kick")
        rounds = int(self.sh(f"cat {RIGHEAP}/kick")) - before
        check(rounds == count, f"{rounds} re-probes were made, not {count}", FailureClass.INFRA)

    # ---- heaps and buffers
    def load_helper(self) -> None:
        """Load our helper module (`righeap`): heaps on demand, re-probes on demand."""
        self.run("modprobe", "righeap")

    def add_heap(self, name: str, limit: int) -> None:
        """Register a heap of at most `limit` bytes; binds no device."""
        self.load_helper()
        self.sh(f"echo '{name} {limit}' > {RIGHEAP}/add")

    def heap_bytes(self, name: str) -> int:
        """Bytes allocated from one of our heaps now."""
        for line in self.sh(f"cat {RIGHEAP}/list").splitlines():
            words = line.split()
            if words[:1] == [name]:
                return int(dict(word.split("=") for word in words[1:])["bytes"])
        raise RigError(FailureClass.INFRA, f"our helper module has no heap {name!r}")

    def wait_heap_bytes(self, name: str, wanted: int, after: str) -> None:
        """Wait until a heap of ours has `wanted` bytes allocated: buffers go by a worker."""
        self.settle(lambda: self.heap_bytes(name), wanted, f"bytes of heap {name!r} {after}")

    def dmabufs(self) -> tuple[int, int]:
        """All dma-bufs of the guest: (objects, bytes)."""
        info = self.sh("cat /sys/kernel/debug/dma_buf/bufinfo")
        total = re.search(r"^Total (\d+) objects, (\d+) bytes", info, re.MULTILINE)
        check(total, "the kernel's dma-buf list has no total", FailureClass.INFRA)
        assert total is not None
        return int(total[1]), int(total[2])

    def settle(self, value: Callable[[], T], wanted: T, what: str) -> None:
        """Wait until `value()` is `wanted`; at the deadline say what it is instead."""
        deadline = time.monotonic() + scaled(SETTLE_S)
        while (now := value()) != wanted:
            self.session.vm.check()
            check(time.monotonic() < deadline, f"{what}: {now}, not {wanted}")
            time.sleep(POLL_S)

    # ---- the GPU's power
    def suspend_gpu(self) -> None:
        """Let runtime PM suspend the GPU; returns when it is off."""
        self.sh(f"echo auto > {POWER}/control")
        self.wait(lambda: not self.gpu_powered(), "the GPU's runtime suspend")
        self.wait(lambda: self.sh(f"cat {POWER}/runtime_status").strip() == "suspended",
                  "runtime PM to call the GPU suspended")  # fmt: skip

    def resume_gpu(self) -> None:
        """Resume the GPU and keep it on; returns when the MCU has booted."""
        boots = len(self.events("mcu-boot"))
        self.sh(f"echo on > {POWER}/control")
        self.wait(lambda: len(self.events("mcu-boot")) > boots, "the MCU's boot after the resume")

    def keep_gpu_on(self) -> None:
        """No runtime suspend from here on."""
        self.sh(f"echo on > {POWER}/control")

    def suspend_gpu_uncleanly(self) -> None:
        """Suspend while the MCU ignores HALT: the driver must take the slow way back."""
        self.session.set_fault("halt-never", 1)
        self.expect(r"Timed out waiting for MCU to halt")
        self.expect(r"Failed to cleanly suspend MCU")
        self.suspend_gpu()
        self.session.set_fault("halt-never", 0)

    def reset_gpu(self) -> None:
        """Force a GPU reset: one cache flush never ends. Returns when the MCU is back."""
        self.keep_gpu_on()
        resets, boots = len(self.events("reset")), len(self.events("mcu-boot"))
        self.expect(r"Flush caches timeout")
        self.session.set_fault("flush-never", 1)
        self.try_run("gpuctl", "groups", "1")  # maps into the MCU's space: flushes
        self.wait(lambda: len(self.events("reset")) > resets, "the GPU reset")
        self.wait(lambda: len(self.events("mcu-boot")) > boots, "the MCU's boot after the reset")

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

    def gpu_powered(self) -> bool:
        """Whether the GPU's L2, which everything hangs on, is powered now."""
        power = [e for e in self.events("power") if e["domain"] == "l2"]
        return bool(power and power[-1]["ready"])

    def clock_enables(self) -> int:
        """How often the GPU's core clock is enabled now."""
        return int(self.sh(f"cat /sys/kernel/debug/clk/{CLOCK}/clk_enable_count"))

    @property
    def ram(self) -> GuestRam:
        """The guest's memory by physical address, read and written past every CPU and firewall."""
        return self.session.vm.ram

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
