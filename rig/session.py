# SPDX-License-Identifier: MIT
"""One guest with its channels, booted or restored, and the folder that keeps what it said."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from types import TracebackType

from rig import rootdisk
from rig.artifacts.rootfs import firmware_segment, modules_segment, run_segment
from rig.deadlines import BOOT_S, COMMAND_S, scaled
from rig.errors import RigError, infra
from rig.gpu.events import EventLog
from rig.gpu.rows import GpuRow, gpu_row
from rig.guest.agent import Agent
from rig.guest.keys import KeyPair
from rig.guest.resume import pack
from rig.guest.shell import AgentShell, GuestShell, RecordedShell
from rig.guest.ssh import Ssh, SshTarget
from rig.hold import holding
from rig.journal import NAME as JOURNAL
from rig.journal import Entry, Journal
from rig.knobs import Knobs
from rig.leftovers import INITRD, RAM
from rig.machine import recording, snapshot
from rig.machine.icount import Icount
from rig.machine.launch import AGENT, Flavour, GpuSpec, LaunchSpec
from rig.machine.process import Janitor
from rig.machine.vm import Vm
from rig.store import MANIFEST
from rig.testbed import TestBed

HOST_KEY = "host_key.pub"
"""In a snapshot's folder: whom its guests' sshd must turn out to be."""
SEED_BYTES = 32
"""What guest/clients/resume.c wants of randomness."""
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
    gpu: str = ""
    """Row of the GPU table that the scenario is about; empty: that of the run."""


@dataclass(frozen=True)
class Start:
    """Where a guest comes from."""

    origin: Path | None = None
    """Folder of a snapshot; None boots."""
    plain: bool = False
    """Without anything of this run: no panthor, no MCU firmware, no faults, no key that opens."""
    saved_again: bool = False
    """Restored to be saved at a later stage: with RAM of its own."""
    loaded: bool = False
    """The snapshot has the driver loaded: files and fault plan of this run are in it."""


BOOT = Start()


class Session(Knobs):
    """Boots or restores on entry, until a shell and the agent are there; on exit nothing runs."""

    def __init__(
        self,
        bed: TestBed,
        run_dir: Path,
        config: GuestConfig | None = None,
        start: Start = BOOT,
    ) -> None:
        self.bed = bed
        self.run_dir = run_dir
        self.config = config or GuestConfig()
        self.start = start
        self.timings: dict[str, float] = {}
        self._agent: Agent | None = None
        self._stack = ExitStack()
        self.awake = False
        """Restored already (`wake`): entering gives it what it lacks."""

    def __enter__(self) -> Session:
        try:
            if self.start.origin is None:
                self._boot()
            else:
                self._restore(self.start.origin)
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
        self.close()
        self.timings["teardown"] = time.monotonic() - started

    def close(self) -> None:
        """What `__exit__` does: for a guest that was woken and never entered."""
        self._stack.close()

    def _open_folder(self) -> None:
        self.run_dir.mkdir(parents=True, exist_ok=True)
        self.journal = Journal(self.run_dir / JOURNAL)
        self._stack.callback(self.journal.close)

    def _boot(self) -> None:
        started = time.monotonic()
        self._open_folder()
        self.user_key, host_key = KeyPair.generate(), KeyPair.generate()
        self.host_key = host_key.public
        spec = replace(self.spec(), initrd=self._initrd(host_key))
        self.timings["prepare"] = time.monotonic() - started
        started = time.monotonic()
        self.vm = self._stack.enter_context(Vm(spec, journal=self.journal))
        if self.bed.options.record:
            self._agent = self._connect()
            self.recorder = self._stack.enter_context(
                recording.Recorder(self.vm.qmp, self.run_dir, AGENT)
            )
        with self.journal.step("stage", "boot"):
            self.vm.wait_ready(scaled(BOOT_S))
        if self.bed.root:  # others leave the agent alone until somebody asks for it
            rootdisk.adopt(self.bed.root, self.agent, self._stack)
        self.anchor()
        self.timings["boot"] = time.monotonic() - started

    def wake(self) -> None:
        """Restore before entering, in any thread; what it runs need not be built yet.

        Raises as entering does; nothing is left then.
        """
        assert self.start.origin is not None
        try:
            self._resume(self.start.origin)
            self._adopt(self._known_files())
        except BaseException:
            self.close()
            raise
        self.awake = True

    def _restore(self, origin: Path) -> None:
        """To the snapshot's stage, with the modules, firmware, faults and keys of this run."""
        started = time.monotonic()
        if not self.awake:
            self._resume(origin)
        if not self.start.plain:
            new = {} if self.start.loaded else self.bed.own_modules
            files = {path: (content, 0o644) for path, content in new.items()}
            self._adopt(files if self.awake else {**self._known_files(), **files})
        self.anchor()
        self.timings["restore"] = time.monotonic() - started

    def _resume(self, origin: Path) -> None:
        """The snapshot's guest runs on, with the faults of this run."""
        self._stack.enter_context(holding(origin / MANIFEST))
        self._open_folder()
        self.user_key = KeyPair.generate()
        self.host_key = (origin / HOST_KEY).read_text()
        snapshot.seed_logs(origin, self.run_dir)
        spec = replace(self.spec(), incoming=origin / snapshot.STATE)
        if self.start.saved_again:
            snapshot.own_ram(origin, spec.ram_file)
        else:
            spec = replace(spec, ram_file=origin / snapshot.RAM, ram_shared=False)
        self.vm = self._stack.enter_context(Vm(spec, journal=self.journal))
        with self.journal.step("stage", "restore", snapshot=origin.name):
            snapshot.load(self.vm, origin)
            if not self.start.loaded:
                for name, value in self.faults.items():
                    self.set_fault(name, value)  # the saved state came with its own plan: none
            self.vm.qmp.cont()

    def _known_files(self) -> dict[str, tuple[bytes, int]]:
        """This run's files but the modules."""
        files = {"/root/.ssh/authorized_keys": (self.user_key.public.encode() + b"\n", 0o600)}
        if not self.start.loaded:
            files[self.mcu_path] = (self.mcu_firmware, 0o644)
        return files

    def _adopt(self, files: Mapping[str, tuple[bytes, int]]) -> None:
        """Give the restored guest the time of day, fresh randomness, and files of this run."""
        told = self.agent.run(
            ["rig-resume", str(time.time_ns())],
            os.urandom(SEED_BYTES) + pack(files),
            timeout=scaled(COMMAND_S),
        )
        if not told.ok:
            raise infra(f"the restored guest could not be set up: {told.stdout.strip()}")

    def save(self, folder: Path) -> None:
        """Stop the guest and put its state into `folder`; only leaving the session may follow."""
        self.agent.close()
        snapshot.save(self.vm, folder)
        (folder / HOST_KEY).write_text(self.host_key)

    @property
    def faults(self) -> dict[str, int]:
        """Fault plan of the device: the scenario's, then what the user asked for."""
        if self.start.plain:
            return {}
        return {**self.config.faults, **dict(self.bed.options.faults)}

    def spec(self) -> LaunchSpec:
        """The machine, without an initramfs."""
        config, record = self.config, self.bed.options.record
        return LaunchSpec(
            qemu=self.bed.qemu / "bin" / "qemu-system-aarch64",
            flavour=config.flavour,
            kernel=self.bed.image / "Image",
            initrd=None,
            run_dir=self.run_dir,
            ram_file=self.run_dir / RAM,
            flash=self.bed.firmware / "flash.bin" if config.flavour == "secure" else None,
            smp=1 if record else config.smp,
            memory_mib=config.memory_mib * self.bed.flavour.memory,
            gpu=self._gpu_spec(),
            firewall=self.bed.options.firewall,
            disk=self.bed.root.disk if self.bed.root else None,
            network=self.bed.options.net,
            paused=record,
            icount=self._icount(),
        )

    def _icount(self) -> Icount | None:
        options = self.bed.options
        log = self.run_dir / recording.LOG if options.record else None
        return Icount(log=log) if options.icount or options.record else None

    def _gpu_spec(self) -> GpuSpec:
        options = self.bed.options
        faults = {f"fault-{name}": value for name, value in self.faults.items()}
        return GpuSpec(self.gpu_row.name, options.coherent, options.soc, faults=faults)

    @property
    def gpu_row(self) -> GpuRow:
        """The GPU of this guest."""
        return gpu_row(self.config.gpu) if self.config.gpu else self.bed.gpu

    @property
    def mcu_firmware(self) -> bytes:
        """The image that the MCU is given."""
        return self.config.mcu_firmware or self.bed.mcu_image(self.gpu_row).read_bytes()

    @property
    def mcu_path(self) -> str:
        """Where in the guest the driver looks for it."""
        return MCU_FIRMWARE.format(arch=self.gpu_row.arch)

    def _initrd(self, host_key: KeyPair) -> Path:
        """Userland, modules, MCU firmware and this run's keys: the kernel unpacks them in turn."""
        if self.bed.options.record:
            path = self.run_dir / recording.INITRD
        else:
            path = self.run_dir / INITRD  # 14 MB a run; the parts are kept
            self._stack.callback(Janitor([path]).close)
        with path.open("wb") as initrd:
            initrd.write(self.bed.rootfs.read_bytes())
            if self.start.plain:
                initrd.write(modules_segment(self.bed.image / "modules"))
            else:
                initrd.write(modules_segment(self.bed.modules / "root"))
                initrd.write(firmware_segment(self.mcu_path, self.mcu_firmware))
            initrd.write(
                run_segment(host_key.private, self.user_key.public, rootdisk.files(self.bed.root))
            )
        return path

    @cached_property
    def agent(self) -> Agent:
        """The agent behind the virtio-serial port."""
        agent = self._agent or self._connect()
        agent.hello(scaled(BOOT_S))
        return agent

    def _connect(self) -> Agent:
        agent = Agent(self.vm.agent_socket, health=self.vm.agent_health)
        self._stack.callback(agent.close)
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
        return SshTarget(self.vm.ssh_port, self.user_key, self.host_key, self.run_dir)

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
            vns = self.virtual_ns()
            self.journal.add(Entry((before + time.monotonic_ns()) // 2, "anchor", str(vns)))
