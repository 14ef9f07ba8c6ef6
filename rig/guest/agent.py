# SPDX-License-Identifier: MIT
"""The host side of the guest agent: programs and files in the guest, without ssh.

A synchronous client of guest/agent/ over the UNIX socket of the machine's
virtio-serial port. Every call has a deadline. All errors are `RigError`: LOST
when the socket closes, HANG when no answer comes in time, and its subclass
`AgentError` when the agent says no (with the guest's errno).
"""

from __future__ import annotations

import errno
import os
import secrets
import select
import shlex
import signal as signals
import socket
import struct
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from rig.errors import FailureClass, RigError
from rig.guest import wire
from rig.guest.paths import GuestPath
from rig.guest.wire import Op, State

ANSWER_S = 10.0
"""What the agent may take to answer a request that has no timeout of its own, s (idle: 1 ms)."""
RUN_S = 30.0
"""Default timeout of a program, s."""
_CHUNK = 1 << 20
_RECV = 1 << 18


class AgentError(RigError):
    """The agent refused a request; `errno` is the guest's reason."""

    def __init__(self, what: str, number: int) -> None:
        name = errno.errorcode.get(number, str(number))
        super().__init__(FailureClass.INFRA, f"{what}: {name} ({os.strerror(number)})")
        self.errno = number


@dataclass(frozen=True)
class RunResult:
    """How a program ended, or that it did not."""

    status: int | None
    """Exit status; None when it did not exit by itself."""
    signal: int | None
    """The signal that ended it, if one did."""
    stdout_bytes: bytes
    stderr_bytes: bytes
    timed_out: bool
    """Its timeout passed; a `run` was killed then, with its whole process group."""
    stuck: bool = False
    """It was killed but does not die: something in the kernel holds it (D state)."""
    truncated: bool = False
    """It wrote more than 16 MiB on a stream; the rest was dropped."""

    @property
    def stdout(self) -> str:
        """What it wrote, as text."""
        return self.stdout_bytes.decode(errors="replace")

    @property
    def stderr(self) -> str:
        """What it complained, as text."""
        return self.stderr_bytes.decode(errors="replace")

    @property
    def ok(self) -> bool:
        """Whether it exited with 0 in time."""
        return self.status == 0 and not self.timed_out

    def describe(self) -> str:
        """One phrase: how it ended."""
        if self.stuck:
            return "does not die (D state)"
        if self.timed_out:
            return "did not end in time"
        if self.signal is not None:
            return f"was ended by {signals.Signals(self.signal).name}"
        return "still runs" if self.status is None else f"ended with status {self.status}"


def _result(report: wire.Report) -> RunResult:
    cut = report.flags & (wire.ReportFlag.STDOUT_CUT | wire.ReportFlag.STDERR_CUT)
    return RunResult(
        status=report.code if report.state is State.EXITED else None,
        signal=report.code if report.state is State.SIGNALED else None,
        stdout_bytes=report.stdout,
        stderr_bytes=report.stderr,
        timed_out=bool(report.flags & wire.ReportFlag.TIMED_OUT),
        stuck=report.state is State.STUCK,
        truncated=bool(cut),
    )


def _program(argv: Sequence[str], env: Mapping[str, str] | None, stdin: bytes) -> bytes:
    pairs = [f"{key}={value}" for key, value in (env or {}).items()]
    return wire.pack_strings(argv) + wire.pack_strings(pairs) + wire.pack_bytes(stdin)


def _ms(timeout: float) -> bytes:
    return struct.pack("<I", min(int(timeout * 1000), wire.NO_TIMEOUT - 1))


class Agent:
    """A connection to the agent. A context manager; `close()` may be called twice.

    Programs that were spawned survive this connection: a later one (also after
    the machine was restored from a snapshot) finds them with `processes()`.
    """

    def __init__(
        self, socket_path: Path, *, connect_timeout: float = 5.0, answer_timeout: float = ANSWER_S
    ) -> None:
        self._slack = answer_timeout
        self._session = secrets.randbits(63) + 1
        self._last_id = 0
        self._deframer = wire.Deframer()
        self._socket = _connect(socket_path, time.monotonic() + connect_timeout)

    def __enter__(self) -> Agent:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Disconnect; the next host's `hello` kills what a `run` of this one left running."""
        self._socket.close()

    def hello(self, deadline: float) -> float:
        """Wait until the agent answers, at most `deadline` s; returns the guest's uptime, s.

        May be called before the guest boots: the machine keeps the request
        until the agent opens its port. Must precede every other call.
        """
        fields = wire.Fields(self._call(Op.HELLO, b"", deadline, "hello"))
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
        body = _ms(timeout) + _program(argv, env, stdin)
        report = wire.parse_report(self._call(Op.RUN, body, timeout + self._slack, what))
        if report.state is State.FAILED:
            raise AgentError(what, report.code)
        return _result(report)

    def spawn(
        self, argv: Sequence[str], stdin: bytes = b"", *, env: Mapping[str, str] | None = None
    ) -> Process:
        """Start a program and return at once; its stdin stays open."""
        what = f"`{shlex.join(argv)}` in the guest"
        fields = wire.Fields(self._call(Op.SPAWN, _program(argv, env, stdin), self._slack, what))
        return Process(self, fields.u32(), fields.u32(), what)

    def processes(self) -> list[Process]:
        """All spawned programs that were not released, whoever started them."""
        fields = wire.Fields(self._call(Op.LIST, b"", self._slack, "list"))
        return [
            Process(self, fields.u32(), fields.u32(), f"`{fields.bytes().decode()}` in the guest")
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
        return wire.Fields(self._call(Op.UPTIME, b"", self._slack, "uptime")).u64() / 1e9

    def _file(self, op: Op, path: GuestPath | str, body: bytes, timeout: float) -> wire.Report:
        what = f"{op.name.lower()} {path} in the guest"
        reply = self._call(op, _ms(timeout) + body, timeout + self._slack, what)
        report = wire.parse_report(reply)
        if report.state is State.FAILED:
            raise AgentError(what, report.code)
        if report.state is not State.EXITED or report.code != 0:
            raise RigError(FailureClass.HANG, f"{what}: the access {_result(report).describe()}")
        return report

    def _call(self, op: Op, body: bytes, timeout: float, what: str) -> bytes:
        """One request and its reply; `timeout` in s covers both."""
        deadline = time.monotonic() + timeout
        self._last_id += 1
        self._send(wire.request(self._session, self._last_id, op, body), deadline, what)
        while True:
            self._ready(select.POLLIN, deadline, what)
            try:
                data = self._socket.recv(_RECV)
            except BlockingIOError:
                continue
            except ConnectionError as exc:
                raise _lost(what) from exc
            if not data:
                raise _lost(what)
            for frame in self._deframer.feed(data):
                if (frame.session, frame.id) != (self._session, self._last_id):
                    continue  # an answer to a host that is gone, or that gave up waiting
                if frame.status:
                    raise AgentError(what, frame.status)
                return frame.body

    def _send(self, data: bytes, deadline: float, what: str) -> None:
        view = memoryview(data)
        while view:
            self._ready(select.POLLOUT, deadline, what)
            try:
                view = view[self._socket.send(view) :]
            except BlockingIOError:
                continue
            except ConnectionError as exc:
                raise _lost(what) from exc

    def _ready(self, event: int, deadline: float, what: str) -> None:
        poll = select.poll()
        poll.register(self._socket, event)
        left = deadline - time.monotonic()
        if left <= 0 or not poll.poll(left * 1000):
            raise RigError(
                FailureClass.HANG,
                f"no answer from the guest's agent: {what}",
                hint="the serial console may still answer (`rig shell`); see its log",
            )


class Process:
    """A spawned program in the guest."""

    def __init__(self, agent: Agent, ident: int, pid: int, what: str) -> None:
        self._agent = agent
        self.id = ident
        self.pid = pid
        """In the guest; 0 when it had already ended."""
        self.what = what
        self._stdout = b""
        self._stderr = b""

    def wait(self, timeout: float = RUN_S) -> RunResult:
        """Wait for its end, at most `timeout` s, then `timed_out` is set and it runs on."""
        report = self._wait(wire.Until.EXIT, timeout)
        return _result(self._whole(report))

    def output(self) -> tuple[str, str]:
        """stdout and stderr so far, at once."""
        self._wait(wire.Until.EXIT, 0)
        return self._stdout.decode(errors="replace"), self._stderr.decode(errors="replace")

    def expect(self, text: str, timeout: float = RUN_S) -> str:
        """Wait for a stdout line that contains `text`; returns the line.

        Raises `RigError`: ASSERT when the program ends without it, HANG after
        `timeout` s.
        """
        deadline = time.monotonic() + timeout
        while True:
            report = self._wait(wire.Until.OUTPUT, max(deadline - time.monotonic(), 0))
            whole = self._stdout[: self._stdout.rfind(b"\n") + 1]
            for line in whole.decode(errors="replace").splitlines():
                if text in line:
                    return line
            if report.state is not State.RUNNING:
                how = _result(report).describe()
                raise RigError(FailureClass.ASSERT, f"{self.what} {how} without saying {text!r}")
            if time.monotonic() >= deadline:
                raise RigError(
                    FailureClass.HANG, f"{self.what} did not say {text!r} within {timeout:g} s"
                )

    def kill(self, signal: int = signals.SIGKILL) -> None:
        """Send a signal to its process group."""
        body = struct.pack("<II", self.id, signal)
        self._agent._call(Op.KILL, body, self._agent._slack, f"kill {self.what}")

    def write(self, data: bytes) -> None:
        """Append to its stdin."""
        self._feed(data, close=False)

    def close_stdin(self) -> None:
        """End its stdin, after what was written."""
        self._feed(b"", close=True)

    def release(self) -> None:
        """Let the agent forget it. Raises `AgentError` (EBUSY) while it runs."""
        body = struct.pack("<I", self.id)
        self._agent._call(Op.RELEASE, body, self._agent._slack, f"release {self.what}")

    def _feed(self, data: bytes, *, close: bool) -> None:
        body = struct.pack("<IB", self.id, close) + wire.pack_bytes(data)
        self._agent._call(Op.STDIN, body, self._agent._slack, f"stdin of {self.what}")

    def _wait(self, until: wire.Until, timeout: float) -> wire.Report:
        offsets = struct.pack("<QQ", len(self._stdout), len(self._stderr))
        body = struct.pack("<I", self.id) + _ms(timeout) + struct.pack("<B", until) + offsets
        agent = self._agent
        report = wire.parse_report(agent._call(Op.WAIT, body, timeout + agent._slack, self.what))
        if report.state is State.FAILED:
            raise AgentError(self.what, report.code)
        self._stdout += report.stdout
        self._stderr += report.stderr
        return report

    def _whole(self, report: wire.Report) -> wire.Report:
        return wire.Report(report.state, report.flags, report.code, self._stdout, self._stderr)


def _connect(path: Path, deadline: float) -> socket.socket:
    """Connect to the machine's socket; it exists from the moment the machine's process runs."""
    conn = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    conn.settimeout(max(deadline - time.monotonic(), 0.001))
    try:
        conn.connect(str(path))
    except OSError as exc:
        conn.close()
        raise RigError(
            FailureClass.LOST, f"cannot reach the guest's agent at {path}: {exc.strerror or exc}"
        ) from exc
    conn.setblocking(False)
    return conn


def _lost(what: str) -> RigError:
    return RigError(FailureClass.LOST, f"the guest is gone: {what} has no answer")
