# SPDX-License-Identifier: MIT
"""Key pairs of one run: the user's key and the guest's host key, both ed25519."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)


@dataclass(frozen=True)
class KeyPair:
    """An ed25519 key pair in OpenSSH's formats."""

    private: str
    """PEM text (``OPENSSH PRIVATE KEY``)."""
    public: str
    """One line, ``ssh-ed25519 AAAA…``, without a comment."""

    @classmethod
    def generate(cls) -> KeyPair:
        """A new key pair, in memory only."""
        key = Ed25519PrivateKey.generate()
        private = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
        public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
        return cls(private.decode(), public.decode())

    def save(self, path: Path) -> Path:
        """Write the private key with mode 0600, for the user's own ssh; returns `path`."""
        path.unlink(missing_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(self.private)
        return path
