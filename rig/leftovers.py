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
from contextlib import ExitStack, contextmanager, suppress
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
_TEMPORARY = {
    "job": "rig-job-",
    **{name: f"rig-held-{name}-" for name in ("mail", "index", "fetch", "uapi")},
}
"""How the names of temporary folders begin, by what they are for.

A prefix says that the folder is held: an older rig beside this one has others, that are not.
"""


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
def temporary(what: str) -> Iterator[Path]:
    """A temporary folder; when this process is killed, the next run removes it.

    Raises `KeyError` when `what` is no key of `_TEMPORARY`.
    """
    with ExitStack() as stack:
        with _alone():  # nobody shall take it for a left one before it is held
            made = tempfile.TemporaryDirectory(prefix=_TEMPORARY[what])
            folder = Path(stack.enter_context(made))
            stack.enter_context(holding(folder))
        yield folder


@contextmanager
def job_folder(data: bytes) -> Iterator[Path]:
    """A temporary folder for a job; those of workers that were killed are removed first."""
    sweep_temporary()
    with temporary("job") as folder:
        (folder / JOB).write_bytes(data)
        with holding(folder / JOB):
            yield folder


def sweep_temporary() -> None:
    """Remove the folders of processes that were killed, and what their guests left."""
    with _alone():
        for prefix in _TEMPORARY.values():
            for folder in Path(tempfile.gettempdir()).glob(f"{prefix}*"):
                _remove_unused(folder)


def _remove_unused(folder: Path) -> None:
    not_ours = suppress(PermissionError)
    with not_ours, unused(folder) as over, unused(folder / JOB) as done:
        if over and done:
            sweep(folder)
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _alone() -> Iterator[None]:
    """No other rig makes or sweeps temporary folders meanwhile."""
    handle = os.open(tempfile.gettempdir(), os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
