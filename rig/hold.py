# SPDX-License-Identifier: MIT
"""Who uses a file or folder of the cache: a shared lock that ends with the process.

The kernel drops it however the process ends, and forked workers keep it; what a rig
starts by exec does not.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def hold(file: Path, *, create: bool = False) -> bool:
    """Keep `unused` from saying yes to `file` for as long as this process lives.

    False: the file is not there, or is being removed right now.
    """
    try:
        _shared(file, os.O_CREAT if create else 0)  # never closed but by the end of the process
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


@contextmanager
def holding(file: Path) -> Iterator[None]:
    """`hold` for as long as the block runs: for what one process uses many of, in turn.

    Raises `FileNotFoundError` when the file is not there, or was removed meanwhile.
    """
    lock = _shared(file)
    try:
        yield
    finally:
        os.close(lock)


def _shared(file: Path, flags: int = 0) -> int:
    """The file at this path, open and locked; raises `FileNotFoundError` as `holding` does."""
    lock = os.open(file, os.O_RDONLY | flags, 0o666)
    fcntl.flock(lock, fcntl.LOCK_SH)
    if not _is_at(file, lock):
        os.close(lock)
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(file))
    return lock


def _is_at(file: Path, lock: int) -> bool:
    try:
        return os.fstat(lock).st_ino == file.stat().st_ino
    except (FileNotFoundError, NotADirectoryError):
        return False


@contextmanager
def unused(file: Path) -> Iterator[bool]:
    """Whether nobody holds `file`; as long as the block runs nobody can begin to."""
    try:
        lock = os.open(file, os.O_RDONLY)
    except (FileNotFoundError, NotADirectoryError):
        yield True
        return
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        yield False
    else:
        yield True
    finally:
        os.close(lock)
