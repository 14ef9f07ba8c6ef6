# SPDX-License-Identifier: MIT
"""What a guest needs in its run's folder while it runs, and nobody afterwards.

A janitor removes it, also when the rig is killed; when that was killed too (a container's
end, a power cut), the next run does. Logs and records stay.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from rig.hold import holding, unused

INITRD = "initrd.cpio"
RAM = "ram"
SOCKETS = "sockets"
"""A link to the folder of the guest's sockets, whose path is short."""
SOCKET_PREFIX = "rig-"
SCRATCH = ".new"
"""Suffix of a record that is being written."""
JOB = "job"
"""In the folder of a job of `rig matrix`: what is to be done. Whoever does it holds it."""
_JOBS = "rig-job-"


def sweep(folder: Path) -> None:
    """Remove what is left of a run that is over."""
    for path, folders, files in os.walk(folder):
        for name in (*folders, *files):
            left = Path(path, name)
            if name == SOCKETS and left.is_symlink():
                target = left.readlink()
                if target.name.startswith(SOCKET_PREFIX):
                    shutil.rmtree(target, ignore_errors=True)
                left.unlink(missing_ok=True)
            elif name in (INITRD, RAM) or left.suffix == SCRATCH:
                left.unlink(missing_ok=True)


@contextmanager
def job_folder(data: bytes) -> Iterator[Path]:
    """A temporary folder for a job; those of workers that were killed are removed first."""
    with ExitStack() as stack:
        with _alone():  # nobody shall take it for a left one before it is held
            _sweep_jobs()
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=_JOBS)))
            (folder / JOB).write_bytes(data)
            stack.enter_context(holding(folder / JOB))
        yield folder


def sweep_jobs() -> None:
    """Remove the folders of jobs whose worker was killed, and what their guests left."""
    with _alone():
        _sweep_jobs()


def _sweep_jobs() -> None:
    for folder in Path(tempfile.gettempdir()).glob(f"{_JOBS}*"):
        with unused(folder / JOB) as over:
            if over:
                sweep(folder)
                shutil.rmtree(folder, ignore_errors=True)  # of another user


@contextmanager
def _alone() -> Iterator[None]:
    """No other rig makes or sweeps jobs meanwhile."""
    handle = os.open(tempfile.gettempdir(), os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
