# SPDX-License-Identifier: MIT
"""One booted guest with its channels, and the folder that keeps what it said."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import TracebackType

from rig.artifacts.rootfs import firmware_segment, modules_segment, run_segment
from rig.deadlines import BOOT_S, scaled
from rig.errors import RigError
from rig.gpu.events import EventLog
from rig.guest.agent import Agent
from rig.guest.keys import KeyPair
from rig.guest.shell import AgentShell, GuestShell, RecordedShell
from rig.guest.ssh import Ssh, SshTarget
from rig.journal import NAME as JOURNAL
from rig.journal import Entry, Journal
from rig.machine.launch import FIREWALL, Flavour, GpuSpec, LaunchSpec
from rig.machine.vm import Vm
from rig.testbed import TestBed

GPU_PATH = "/machine/peripheral/gpu"
FIREWALL_PATH = f"/machine/peripheral/{FIREWALL}"
MCU_FIRMWARE = "/lib/firmware/arm/mali/arch{arch}/mali_csffw.bin"
"""Where the driver looks for the image: panthor_fw.c:811-814."""


@dataclass(frozen=True)
class GuestConfig:
    """How one guest differs from the default one."""

    flavour: Flavour = "secure"
    faults: Mapping[str, int] = field(default_factory=dict)
    """Fault plan of the device at start, by name."""
    mcu_firmware: bytes | None = None
    """Another firmware image for the MCU."""
    smp: int = 2
    memory_mib: int = 512


class Session:
    """Boots on entry, to the prompt and a talking agent; on exit nothing of it runs any more."""

    def __init__(self, bed: TestBed, run_dir: Path, config: GuestConfig | None = None) -> None:
        self.bed = bed
        self.run_dir = run_dir
        self.config = config or GuestConfig()
        self.timings: dict[str, float] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Session:
        try:
            self._boot()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        started = time.monotonic()
        self._stack.close()
        self.timings["teardown"] = time.monotonic() - started

    def _boot(self) -> None:
        started = time.monotonic()
        self.run_dir.mkdir(parents=True, exist_ok=True)
        self.journal = Journal(self.run_dir / JOURNAL)
        self._stack.callback(self.journal.close)
        self.user_key, self.host_key = KeyPair.generate(), KeyPair.generate()
        spec = self._spec()
        self.timings["prepare"] = time.monotonic() - started
        started = time.monotonic()
        self.vm = self._stack.enter_context(Vm(spec, journal=self.journal))
        with self.journal.step("stage", "boot"):
            self.vm.wait_ready(scaled(BOOT_S))
        self.anchor()
        self.timings["boot"] = time.monotonic() - started

    def _spec(self) -> LaunchSpec:
        config = self.config
        plan = {**config.faults, **dict(self.bed.options.faults)}
        faults = {f"fault-{name}": value for name, value in plan.items()}
        return LaunchSpec(
            qemu=self.bed.qemu / "bin" / "qemu-system-aarch64",
            flavour=config.flavour,
            kernel=self.bed.image / "Image",
            initrd=self._initrd(),
            run_dir=self.run_dir,
            ram_file=self.run_dir / "ram",
            flash=self.bed.firmware / "flash.bin" if config.flavour == "secure" else None,
            smp=config.smp,
            memory_mib=config.memory_mib,
            gpu=GpuSpec(self.bed.gpu.name, self.bed.options.coherent, faults=faults),
            firewall=self.bed.options.firewall,
        )

    def _initrd(self) -> Path:
        """Userland, modules, MCU firmware and this run's keys: the kernel unpacks them in turn."""
        firmware = self.config.mcu_firmware or self.bed.mcu_firmware.read_bytes()
        path = self.run_dir / "initrd.cpio"
        with path.open("wb") as initrd:
            initrd.write(self.bed.rootfs.read_bytes())
            initrd.write(modules_segment(self.bed.modules / "root"))
            initrd.write(firmware_segment(MCU_FIRMWARE.format(arch=self.bed.gpu.arch), firmware))
            initrd.write(run_segment(self.host_key.private, self.user_key.public))
        self._stack.callback(path.unlink, missing_ok=True)  # 14 MB a run; the parts are kept
        return path

    @cached_property
    def agent(self) -> Agent:
        """The agent behind the virtio-serial port."""
        agent = Agent(self.vm.agent_socket, health=self.vm.agent_health)
        self._stack.callback(agent.close)
        agent.hello(scaled(BOOT_S))
        return agent

    @cached_property
    def shell(self) -> GuestShell:
        """The default channel: commands by the agent."""
        return self.recorded(AgentShell(self.agent), "agent")

    def recorded(self, shell: GuestShell, channel: str) -> GuestShell:
        """A channel whose commands the journal keeps."""
        return RecordedShell(shell, self.journal, channel)

    @cached_property
    def ssh_target(self) -> SshTarget:
        """Where and with which keys the guest's sshd is reached."""
        return SshTarget(self.vm.ssh_port, self.user_key, self.host_key.public, self.run_dir)

    @cached_property
    def ssh(self) -> Ssh:
        """The guest by ssh."""
        ssh = Ssh(self.ssh_target, health=self.vm.health)
        self._stack.callback(ssh.close)
        ssh.connect(scaled(BOOT_S))
        return ssh

    @property
    def gpu(self) -> EventLog:
        """What the emulated GPU reported."""
        return self.vm.gpu_events

    @property
    def firewall(self) -> EventLog:
        """What the firewall was told and what it denied."""
        return self.vm.firewall_events

    def anchor(self) -> None:
        """Note where the guest's virtual time stands against the host's, if QEMU still answers."""
        before = time.monotonic_ns()
        with suppress(RigError):  # for the reader of the report only: never a verdict
            vns = int(self.vm.qmp.qom_get(GPU_PATH, "virtual-ns"))
            self.journal.add(Entry((before + time.monotonic_ns()) // 2, "anchor", str(vns)))

    def counter(self, name: str) -> int:
        """One counter of the device, read past the guest."""
        return int(self.vm.qmp.qom_get(GPU_PATH, f"counter-{name}"))

    def denials(self) -> int:
        """How many accesses the firewall denied, read past the guest."""
        return int(self.vm.qmp.qom_get(FIREWALL_PATH, "counter-denials"))

    def protect(self, start: int, size: int) -> None:
        """Close physical memory to CPUs: in the direct flavour nobody in the guest can."""
        self.vm.qmp.qom_set(FIREWALL_PATH, "protect", f"{start:#x}+{size:#x}")

    def set_fault(self, name: str, value: int) -> None:
        """One row of the fault plan while the guest runs; 0 is off."""
        self.vm.qmp.qom_set(GPU_PATH, f"fault-{name}", value)
