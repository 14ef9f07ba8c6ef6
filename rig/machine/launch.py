# SPDX-License-Identifier: MIT
"""The QEMU command line: one frozen description in, one argument vector out.

`LaunchSpec.argv()` is pure: the same description gives the same line, here, in
CI and pasted into a terminal. Facts: QEMU's own documentation of 10.0 and
docs/machine.md.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from rig.errors import usage
from rig.machine.icount import Icount

Flavour = Literal["secure", "direct"]
Soc = Literal["rk3588", "mt8196"]
"""Whose GPU node the device tree has."""
Property = str | int | bool

RAM_BASE = 0x4000_0000
"""Guest-physical address of the first byte of RAM on `virt`."""
UNIX_PATH_MAX = 107
"""Longest path of a UNIX socket, bytes (sun_path less its NUL)."""
AGENT = "agent"
"""Id of the chardev that leads to the agent, and name of its socket."""
AGENT_PORT = "agent-port"
"""Id of the agent's port: QEMU reports its opening and closing only for a port with an id."""
FIREWALL = "firewall"
"""Id of the firewall in front of the memory."""
DEFAULT_APPEND = "console=ttyAMA0 printk.time=1 console_msg_format=syslog loglevel=8 panic=0"
"""`printk.time` is what lets the console tell kernel lines from output, the syslog
format what lets the log's oracle tell a warning from a remark (``<4>[    1.0] ...``);
`panic=0` keeps a panicked kernel standing, so that it can be looked at until the rig ends it."""


@dataclass(frozen=True)
class GpuSpec:
    """The emulated GPU: one row of the model's table, and what is broken about it."""

    gpu: str
    """Row of the GPU table, such as ``g610``."""
    coherent: bool = True
    soc: Soc = "rk3588"
    cs_ips: int | None = None
    """Command-stream instructions a virtual second; None leaves the model's default."""
    faults: Mapping[str, Property] = field(default_factory=dict)
    """Fault properties of the model, by name."""
    device: str = "mali-csf"

    def option(self) -> str:
        """The value of ``-device``."""
        properties: dict[str, Property] = {"id": "gpu", "gpu": self.gpu, "coherent": self.coherent}
        if self.cs_ips is not None:
            properties["cs-ips"] = self.cs_ips
        if self.soc == "mt8196":
            properties["dt-mt8196"] = True
        return _option(
            self.device,
            **properties,
            events="gpuev",
            firewall=FIREWALL,
            **dict(sorted(self.faults.items())),
        )


@dataclass(frozen=True)
class Disk:
    """The guest's /dev/vda: a raw image."""

    path: Path
    keep: bool
    """Write into the image; else what the guest writes is in a file that nobody sees, and gone."""

    def arguments(self) -> list[str]:
        """What QEMU is told."""
        drive = _option("if=none", id="disk", format="raw", snapshot=not self.keep,
                        file=str(self.path))  # fmt: skip
        return ["-drive", drive, "-device", "virtio-blk-device,drive=disk"]


@dataclass(frozen=True)
class LaunchSpec:
    """Everything that decides how QEMU is started."""

    qemu: Path
    flavour: Flavour
    kernel: Path
    initrd: Path | None
    """None: what the guest would unpack is in the snapshot already."""
    run_dir: Path
    """Folder of the run: logs and events go here."""
    ram_file: Path
    """Backing file of the guest's RAM; QEMU creates it, `Vm` removes it."""
    flash: Path | None = None
    """TF-A + OP-TEE + BL33; needed by the secure flavour, refused by the direct one."""
    append: str = DEFAULT_APPEND
    machine: str = "virt-10.0"
    """Versioned, so that a snapshot outlives a QEMU update."""
    cpu: str = "cortex-a57"
    """Fixed: `max` hangs in the secure flavour on some versions."""
    smp: int = 2
    memory_mib: int = 512
    gpu: GpuSpec | None = None
    firewall: bool = True
    """False: it can be programmed, as OP-TEE must, and denies nothing."""
    disk: Disk | None = None
    network: bool = False
    """The guest reaches what this machine reaches; else nothing."""
    ssh_port: int = 0
    """Loopback port that leads to the guest's port 22; 0 lets the host choose."""
    socket_dir: Path | None = None
    """Folder of the UNIX sockets; `Vm` makes a short private one. None: the run folder."""
    ram_shared: bool = True
    """False restores copy-on-write from a RAM file, which is only read."""
    paused: bool = False
    """Start with the CPUs stopped (``-S``); `Vm` does, to attach before the first byte."""
    incoming: Path | None = None
    """State file of a snapshot: wait until told to load it instead of booting; logs go on."""
    icount: Icount | None = None
    """Count instructions, with all CPUs on one thread; None: as the host's clock goes."""
    extra: tuple[str, ...] = ()
    """Further arguments, verbatim, last."""

    def __post_init__(self) -> None:
        if (self.flavour == "secure") != (self.flash is not None):
            raise usage(
                f"the {self.flavour} flavour {'needs' if self.flavour == 'secure' else 'has no'} "
                "firmware flash image",
                "give `flash` with the secure flavour, and only with it",
            )

    def socket(self, name: str) -> Path:
        """Path of one UNIX socket: ``console``, ``agent``, ``qmp`` or ``qmp-user``."""
        path = (self.socket_dir or self.run_dir) / f"{name}.sock"
        if len(bytes(path)) > UNIX_PATH_MAX:
            raise usage(
                f"{path} is too long for a UNIX socket ({UNIX_PATH_MAX} bytes)",
                "choose a shorter run folder, or set XDG_RUNTIME_DIR or TMPDIR to a short one",
            )
        return path

    @property
    def console_log(self) -> Path:
        """Everything the console UART printed, from the first byte."""
        return self.run_dir / "console.log"

    @property
    def secure_log(self) -> Path:
        """Everything the secure UART printed (TF-A, OP-TEE); secure flavour only."""
        return self.run_dir / "secure.log"

    @property
    def events_log(self) -> Path:
        """The GPU's events, one JSON object a line."""
        return self.run_dir / "gpu-events.jsonl"

    @property
    def firewall_log(self) -> Path:
        """The firewall's events: what it was told and what it denied."""
        return self.run_dir / "firewall-events.jsonl"

    def argv(self) -> list[str]:
        """The command, ready for `exec`."""
        return [
            str(self.qemu),
            *self._machine(),
            *self._payload(),
            *self._consoles(),
            *self._control(),
            *self._network(),
            *(self.disk.arguments() if self.disk else []),
            *self._firewall(),
            *self._gpu(),
            *(["-S"] if self.paused else []),
            *(["-incoming", "defer"] if self.incoming else []),
            *(self.icount.arguments(self.flavour, AGENT) if self.icount else []),
            *self.extra,
        ]

    def shell_line(self) -> str:
        """The command as a line to paste; it makes the folders that it needs.

        A restored guest stands still until its monitor is told `cont`.
        """
        folders = dict.fromkeys([self.run_dir, self.socket_dir or self.run_dir])
        argv = self.argv()
        if self.incoming:  # what `rig.machine.snapshot.load` says by the monitor
            at = argv.index("defer")
            argv[at : at + 1] = [f"file:{self.incoming}", "-global", "migration.x-ignore-shared=on"]
        return f"mkdir -p {shlex.join(map(str, folders))} && {shlex.join(argv)}"

    def _machine(self) -> list[str]:
        secure = {"secure": True} if self.flavour == "secure" else {}
        board: dict[str, Property] = {"gic-version": 3, **secure, "memory-backend": "ram"}
        memory = _option(
            "memory-backend-file",
            id="ram",
            size=f"{self.memory_mib}M",
            share=self.ram_shared,
            **{"mem-path": str(self.ram_file)},
            **({} if self.ram_shared else {"readonly": True, "rom": False}),
        )
        # A reboot ends QEMU (a guest must not loop), a panic does not: panic=0 keeps it standing.
        return [
            *("-name", "panthor-rig,debug-threads=on"),
            *("-nodefaults", "-no-user-config", "-display", "none"),
            *("-machine", _option(self.machine, **board)),
            *("-accel", f"tcg,thread={'single' if self.icount else 'multi'}"),
            *("-cpu", self.cpu, "-smp", str(self.smp), "-m", f"{self.memory_mib}M"),
            *("-object", memory),
            *("-action", "reboot=shutdown,shutdown=poweroff"),
        ]

    def _payload(self) -> list[str]:
        flash = ["-bios", str(self.flash)] if self.flash else []
        initrd = ["-initrd", str(self.initrd)] if self.initrd else []
        return [
            *flash,
            *("-kernel", str(self.kernel)),
            *initrd,
            *("-append", self.append),
        ]

    def _consoles(self) -> list[str]:
        # The log file belongs to the chardev: what is printed before somebody attaches is kept.
        log = str(self.console_log)
        told = self._socket("console", logfile=log, logappend=self.incoming is not None)
        if self._replays:
            told = _option("file", id="console", path=log)
        line = ["-chardev", told, "-serial", "chardev:console"]
        if self.flavour == "secure":
            secure = _option("file", id="secure", path=str(self.secure_log), **self._again())
            line += ["-chardev", secure, "-serial", "chardev:secure"]
        return line

    def _control(self) -> list[str]:
        nobody = _option("file", id=AGENT, path="/dev/null")
        return [
            *("-chardev", nobody if self._replays else self._socket(AGENT)),
            *("-device", "virtio-serial-device"),
            *("-device", f"virtserialport,id={AGENT_PORT},chardev={AGENT},name=rig.agent"),
            *("-chardev", self._socket("qmp"), "-mon", "chardev=qmp,mode=control"),
            *("-chardev", self._socket("qmp-user"), "-mon", "chardev=qmp-user,mode=control"),
            *("-device", "virtio-rng-device"),
            *("-device", "vmcoreinfo"),  # where the kernel says how to read its memory
        ]

    def _network(self) -> list[str]:
        # restrict=on: the guest reaches nothing, and only the forwarded port reaches the guest.
        forward = f"tcp:127.0.0.1:{self.ssh_port}-:22"
        user = _option("user", id="net", restrict=not self.network, ipv6=False, hostfwd=forward)
        return [
            *("-netdev", user),
            *("-device", "virtio-net-device,netdev=net"),
        ]

    def _firewall(self) -> list[str]:
        # OP-TEE dies without it, so that it is there even when it is to let everything pass.
        events = _option("file", id="fwev", path=str(self.firewall_log), **self._again())
        off = {} if self.firewall else {"enforce": False}
        device = _option("tzc400", id=FIREWALL, events="fwev", **off)
        return ["-chardev", events, "-device", device]

    def _gpu(self) -> list[str]:
        if self.gpu is None:
            return []
        events = _option("file", id="gpuev", path=str(self.events_log), **self._again())
        return ["-chardev", events, "-device", self.gpu.option()]

    @property
    def _replays(self) -> bool:
        return self.icount is not None and self.icount.replays

    def _again(self) -> dict[str, Property]:
        """For a log file: go on behind what was said before the snapshot."""
        return {"append": True} if self.incoming else {}

    def _socket(self, name: str, **more: Property) -> str:
        return _option(
            "socket", id=name, path=str(self.socket(name)), server=True, wait=False, **more
        )


def _option(head: str, **properties: Property) -> str:
    """QEMU option syntax: ``head,key=value``; a comma in a value is doubled."""
    return ",".join([head, *(f"{key}={_value(value)}" for key, value in properties.items())])


def _value(value: Property) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return str(value).replace(",", ",,")
