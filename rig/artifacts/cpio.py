# SPDX-License-Identifier: MIT
"""Initramfs archives ("newc" cpio), written deterministically.

The kernel unpacks concatenated archives one after the other, a later file over
an earlier one (Documentation/driver-api/early-userspace/buffer-format.rst), so
an initramfs is the sum of segments: `rootfs + modules + run`. Every segment is
padded to 512 bytes, which keeps the next header aligned.
"""

from __future__ import annotations

import posixpath
import stat
from collections.abc import Mapping
from dataclasses import dataclass

from rig.errors import infra

_MERGED = ("bin", "lib", "sbin")
_MAGIC = b"070701"
_TRAILER = "TRAILER!!!"
_BLOCK = 512


@dataclass(frozen=True)
class Entry:
    """One member: type and permission bits, content (or link target), device number."""

    mode: int
    data: bytes = b""
    device: tuple[int, int] = (0, 0)


class CpioWriter:
    """Collects members; `bytes()` is the archive.

    Paths may start with /; /bin, /sbin and /lib mean those below /usr (the
    image has a merged /usr: a folder entry "lib" would replace its symlink).
    Folders on the way are added. Inode numbers follow the order of names, all
    times are 0: the same content gives the same bytes.
    """

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}

    @property
    def entries(self) -> Mapping[str, Entry]:
        """What was added so far, by normalised path."""
        return self._entries

    def add_dir(self, path: str, mode: int = 0o755) -> None:
        """A folder; sets the mode of one that was added on the way to a file."""
        self._put(path, Entry(stat.S_IFDIR | mode))

    def add_file(self, path: str, data: bytes, mode: int = 0o644) -> None:
        """A regular file."""
        self._put(path, Entry(stat.S_IFREG | mode, data))

    def add_symlink(self, path: str, target: str) -> None:
        """A symbolic link."""
        self._put(path, Entry(stat.S_IFLNK | 0o777, target.encode()))

    def add_device(self, path: str, major: int, minor: int, mode: int = 0o600) -> None:
        """A character device node."""
        self._put(path, Entry(stat.S_IFCHR | mode, device=(major, minor)))

    def merge_usr(self) -> None:
        """Add the symlinks /bin, /sbin and /lib; once per image, in its first segment."""
        for name in _MERGED:
            self.add_dir(f"usr/{name}")
            self._entries[name] = Entry(stat.S_IFLNK | 0o777, f"usr/{name}".encode())

    def bytes(self) -> bytes:
        """The archive, padded to 512 bytes."""
        out = bytearray()
        for inode, (path, entry) in enumerate(sorted(self._entries.items()), start=1):
            _append(out, path, entry, inode)
        _append(out, _TRAILER, Entry(0), 0)
        _pad(out, _BLOCK)
        return bytes(out)

    def _put(self, path: str, entry: Entry) -> None:
        name = normalise(path)
        parent = posixpath.dirname(name)
        while parent and parent not in self._entries:
            self._entries[parent] = Entry(stat.S_IFDIR | 0o755)
            parent = posixpath.dirname(parent)
        known = self._entries.get(name)
        if known is not None and stat.S_IFMT(known.mode) != stat.S_IFMT(entry.mode):
            raise infra(f"the image has two different things at /{name}")
        self._entries[name] = entry


def normalise(path: str) -> str:
    """The member name of a path: relative, without `.` and `..`, below /usr where merged."""
    name = posixpath.normpath("/" + path).lstrip("/")
    head = name.split("/", 1)[0]
    return f"usr/{name}" if head in _MERGED else name


def _append(out: bytearray, path: str, entry: Entry, inode: int) -> None:
    name = path.encode() + b"\0"
    links = 2 if stat.S_ISDIR(entry.mode) else 1
    major, minor = entry.device
    # inode, mode, uid, gid, links, mtime, size, dev major/minor, rdev major/minor, name size, sum
    fields = (
        inode, entry.mode, 0, 0, links, 0, len(entry.data), 0, 0, major, minor, len(name), 0,
    )  # fmt: skip
    out += _MAGIC + b"".join(b"%08X" % field for field in fields) + name
    _pad(out, 4)
    out += entry.data
    _pad(out, 4)


def _pad(out: bytearray, to: int) -> None:
    out += b"\0" * (-len(out) % to)
