# SPDX-License-Identifier: MIT
"""A serial console as bad as a real one: a shell whose every byte may be torn.

Behind a UNIX socket sits a real `sh -i` on a terminal of its own (so the echo and
the quoting are real). What it prints arrives in pieces of a few bytes, and whole
kernel lines fall in between, as printk does it on a shared UART. Standard library
only: the fake QEMU runs it in a bare interpreter.
"""

from __future__ import annotations

import os
import pty
import random
import socket
import subprocess
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

KERNEL_LINES = (
    "[    3.141592] panthor c000000.gpu: [drm] clock rate = 400000000",
    "[   12.000001] <not a marker:E 0> rig# and no prompt",
    "[12345.678901][  T118] Zm9vYmFy looks like base64",
)


class TornShell:
    """Serves one client after the other until `close`."""

    def __init__(
        self,
        path: Path,
        *,
        boot: str = "",
        seed: int = 0,
        tear: float = 0.3,
        log: Callable[[bytes], object] = lambda _data: None,
    ) -> None:
        self._random = random.Random(seed)
        self._tear = tear
        self._log = log
        self._boot = boot
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(str(path))
        self._server.listen()
        self._client: socket.socket | None = None
        self._closed = False
        self._go = threading.Event()
        self._master, slave = pty.openpty()
        self._shell = subprocess.Popen(
            ["setsid", "--ctty", "sh", "-i"],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env={"PS1": "rig# ", "PATH": os.environ.get("PATH", "/usr/bin:/bin")},
        )
        os.close(slave)
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def go(self) -> None:
        """Let it boot: QEMU's CPUs are stopped until `cont`."""
        self._go.set()

    def say(self, text: str) -> None:
        """Print on the console, untorn."""
        self._send(text.replace("\n", "\r\n").encode())

    def _accept(self) -> None:
        try:
            self._client, _ = self._server.accept()
        except OSError:
            return  # closed: nobody came
        typing = threading.Thread(target=self._type, daemon=True)
        self._threads.append(typing)
        typing.start()
        self._go.wait()
        self.say(self._boot)
        while data := self._printed():
            self._torn(data)
        self._hang_up()

    def _printed(self) -> bytes:
        try:
            return os.read(self._master, 4096)
        except OSError:
            return b""

    def _type(self) -> None:
        client = self._client
        with suppress(OSError):  # hung up by either end
            while client is not None and (data := client.recv(4096)):
                os.write(self._master, data)

    def _torn(self, data: bytes) -> None:
        while data:
            cut = self._random.randint(1, 9)
            self._send(data[:cut])
            data = data[cut:]
            if self._random.random() < self._tear:
                self._kernel_line(self._random.choice(KERNEL_LINES).encode() + b"\r\n")

    def _kernel_line(self, line: bytes) -> None:
        cut = self._random.randint(1, len(line) - 1)  # also a kernel line comes in pieces
        self._send(line[:cut])
        self._send(line[cut:])

    def _send(self, data: bytes) -> None:
        self._log(data)
        try:
            if self._client is not None:
                self._client.sendall(data)
        except OSError:
            return  # the client left; a UART does not mind

    def _hang_up(self) -> None:
        with suppress(OSError):  # nobody is there, or not any more
            if self._client is not None:
                self._client.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """End the shell, hang up, and wait for the threads: nothing is left behind."""
        self._shell.kill()
        self._shell.wait()
        self._go.set()
        with suppress(OSError):  # once is enough
            self._server.shutdown(socket.SHUT_RDWR)
        self._hang_up()
        for thread in self._threads:
            thread.join()
        self._server.close()
        if self._client is not None:
            self._client.close()
        if not self._closed:
            self._closed = True
            os.close(self._master)
