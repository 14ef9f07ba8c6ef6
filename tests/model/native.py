# SPDX-License-Identifier: MIT
"""The core outside of QEMU: its makefile's targets, built in a folder of this checkout's own."""

from __future__ import annotations

import subprocess
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rig.paths import REPO
from rig.store import Store

CORE = REPO / "qemu_models" / "core"


class MakeError(Exception):
    """The core's makefile failed; the message ends with what it said."""


@contextmanager
def made(*targets: str) -> Iterator[Path]:
    """The object folder after `make TARGET...`; nobody else builds there meanwhile.

    make goes by modification times, so two checkouts must not share objects.
    """
    name = f"core-{zlib.crc32(str(REPO).encode()):08x}"
    store = Store()
    with store.lock(name):
        objects = store.work(name)
        make(objects, *targets)
        yield objects


def make(objects: Path, *targets: str) -> str:
    """What `make TARGET...` printed. Raises `MakeError`."""
    argv = ["make", "-s", "-j2", "-C", str(CORE), *targets, f"O={objects}"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise MakeError(done.stdout[-3000:] + done.stderr[-3000:])
    return done.stdout
