# SPDX-License-Identifier: MIT
"""What gdb is told: files, where the sources are, the stub, breakpoints."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Sequence
from pathlib import Path

from rig.errors import usage
from rig.kernel.repo import PANTHOR
from rig.paths import REPO
from rig.testbed import TestBed

GDB = "gdb-multiarch"
_SCRIPT = REPO / "rig" / "debug" / "symbols.py"


def write(
    bed: TestBed, folder: Path, stub: Path, breaks: Sequence[str], *, secure: bool = False
) -> Path:
    """Write gdb's start-up file into `folder`, with the driver's sources as they were built.

    The worktree that the kernel was built in holds another state by now: panthor's folder
    is taken out of the tree under test, by its id. Raises `RigError` (USAGE) for a
    breakpoint with a line break in it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for place in breaks:
        if "\n" in place:
            raise usage(f"{place!r} is no place for a breakpoint")
    sources = _export(bed, folder / "src")
    modules = [str(bed.modules), str(bed.image / "modules")]
    lines = [
        "set breakpoint pending on",
        f"set substitute-path {bed.repo.worktree / PANTHOR} {sources / PANTHOR}",
        f"file {bed.image / 'vmlinux'}",
        *(_secure_world(bed) if secure else []),
        f"target remote {stub}",
        f"source {_SCRIPT}",
        f"python start({modules!r})",
        *(f"break {place}" for place in breaks),
    ]
    path = folder / "init.gdb"
    path.write_text("\n".join(lines) + "\n")
    return path


def _secure_world(bed: TestBed) -> list[str]:
    return [f"add-symbol-file {bed.firmware / name}" for name in ("tee.elf", "bl31.elf")]


def _export(bed: TestBed, target: Path) -> Path:
    """The driver's folder of the tree under test."""
    archive = bed.repo.archive(bed.tree, PANTHOR)
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        for member in tar:
            if (content := tar.extractfile(member)) is not None:
                path = target / member.name  # git knows no name that leads out of the tree
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content.read())
                os.utime(path, (0, 0))  # older than what was built from it: gdb compares
    return target


def argv(init: Path, more: Sequence[str] = ()) -> list[str]:
    """gdb's command line."""
    return [GDB, "-q", "-x", str(init), *more]
