# SPDX-License-Identifier: MIT
"""A line-based conversation with QEMU over a socket pair; every wait has a deadline."""

from __future__ import annotations

import socket
from typing import IO

TIMEOUT_S = 20.0


class QTestError(Exception):
    """QEMU refused a command, died, or did not answer in time."""


class Channel:
    """One line-based conversation over one end of a socket pair."""

    def __init__(self) -> None:
        self._ours, self.theirs = socket.socketpair()
        self._ours.settimeout(TIMEOUT_S)
        self._in: IO[str] = self._ours.makefile("r", newline="\n")

    def send(self, line: str) -> None:
        try:
            self._ours.sendall(f"{line}\n".encode())
        except OSError as exc:
            raise QTestError("QEMU is gone") from exc

    def receive(self) -> str:
        """Next line; raises `QTestError` when QEMU is gone or silent."""
        try:
            line = self._in.readline()
        except TimeoutError as exc:
            raise QTestError(f"no answer from QEMU in {TIMEOUT_S} s") from exc
        except OSError:  # reset by a peer that died with our words unread
            line = ""
        if not line:
            raise QTestError("QEMU is gone")
        return line.strip()

    def close(self) -> None:
        self._in.close()
        self._ours.close()
        self.theirs.close()
