# SPDX-License-Identifier: MIT
"""A tree of unpacked Debian packages, and what a program in it needs to run.

No root, no chroot, no emulation: dpkg-deb unpacks, pyelftools says which
libraries a binary names.
"""

from __future__ import annotations

import os
import posixpath
import re
from pathlib import Path

from elftools.elf.dynamic import DynamicSection
from elftools.elf.elffile import ELFFile
from elftools.elf.segments import InterpSegment

from rig.artifacts.cpio import CpioWriter
from rig.errors import infra

_LIBRARY_FOLDERS = (
    "lib/aarch64-linux-gnu", "usr/lib/aarch64-linux-gnu", "lib", "usr/lib",
)  # fmt: skip
_LINK_LIMIT = 20
_ELF = b"\x7fELF"


class DebRoot:
    """Packages unpacked under `path`; guest paths here are relative, without a leading /."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def resolve(self, name: str) -> tuple[list[str], str | None]:
        """Follow symlinks inside the tree.

        Returns the links on the way and the file they end at; None when it does not exist.
        """
        links: list[str] = []
        for _ in range(_LINK_LIMIT):
            link = self._first_link(name)
            if link is None:
                return links, name if (self.path / name).exists() else None
            links.append(link)
            target = posixpath.join(posixpath.dirname(link), str((self.path / link).readlink()))
            name = posixpath.normpath("/" + target + name[len(link) :]).lstrip("/")
        raise infra(f"a symlink loop in the packages at {name}")

    def find(self, name: str) -> str:
        """`name`, or its twin in or out of /usr (suites differ), as far as it exists.

        Raises `RigError` when no package has it.
        """
        twin = name.removeprefix("usr/") if name.startswith("usr/") else f"usr/{name}"
        for candidate in (name, twin):
            if os.path.lexists(self.path / candidate):
                return candidate
        raise infra(
            f"the fetched packages have no /{name}",
            "a suite renamed it: refresh the packages or report this",
        )

    def closure(self, programs: list[str]) -> list[str]:
        """Programs with the links to them, their libraries and their loader; sorted."""
        wanted = [self.find(name) for name in programs]
        members: set[str] = set()
        while wanted:
            links, end = self.resolve(wanted.pop())
            members.update(links)
            if end is not None and end not in members:
                members.add(end)
                wanted += [self._library(name) for name in needed(self.path / end)]
        return sorted(members)

    def copy_into(self, cpio: CpioWriter, members: list[str]) -> None:
        """Add the members to an archive."""
        for name in members:
            path = self.path / name
            if path.is_symlink():
                cpio.add_symlink(name, str(path.readlink()))
            elif path.is_file():
                cpio.add_file(name, path.read_bytes(), path.stat().st_mode & 0o755)

    def _first_link(self, name: str) -> str | None:
        """The shortest leading part of `name` that is a symlink, but not /lib and the like."""
        parts = name.split("/")
        for count in range(1, len(parts) + 1):
            part = "/".join(parts[:count])
            if (self.path / part).is_symlink() and part not in ("bin", "lib", "sbin"):
                return part
        return None

    def _library(self, name: str) -> str:
        if name.startswith("/"):
            return self.find(name.lstrip("/"))
        for folder in _LIBRARY_FOLDERS:
            if os.path.lexists(self.path / folder / name):
                return f"{folder}/{name}"
        raise infra(f"no fetched package has the library {name}", "its dependencies changed")


def needed(path: Path) -> list[str]:
    """Library names and the loader (absolute) that an ELF file asks for; [] for other files."""
    with path.open("rb") as file:
        if file.read(4) != _ELF:
            return []
        elf = ELFFile(file)
        names = [
            # pyelftools gives a tag an attribute named after its type
            str(getattr(tag, "needed"))  # noqa: B009
            for section in elf.iter_sections()
            if isinstance(section, DynamicSection)
            for tag in section.iter_tags("DT_NEEDED")
        ]
        names += [
            segment.get_interp_name()
            for segment in elf.iter_segments()
            if isinstance(segment, InterpSegment)
        ]
        return names


def busybox_applets(binary: bytes) -> list[str]:
    """The names that a busybox answers to, from the table in its binary.

    The table is the sorted names with a NUL after each ("[" and "[[" come
    first) and an empty name at the end; running the arm64 binary is not needed.
    """
    match = re.search(rb"\0(\[\0\[\[\0(?:[\x21-\x7e]+\0)+)\0", binary)
    if match is None:
        raise infra("busybox has no table of applets where it used to be")
    return [name.decode() for name in match[1].split(b"\0") if name]
