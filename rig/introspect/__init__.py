# SPDX-License-Identifier: MIT
"""The driver's own state, read out of the guest's memory from outside (drgn, extra `introspect`).

`program` opens a guest or a vmcore, `driver` reads panthor's structures, `device` says what
the GPU reported, `view` lays both side by side.
"""

from __future__ import annotations

import importlib.util

from rig.errors import usage

NAME = "inspect.txt"
"""Where a failed scenario keeps what was found, in its guest's folder."""


def require() -> None:
    """Raise `RigError` (USAGE) without drgn: ask before importing the rest of this package."""
    if not available():
        raise usage("drgn is not installed", "`pip install drgn`, or `make` a new .venv")


def available() -> bool:
    """Whether drgn is there."""
    return importlib.util.find_spec("drgn") is not None
