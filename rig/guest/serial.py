# SPDX-License-Identifier: MIT
"""The byte stream of the console UART: drained at all times, kernel lines apart.

The kernel writes its log lines on the same UART as the shell, in the middle of
whatever is being printed. printk holds the port's lock for a whole line, so a
kernel line is never torn itself; it tears everything else. `KernelLines` takes
the lines out (they carry a timestamp, `printk.time=1`) and thereby heals the rest.
"""

from __future__ import annotations

import queue
import re
import socket
import struct
import termios
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from fcntl import ioctl
from pathlib import Path
from typing import TYPE_CHECKING

from pexpect.exceptions import EOF, TIMEOUT
from pexpect.spawnbase import SpawnBase

from rig.errors import FailureClass, RigError

if TYPE_CHECKING:
    _SpawnBase = SpawnBase[bytes]
else:
    _SpawnBase = SpawnBase  # generic in its stubs only

TAIL_BYTES = 4096
_LOOK_S = 0.01
# printk's header is "<%u>[%5lu.%06lu]": print_syslog() and print_time() in
# kernel/printk/printk.c. The level is there with console_msg_format=syslog alone.
_HEADER = re.compile(rb"(?:<\d{1,3}>)?\[[ \d]{4}\d{1,8}\.\d{6}\]")
_HEADER_START = re.compile(rb"(?:<\d{0,3}|(?:<\d{1,3}>)?(?:\[[ \d]{0,12}(?:\.\d{0,6})?)?)\Z")
_MAY_START = re.compile(rb"[<\[]")


class KernelLines:
    """Splits the stream into what the tty printed and what the kernel logged.

    The split does not depend on how the stream was cut into chunks.
    """

    def __init__(self) -> None:
        self._held = b""

    def feed(self, chunk: bytes) -> tuple[bytes, list[str]]:
        """Tty bytes and complete kernel lines that `chunk` brought."""
        data, tty, lines = self._held + chunk, bytearray(), []
        while data:
            found = _MAY_START.search(data)
            if found is None:
                tty += data
                data = b""
                break
            tty += data[: found.start()]
            data = data[found.start() :]
            if _HEADER.match(data):
                line, newline, rest = data.partition(b"\n")
                if not newline:
                    break  # the rest of the kernel's line is still to come
                lines.append(line.decode(errors="replace").rstrip("\r"))
                data = rest
            elif _HEADER_START.match(data):
                break  # may become a header: decide when more is here
            else:
                tty += data[:1]
                data = data[1:]
        self._held = data
        return bytes(tty), lines


class SerialStream(_SpawnBase):
    """The console's UNIX socket as something to `expect` on.

    A thread reads the socket whether or not anybody waits: QEMU would stop the
    guest's CPUs when nobody did.
    """

    def __init__(self, path: Path, on_kernel_line: Callable[[str], None] = lambda _l: None) -> None:
        super().__init__(timeout=None)
        self.delayafterread = None
        self._socket = socket.socket(socket.AF_UNIX)
        try:
            self._socket.connect(str(path))
        except OSError as exc:
            self._socket.close()
            raise RigError(
                FailureClass.LOST, f"the console socket {path} does not answer: {exc.strerror}"
            ) from exc
        self.closed = False
        self._on_kernel_line = on_kernel_line
        self._queue: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._tail = bytearray()
        self._tap: Callable[[bytes], None] | None = None
        self.ended = threading.Event()
        self._pump = threading.Thread(target=self._drain, name="console", daemon=True)
        self._pump.start()

    def _drain(self) -> None:
        splitter = KernelLines()
        while chunk := self._receive():
            if (tap := self._tap) is not None:
                tap(chunk)
            self._tail = (self._tail + chunk)[-TAIL_BYTES:]
            tty, lines = splitter.feed(chunk)
            for line in lines:
                self._on_kernel_line(line)
            if tty:
                self._queue.put(tty)
        self.ended.set()
        self._queue.put(b"")

    def _receive(self) -> bytes:
        try:
            return self._socket.recv(65536)
        except OSError:  # closed by us, or reset by a dying QEMU: the end in both cases
            return b""

    def read_nonblocking(self, size: int = 1, timeout: float | None = None) -> bytes:
        """pexpect's source of bytes: what the tty printed, without the kernel's lines."""
        try:
            chunk = self._queue.get(timeout=None if timeout is None else max(timeout, 0))
        except queue.Empty as exc:
            raise TIMEOUT("no output") from exc
        if not chunk:
            self._queue.put(b"")  # stays at its end for whoever asks again
            raise EOF("the console is gone")
        return chunk

    def write(self, data: bytes) -> None:
        """Type `data` on the console."""
        try:
            self._socket.sendall(data)
        except OSError as exc:
            raise RigError(FailureClass.LOST, "the console went away") from exc

    def drain(self, patience: float) -> bool:
        """Wait until QEMU has read all that was typed; False when the guest takes none of it.

        A connection that is closed before takes with it what QEMU has not read yet. Nothing
        tells when it does, so this looks; it gives up after `patience` s without progress.
        """
        left, since = self._unread(), time.monotonic()
        while left and not self.ended.is_set() and time.monotonic() - since < patience:
            self.ended.wait(_LOOK_S)
            if (now := self._unread()) != left:
                left, since = now, time.monotonic()
        return not left

    def _unread(self) -> int:
        """Bytes that wait in QEMU's end of the socket, with the kernel's overhead (unix(7))."""
        try:
            return int(struct.unpack("i", ioctl(self._socket, termios.TIOCOUTQ, b"\0" * 4))[0])
        except OSError:  # closed: nothing will be read any more
            return 0

    def tap(self, sink: Callable[[bytes], None] | None) -> None:
        """Also hand every raw chunk to `sink`; None ends it."""
        self._tap = sink

    def discard(self) -> None:
        """Forget what was printed so far."""
        while not self._queue.empty():
            if not self._queue.get():
                self._queue.put(b"")
                break
        self.buffer = b""

    def last_lines(self, count: int = 5) -> list[str]:
        """The last raw lines, kernel lines included, for an error message."""
        text = bytes(self._tail).decode(errors="replace").replace("\r", "")
        return [line for line in text.splitlines() if line.strip()][-count:]

    def close(self) -> None:
        """Drop the connection; the guest goes on."""
        if self.closed:
            return
        self.closed = True
        with suppress(OSError):  # not connected any more
            self._socket.shutdown(socket.SHUT_RDWR)
        self._pump.join(2.0)
        self._socket.close()


def remaining(deadline: float) -> float:
    """Seconds left until the monotonic `deadline`, never negative."""
    return max(0.0, deadline - time.monotonic())
