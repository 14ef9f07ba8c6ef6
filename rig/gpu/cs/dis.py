# SPDX-License-Identifier: MIT
"""Disassembler: 64-bit words to lines that the assembler turns into the same words."""

from __future__ import annotations

from collections.abc import Sequence

from rig.gpu.cs.isa import WORD_BYTES
from rig.gpu.cs.table import lookup

DEFAULT_ARCH = 10


def instruction(word: int, arch: int = DEFAULT_ARCH, target: str | None = None) -> str:
    """One word as one line; what the table cannot say becomes `.word`.

    `target` is the label of the place a branch goes to; without it the distance
    is written as a number.
    """
    row = lookup(word, arch)
    if row is None:
        return f".word 0x{word:016x}"
    words = []
    for field in row.operands:
        text = target if field.kind == "target" else None
        words.append(text or field.show(field.get(word)))
    words += [
        f"{field.name}={field.show(field.get(word))}"
        for field in row.options
        if field.get(word) != field.default
    ]
    return f"{row.name} {', '.join(words)}".rstrip()


def listing(
    words: Sequence[int], arch: int = DEFAULT_ARCH, *, base: int = 0, addresses: bool = False
) -> str:
    """A program; branches within it get labels.

    `addresses` adds each word and its place from `base` on as a comment.
    """
    places = [_target(word, index, arch) for index, word in enumerate(words)]
    labels = {place for place in places if place is not None and 0 <= place <= len(words)}
    lines = [f".arch {arch}"] if arch != DEFAULT_ARCH else []
    for index, word in enumerate(words):
        if index in labels:
            lines.append(f"L{index}:")
        place = places[index]
        text = instruction(word, arch, f"L{place}" if place in labels else None)
        if addresses:
            text = f"{text:<50} ; {base + index * WORD_BYTES:#x}: {word:016x}"
        lines.append(f"    {text}")
    if len(words) in labels:
        lines.append(f"L{len(words)}:")
    return "".join(f"{line}\n" for line in lines)


def _target(word: int, index: int, arch: int) -> int | None:
    row = lookup(word, arch)
    for field in row.fields if row is not None else ():
        if field.kind == "target":
            return index + 1 + field.get(word)
    return None
