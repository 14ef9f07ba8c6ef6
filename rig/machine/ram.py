# SPDX-License-Identifier: MIT
"""The guest's RAM, seen from outside through its backing file.

It ignores the firewall, the MMUs and the guest's caches (TCG has none): what is
read here is what the memory holds.
"""

from __future__ import annotations

import fcntl
import mmap
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rig.errors import usage


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Hold the RAM file for one guest: two on the same file corrupt each other silently."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as exc:
        raise usage(
            f"another guest uses the RAM file {path}", "give each run a folder of its own"
        ) from exc
    finally:
        os.close(handle)


class GuestRam:
    """Bounds-checked reads and writes at guest-physical addresses."""

    def __init__(self, path: Path, base: int, size: int) -> None:
        self.base = base
        self.size = size
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), size)

    def read(self, address: int, length: int) -> bytes:
        """`length` bytes at the guest-physical `address`."""
        start = self._offset(address, length)
        return self._map[start : start + length]

    def write(self, address: int, data: bytes) -> None:
        """Overwrite the bytes at the guest-physical `address`."""
        start = self._offset(address, len(data))
        self._map[start : start + len(data)] = data

    def find(self, pattern: bytes, start: int | None = None) -> int | None:
        """Guest-physical address of the first `pattern` at or after `start`, or None."""
        offset = self._offset(self.base if start is None else start, 0)
        at = self._map.find(pattern, offset)
        return None if at < 0 else self.base + at

    def close(self) -> None:
        """Let go of the mapping."""
        self._map.close()

    def _offset(self, address: int, length: int) -> int:
        offset = address - self.base
        if length < 0 or offset < 0 or offset + length > self.size:
            raise usage(
                f"{length} bytes at {address:#x} are not in the guest's RAM",
                f"RAM is {self.base:#x}..{self.base + self.size - 1:#x}",
            )
        return offset
