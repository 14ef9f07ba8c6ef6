# SPDX-License-Identifier: MIT
"""What a recorded guest was told by its monitor, and the same guest once more.

QEMU's own log (`rig.machine.icount`) has all that came in from outside but what the rig sets
by the monitor while the guest runs: rows of the fault plan, ranges of the firewall. Those
are set while the CPUs stand still, and kept with the number of instructions done by then.
"""

from __future__ import annotations

import shutil
import time
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec

from rig.errors import FailureClass, RigError, infra
from rig.leftovers import SCRATCH
from rig.machine.launch import LaunchSpec
from rig.machine.process import ChildProcess, Janitor
from rig.machine.qmp import Qmp
from rig.machine.ram import exclusive
from rig.machine.vm import QUIT_TIMEOUT_S, START_TIMEOUT_S, TERMINATE_TIMEOUT_S, socket_folder
from rig.machine.watch import QEMU_LOG

NAME = "recording.json"
LOG = "recording.bin"
"""What QEMU wrote."""
INITRD = "recording.cpio"
"""The initramfs that the guest was booted with: it has the keys of that run."""
_ATTACH_S = 5.0
_LOOK_S = 0.01


class Told(msgspec.Struct, frozen=True):
    """A property that was set while the guest ran."""

    icount: int
    """Instructions done by then."""
    path: str
    name: str
    value: str | int


class Recording(msgspec.Struct):
    """recording.json."""

    told: list[Told] = []
    icount: int = 0
    """Instructions of the whole recording; 0: it was cut off."""
    seconds: float = 0.0
    """Host time that it took."""


class Recorder:
    """Keeps the recording of one guest: a context manager around all of its life.

    On entry it waits until QEMU has taken the connection to the chardev `port`, and lets the
    guest's first instruction go. On exit it stops the guest for good: nothing that the rig
    lets go of behind that is part of its life. Raises `RigError` (INFRA).
    """

    def __init__(self, qmp: Qmp, folder: Path, port: str) -> None:
        self._qmp, self._path, self._port = qmp, folder / NAME, port
        self._kept = Recording()
        self._started = time.monotonic()

    def __enter__(self) -> Recorder:
        self._save()
        deadline = time.monotonic() + _ATTACH_S
        while self._file_of(self._port).startswith("disconnected"):
            if time.monotonic() > deadline:
                raise infra(f"QEMU does not take the connection to `{self._port}`")
            time.sleep(_LOOK_S)
        self._qmp.cont()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with suppress(RigError):  # QEMU has ended: there is no whole recording then
            self._qmp.stop()
            self._kept.icount = self._icount()
            self._kept.seconds = time.monotonic() - self._started
            self._save()

    def _file_of(self, port: str) -> str:
        known: list[dict[str, Any]] = self._qmp.execute("query-chardev")
        return next(str(row["filename"]) for row in known if row["label"] == port)

    def set(self, path: str, name: str, value: str | int) -> None:
        """Set a property between two instructions."""
        self._qmp.stop()
        self._qmp.qom_set(path, name, value)
        self._kept.told.append(Told(self._icount(), path, name, value))
        self._save()
        self._qmp.cont()

    def _icount(self) -> int:
        return int(self._qmp.execute("query-replay")["icount"])

    def _save(self) -> None:
        scratch = self._path.with_suffix(SCRATCH)
        scratch.write_bytes(msgspec.json.encode(self._kept))
        scratch.replace(self._path)


def read(folder: Path) -> Recording | None:
    """The recording in a guest's folder; None when there is none, or not all of it."""
    try:
        found = msgspec.json.decode((folder / NAME).read_bytes(), type=Recording)
    except FileNotFoundError:
        return None
    whole = found.icount and (folder / LOG).is_file() and (folder / INITRD).is_file()
    return found if whole else None


def replay(spec: LaunchSpec, recording: Recording, patience: float) -> None:
    """Let a recorded guest do again what it did; its logs and events go to the spec's folder.

    Raises `RigError`: INFRA when it leaves the recording, HANG when it takes longer than
    `patience` s.
    """
    deadline = time.monotonic() + patience
    with ExitStack() as stack:
        sockets = socket_folder()
        stack.callback(shutil.rmtree, sockets, ignore_errors=True)
        stack.enter_context(exclusive(spec.ram_file))
        stack.callback(Janitor([sockets, spec.ram_file]).close)
        spec = replace(spec, socket_dir=sockets, paused=True)
        process = ChildProcess(spec.argv(), spec.run_dir / QEMU_LOG)
        stack.callback(process.end, TERMINATE_TIMEOUT_S)
        process.start()
        qmp = Qmp(spec.socket("qmp"))
        stack.callback(qmp.close)
        qmp.connect(START_TIMEOUT_S, lambda: _ended(process, spec))
        for told in recording.told:
            _go_to(qmp, told.icount, deadline)
            qmp.qom_set(told.path, told.name, told.value)
        qmp.cont()
        _wait(process, qmp, recording, deadline, spec)


def _go_to(qmp: Qmp, icount: int, deadline: float) -> None:
    if int(qmp.execute("query-replay")["icount"]) == icount:
        return
    before = qmp.events("STOP")
    qmp.execute("replay-break", icount=icount)
    qmp.cont()
    qmp.wait_event(
        "STOP", deadline - time.monotonic(), lambda event: not any(event is old for old in before)
    )


def _wait(
    process: ChildProcess, qmp: Qmp, recording: Recording, deadline: float, spec: LaunchSpec
) -> None:
    """QEMU ends with the recording."""
    status = process.wait(deadline - time.monotonic())
    if status is None:
        done = int(qmp.execute("query-replay")["icount"])
        qmp.quit(QUIT_TIMEOUT_S)
        raise RigError(
            FailureClass.HANG,
            f"the replay is at instruction {done} of {recording.icount} and not at its end in time",
            log=spec.run_dir / QEMU_LOG,
        )
    if (error := _ended(process, spec)) is not None and status != 0:
        raise error


def _ended(process: ChildProcess, spec: LaunchSpec) -> RigError | None:
    if process.status is None:
        return None
    return infra(
        f"QEMU left the recording: {process.last_words()}",
        "the machine is another one than when it was recorded? `rig replay` of a new run",
        spec.run_dir / QEMU_LOG,
    )
