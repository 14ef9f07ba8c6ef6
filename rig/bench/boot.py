# SPDX-License-Identifier: MIT
"""Boot to the first answer over ssh: through the rig, and under bare QEMU, in turns.

Bare means the launch line of the very session before it (same kernel, initramfs,
keys, devices), started as a plain child and waited for with the same ssh code;
no QMP, no console reader, no agent. Turns make a drifting load hit both alike.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from rig.bench.figures import BUDGET, Figure, compared
from rig.deadlines import BOOT_S, COMMAND_S, scaled
from rig.errors import FailureClass, RigError, infra
from rig.guest.ssh import Ssh, SshTarget
from rig.machine.launch import Flavour, LaunchSpec
from rig.session import GuestConfig, Session
from rig.testbed import TestBed

READY = b"rig: ready"
_POLL_S = 0.01


@dataclass(frozen=True)
class Boot:
    """Seconds from the start to two points."""

    serial: float
    """init's line on the console: the shell there is next."""
    ssh: float
    """`true` has answered over ssh."""


def boot_figures(
    bed: TestBed, run_dir: Path, flavour: Flavour, rounds: int, tell: Callable[[str], None]
) -> list[Figure]:
    """Both kinds, `rounds` times in turns, after one unmeasured pair that warms the caches."""
    pairs: list[tuple[Boot, Boot]] = []
    for number in range(rounds + 1):
        folder = run_dir / f"{flavour}-{number}"
        ours, bare = _pair(bed, folder, flavour)
        shutil.rmtree(folder)
        tell(f"boot {flavour} {number}/{rounds}: rig {ours.ssh:.2f} s, bare {bare.ssh:.2f} s")
        pairs += [(ours, bare)] if number else []
    ssh = [tuple(pair[who].ssh for pair in pairs) for who in (0, 1)]
    serial = [tuple(pair[who].serial for pair in pairs) for who in (0, 1)]
    return [
        Figure(f"boot {flavour} to ssh, rig", "s", ssh[0]),
        Figure(f"boot {flavour} to ssh, bare QEMU", "s", ssh[1]),
        compared(f"boot {flavour} to ssh, rig/bare", ssh[0], ssh[1], BUDGET),
        Figure(f"boot {flavour} to serial, rig", "s", serial[0]),
        Figure(f"boot {flavour} to serial, bare QEMU", "s", serial[1]),
    ]


def _pair(bed: TestBed, folder: Path, flavour: Flavour) -> tuple[Boot, Boot]:
    """(rig, bare), one right after the other."""
    folder.mkdir(parents=True)
    files = folder / "bare"
    files.mkdir()
    started = time.monotonic()
    with Session(bed, folder / "rig", GuestConfig(flavour)) as session:
        serial = time.monotonic() - started
        session.ssh.run(["true"], timeout=scaled(COMMAND_S), check=True)
        ours = Boot(serial, time.monotonic() - started)
        initrd = files / "initrd.cpio"
        assert session.vm.spec.initrd is not None  # it was booted
        os.link(session.vm.spec.initrd, initrd)  # the session takes its own name away
    return ours, _bare(_plain(session.vm.spec, initrd), session)


def _plain(spec: LaunchSpec, initrd: Path) -> LaunchSpec:
    """The launch line of a session, as one would type it: a port of its own, running at once."""
    folder = initrd.parent
    return replace(
        spec, initrd=initrd, run_dir=folder, ram_file=folder / "ram", paused=False,
        ssh_port=_free_port(),
    )  # fmt: skip


def _bare(spec: LaunchSpec, session: Session) -> Boot:
    """Boot under bare QEMU with the keys of `session`."""
    target = SshTarget(spec.ssh_port, session.user_key, session.host_key, spec.run_dir)
    log = spec.run_dir / "qemu.log"
    with TemporaryDirectory(prefix="rig-bare-") as sockets, log.open("wb") as output:
        argv = replace(spec, socket_dir=Path(sockets)).argv()
        started = time.monotonic()
        child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        try:
            serial = _wait_line(spec, child, log) - started
            with Ssh(target) as ssh:
                ssh.connect(scaled(BOOT_S))
                ssh.run(["true"], timeout=scaled(COMMAND_S), check=True)
                return Boot(serial, time.monotonic() - started)
        finally:
            child.kill()
            child.wait()


def _wait_line(spec: LaunchSpec, child: subprocess.Popen[bytes], log: Path) -> float:
    """When init's line stood in the console's log.

    Not by connecting again and again: QEMU takes a connection long before the guest
    listens, and what was sent by then is lost, which costs bare QEMU up to half a second.
    """
    deadline = time.monotonic() + scaled(BOOT_S)
    while time.monotonic() < deadline:
        if spec.console_log.exists() and READY in spec.console_log.read_bytes():
            return time.monotonic()
        if child.poll() is not None:
            raise infra("bare QEMU ended by itself", log=log)
        time.sleep(_POLL_S)
    raise RigError(FailureClass.HANG, "bare QEMU did not boot in time", log=spec.console_log)


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])
