# SPDX-License-Identifier: MIT
"""Guests that run now: how another command, in another terminal, finds its way in.

The rig that owns a guest writes `live.json` into the guest's folder when it leaves the
guest to a person. `Vm` keeps `sockets` beside it, a link that is gone with QEMU.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from rig.bundle import load, save
from rig.errors import RigError, infra, usage
from rig.machine.qmp import Qmp
from rig.session import Session
from rig.store import default_root
from rig.tested import Inputs, inputs_of

LIVE = "live.json"
MONITOR = Path("sockets") / "qmp-user.sock"
"""The spare monitor, below the guest's folder."""
RUNNING = "running"
"""QEMU's word for a guest whose CPUs run."""
NEWEST = "live"
"""What a user writes for the guest that was left to a person last."""
_MONITOR_S = 5.0


class Live(msgspec.Struct):
    """live.json."""

    inputs: Inputs
    flavour: str
    ssh: str
    """OpenSSH's command line into the guest."""
    qemu: int
    """QEMU's process id."""


def announce(session: Session) -> Path:
    """Let other commands into a guest. Returns its folder, which is its name for them."""
    pid = session.vm.pid
    if pid is None:
        raise infra("the guest is gone: QEMU ended", log=session.vm.qemu_log)
    ssh = session.ssh_target.command_line()
    live = Live(inputs_of(session.bed), session.config.flavour, ssh, pid)
    save(session.run_dir / LIVE, live)
    return session.run_dir


def ways_in(folder: Path) -> list[str]:
    """The commands into an announced guest."""
    names = ("shell", "ssh", "gdb", "inspect", "dump")
    ways = [f"rig {name} --guest {folder}" + " FILE" * (name == "dump") for name in names]
    return [*ways, f"rig cp --guest {folder} FILE :/root/"]


def find(where: str, runs: Path | None = None) -> Path:
    """Folder of a live guest: the folder itself, or `live` for the newest.

    Raises `RigError` (USAGE) when no guest runs there.
    """
    if where != NEWEST:
        folder = Path(where).absolute()
        if not (folder / LIVE).exists() or not is_live(folder):
            raise usage(
                f"no guest runs in {where}", "`rig shell` and `rig run --stop-on-failure` leave one"
            )
        return folder
    runs = runs or default_root() / "runs"
    found = [path for pattern in ("*", "*/*") for path in runs.glob(f"{pattern}/{LIVE}")]
    for path in sorted(found, key=lambda path: path.stat().st_mtime, reverse=True):
        if is_live(path.parent):
            return path.parent
    raise usage(
        "no guest runs that was left to a person",
        "`rig shell` and `rig run --stop-on-failure` leave one",
    )


def is_live(folder: Path) -> bool:
    """Whether QEMU still holds its sockets."""
    return (folder / MONITOR).exists()


def read(folder: Path) -> Live:
    """The record of a live guest."""
    return load(folder / LIVE, Live)


@contextmanager
def halted(qmp: Qmp) -> Iterator[None]:
    """Stand the guest's CPUs still meanwhile; one that stood still before does so afterwards."""
    ran = qmp.status() == RUNNING
    if ran:
        qmp.stop()
    try:
        yield
    finally:
        if ran:
            qmp.cont()


@contextmanager
def monitor(folder: Path) -> Iterator[Qmp]:
    """The spare monitor of a live guest; one user at a time."""
    qmp = Qmp(folder / MONITOR, "rig-user")
    try:
        qmp.connect(_MONITOR_S)
    except RigError as error:
        qmp.close()
        raise infra(
            f"the spare monitor of {folder} does not answer: {error.message}",
            "another command may be using it: one at a time",
        ) from error
    try:
        yield qmp
    finally:
        qmp.close()
