# SPDX-License-Identifier: MIT
"""The guest's RAM, seen from outside: through its backing file, or through QEMU's memory.

It ignores the firewall, the MMUs and the guest's caches (TCG has none): what is
read here is what the memory holds.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rig.errors import infra, usage

_FIND_STEP = 1 << 22


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


class GuestRam(ABC):
    """Bounds-checked reads and writes at guest-physical addresses."""

    def __init__(self, base: int, size: int) -> None:
        self.base = base
        self.size = size

    def read(self, address: int, length: int) -> bytes:
        """`length` bytes at the guest-physical `address`."""
        return self._read(self._offset(address, length), length)

    def write(self, address: int, data: bytes) -> None:
        """Overwrite the bytes at the guest-physical `address`."""
        self._write(self._offset(address, len(data)), data)

    def find(self, pattern: bytes, start: int | None = None) -> int | None:
        """Guest-physical address of the first `pattern` at or after `start`, or None."""
        offset = self._offset(self.base if start is None else start, 0)
        while offset < self.size:
            length = min(_FIND_STEP + len(pattern), self.size - offset)
            at = self._read(offset, length).find(pattern)
            if at >= 0:
                return self.base + offset + at
            offset += _FIND_STEP
        return None

    @abstractmethod
    def close(self) -> None:
        """Let go of the memory."""

    @abstractmethod
    def _read(self, offset: int, length: int) -> bytes: ...

    @abstractmethod
    def _write(self, offset: int, data: bytes) -> None: ...

    def _offset(self, address: int, length: int) -> int:
        offset = address - self.base
        if length < 0 or offset < 0 or offset + length > self.size:
            raise usage(
                f"{length} bytes at {address:#x} are not in the guest's RAM",
                f"RAM is {self.base:#x}..{self.base + self.size - 1:#x}",
            )
        return offset


class FileRam(GuestRam):
    """RAM that QEMU shares with its backing file."""

    def __init__(self, path: Path, base: int, size: int) -> None:
        super().__init__(base, size)
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), size)

    def _read(self, offset: int, length: int) -> bytes:
        return self._map[offset : offset + length]

    def _write(self, offset: int, data: bytes) -> None:
        self._map[offset : offset + len(data)] = data

    def close(self) -> None:
        """Let go of the mapping."""
        self._map.close()


class ProcessRam(GuestRam):
    """RAM that QEMU, a child of ours, copies on write: only QEMU itself has the current pages.

    ``/proc/PID/mem`` needs the right to trace, which a parent has over its child
    (ptrace(2); Yama up to scope 1).
    """

    def __init__(self, pid: int, inode: int, base: int, size: int) -> None:
        """`inode`: of the file; its name may be gone by now (`rig cache gc`)."""
        super().__init__(base, size)
        self._start = _mapped_at(Path(f"/proc/{pid}/maps").read_text(), inode, size)
        try:
            self._mem = os.open(f"/proc/{pid}/mem", os.O_RDWR | os.O_CLOEXEC)
        except PermissionError as exc:
            raise infra(
                "the kernel lets the rig not look into its own QEMU",
                "set kernel.yama.ptrace_scope to 1 or 0, or run with --cold",
            ) from exc

    def _read(self, offset: int, length: int) -> bytes:
        data = os.pread(self._mem, length, self._start + offset)
        return self._whole(data, length)

    def _write(self, offset: int, data: bytes) -> None:
        done = os.pwrite(self._mem, data, self._start + offset)
        self._whole(data[:done], len(data))

    @staticmethod
    def _whole(data: bytes, length: int) -> bytes:
        if len(data) != length:
            raise infra(f"QEMU's memory gave {len(data)} bytes instead of {length}")
        return data

    def close(self) -> None:
        """Close QEMU's memory."""
        os.close(self._mem)


def _mapped_at(maps: str, inode: int, size: int) -> int:
    """Where in the address space the file's first byte lies, all `size` bytes behind it."""
    found = re.findall(r"^([\da-f]+)-([\da-f]+) \S+ ([\da-f]+) \S+ (\d+) ", maps, re.M)
    parts = [(int(a, 16), int(b, 16), int(o, 16)) for a, b, o, node in found if int(node) == inode]
    starts = {start - offset for start, _end, offset in parts}
    if len(starts) != 1 or sum(end - start for start, end, _offset in parts) != size:
        raise infra("QEMU has not mapped the guest's RAM in one piece")
    return starts.pop()
