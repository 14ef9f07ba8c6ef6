# SPDX-License-Identifier: MIT
"""The content of our MCU firmware image: sections, control blocks, manifest.

The layout is that of the distribution's images (public header fields only). The
MCU's code is not code: the device model plays the firmware. In its place stands
the manifest, which tells the model what the driver must have loaded where.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

from rig.artifacts.csffw_format import ENTRY_CONFIG, PAGE, SHARED_VA, Entry, Flag, Image, Section
from rig.errors import usage

KIB = 1024
MIB = 1024 * KIB
SUPPORTED = ("10.8", "10.10", "10.12", "11.8", "12.8", "13.8", "14.8")
"""Architectures that panthor of 7.3 knows a firmware path for (MODULE_FIRMWARE)."""

TEXT_VA = 0x00800000
RO_VA = 0x01000000
DATA_VA = 0x02000000
PROT_VA = 0x03000000
FREE_VA = 0x08000000
"""Behind the 64 MiB in which the driver places its own buffers."""
GROUPS = 8
STREAMS = 8

RO = Flag.RD | Flag.CACHED
RW = Flag.RD | Flag.WR | Flag.CACHED
PROT = RW | Flag.PROT
SHARED = Flag.RD | Flag.WR | Flag.CACHED_COHERENT | Flag.SHARED | Flag.ZERO

MANIFEST_MAGIC = b"MALIHLE\0"
MANIFEST_HEAD = struct.Struct("<8s8I")
MANIFEST_RECORD = struct.Struct("<16s7I4x")
MANIFEST_SECTIONS = 32


@dataclass(frozen=True)
class Firmware:
    """What our firmware says of itself; the words of the manifest's head."""

    interface: int = 0
    """Interface version, major << 24 | minor << 16 | patch; 0: what the GPU's row says."""
    features: int = 0
    instr_features: int = 0x71
    suspend_size: int = 0x3000
    """Bytes; unlike the next, so that a driver that takes the wrong one is caught."""
    protm_suspend_size: int = 0x5000


def manifest(firmware: Firmware, sections: Sequence[Section]) -> bytes:
    """The table of sections at `TEXT_VA` that the device model checks memory against.

    A record's data_size is the bytes from va on whose content is defined: 0 for
    the shared section (both sides write it), for protected ones (not readable)
    and for the manifest's own. Sections that cannot be mapped are left out.
    """
    known = [s for s in sections if s.size and not (s.va | s.size) % PAGE]
    head = MANIFEST_HEAD.pack(
        MANIFEST_MAGIC,
        1,
        firmware.interface,
        firmware.features,
        firmware.instr_features,
        firmware.suspend_size,
        firmware.protm_suspend_size,
        len(known),
        0,
    )
    return head + b"".join(map(_record, known))


def _record(section: Section) -> bytes:
    content = b"" if _unchecked(section) else section.data
    if section.flags & Flag.ZERO and not _unchecked(section):
        content = content.ljust(section.size, b"\0")
    name = section.name.encode()[:15]
    size, crc = len(content), zlib.crc32(content)
    return MANIFEST_RECORD.pack(name, section.va, section.size, section.flags, size, crc, 0, 0)


def _unchecked(section: Section) -> bool:
    return section.va == TEXT_VA or bool(section.flags & (Flag.PROT | Flag.SHARED))


def pattern(name: str, size: int) -> bytes:
    """`size` bytes that look random, the same every time, different for each `name`."""
    return hashlib.shake_128(f"panthor-rig {name}".encode()).digest(size)


def control_blocks(major: int) -> bytes:
    """Data of the shared section: where the interfaces are. Sizes and version are 0 till boot."""
    raw = bytearray(8192)
    glb = (0x2000, 0x6000, GROUPS, 0xA0, 0, 0x71, 1 if major == 10 else 2)
    _words(raw, 0x08, SHARED_VA + glb[0], SHARED_VA + glb[1], *glb[2:])
    for group in range(GROUPS):
        csg = 0x1000 + group * 0xA0
        _words(raw, csg + 4, SHARED_VA + 0x3000 + group * 0x80, SHARED_VA + 0x7000 + group * 0x40)
        _words(raw, csg + 0x14, STREAMS, 0xC)
        for stream in range(STREAMS):
            given = SHARED_VA + 0x3400 + group * 0x400 + stream * 0x80
            shown = SHARED_VA + 0x7200 + group * 0x800 + stream * 0x100
            _words(raw, csg + 0x40 + stream * 0xC + 4, given, shown)
    return bytes(raw)


def _words(raw: bytearray, offset: int, *words: int) -> None:
    struct.pack_into(f"<{len(words)}I", raw, offset, *words)


def plain_sections(major: int = 10) -> tuple[Section, ...]:
    """All sections of the default image but the protected one; no manifest yet."""
    data = pattern("data", 24 * KIB)
    extra = (Section("rodata", 0x00C00000, 64 * KIB, RO, pattern("rodata", 8 * KIB)),)
    return (
        Section("vectors", 0, 64 * KIB, RO, pattern("vectors", 124)),
        Section("text", TEXT_VA, 128 * KIB, RO | Flag.EX, pattern("text", 16 * KIB)),
        Section("data", DATA_VA, 256 * KIB, RW | Flag.ZERO, data),
        Section("data_ro", RO_VA, 256 * KIB, RO | Flag.ZERO, data),
        *(extra if major >= 12 else ()),
        Section("shared", SHARED_VA, 64 * KIB, SHARED, control_blocks(major)),
    )


PROT_SECTION = Section("prot", PROT_VA, 256 * KIB, PROT)


def with_manifest(sections: Sequence[Section], firmware: Firmware) -> tuple[Section, ...]:
    """`sections` with the manifest at the start of the section at `TEXT_VA`."""
    head = manifest(firmware, sections)
    return tuple(
        replace(s, data=head + s.data[len(head) :]) if s.va == TEXT_VA else s for s in sections
    )


def image_of(sections: Sequence[Section], firmware: Firmware | None = None) -> Image:
    """A complete image of these sections: manifest, build information, the usual other entries."""
    config = struct.pack("<III4s", DATA_VA, 0, 1, b"hle\0")
    sections = with_manifest(sections, firmware or Firmware())
    digest = hashlib.sha256(b"".join(s.data for s in sections)).hexdigest()
    return Image(
        sections,
        (
            Entry(ENTRY_CONFIG, config, optional=True, update=True),
            Entry(9, bytes(8), optional=True),  # a type that no driver knows, as in public images
        ),
        build_info=f"panthor-rig-{digest[:12]}",
    )


def default_image(arch: str = "10.8", firmware: Firmware | None = None) -> bytes:
    """The rig's firmware for GPUs of `arch`: one protected section of 256 KiB without data."""
    if arch not in SUPPORTED:
        raise usage(f"no firmware for architecture {arch!r}", f"known: {', '.join(SUPPORTED)}")
    major = int(arch.partition(".")[0])
    return image_of((*plain_sections(major), PROT_SECTION), firmware).build()
