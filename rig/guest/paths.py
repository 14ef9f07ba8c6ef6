# SPDX-License-Identifier: MIT
"""Paths in the guest, kept apart from paths here.

A `GuestPath` is not an `os.PathLike` and shares no base class with
`pathlib.Path`: handing one to `open()`, or a host path to a guest command, is a
type error instead of a file in the wrong machine.
"""

from __future__ import annotations

import posixpath
from dataclasses import dataclass

from rig.errors import usage


@dataclass(frozen=True, order=True)
class GuestPath:
    """An absolute path inside the guest; `str()` is what a guest command gets."""

    text: str

    def __post_init__(self) -> None:
        if not self.text.startswith("/"):
            raise usage(
                f"{self.text!r} is not an absolute path in the guest",
                "guest paths start with /",
            )
        object.__setattr__(self, "text", posixpath.normpath(self.text))

    def __truediv__(self, part: str) -> GuestPath:
        return GuestPath(posixpath.join(self.text, part))

    def __str__(self) -> str:
        return self.text

    @property
    def name(self) -> str:
        """The last component."""
        return posixpath.basename(self.text)

    @property
    def parent(self) -> GuestPath:
        """The folder that holds it."""
        return GuestPath(posixpath.dirname(self.text))
