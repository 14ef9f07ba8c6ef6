# SPDX-License-Identifier: MIT
"""Assembler for command streams: text to 64-bit words. The language: docs/cs-assembler.md."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rig.errors import usage
from rig.gpu.cs.expr import Cursor, SourceError, Token, Value, expression, tokens
from rig.gpu.cs.isa import ARCHES, WORD_BYTES, Field, Instruction, encode, register_limit
from rig.gpu.cs.table import by_name

_REGISTER = re.compile(r"([rd])([0-9]+)", re.IGNORECASE)
MAX_WORDS = 1 << 20
"""8 MiB: more is a mistake in an `.align`."""


@dataclass(frozen=True)
class _Statement:
    """What becomes words once all labels are known."""

    line: int
    head: Token
    cursor: Cursor
    index: int
    """Place in the program, words."""
    count: int
    """Words."""


def assemble(text: str, *, arch: int = 10, base: int = 0, name: str = "<source>") -> list[int]:
    """The words of a program.

    `base` is the GPU address of its first word, which labels start from; `name`
    is the file that messages talk of. Raises `RigError` (USAGE) that names file,
    line and column of the first mistake.
    """
    return _Assembler(arch, base, name).run(text)


class _Assembler:
    def __init__(self, arch: int, base: int, name: str) -> None:
        if arch not in ARCHES:
            raise usage(
                f"no architecture {arch}", f"one of: {', '.join(str(known) for known in ARCHES)}"
            )
        self._arch = arch
        self._base = base
        self._name = name
        self._symbols: dict[str, Value] = {}
        self._statements: list[_Statement] = []
        self._words = 0

    def run(self, text: str) -> list[int]:
        for number, line in enumerate(text.splitlines(), 1):
            with self._at(number):
                self._read(number, line)
        words: list[int] = []
        for statement in self._statements:
            with self._at(statement.line):
                words += self._emit(statement)
        return words

    @contextmanager
    def _at(self, line: int) -> Iterator[None]:
        try:
            yield
        except SourceError as exc:
            raise usage(
                f"{self._name}:{line}:{exc.column}: {exc.message}",
                "docs/cs-assembler.md; `rig cs list` has the table",
            ) from exc

    # ---- first pass: labels, constants, places
    def _read(self, line: int, text: str) -> None:
        cursor = Cursor(tokens(text))
        while cursor.peek.kind == "name" and cursor.after.text == ":":
            self._define(cursor.take(), Value(self._here, 1))
            cursor.take()
        if cursor.peek.kind == "end":
            return
        head = cursor.take()
        if head.kind != "name":
            raise SourceError(head.column, f"an instruction expected, not {head.text!r}")
        if cursor.accept("="):
            self._define(head, self._last(cursor))
        elif head.text in _DIRECTIVES:
            _DIRECTIVES[head.text](self, line, head, cursor)
        elif head.text.startswith("."):
            known = ", ".join(_DIRECTIVES)
            raise SourceError(head.column, f"no directive {head.text!r} (there are {known})")
        else:
            self._row(head)
            self._place(line, head, cursor)

    @property
    def _here(self) -> int:
        return self._base + self._words * WORD_BYTES

    def _define(self, token: Token, value: Value) -> None:
        if _REGISTER.fullmatch(token.text) or token.text.startswith("."):
            raise SourceError(token.column, f"{token.text!r} cannot be the name of a symbol")
        if token.text in self._symbols:
            raise SourceError(token.column, f"{token.text!r} is defined twice")
        self._symbols[token.text] = value

    def _place(self, line: int, head: Token, cursor: Cursor, count: int = 1) -> None:
        self._statements.append(_Statement(line, head, cursor, self._words, count))
        self._words += count
        if self._words > MAX_WORDS:
            raise SourceError(head.column, f"the program has more than {MAX_WORDS} words")

    def _last(self, cursor: Cursor) -> Value:
        value = expression(cursor, self._with_here(self._words))
        _end(cursor)
        return value

    def _with_here(self, index: int) -> dict[str, Value]:
        self._symbols["."] = Value(self._base + index * WORD_BYTES, 1)
        return self._symbols

    # ---- directives
    def _arch_directive(self, line: int, head: Token, cursor: Cursor) -> None:
        arch = self._last(cursor).number
        if arch not in ARCHES:
            raise SourceError(head.column, f"no architecture {arch}")
        if self._words:
            raise SourceError(head.column, ".arch must stand before the first instruction")
        self._arch = arch

    def _equ_directive(self, line: int, head: Token, cursor: Cursor) -> None:
        name = cursor.take()
        if name.kind != "name":
            raise SourceError(name.column, "a name expected after .equ")
        cursor.expect(",", f"after {name.text!r}")
        self._define(name, self._last(cursor))

    def _word_directive(self, line: int, head: Token, cursor: Cursor) -> None:
        self._place(line, head, cursor)

    def _align_directive(self, line: int, head: Token, cursor: Cursor) -> None:
        size = self._last(cursor).number
        if size < WORD_BYTES or size & (size - 1):
            raise SourceError(head.column, f"cannot align to {size}: give a power of two from 8 on")
        self._place(line, head, cursor, -self._here % size // WORD_BYTES)

    # ---- second pass
    def _emit(self, statement: _Statement) -> list[int]:
        if statement.head.text == ".align":
            return [0] * statement.count
        if statement.head.text == ".word":
            symbols = self._with_here(statement.index)
            column = statement.cursor.peek.column
            word = expression(statement.cursor, symbols).number
            _end(statement.cursor)
            return [_within(word, -(1 << 63), (1 << 64) - 1, "the word", column) & ((1 << 64) - 1)]
        return [self._instruction(statement)]

    def _row(self, head: Token) -> Instruction:
        row = by_name(self._arch).get(head.text.upper())
        if row is not None:
            return row
        others = [arch for arch in ARCHES if head.text.upper() in by_name(arch)]
        where = f"; arch {others[0]} to {others[-1]} have it" if others else ""
        raise SourceError(head.column, f"no instruction {head.text!r} on arch {self._arch}{where}")

    def _instruction(self, statement: _Statement) -> int:
        row, cursor = self._row(statement.head), statement.cursor
        values = {f.name: f.default for f in row.fields if f.default is not None}
        for number, field in enumerate(row.operands):
            if cursor.peek.kind != "end" and number:
                cursor.expect(",", f"({row.usage})")
            if cursor.peek.kind == "end":
                raise SourceError(cursor.peek.column, f"{field.name!r} is missing ({row.usage})")
            values[field.name] = self._operand(field, statement)
        given: set[str] = set()
        first = not row.operands
        while cursor.peek.kind != "end":
            if not first:
                cursor.expect(",", f"({row.usage})")
            first = False
            self._option(row, statement, values, given)
        return encode(row, values)

    def _option(
        self, row: Instruction, statement: _Statement, values: dict[str, int], given: set[str]
    ) -> None:
        name = statement.cursor.take()
        field = next((f for f in row.options if f.name == name.text.lower()), None)
        if field is None:
            raise SourceError(name.column, f"{name.text!r} is no operand here ({row.usage})")
        if field.name in given:
            raise SourceError(name.column, f"{field.name!r} is given twice")
        given.add(field.name)
        statement.cursor.expect("=", f"after {name.text!r}")
        values[field.name] = self._operand(field, statement)

    def _operand(self, field: Field, statement: _Statement) -> int:
        cursor, token = statement.cursor, statement.cursor.peek
        if field.kind in ("reg", "pair"):
            return self._register(field, cursor.take())
        if field.kind == "enum" and token.kind == "name":
            for name, number in field.names:
                if name.lower() == token.text.lower():
                    cursor.take()
                    return number
            if token.text not in self._symbols:
                known = ", ".join(name for name, _number in field.names)
                raise SourceError(
                    token.column, f"{token.text!r} is no {field.name} (there are {known})"
                )
        value = expression(cursor, self._with_here(statement.index))
        number = value.number
        if field.kind == "target" and value.place:
            number = _distance(number, self._base + (statement.index + 1) * WORD_BYTES, token)
        return _within(number, *field.limits, repr(field.name), token.column)

    def _register(self, field: Field, token: Token) -> int:
        match = _REGISTER.fullmatch(token.text)
        letter = "r" if field.kind == "reg" else "d"
        if match is None or match[1].lower() != letter:
            what = "a register (r0)" if letter == "r" else "a pair of registers (d0 is r0 and r1)"
            raise SourceError(token.column, f"{field.name!r} must be {what}, not {token.text!r}")
        limit = register_limit(field, self._arch)
        if int(match[2]) > limit:
            message = f"no register {token.text}: the last one on arch {self._arch} is"
            raise SourceError(token.column, f"{message} {letter}{limit}")
        return int(match[2])


_DIRECTIVES: dict[str, Callable[[_Assembler, int, Token, Cursor], None]] = {
    ".arch": _Assembler._arch_directive,
    ".equ": _Assembler._equ_directive,
    ".word": _Assembler._word_directive,
    ".align": _Assembler._align_directive,
}


def _end(cursor: Cursor) -> None:
    if cursor.peek.kind != "end":
        raise SourceError(cursor.peek.column, f"the end of the line expected, not {cursor.shown}")


def _distance(target: int, after: int, token: Token) -> int:
    if (target - after) % WORD_BYTES:
        raise SourceError(token.column, f"the target {target:#x} is no place of an instruction")
    return (target - after) // WORD_BYTES


def _within(value: int, least: int, most: int, what: str, column: int) -> int:
    if not least <= value <= most:
        raise SourceError(column, f"{what} is {value}, not within {least} to {most}")
    return value
