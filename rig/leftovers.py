# SPDX-License-Identifier: MIT
"""What a guest needs in its run's folder while it runs, and nobody afterwards.

A janitor removes it, also when the rig is killed; when that was killed too (a container's
end, a power cut), the next run does. Logs and records stay.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

INITRD = "initrd.cpio"
RAM = "ram"
SOCKETS = "sockets"
"""A link to the folder of the guest's sockets, whose path is short."""
SOCKET_PREFIX = "rig-"
SCRATCH = ".new"
"""Suffix of a record that is being written."""


def sweep(folder: Path) -> None:
    """Remove what is left of a run that is over."""
    for path, folders, files in os.walk(folder):
        for name in (*folders, *files):
            left = Path(path, name)
            if name == SOCKETS and left.is_symlink():
                target = left.readlink()
                if target.name.startswith(SOCKET_PREFIX):
                    shutil.rmtree(target, ignore_errors=True)
                left.unlink(missing_ok=True)
            elif name in (INITRD, RAM) or left.suffix == SCRATCH:
                left.unlink(missing_ok=True)
