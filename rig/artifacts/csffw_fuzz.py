# SPDX-License-Identifier: MIT
"""Malformed MCU firmware images by the thousand: each a valid one with a few fields broken.

Structured: a number is replaced where the loader reads one (header, entries, ranges of
sections, build information, interface words), by values at the edges of what it may be.
The same seed gives the same images.

The loader bounds no section's size: one of 4 GiB makes the kernel ask for 4 GiB of pages.
That would end in the out-of-memory killer and says nothing about the parser, so that
images whose sections need more than `MOST_MEMORY` are left out.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from rig.artifacts.csffw_default import (
    FREE_VA,
    KIB,
    MIB,
    PROT_SECTION,
    TEXT_VA,
    control_blocks,
    pattern,
    plain_sections,
)
from rig.artifacts.csffw_format import (
    ALL_FLAGS,
    ENTRY_BUILD_INFO,
    ENTRY_CONFIG,
    ENTRY_SECTION,
    HEADER,
    MAX_ENTRY,
    PAGE,
    SECTION,
    SHARED_VA,
    Entry,
    Flag,
    Image,
    Section,
)

MOST_MEMORY = 32 * MIB
MOST_BROKEN = 3
"""Fields broken in one image, at most: more of them hide behind the first."""
WORD = struct.Struct("<I")


@dataclass
class _File:
    """A built image and where its parts are."""

    raw: bytearray
    entries: list[tuple[int, int]]
    """(offset, type) of each entry of the unbroken table."""
    shared: int
    """File offset of the shared section's data."""


_Break = Callable[[random.Random, _File], None]


def images(seed: int, count: int) -> Iterator[bytes]:
    """`count` broken images of the seed."""
    chance = random.Random(seed)
    while count:
        raw = _broken(chance)
        if memory(raw) <= MOST_MEMORY:
            count -= 1
            yield raw


def memory(raw: bytes) -> int:
    """Bytes that a loader allocates for the sections of a file, as far as it reads."""
    total, offset = 0, HEADER.size
    while offset + 4 + SECTION.size <= len(raw):
        (word,) = WORD.unpack_from(raw, offset)
        if word & 0xFF == ENTRY_SECTION:
            _, start, end, *_ = SECTION.unpack_from(raw, offset + 4)
            total += max(0, end - start)
        length = word >> 8 & 0xFF
        if length < 4 or length % 4:
            break
        offset += length
    return total


def _broken(chance: random.Random) -> bytes:
    file = _built(_layout(chance))
    for _ in range(chance.randint(1, MOST_BROKEN)):
        chance.choice(_BREAKS)(chance, file)
    return bytes(file.raw)


def _sections() -> list[Section]:
    """The default image with little data and without a manifest: the model demands nothing."""
    short = {s.name: replace(s, data=s.data[: 2 * KIB]) for s in plain_sections()}
    text = replace(short["text"], data=pattern("fuzz", KIB))
    shared = replace(short["shared"], data=control_blocks(10))
    return [*{**short, "text": text, "shared": shared}.values(), PROT_SECTION]


def _layout(chance: random.Random) -> Image:
    """Sections left out, doubled, moved or in another order, now and then."""
    sections = _sections()
    if chance.random() < 0.1:
        del sections[chance.randrange(len(sections))]
    if chance.random() < 0.1:
        sections.insert(chance.randrange(len(sections)), chance.choice(sections))
    if chance.random() < 0.1:
        chance.shuffle(sections)
    if chance.random() < 0.1:
        flags = Flag(chance.randrange(8) | chance.choice((0, Flag.PROT, Flag.ZERO)))
        sections += [
            Section(f"more{i}", FREE_VA + i * PAGE, PAGE, flags, pattern(f"more{i}", 16))
            for i in range(chance.choice((1, 7, 64)))
        ]
    name = "n" * chance.choice((0, 1, 4, MAX_ENTRY - 4 - SECTION.size))
    if chance.random() < 0.1:
        sections[0] = replace(sections[0], name=name)
    others = (Entry(ENTRY_CONFIG, WORD.pack(TEXT_VA) * 4, update=True), Entry(9, bytes(8)))
    return Image(tuple(sections), others, build_info="panthor-rig-fuzz")


def _built(image: Image) -> _File:
    raw = bytearray(image.build())
    entries, offset, shared = [], HEADER.size, 0
    (size,) = WORD.unpack_from(raw, HEADER.size - 4)
    while offset < size:
        (word,) = WORD.unpack_from(raw, offset)
        entries.append((offset, word & 0xFF))
        if word & 0xFF == ENTRY_SECTION:
            _, start, _, data, _ = SECTION.unpack_from(raw, offset + 4)
            shared = data if start == SHARED_VA else shared
        offset += word >> 8 & 0xFF
    return _File(raw, entries, shared)


def _poke(file: _File, offset: int, value: int) -> None:
    if offset + 4 <= len(file.raw):
        WORD.pack_into(file.raw, offset, value & 0xFFFFFFFF)


def _edge(chance: random.Random, now: int, size: int) -> int:
    """A number that a parser may get wrong: near what is there, near the file's end, extreme."""
    near = chance.choice((now, size, SHARED_VA, 0, 1 << 31, 1 << 32))
    return near + chance.choice((-PAGE, -4, -1, 0, 1, 2, 4, PAGE, chance.randrange(1 << 16)))


def _at(chance: random.Random, file: _File, offset: int) -> None:
    if offset + 4 <= len(file.raw):
        (now,) = WORD.unpack_from(file.raw, offset)
        _poke(file, offset, _edge(chance, now, len(file.raw)))


def _entry(chance: random.Random, file: _File, kind: int | None = None) -> int:
    """Offset of an entry, of one kind if there is one."""
    found = [offset for offset, is_ in file.entries if kind in (None, is_)]
    return chance.choice(found or [HEADER.size])


def _header(chance: random.Random, file: _File) -> None:
    _at(chance, file, chance.choice((0, 4, 8, 12, 16, 16, 16)))


def _range(chance: random.Random, file: _File) -> None:
    """One of the four ends of a section's ranges."""
    _at(chance, file, _entry(chance, file, ENTRY_SECTION) + 8 + 4 * chance.randrange(4))


def _flags(chance: random.Random, file: _File) -> None:
    bits = ALL_FLAGS if chance.random() < 0.8 else 0xFFFFFFFF
    _poke(file, _entry(chance, file, ENTRY_SECTION) + 4, chance.getrandbits(32) & bits)


def _kind(chance: random.Random, file: _File) -> None:
    at = _entry(chance, file)
    if at < len(file.raw):
        file.raw[at] = chance.choice((0, 1, 2, 3, 4, 5, 6, 7, 255))


def _length(chance: random.Random, file: _File) -> None:
    at = _entry(chance, file) + 1
    if at < len(file.raw):
        file.raw[at] = chance.choice((0, 1, 3, 4, 8, 20, 24, 28, 252, 255, chance.randrange(256)))


def _build_info(chance: random.Random, file: _File) -> None:
    _at(chance, file, _entry(chance, file, ENTRY_BUILD_INFO) + 4 + 4 * chance.randrange(2))


def _interface(chance: random.Random, file: _File) -> None:
    """A word of the control blocks: addresses, counts and strides of groups and streams."""
    words = [*range(2, 10), *(0x400 + word for word in range(64))]
    _at(chance, file, file.shared + 4 * chance.choice(words))


def _cut(chance: random.Random, file: _File) -> None:
    del file.raw[chance.randrange(len(file.raw) + 1) :]


def _noise(chance: random.Random, file: _File) -> None:
    table = min(len(file.raw), 512)
    for _ in range(chance.randint(1, 4)):
        if table:
            file.raw[chance.randrange(table)] ^= 1 << chance.randrange(8)


_BREAKS: tuple[_Break, ...] = (
    _header, _range, _range, _range, _flags, _kind, _length, _build_info, _interface, _interface,
    _cut, _noise,
)  # fmt: skip
