# SPDX-License-Identifier: MIT
"""How command-stream instructions are encoded: fields, words and what they mean to each other.

An instruction is one 64-bit word, opcode in bits 63:56. The table itself is
`rig.gpu.cs.table`; this file turns words into field values and back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

ANY = 99
"""Upper end of a range of architectures that is still open."""
ARCHES = range(10, 15)
OPCODE_LOW = 56
WORD_BYTES = 8

FieldKind = Literal["reg", "pair", "uint", "hex", "int", "bits", "enum", "target"]


@dataclass(frozen=True)
class Field:
    """Bits of an instruction word.

    Kinds: `reg` a 32-bit register, `pair` a 64-bit register pair named by its first
    register, `uint` and `hex` unsigned (shown decimal or hexadecimal), `int` two's
    complement, `bits` unsigned but a negative number may be written, `enum` named
    values, `target` a signed distance in instructions from the next one.
    """

    name: str
    low: int
    bits: int
    kind: FieldKind = "uint"
    names: tuple[tuple[str, int], ...] = ()
    """Names of values, for `enum`."""
    default: int | None = None
    """What an operand that is left out means; None: it must be given, in its place."""
    min_arch: int = 10
    max_arch: int = ANY

    @property
    def signed(self) -> bool:
        """Whether the bits are two's complement."""
        return self.kind in ("int", "target")

    @property
    def mask(self) -> int:
        """The field's bits within the word."""
        return ((1 << self.bits) - 1) << self.low

    @property
    def limits(self) -> tuple[int, int]:
        """Least and greatest number that may be written."""
        if self.signed:
            return -(1 << (self.bits - 1)), (1 << (self.bits - 1)) - 1
        least = -(1 << (self.bits - 1)) if self.kind == "bits" else 0
        return least, (1 << self.bits) - 1

    def show(self, value: int) -> str:
        """A value as it is written."""
        if self.kind in ("reg", "pair"):
            return f"{'r' if self.kind == 'reg' else 'd'}{value}"
        if self.kind == "enum":
            return next((name for name, number in self.names if number == value), str(value))
        if self.kind in ("hex", "bits") and value > 9:
            return f"{value:#x}"
        return str(value)

    def get(self, word: int) -> int:
        """The field's value in `word`."""
        value = (word & self.mask) >> self.low
        return value - (1 << self.bits) if self.signed and value >> (self.bits - 1) else value

    def put(self, value: int) -> int:
        """`value` as bits of a word. It must be within `limits`."""
        return (value << self.low) & self.mask


@dataclass(frozen=True)
class Instruction:
    """One row of the table."""

    name: str
    opcode: int
    fields: tuple[Field, ...] = ()
    min_arch: int = 10
    max_arch: int = ANY
    old_name: str = ""
    """Row of older architectures whose words still mean the same: its name stays valid."""

    def on(self, arch: int) -> Instruction:
        """This row with the fields that `arch` has."""
        fields = tuple(f for f in self.fields if f.min_arch <= arch <= f.max_arch)
        return Instruction(
            self.name, self.opcode, fields, self.min_arch, self.max_arch, self.old_name
        )

    @property
    def operands(self) -> tuple[Field, ...]:
        """Fields that must be given, in the order in which they are written."""
        return tuple(f for f in self.fields if f.default is None)

    @property
    def options(self) -> tuple[Field, ...]:
        """Fields that may be left out; they are written `name=value`."""
        return tuple(f for f in self.fields if f.default is not None)

    @property
    def usage(self) -> str:
        """How the instruction is written."""
        words = [_SIGIL.get(f.kind, "") + f.name for f in self.operands]
        words += [f"[{f.name}={f.show(f.default or 0)}]" for f in self.options]
        return f"{self.name} {', '.join(words)}".rstrip()


_SIGIL = {"reg": "r:", "pair": "d:"}


def registers(arch: int) -> int:
    """Number of 32-bit registers of a stream."""
    return 96 if arch < 12 else 128


def encode(row: Instruction, values: Mapping[str, int]) -> int:
    """The word of an instruction; fields without a value are 0."""
    word = row.opcode << OPCODE_LOW
    for field in row.fields:
        word |= field.put(values.get(field.name, 0))
    return word


def register_limit(field: Field, arch: int) -> int:
    """Greatest register number of a `reg` or `pair` field."""
    return registers(arch) - (2 if field.kind == "pair" else 1)


def fits(row: Instruction, word: int, arch: int) -> bool:
    """Whether the row says everything about the word: no stray bit, no register that is not."""
    known = sum(field.mask for field in row.fields) | 0xFF << OPCODE_LOW
    return word & ~known == 0 and all(
        field.get(word) <= register_limit(field, arch)
        for field in row.fields
        if field.kind in ("reg", "pair")
    )
