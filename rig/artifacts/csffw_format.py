# SPDX-License-Identifier: MIT
"""MCU firmware images (`mali_csffw.bin`): writer, and reader with the drivers' rules.

The format is what panthor's loader (panthor_fw.c) and tyr's (fw/parser.rs) of
Linux 7.3 accept; all words are little endian. A header of 20 bytes, a table of
entries behind it, then the data that the entries point at by file offset. What
goes into our images stands in `csffw_images`.
"""

from __future__ import annotations

import enum
import itertools
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from rig.errors import RigError, usage

MAGIC = 0xC3F13A6E
PAGE = 4096
SHARED_VA = 0x04000000
HEADER = struct.Struct("<IBBHIII")
"""magic, minor, major, pad, version hash, pad, size of header and entries."""
SECTION = struct.Struct("<5I")
"""flags, va start, va end, data start, data end."""
ENTRY_SECTION = 0
ENTRY_CONFIG = 1
ENTRY_TRACE_BUFFER = 3
ENTRY_BUILD_INFO = 6
KNOWN_ENTRIES = frozenset({0, 1, 2, 3, 4, 6})
ENTRY_UPDATE = 1 << 30
ENTRY_OPTIONAL = 1 << 31
MAX_ENTRY = 252
"""The size field has 8 bits and must be a multiple of 4."""
GIT_SHA = b"git_sha: "


class Flag(enum.IntFlag):
    """Section flags. CACHE_MODE is a field of two bits: 0 is uncached."""

    RD = 1 << 0
    WR = 1 << 1
    EX = 1 << 2
    CACHED = 1 << 3
    UNCACHED_COHERENT = 2 << 3
    CACHED_COHERENT = 3 << 3
    PROT = 1 << 5
    SHARED = 1 << 30
    ZERO = 1 << 31


CACHE_MODE = Flag.CACHED_COHERENT
ALL_FLAGS = int(Flag.RD | Flag.WR | Flag.EX | CACHE_MODE | Flag.PROT | Flag.SHARED | Flag.ZERO)


@dataclass(frozen=True)
class Section:
    """A range of the MCU's address space and what the driver puts there."""

    name: str
    va: int
    size: int
    """Bytes; the driver wants whole pages."""
    flags: Flag
    data: bytes = b""
    """Content from `va` on; what follows is zeroed with ZERO, else left as it is."""

    @property
    def end(self) -> int:
        """First address behind the section."""
        return self.va + self.size


@dataclass(frozen=True)
class Entry:
    """An entry that is neither a section nor build information."""

    kind: int
    payload: bytes
    """A multiple of 4 bytes."""
    optional: bool = True
    update: bool = False


@dataclass(frozen=True)
class Image:
    """A whole firmware image. `build` checks nothing: broken images are wanted too."""

    sections: tuple[Section, ...]
    entries: tuple[Entry, ...] = ()
    build_info: str | None = None
    """What the driver prints as "Firmware git sha"."""
    minor: int = 3
    version_hash: int = 0

    def build(self) -> bytes:
        """The file."""
        size = HEADER.size + sum(map(_section_size, self.sections))
        size += sum(4 + len(entry.payload) for entry in self.entries)
        size += 12 if self.build_info is not None else 0
        table, blob = bytearray(), bytearray()

        def place(data: bytes) -> int:
            blob.extend(bytes(-len(blob) % 4))
            blob.extend(data)
            return size + len(blob) - len(data)

        for section in self.sections:
            table += _section_entry(section, place(section.data) if section.data else 0)
        for entry in self.entries:
            table += _header(entry.kind, entry.payload, entry.optional, entry.update)
        if self.build_info is not None:
            text = GIT_SHA + self.build_info.encode() + b"\0"
            table += _header(ENTRY_BUILD_INFO, struct.pack("<II", place(text), len(text)), True)
        head = HEADER.pack(MAGIC, self.minor, 0, 0, self.version_hash, 0, size)
        return bytes(head + table + blob)


def parse(raw: bytes) -> Image:
    """Read an image as the drivers do, with the stricter rule where the two differ.

    Raises `RigError` (USAGE) with the reason when a driver would refuse it. A
    PROT section is held to the rules of any other, though 7.3 skips it unread.
    """
    if len(raw) < HEADER.size:
        raise _bad("the file is too short for a header")
    magic, minor, major, pad1, version_hash, pad2, size = HEADER.unpack_from(raw)
    if magic != MAGIC:
        raise _bad(f"magic {magic:#010x}, not {MAGIC:#010x}")
    if major != 0:
        raise _bad(f"header version {major}.{minor}, not 0.x")
    if pad1 or pad2:
        raise _bad("the padding of the header is not zero (tyr refuses it)")
    if size > len(raw):
        raise _bad(f"truncated: header and entries have {size} bytes, the file {len(raw)}")
    sections: list[Section] = []
    others: list[Entry] = []
    build_info: str | None = None
    for entry in _entries(raw, size):
        if entry.kind == ENTRY_SECTION:
            sections.append(_parse_section(raw, entry.payload))
        elif entry.kind == ENTRY_BUILD_INFO and build_info is None:
            build_info = _parse_build_info(raw, entry.payload)
        elif entry.kind in KNOWN_ENTRIES or entry.optional:
            others.append(entry)
        else:
            raise _bad(f"entry of unknown type {entry.kind} that is not optional")
    _check_layout(sections)
    return Image(tuple(sections), tuple(others), build_info, minor, version_hash)


def _section_size(section: Section) -> int:
    return 4 + SECTION.size + len(_name(section))


def _name(section: Section) -> bytes:
    raw = section.name.encode()
    return raw + bytes(-len(raw) % 4)


def _header(kind: int, payload: bytes, optional: bool = False, update: bool = False) -> bytes:
    word = kind | (4 + len(payload)) << 8
    word |= (ENTRY_OPTIONAL if optional else 0) | (ENTRY_UPDATE if update else 0)
    return struct.pack("<I", word) + payload


def _section_entry(section: Section, offset: int) -> bytes:
    data_end = offset + len(section.data)
    body = SECTION.pack(section.flags, section.va, section.end, offset, data_end)
    return _header(ENTRY_SECTION, body + _name(section))


def _entries(raw: bytes, size: int) -> Iterator[Entry]:
    offset = HEADER.size
    while offset < size:
        if offset + 4 > size:
            raise _bad(f"the entry at {offset:#x} does not fit into the header area")
        (word,) = struct.unpack_from("<I", raw, offset)
        length = word >> 8 & 0xFF
        if offset % 4 or length % 4 or length < 4:
            raise _bad(f"entry not 32-bit aligned: offset {offset:#x}, size {length:#x}")
        if offset + length > size:
            raise _bad(f"the entry at {offset:#x} does not fit into the header area")
        payload = raw[offset + 4 : offset + length]
        yield Entry(word & 0xFF, payload, bool(word & ENTRY_OPTIONAL), bool(word & ENTRY_UPDATE))
        offset += length


def _parse_section(raw: bytes, payload: bytes) -> Section:
    if len(payload) < SECTION.size:
        raise _bad("a section's entry is too short")
    flags, va, va_end, start, end = SECTION.unpack_from(payload)
    name = payload[SECTION.size :].rstrip(b"\0").decode("ascii", errors="replace")
    label = f"section {name!r} at {va:#x}"
    if end < start or va_end < va:
        raise _bad(f"{label}: a range ends before it starts")
    if end > len(raw):
        raise _bad(f"{label}: data ends at {end:#x}, the file at {len(raw):#x}")
    if va % PAGE or va_end % PAGE:
        raise _bad(f"{label}: not page aligned ({va:#x}-{va_end:#x})")
    if flags & ~ALL_FLAGS:
        raise _bad(f"{label}: unsupported flags {flags & ~ALL_FLAGS:#x}")
    if va == SHARED_VA and not flags & Flag.SHARED:
        raise _bad(f"{label}: must have the flag SHARED")
    if end - start > va_end - va:
        raise _bad(f"{label}: {end - start} bytes of data in {va_end - va} of memory")
    return Section(name, va, va_end - va, Flag(flags), raw[start:end])


def _parse_build_info(raw: bytes, payload: bytes) -> str | None:
    """The git sha, or None where panthor goes on without it."""
    if len(payload) < 8:
        raise _bad("the build information's entry is too short")
    start, length = struct.unpack_from("<II", payload)
    text = raw[start : start + length]
    if len(text) != length or not text.startswith(GIT_SHA) or not text.endswith(b"\0"):
        return None
    return text[len(GIT_SHA) : -1].decode("ascii", errors="replace")


def _check_layout(sections: list[Section]) -> None:
    """What only all sections together show. Two at one address: no VA for the second."""
    loaded = sorted((s for s in sections if s.size), key=lambda s: s.va)
    if not any(s.va == SHARED_VA and not s.flags & Flag.PROT for s in loaded):
        raise _bad(f"no shared section at {SHARED_VA:#x}")
    for low, high in itertools.pairwise(loaded):
        if high.va < low.end:
            raise _bad(f"sections {low.name!r} and {high.name!r} overlap at {high.va:#x}")


def _bad(reason: str) -> RigError:
    return usage(
        f"not a valid MCU firmware image: {reason}", "panthor and tyr would refuse to load it"
    )
