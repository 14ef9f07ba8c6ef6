# SPDX-License-Identifier: MIT
"""The agent's protocol: frames on a byte stream, requests and replies in them.

The other end is guest/agent/ (frame.h, ops.c). A frame is END, escaped bytes,
END as in SLIP (RFC 1055): END never occurs inside, so both sides are in step
again at the next END, whatever half a frame a vanished host left behind. The
bytes of a frame, all little endian:

    session u64   the nonce of the HELLO; frames of other sessions are dropped
    id      u32   of the request; the reply has the same
    op      u16   see `Op`; a reply has bit 15 set
    status  u16   replies: 0, or the errno with which the agent refused
    length  u32   of the body

Bodies ("bytes" is a u32 length and the bytes; "strings" a u32 count and so many bytes):

    HELLO    -                                        -> version u32, pid u32, boottime ns u64
    RUN      timeout ms u32, argv strings, env strings, stdin bytes  -> report
    SPAWN    argv strings, env strings, stdin bytes   -> process id u32, pid u32
    WAIT     id u32, timeout ms u32, until u8, stdout offset u64, stderr offset u64 -> report
    KILL     id u32, signal u32                       -> -
    STDIN    id u32, close u8, bytes                  -> -
    RELEASE  id u32                                   -> -
    PUT      timeout ms u32, path bytes, mode u32, flags u8, bytes   -> report
    GET      timeout ms u32, path bytes, offset u64, max u32         -> report (data is stdout)
    UPTIME   -                                        -> boottime, monotonic, realtime ns (u64 each)
    LIST     -                                        -> count u32, then id u32, pid u32, name bytes
    report:  state u8, flags u8, code u32, stdout bytes, stderr bytes
"""

from __future__ import annotations

import enum
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

VERSION = 1
FRAME_MAX = 64 << 20
"""Largest body, bytes."""
STREAM_MAX = 16 << 20
"""What the agent keeps of each output stream of a process, bytes; it drops the rest."""
NO_TIMEOUT = 0xFFFFFFFF

_END, _ESC = b"\xc0", b"\xdb"
_ESC_END, _ESC_ESC = b"\xdb\xdc", b"\xdb\xdd"
_HEADER = struct.Struct("<QIHHI")
_REPLY = 0x8000


class Op(enum.IntEnum):
    """Requests."""

    HELLO = 1
    RUN = 2
    SPAWN = 3
    WAIT = 4
    KILL = 5
    STDIN = 6
    RELEASE = 7
    PUT = 8
    GET = 9
    UPTIME = 10
    LIST = 11


class State(enum.IntEnum):
    """What has become of a process; it decides what a report's code means."""

    RUNNING = 0
    EXITED = 1
    """code: exit status."""
    SIGNALED = 2
    """code: the signal."""
    FAILED = 3
    """code: errno; the program could not be started, or the file operation failed."""
    STUCK = 4
    """It was killed at its timeout but does not die (D state)."""


class Until(enum.IntEnum):
    """What WAIT waits for."""

    EXIT = 0
    OUTPUT = 1
    """Output beyond the given offsets, or the exit."""


class PutFlag(enum.IntFlag):
    """How PUT writes."""

    APPEND = 1
    PARENTS = 2


class ReportFlag(enum.IntFlag):
    """Remarks in a report."""

    STDOUT_CUT = 1
    STDERR_CUT = 2
    TIMED_OUT = 4


@dataclass(frozen=True)
class Frame:
    """One reply of the agent."""

    session: int
    id: int
    op: int
    status: int
    body: bytes


@dataclass(frozen=True)
class Report:
    """State and output of a process."""

    state: State
    flags: ReportFlag
    code: int
    stdout: bytes
    stderr: bytes


def request(session: int, ident: int, op: Op, body: bytes) -> bytes:
    """One request, framed."""
    raw = _HEADER.pack(session, ident, op, 0, len(body)) + body
    escaped = raw.replace(_ESC, _ESC_ESC).replace(_END, _ESC_END)
    return _END + escaped + _END


class Deframer:
    """The receiving half: bytes in, whole frames out; garbage is dropped."""

    def __init__(self) -> None:
        self._partial = bytearray()

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Take received bytes; yield the frames that they complete."""
        first, *rest = data.split(_END)
        self._partial += first
        for part in rest:
            frame = _parse(bytes(self._partial))
            self._partial = bytearray(part)
            if frame is not None:
                yield frame


def _parse(escaped: bytes) -> Frame | None:
    raw = escaped.replace(_ESC_END, _END).replace(_ESC_ESC, _ESC)
    if len(raw) < _HEADER.size:
        return None
    session, ident, op, status, length = _HEADER.unpack_from(raw)
    if length != len(raw) - _HEADER.size or not op & _REPLY:
        return None
    return Frame(session, ident, op & ~_REPLY, status, raw[_HEADER.size :])


def pack_bytes(data: bytes) -> bytes:
    """A byte string."""
    return struct.pack("<I", len(data)) + data


def pack_strings(strings: Sequence[str]) -> bytes:
    """A counted list of byte strings, UTF-8."""
    encoded = [pack_bytes(text.encode()) for text in strings]
    return struct.pack("<I", len(encoded)) + b"".join(encoded)


class Fields:
    """Reads a reply's body from front to back."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._at = 0

    def _take(self, form: str) -> int:
        (value,) = struct.unpack_from(form, self._body, self._at)
        self._at += struct.calcsize(form)
        return int(value)

    def u8(self) -> int:
        """One byte."""
        return self._take("<B")

    def u32(self) -> int:
        """Four bytes."""
        return self._take("<I")

    def u64(self) -> int:
        """Eight bytes."""
        return self._take("<Q")

    def bytes(self) -> bytes:
        """A byte string."""
        length = self.u32()
        data = self._body[self._at : self._at + length]
        self._at += length
        return data


def parse_report(body: bytes) -> Report:
    """The body of a reply to RUN, WAIT, PUT and GET."""
    fields = Fields(body)
    state, flags = State(fields.u8()), ReportFlag(fields.u8())
    return Report(state, flags, fields.u32(), fields.bytes(), fields.bytes())
