# SPDX-License-Identifier: MIT
"""The guest ring's way to run `rig`."""

from __future__ import annotations

from tests.guest.conftest import kept, rig

__all__ = ["kept", "rig"]
