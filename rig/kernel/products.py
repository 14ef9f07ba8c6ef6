# SPDX-License-Identifier: MIT
"""What a build left in a kernel tree that is no git checkout: it is not part of the source."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

_ENDINGS = ("o", "ko", "a", "cmd", "mod", "mod.c", "order", "symvers")
_KNOWN = (
    *(f"**/*.{ending}" for ending in _ENDINGS),
    *(".config*", "include/config/**", "include/generated/**", "arch/*/include/generated/**"),
    *("vmlinux", "vmlinux.*", "System.map", "**/.tmp_*"),
)


def products(tree: Path) -> list[str]:
    """Globs of the build products in `tree`: known endings and places, and what kbuild noted."""
    return [*_KNOWN, *(_escaped(path) for path in _noted(tree))]


def _noted(tree: Path) -> Iterator[str]:
    """Host programs and generated sources: beside each product NAME kbuild left `.NAME.cmd`."""
    known = tuple(f".{ending}" for ending in _ENDINGS)
    for folder, _folders, files in os.walk(tree):
        notes = [n[1:-4] for n in files if n.startswith(".") and n.endswith(".cmd")]
        for name in set(notes).intersection(files):
            if not name.endswith(known):
                yield str(Path(folder, name).relative_to(tree))


def _escaped(path: str) -> str:
    """A path as a glob that matches only itself."""
    return re.sub(r"([*?\[\\])", r"\\\1", path)
