# SPDX-License-Identifier: MIT
"""What `rig-resume` in the guest reads (guest/clients/resume.c): files for a restored guest."""

from __future__ import annotations

import struct
from collections.abc import Mapping


def pack(files: Mapping[str, tuple[bytes, int]]) -> bytes:
    """Absolute guest path → (content, permission bits), as one stream."""
    parts: list[bytes] = []
    for path, (content, mode) in files.items():
        name = path.encode()
        parts += [struct.pack("<III", len(name), mode, len(content)), name, content]
    return b"".join(parts)
