# SPDX-License-Identifier: MIT
"""Programs in the guest, as the agent sees them: spawned ones, and how any of them ended."""

from __future__ import annotations

import signal as signals
import struct
import time
from dataclasses import dataclass

from rig.errors import FailureClass, RigError
from rig.guest import wire
from rig.guest.link import AgentError, Link
from rig.guest.shell import client_fault
from rig.guest.wire import Op, State

RUN_S = 30.0
"""Default timeout of a program, s."""


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


def result_of(report: wire.Report) -> RunResult:
    """A report of the agent, for people."""
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


def milliseconds(timeout: float) -> bytes:
    """A timeout in s as a request carries it."""
    return struct.pack("<I", min(int(timeout * 1000), wire.NO_TIMEOUT - 1))


class Process:
    """A spawned program in the guest."""

    def __init__(self, link: Link, ident: int, pid: int, what: str) -> None:
        self._link = link
        self.id = ident
        self.pid = pid
        """In the guest; 0 when it had already ended."""
        self.what = what
        self._stdout = b""
        self._stderr = b""

    def wait(self, timeout: float = RUN_S) -> RunResult:
        """Wait for its end, at most `timeout` s, then `timed_out` is set and it runs on."""
        report = self._wait(wire.Until.EXIT, timeout)
        return result_of(self._whole(report))

    def output(self) -> tuple[str, str]:
        """stdout and stderr so far, at once."""
        self._wait(wire.Until.EXIT, 0)
        return self._stdout.decode(errors="replace"), self._stderr.decode(errors="replace")

    def expect(self, text: str, timeout: float = RUN_S) -> str:
        """Wait for a stdout line that contains `text`; returns the line.

        Raises `RigError`: ASSERT when the program ends without it and says why, INFRA
        when it does not (`client_fault`), HANG after `timeout` s.
        """
        deadline = time.monotonic() + timeout
        while True:
            report = self._wait(wire.Until.OUTPUT, max(deadline - time.monotonic(), 0))
            whole = self._stdout[: self._stdout.rfind(b"\n") + 1]
            for line in whole.decode(errors="replace").splitlines():
                if text in line:
                    return line
            if report.state is not State.RUNNING:
                how = result_of(report).describe()
                raise RigError(client_fault(whole.decode(errors="replace")),
                               f"{self.what} {how} without saying {text!r}")  # fmt: skip
            if time.monotonic() >= deadline:
                raise RigError(
                    FailureClass.HANG, f"{self.what} did not say {text!r} within {timeout:g} s"
                )

    def kill(self, signal: int = signals.SIGKILL) -> None:
        """Send a signal to its process group."""
        body = struct.pack("<II", self.id, signal)
        self._link.call(Op.KILL, body, f"kill {self.what}")

    def write(self, data: bytes) -> None:
        """Append to its stdin."""
        self._feed(data, close=False)

    def close_stdin(self) -> None:
        """End its stdin, after what was written."""
        self._feed(b"", close=True)

    def release(self) -> None:
        """Let the agent forget it. Raises `AgentError` (EBUSY) while it runs."""
        body = struct.pack("<I", self.id)
        self._link.call(Op.RELEASE, body, f"release {self.what}")

    def _feed(self, data: bytes, *, close: bool) -> None:
        body = struct.pack("<IB", self.id, close) + wire.pack_bytes(data)
        self._link.call(Op.STDIN, body, f"stdin of {self.what}")

    def _wait(self, until: wire.Until, timeout: float) -> wire.Report:
        offsets = struct.pack("<QQ", len(self._stdout), len(self._stderr))
        body = (
            struct.pack("<I", self.id) + milliseconds(timeout) + struct.pack("<B", until) + offsets
        )
        link = self._link
        report = wire.parse_report(link.call(Op.WAIT, body, self.what, timeout + link.slack))
        if report.state is State.FAILED:
            raise AgentError(self.what, report.code)
        self._stdout += report.stdout
        self._stderr += report.stderr
        return report

    def _whole(self, report: wire.Report) -> wire.Report:
        return wire.Report(report.state, report.flags, report.code, self._stdout, self._stderr)
