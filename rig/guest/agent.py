# SPDX-License-Identifier: MIT
"""The host side of the guest agent: programs and files in the guest, without ssh.

A synchronous client of guest/agent/ over the UNIX socket of the machine's
virtio-serial port. Every call has a deadline. All errors are `RigError`: LOST
when the socket closes, HANG when no answer comes in time, and its subclass
`AgentError` when the agent says no (with the guest's errno).
"""

from __future__ import annotations

import shlex
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

from rig.errors import FailureClass, RigError
from rig.guest import wire
from rig.guest.link import AgentError, Link
from rig.guest.paths import GuestPath
from rig.guest.process import RUN_S, Process, RunResult, milliseconds, result_of
from rig.guest.shell import Health, no_health
from rig.guest.wire import Op, State

__all__ = ["Agent", "AgentError", "Process", "RunResult"]

ANSWER_S = 10.0
"""What the agent may take to answer a request that has no timeout of its own, s (idle: 1 ms)."""
_CHUNK = 1 << 20


def _program(argv: Sequence[str], env: Mapping[str, str] | None, stdin: bytes) -> bytes:
    pairs = [f"{key}={value}" for key, value in (env or {}).items()]
    return wire.pack_strings(argv) + wire.pack_strings(pairs) + wire.pack_bytes(stdin)


class Agent:
    """A connection to the agent. A context manager; `close()` may be called twice.

    `health` says what has become of the guest (kernel panic, QEMU gone, the agent
    killed); a wait then ends with that error at once instead of at its deadline.

    Programs that were spawned survive this connection: a later one (also after
    the machine was restored from a snapshot) finds them with `processes()`.
    """

    def __init__(
        self,
        socket_path: Path,
        *,
        connect_timeout: float = 5.0,
        answer_timeout: float = ANSWER_S,
        health: Health = no_health,
    ) -> None:
        self._link = Link(
            socket_path,
            connect_timeout=connect_timeout,
            answer_timeout=answer_timeout,
            health=health,
        )

    def __enter__(self) -> Agent:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Disconnect; the next host's `hello` kills what a `run` of this one left running."""
        self._link.socket.close()

    def hello(self, deadline: float) -> float:
        """Wait until the agent answers, at most `deadline` s; returns the guest's uptime, s.

        May be called before the guest boots: the machine keeps the request
        until the agent opens its port. Must precede every other call.
        """
        fields = wire.Fields(self._link.call(Op.HELLO, b"", "hello", deadline))
        version, _pid, boottime = fields.u32(), fields.u32(), fields.u64()
        if version != wire.VERSION:
            raise RigError(
                FailureClass.INFRA,
                f"the guest's agent speaks protocol {version}, this rig {wire.VERSION}",
                hint="the snapshot or rootfs is of another rig: `rig build rootfs`",
            )
        return boottime / 1e9

    def run(
        self,
        argv: Sequence[str],
        stdin: bytes = b"",
        *,
        timeout: float = RUN_S,
        env: Mapping[str, str] | None = None,
    ) -> RunResult:
        """Run a program to its end, at most `timeout` s; its process group is killed then.

        Output is what came up to the end of the program itself, not of daemons
        that it left behind. Raises `AgentError` when it cannot be started.
        """
        what = f"`{shlex.join(argv)}` in the guest"
        body = milliseconds(timeout) + _program(argv, env, stdin)
        report = wire.parse_report(self._link.call(Op.RUN, body, what, timeout + self._link.slack))
        if report.state is State.FAILED:
            raise AgentError(what, report.code)
        return result_of(report)

    def spawn(
        self, argv: Sequence[str], stdin: bytes = b"", *, env: Mapping[str, str] | None = None
    ) -> Process:
        """Start a program and return at once; its stdin stays open."""
        what = f"`{shlex.join(argv)}` in the guest"
        fields = wire.Fields(self._link.call(Op.SPAWN, _program(argv, env, stdin), what))
        return Process(self._link, fields.u32(), fields.u32(), what)

    def processes(self) -> list[Process]:
        """All spawned programs that were not released, whoever started them."""
        fields = wire.Fields(self._link.call(Op.LIST, b"", "list"))
        return [
            Process(
                self._link, fields.u32(), fields.u32(), f"`{fields.bytes().decode()}` in the guest"
            )
            for _ in range(fields.u32())
        ]

    def put(
        self,
        path: GuestPath | str,
        data: bytes,
        *,
        mode: int = 0,
        append: bool = False,
        parents: bool = False,
        timeout: float = RUN_S,
    ) -> None:
        """Write a file (or an attribute in sysfs: then in one piece, up to 1 MiB).

        `mode`: permission bits, 0 leaves them (new files: 0644).
        `parents`: make missing folders.
        """
        chunks = [data[at : at + _CHUNK] for at in range(0, len(data), _CHUNK)] or [b""]
        for number, chunk in enumerate(chunks):
            flags = wire.PutFlag.PARENTS if parents else wire.PutFlag(0)
            if append or number:
                flags |= wire.PutFlag.APPEND
            head = wire.pack_bytes(str(path).encode()) + struct.pack("<IB", mode, flags)
            self._file(Op.PUT, path, head + wire.pack_bytes(chunk), timeout)

    def get(self, path: GuestPath | str, *, timeout: float = RUN_S) -> bytes:
        """Read a file to its end (also in proc, sysfs and debugfs)."""
        parts: list[bytes] = []
        done = 0
        while True:
            body = wire.pack_bytes(str(path).encode()) + struct.pack("<QI", done, wire.STREAM_MAX)
            part = self._file(Op.GET, path, body, timeout).stdout
            parts.append(part)
            done += len(part)
            if len(part) < wire.STREAM_MAX:
                return b"".join(parts)

    def uptime(self) -> float:
        """Guest time since its kernel started, s, times of suspend included."""
        return wire.Fields(self._link.call(Op.UPTIME, b"", "uptime")).u64() / 1e9

    def _file(self, op: Op, path: GuestPath | str, body: bytes, timeout: float) -> wire.Report:
        what = f"{op.name.lower()} {path} in the guest"
        reply = self._link.call(op, milliseconds(timeout) + body, what, timeout + self._link.slack)
        report = wire.parse_report(reply)
        if report.state is State.FAILED:
            raise AgentError(what, report.code)
        if report.state is not State.EXITED or report.code != 0:
            raise RigError(FailureClass.HANG, f"{what}: the access {result_of(report).describe()}")
        return report
