# SPDX-License-Identifier: MIT
"""What the compiler said while a kernel was built, from kbuild's own output."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_OBJECT = re.compile(r"^\s+CC(?: \[M\])?\s+(\S+)\.o$", re.MULTILINE)
_WARNING = re.compile(r"^(\S+\.[ch]):\d+:(?:\d+:)? warning: (.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Compiled:
    """What one build compiled: kbuild leaves alone what did not change."""

    objects: frozenset[str] = frozenset()
    """Paths in the tree, without their suffix."""
    warnings: frozenset[tuple[str, str]] = frozenset()
    """File in the tree, and words. Line numbers move, so they do not count."""


def read(logs: Iterable[Path], source: Path) -> Compiled:
    """From some build logs; one that is gone tells nothing. `source`: the tree that was built."""
    text = "\n".join(log.read_text(errors="replace") for log in logs if log.exists())
    return Compiled(
        frozenset(_OBJECT.findall(text)),
        frozenset((_in_tree(file, source), words) for file, words in _WARNING.findall(text)),
    )


def _in_tree(file: str, source: Path) -> str:
    """kbuild names sources absolutely, or relative to its output folder beside the tree."""
    for prefix in (f"{source}/", f"../{source.name}/"):
        file = file.removeprefix(prefix)
    return file.removeprefix("./")
