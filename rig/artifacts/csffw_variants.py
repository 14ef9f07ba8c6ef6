# SPDX-License-Identifier: MIT
"""Unusual and broken MCU firmware images, by name, for scenarios.

One table row a variant. Each is the default image with one thing changed, so
that what a driver does with it has one cause.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, replace

from rig.artifacts.csffw_default import (
    FREE_VA,
    KIB,
    MIB,
    PROT,
    PROT_SECTION,
    PROT_VA,
    TEXT_VA,
    image_of,
    pattern,
    plain_sections,
)
from rig.artifacts.csffw_format import HEADER, PAGE, SHARED_VA, Entry, Flag, Section
from rig.errors import usage


@dataclass(frozen=True)
class Variant:
    """One image that is not the default."""

    name: str
    what: str
    """What is unusual about it."""
    loads: bool
    """Whether the file keeps the rules of the format: a loader may still fail on its content."""
    build: Callable[[], bytes]


def _prot(*sections: Section) -> Callable[[], bytes]:
    """The default image with these protected sections instead of its own."""
    return lambda: image_of((*plain_sections(), *sections)).build()


def _section(name: str, **changes: object) -> Callable[[], bytes]:
    """The default image with attributes of one section changed."""

    def build() -> bytes:
        sections = (*plain_sections(), PROT_SECTION)
        changed = [replace(s, **changes) if s.name == name else s for s in sections]  # type: ignore[arg-type]
        return image_of(changed).build()

    return build


def _bytes(change: Callable[[bytearray], bytearray]) -> Callable[[], bytes]:
    """The default image's file after `change`."""
    return lambda: bytes(change(bytearray(_prot(PROT_SECTION)())))


def _poke(offset: int, fmt: str, value: int) -> Callable[[], bytes]:
    """The default image's file with one number in it replaced."""

    def change(raw: bytearray) -> bytearray:
        struct.pack_into(fmt, raw, offset, value)
        return raw

    return _bytes(change)


def _without_shared() -> bytes:
    return image_of((*(s for s in plain_sections() if s.va != SHARED_VA), PROT_SECTION)).build()


def _without_manifest() -> bytes:
    image = image_of((*plain_sections(), PROT_SECTION))
    sections = [
        replace(s, data=pattern(s.name, len(s.data))) if s.va == TEXT_VA else s
        for s in image.sections
    ]
    return replace(image, sections=tuple(sections)).build()


def _wrong_content() -> bytes:
    """One byte of the vectors is not what the manifest's checksum says."""
    image = image_of((*plain_sections(), PROT_SECTION))
    first = image.sections[0]
    broken = replace(first, data=bytes([first.data[0] ^ 1]) + first.data[1:])
    return replace(image, sections=(broken, *image.sections[1:])).build()


def _unknown_entry() -> bytes:
    image = image_of((*plain_sections(), PROT_SECTION))
    return replace(image, entries=(*image.entries, Entry(5, bytes(8), optional=False))).build()


def _bad_build_info() -> bytes:
    raw = bytearray(_prot(PROT_SECTION)())
    at = raw.rindex(b"git_sha: ")
    raw[at : at + 7] = b"gut_sha"
    return bytes(raw)


SMALL = replace(PROT_SECTION, size=64 * KIB)
OTHER = Section("prot_b", FREE_VA, 128 * KIB, PROT)
CODE = Section("prot_text", FREE_VA + MIB, PAGE, PROT & ~Flag.WR | Flag.EX)
HUGE = Section("prot_huge", FREE_VA, 32 * MIB, PROT)
FIRST_ENTRY = HEADER.size

VARIANTS = (
    Variant("no-prot", "no protected section: nothing to allocate", True, _prot()),
    Variant("prot-several", "three of different sizes", True, _prot(SMALL, OTHER, CODE)),
    Variant(
        "prot-zero",
        "PROT with ZERO: a loader that obeys ZERO writes to protected memory",
        True,
        _prot(replace(PROT_SECTION, flags=PROT | Flag.ZERO)),
    ),
    Variant(
        "prot-data",
        "PROT with data in the file: a loader that copies it writes to protected memory",
        True,
        _prot(replace(PROT_SECTION, data=pattern("prot", 64))),
    ),
    Variant(
        "prot-shared",
        "PROT with SHARED: a loader that vmaps shared sections maps protected memory",
        True,
        _prot(replace(PROT_SECTION, flags=PROT | Flag.SHARED)),
    ),
    Variant("prot-empty", "PROT of size 0", True, _prot(replace(PROT_SECTION, size=0))),
    Variant("prot-too-big", "PROT of 32 MiB: twice the pool", True, _prot(HUGE)),
    Variant(
        "prot-second-too-big",
        "two of 12 MiB: the pool holds the first only, which must be given back",
        True,
        _prot(replace(HUGE, size=12 * MIB), replace(HUGE, name="b", va=FREE_VA * 2, size=12 * MIB)),
    ),
    Variant(
        "prot-unaligned",
        "PROT at an address within a page",
        False,
        _prot(replace(PROT_SECTION, va=PROT_VA + 0x800)),
    ),
    Variant(
        "prot-overlap",
        "two PROT sections at one address",
        False,
        _prot(PROT_SECTION, replace(PROT_SECTION, name="prot_b")),
    ),
    Variant("unaligned", "a section within a page", False, _section("vectors", va=0x800)),
    Variant("unknown-flag", "flag bit 6", False, _section("vectors", flags=Flag(9) | 1 << 6)),
    Variant(
        "data-too-long", "more data than memory", False, _section("vectors", data=bytes(70000))
    ),
    Variant("no-shared", "no shared section", False, _without_shared),
    Variant(
        "shared-not-shared",
        "the interface section without SHARED",
        False,
        _section("shared", flags=Flag.RD | Flag.WR | Flag.CACHED_COHERENT | Flag.ZERO),
    ),
    Variant("wrong-magic", "another magic", False, _poke(0, "<I", 0xC3F13A6F)),
    Variant("wrong-major", "header version 1.x", False, _poke(5, "<B", 1)),
    Variant("header-past-end", "more entries than file", False, _poke(16, "<I", 1 << 24)),
    Variant(
        "truncated", "the last 1 KiB of the data missing", False, _bytes(lambda raw: raw[:-1024])
    ),
    Variant("truncated-header", "10 bytes", False, _bytes(lambda raw: raw[:10])),
    Variant("empty-file", "no bytes", False, lambda: b""),
    Variant("entry-unaligned", "an entry of 33 bytes", False, _poke(FIRST_ENTRY + 1, "<B", 33)),
    Variant("entry-of-0", "an entry of 0 bytes", False, _poke(FIRST_ENTRY + 1, "<B", 0)),
    Variant("unknown-entry", "an entry of type 5 that is not optional", False, _unknown_entry),
    Variant("bad-build-info", "build information without git_sha", True, _bad_build_info),
    Variant(
        "no-manifest",
        "no manifest: as a real image, the model knows no sections",
        True,
        _without_manifest,
    ),
    Variant("wrong-content", "one byte differs from the manifest's checksum", True, _wrong_content),
)


def variant(name: str) -> Variant:
    """The row called `name`. Raises `RigError` (USAGE) with the known names."""
    for row in VARIANTS:
        if row.name == name:
            return row
    raise usage(f"no firmware variant {name!r}", f"known: {', '.join(v.name for v in VARIANTS)}")
