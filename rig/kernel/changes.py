# SPDX-License-Identifier: MIT
"""Waits until something below a folder changes, by inotify(7): nothing is read meanwhile."""

from __future__ import annotations

import ctypes
import errno
import os
import select
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType

from rig.errors import infra, usage

QUIET_S = 0.15
"""An editor writes a file in several steps, and `git checkout` many files: let them end."""
_EVENT = struct.Struct("iIII")
# linux/inotify.h
_CLOSE_WRITE = 0x8
_MOVED_FROM, _MOVED_TO, _CREATE, _DELETE = 0x40, 0x80, 0x100, 0x200
_ISDIR, _ONLYDIR, _OVERFLOW = 0x4000_0000, 0x0100_0000, 0x4000
_MASK = _CLOSE_WRITE | _MOVED_FROM | _MOVED_TO | _CREATE | _DELETE | _ONLYDIR
_SKIP = frozenset({".git"})
"""Folders whose changes are none of the tree's."""


class Changes:
    """Folders under watch, those below them included; a context manager.

    A change is a hint, no more: what it means is for whoever reads the file.
    """

    def __init__(self, roots: Sequence[Path]) -> None:
        """Raises `RigError`: USAGE for a root that is no folder, INFRA when there is no room."""
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._fd = self._libc.inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK)
        if self._fd < 0:
            raise infra(f"inotify: {os.strerror(ctypes.get_errno())}")
        self._folders: dict[int, Path] = {}
        self._files: set[Path] | None = set()
        for root in roots:
            if not root.is_dir():
                os.close(self._fd)
                raise usage(f"{root} is no folder, so that nothing below it can change")
            self._add(root)

    def __enter__(self) -> Changes:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.close(self._fd)

    def wait(self, timeout: float | None = None) -> bool:
        """Until something changed and then nothing for `QUIET_S`. False: `timeout` s went by."""
        if not self._ready(timeout):
            return False
        while True:
            self._read()
            if not self._ready(QUIET_S):
                return True

    def taken(self) -> set[Path] | None:
        """The files that may have changed and were waited for since the last call.

        None when that is not known: a folder changed, or there were more than the kernel keeps.
        """
        files, self._files = self._files, set()
        return files

    def _ready(self, timeout: float | None) -> bool:
        return bool(select.select([self._fd], [], [], timeout)[0])

    def _add(self, root: Path) -> None:
        for folder, below, _files in os.walk(root):
            below[:] = [name for name in below if name not in _SKIP]
            number = self._libc.inotify_add_watch(self._fd, os.fsencode(folder), _MASK)
            if number >= 0:
                self._folders[number] = Path(folder)
            elif ctypes.get_errno() == errno.ENOSPC:
                raise infra(
                    f"the kernel watches no more folders than {len(self._folders)}",
                    "raise the sysctl fs.inotify.max_user_watches",
                )

    def _read(self) -> None:
        """Take what is there, and watch folders that are new."""
        for number, mask, name in _events(os.read(self._fd, 1 << 16)):
            self._note(number, mask, name)
            new = mask & _ISDIR and mask & (_CREATE | _MOVED_TO)
            if new and number in self._folders and name not in _SKIP:
                self._add(self._folders[number] / name)

    def _note(self, number: int, mask: int, name: str) -> None:
        folder = self._folders.get(number)
        if name in _SKIP and folder is not None:
            return
        if folder is None or mask & (_ISDIR | _OVERFLOW) or not name:
            self._files = None
        elif self._files is not None:
            self._files.add(folder / name)


def _events(data: bytes) -> Iterator[tuple[int, int, str]]:
    """(watch, mask, name) of each event."""
    at = 0
    while at < len(data):
        number, mask, _cookie, length = _EVENT.unpack_from(data, at)
        name = data[at + _EVENT.size : at + _EVENT.size + length].rstrip(b"\0")
        yield number, mask, os.fsdecode(name)
        at += _EVENT.size + length
