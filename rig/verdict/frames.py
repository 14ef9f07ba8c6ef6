# SPDX-License-Identifier: MIT
"""Where in the driver an oops happened: function, file and line, from the built module.

The program counter of an oops often stands in a helper such as memset(), which keeps
no frame of its own: then the link register has the driver's function, and only after
it the call trace. Return addresses are looked up one instruction earlier, which is the
call.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

CROSS = "aarch64-linux-gnu-"
_FRAME = re.compile(
    r"^(?:(?P<register>pc|lr) :)? (?P<function>[\w.]+)\+(?P<offset>0x[\da-f]+)/0x[\da-f]+"
    r"(?: \[(?P<module>\w+)\])?"
)
_INSTRUCTION = 4
"""Bytes."""


@dataclass(frozen=True)
class Frame:
    """One place of a kernel's report."""

    function: str
    offset: int
    module: str
    returns: bool
    """A return address: the call is the instruction before it."""


def culprit(lines: Sequence[str], module: str = "panthor") -> Frame | None:
    """The first place in `module` that a report names: pc, then lr, then the call trace."""
    return next((frame for frame in map(_frame, lines) if frame and frame.module == module), None)


def _frame(line: str) -> Frame | None:
    match = _FRAME.match(line)
    if match is None:
        return None
    returns = match["register"] != "pc"
    return Frame(match["function"], int(match["offset"], 16), match["module"] or "", returns)


def place(frame: Frame, module: Path) -> str:
    """``function (drivers/…/file.c:12)``; the function alone where the module has no lines.

    `module` is the unstripped file. Its functions lie in sections that all start at 0.
    """
    for words in _table(module):
        if words[0] == frame.function and words[2] in ("t", "T"):
            address = int(words[1], 16) + frame.offset - (_INSTRUCTION if frame.returns else 0)
            line = _line(module, words[-1], address)
            return f"{frame.function} ({line})" if line else frame.function
    return frame.function


def _table(module: Path) -> list[list[str]]:
    """Symbols: name, value, class, type, size, line, section."""
    text = _run("nm", "--format=sysv", str(module))
    return [[word.strip() for word in line.split("|")] for line in text.splitlines() if "|" in line]


def _line(module: Path, section: str, address: int) -> str:
    said = _run("addr2line", "-e", str(module), "-j", section, hex(address)).split()
    return re.sub(r"^.*/(?=drivers/)", "", said[0]) if said and "?" not in said[0] else ""


def _run(tool: str, *arguments: str) -> str:
    done = subprocess.run(
        [CROSS + tool, *arguments], capture_output=True, text=True, check=False, timeout=30
    )
    return done.stdout
