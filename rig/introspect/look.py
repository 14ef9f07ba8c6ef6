# SPDX-License-Identifier: MIT
"""One look at a guest: it stands still meanwhile, and goes on if it ran."""

from __future__ import annotations

from pathlib import Path

from drgn import FaultError

from rig.errors import infra
from rig.gpu.events import EventLog
from rig.introspect import NAME, driver, program
from rig.introspect.view import View, compare, text
from rig.live import MONITOR, RUNNING, halted, monitor
from rig.session import Session
from rig.testbed import TestBed


def of_session(session: Session) -> View:
    """A guest of our own. Raises `RigError` (INFRA) when its memory cannot be read."""
    with halted(session.vm.qmp):
        return _look(session.bed, session.run_dir, session.vm.user_monitor)


def keep(session: Session) -> None:
    """Write what it finds into the guest's folder."""
    (session.run_dir / NAME).write_text(text(of_session(session)))


def of_folder(folder: Path, bed: TestBed) -> View:
    """A live guest of another rig, by its spare monitor alone. Raises as `of_session`."""
    with monitor(folder) as qmp:
        ran = qmp.status() == RUNNING
        if ran:
            qmp.stop()
    try:
        return _look(bed, folder, folder / MONITOR)
    finally:
        if ran:
            with monitor(folder) as qmp:
                qmp.cont()


def _look(bed: TestBed, folder: Path, spare: Path) -> View:
    try:
        believed = driver.read(program.of_guest(spare, bed.image, bed.modules))
    except (FaultError, LookupError) as exc:
        raise infra(f"the driver's state cannot be read: {exc}") from exc
    return compare(believed, EventLog(folder / "gpu-events.jsonl").read())
