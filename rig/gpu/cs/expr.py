# SPDX-License-Identifier: MIT
"""Tokens and expressions of the assembler, with the column of everything that can be wrong."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

_TOKEN = re.compile(
    r"\s*(?:(?P<number>0[xX][0-9a-fA-F_]+|0[bB][01_]+|[0-9][0-9_]*)(?![\w.])"
    r"|(?P<name>[A-Za-z_.$][\w.$]*)|(?P<symbol><<|>>|[-+*/%&|^~(),:=]))"
)
_COMMENT = re.compile(r";|//|#")
_MAX_DEPTH = 50
_MAX_BITS = 128
"""Far above any field; keeps a hostile source from building giant numbers."""

_LEVELS: tuple[tuple[str, ...], ...] = (
    ("|",), ("^",), ("&",), ("<<", ">>"), ("+", "-"), ("*", "/", "%"),
)  # fmt: skip


class SourceError(Exception):
    """Something is wrong at `column` (from 1) of the line that is being looked at."""

    def __init__(self, column: int, message: str) -> None:
        super().__init__(message)
        self.column = column
        self.message = message


@dataclass(frozen=True)
class Token:
    """A word of the source."""

    kind: str
    """`number`, `name` or `symbol`; `end` behind the last one."""
    text: str
    column: int


@dataclass(frozen=True)
class Value:
    """A number; `place` counts how often the program's start address is in it.

    A label has 1, a number and the difference of two labels have 0.
    """

    number: int
    place: int = 0


def tokens(line: str) -> list[Token]:
    """Words of a line without its comment, an `end` token last. Raises `SourceError`."""
    comment = _COMMENT.search(line)
    text = (line[: comment.start()] if comment else line).rstrip()
    found, position = [], 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            column = position + len(text[position:]) - len(text[position:].lstrip()) + 1
            raise SourceError(
                column, f"{text[column - 1 :].split()[0]!r} is no word of the language"
            )
        kind = str(match.lastgroup)
        found.append(Token(kind, match[kind], match.start(kind) + 1))
        position = match.end()
    return [*found, Token("end", "", len(text) + 1)]


class Cursor:
    """Reads tokens one after the other."""

    def __init__(self, words: list[Token]) -> None:
        self._words = words
        self._next = 0

    @property
    def peek(self) -> Token:
        """The next word."""
        return self._words[self._next]

    @property
    def after(self) -> Token:
        """The word behind the next one."""
        return self._words[min(self._next + 1, len(self._words) - 1)]

    def take(self) -> Token:
        """The next word, consumed."""
        token = self.peek
        self._next = min(self._next + 1, len(self._words) - 1)
        return token

    def accept(self, symbol: str) -> bool:
        """Consume `symbol` if it is next."""
        found = self.peek.kind == "symbol" and self.peek.text == symbol
        if found:
            self.take()
        return found

    def expect(self, symbol: str, where: str) -> None:
        """Consume `symbol`. Raises `SourceError` when something else is next."""
        if not self.accept(symbol):
            raise SourceError(self.peek.column, f"{symbol!r} expected {where}, not {self.shown}")

    @property
    def shown(self) -> str:
        """The next word for a message."""
        return repr(self.peek.text) if self.peek.kind != "end" else "the end of the line"


def expression(
    cursor: Cursor, symbols: Mapping[str, Value], level: int = 0, depth: int = 0
) -> Value:
    """Value of the expression that starts here. Raises `SourceError`."""
    if level == len(_LEVELS):
        return _unary(cursor, symbols, depth)
    left = expression(cursor, symbols, level + 1, depth)
    while cursor.peek.kind == "symbol" and cursor.peek.text in _LEVELS[level]:
        operator = cursor.take()
        left = _apply(operator, left, expression(cursor, symbols, level + 1, depth))
    return left


def _unary(cursor: Cursor, symbols: Mapping[str, Value], depth: int) -> Value:
    token = cursor.peek
    if depth > _MAX_DEPTH:
        raise SourceError(token.column, "the expression is nested too deeply")
    if cursor.accept("-"):
        return _apply(token, Value(0), _unary(cursor, symbols, depth + 1))
    if cursor.accept("+"):
        return _unary(cursor, symbols, depth + 1)
    if cursor.accept("~"):
        return Value(~_unary(cursor, symbols, depth + 1).number)
    if cursor.accept("("):
        inner = expression(cursor, symbols, 0, depth + 1)
        cursor.expect(")", "after the expression")
        return inner
    return _atom(cursor, symbols)


def _atom(cursor: Cursor, symbols: Mapping[str, Value]) -> Value:
    token = cursor.peek
    if token.kind == "number":
        return _checked(cursor.take(), number(token), 0)
    if token.kind != "name":
        raise SourceError(token.column, f"a number or a name expected, not {cursor.shown}")
    cursor.take()
    if token.text not in symbols:
        raise SourceError(token.column, f"{token.text!r} is not defined")
    return symbols[token.text]


def number(token: Token) -> int:
    """A number as Python and C write it. Raises `SourceError` for one like 0x_ or 08."""
    try:
        return int(token.text, 0)
    except ValueError as exc:
        raise SourceError(token.column, f"{token.text!r} is no number") from exc


def _apply(operator: Token, left: Value, right: Value) -> Value:
    symbol, a, b = operator.text, left.number, right.number
    if symbol in "/%" and b == 0:
        raise SourceError(operator.column, "division by zero")
    if symbol in ("<<", ">>") and not 0 <= b < _MAX_BITS:
        raise SourceError(operator.column, f"cannot shift by {b}")
    place = {"+": left.place + right.place, "-": left.place - right.place}.get(symbol, 0)
    return _checked(operator, _OPERATORS[symbol](a, b), place)


def _checked(token: Token, value: int, place: int) -> Value:
    if value.bit_length() > _MAX_BITS:
        raise SourceError(token.column, f"the number has more than {_MAX_BITS} bits")
    return Value(value, place)


_OPERATORS: dict[str, Callable[[int, int], int]] = {
    "|": lambda a, b: a | b,
    "^": lambda a, b: a ^ b,
    "&": lambda a, b: a & b,
    "<<": lambda a, b: a << b,
    ">>": lambda a, b: a >> b,
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a // b,
    "%": lambda a, b: a % b,
}
