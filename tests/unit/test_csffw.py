# SPDX-License-Identifier: MIT
"""MCU firmware images: round trip, the manifest's contract, every variant, the user's file."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rig.artifacts.csffw import (
    VARIANTS,
    CsffwRecipe,
    Entry,
    Firmware,
    Flag,
    Image,
    Section,
    Variant,
    default_image,
    image_of,
    parse,
    variant,
)
from rig.artifacts.csffw_default import SUPPORTED, TEXT_VA, plain_sections
from rig.artifacts.csffw_format import PAGE, SHARED_VA
from rig.errors import FailureClass, RigError

NAMES = st.text("abcdefghijklmnopqrstuvwxyz_0123456789", min_size=0, max_size=40)
FLAGS = st.sampled_from(
    [Flag(bits) for bits in (0, 1, 3, 9, 0xB, 0xD, 0x13, 0x2B, 0x8000002B, 0x8000000B)]
)


@st.composite
def images(draw: st.DrawFn) -> Image:
    """Valid images: the shared section and some others, apart from each other."""
    sections = [Section("shared", SHARED_VA, 16 * PAGE, Flag(0xC000001B), draw(st.binary()))]
    for index in range(draw(st.integers(0, 5))):
        data = draw(st.binary(max_size=300))
        pages = draw(st.integers(0 if not data else 1, 4))
        va = 0x08000000 + index * 0x10000
        sections.append(Section(draw(NAMES), va, pages * PAGE, draw(FLAGS), data))
    words = st.binary(max_size=8).map(lambda b: b + bytes(-len(b) % 4))
    entries = st.builds(Entry, st.sampled_from([1, 2, 3, 4, 5, 9]), words, st.just(True))
    return Image(
        tuple(draw(st.permutations(sections))),
        tuple(draw(st.lists(entries, max_size=4))),
        draw(st.none() | NAMES),
        draw(st.integers(0, 255)),
        draw(st.integers(0, 2**32 - 1)),
    )


@given(images())
def test_round_trip(image: Image) -> None:
    assert parse(image.build()) == image


@given(st.binary(max_size=200), st.integers(0, 400))
def test_parser_refuses_or_accepts_but_never_breaks(noise: bytes, at: int) -> None:
    raw = bytearray(default_image())
    raw[at : at + len(noise)] = noise
    try:
        parse(bytes(raw))
    except RigError as error:
        assert error.failure is FailureClass.USAGE


@pytest.mark.parametrize("row", VARIANTS, ids=lambda row: row.name)
def test_variant_is_what_it_says(row: Variant) -> None:
    if row.loads:
        parse(row.build())
    else:
        with pytest.raises(RigError, match="not a valid MCU firmware image"):
            parse(row.build())
    assert row.build() != default_image()


def test_variant_names_are_unique_and_unknown_ones_refused() -> None:
    assert len({row.name for row in VARIANTS}) == len(VARIANTS)
    with pytest.raises(RigError, match="no firmware variant 'nope'"):
        variant("nope")


@pytest.mark.parametrize("arch", SUPPORTED)
def test_default_image(arch: str) -> None:
    image = parse(default_image(arch))
    protected = [s for s in image.sections if s.flags & Flag.PROT]
    assert [(s.va, s.size, int(s.flags), s.data) for s in protected] == [
        (0x03000000, 256 << 10, 0x2B, b"")
    ]
    assert image.build_info is not None
    assert default_image(arch) == default_image(arch)
    kernel_buffers = range(SHARED_VA + 0x10000, 0x08000000)
    assert not any(s.va in kernel_buffers or s.end in kernel_buffers[1:] for s in image.sections)


def test_unknown_architecture() -> None:
    with pytest.raises(RigError, match=r"architecture '9\.0'"):
        default_image("9.0")


def test_shared_section_is_the_public_layout() -> None:
    (shared,) = (s for s in parse(default_image()).sections if s.va == SHARED_VA)
    assert (shared.size, int(shared.flags), len(shared.data)) == (0x10000, 0xC000001B, 8192)

    def words(offset: int, count: int) -> tuple[int, ...]:
        return struct.unpack_from(f"<{count}I", shared.data, offset)

    assert words(0, 9) == (0, 0, 0x04002000, 0x04006000, 8, 0xA0, 0, 0x71, 1)
    csg7 = 0x1000 + 7 * 0xA0
    assert words(csg7, 7) == (0, 0x04003380, 0x040071C0, 0, 0, 8, 0xC)
    assert words(csg7 + 0x40 + 7 * 0xC, 3) == (0, 0x04003400 + 0x1F80, 0x04007200 + 0x3F00)


def memory_of(section: Section) -> bytes:
    """What a section's memory holds once a driver has loaded it, as far as it is defined."""
    if section.flags & Flag.ZERO:
        return section.data.ljust(section.size, b"\0")
    return section.data


@pytest.mark.parametrize("arch", SUPPORTED)
def test_manifest(arch: str) -> None:
    firmware = Firmware(0x04010002, 5, 0x72, 0x1000, 0x2000)
    image = parse(default_image(arch, firmware))
    (text,) = (s for s in image.sections if s.va == TEXT_VA)
    assert text.flags == Flag.RD | Flag.EX | Flag.CACHED
    head = struct.unpack_from("<8s8I", text.data)
    assert head == (b"MALIHLE\0", 1, 0x04010002, 5, 0x72, 0x1000, 0x2000, len(image.sections), 0)
    for index, section in enumerate(image.sections):
        record = struct.unpack_from("<16s8I", text.data, 0x28 + 48 * index)
        assert record[0].rstrip(b"\0").decode() == section.name
        assert record[1:4] == (section.va, section.size, section.flags)
        checked = section.name not in ("shared", "text", "prot")
        content = memory_of(section) if checked else b""
        assert record[4:] == (len(content), zlib.crc32(content), 0, 0, 0)


def test_manifest_leaves_out_what_cannot_be_mapped() -> None:
    for name, count in (("prot-empty", 5), ("prot-unaligned", 5), ("prot-several", 8)):
        raw = variant(name).build()
        at = raw.index(b"MALIHLE\0")
        assert struct.unpack_from("<I", raw, at + 0x20) == (count,)


def test_wrong_content_differs_from_the_manifest() -> None:
    vectors = parse(variant("wrong-content").build()).sections[0]
    (text,) = (s for s in parse(default_image()).sections if s.va == TEXT_VA)
    assert zlib.crc32(vectors.data) != struct.unpack_from("<I", text.data, 0x28 + 32)[0]


def test_recipe_takes_the_users_file_after_a_look(tmp_path: Path) -> None:
    good = tmp_path / "good.bin"
    good.write_bytes(image_of(plain_sections()).build())
    assert CsffwRecipe(override=good).content() == good.read_bytes()
    bad = tmp_path / "bad.bin"
    bad.write_bytes(b"not a firmware at all")
    with pytest.raises(RigError, match=r"bad\.bin: not a valid MCU firmware image: magic"):
        CsffwRecipe(override=bad).content()
    with pytest.raises(RigError, match="cannot read"):
        CsffwRecipe(override=tmp_path / "absent.bin").content()


def test_recipe_variant_and_parameters() -> None:
    assert CsffwRecipe(variant="no-prot").content() == variant("no-prot").build()
    assert CsffwRecipe().content() == default_image()
    other = CsffwRecipe("13.8", firmware=Firmware(interface=0x04010000))
    assert other.content() == default_image("13.8", Firmware(interface=0x04010000))
