# SPDX-License-Identifier: MIT
"""One way to run a command in the guest, whatever the channel.

`Console`, `Ssh` and `AgentShell` all are a `GuestShell`: a scenario written
against it can be driven over any of them, with the same result.
"""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from rig.errors import FailureClass, RigError
from rig.journal import Journal

SIGNAL_BASE = 128
"""A command that a signal ended has status 128 + signal, as in a shell."""
CANNOT_RUN = (126, 127)
"""Statuses of a shell that found no such program, or could not start it."""
_OWN_STEPS = ("calloc", "malloc", "options")
"""Steps of a client that fail for its own reasons, not the driver's."""
LAST = "; last: "
"""In an error: the console's last lines follow."""
LOST_GRACE_S = 1.0
_KEPT = 400
"""Characters of a command's output that the journal keeps."""
_POLL_S = 0.01

Health = Callable[[], RigError | None]
"""What has become of the guest: the error that ended it, or None while it lives."""


def why_lost(health: Health, otherwise: RigError) -> RigError:
    """The reason behind a broken connection.

    A channel often notices first that QEMU is gone: whoever watches the process
    gets a moment to find out why.
    """
    if health is no_health:
        return otherwise
    grace = time.monotonic() + LOST_GRACE_S
    while (error := health()) is None:
        if time.monotonic() > grace:
            return otherwise
        time.sleep(_POLL_S)
    return error


def no_health() -> RigError | None:
    """For a channel whose guest nobody watches."""
    return None


@dataclass(frozen=True)
class ShellResult:
    """What a guest command left behind."""

    status: int
    """Exit status, or 128 + the signal that ended it."""
    output: str
    """stdout and stderr in the order they were written; lines end in a bare newline."""

    @property
    def ok(self) -> bool:
        """Whether the command exited with 0."""
        return self.status == 0

    def checked(
        self, argv: Sequence[str], failure: FailureClass = FailureClass.ASSERT
    ) -> ShellResult:
        """Itself, or `RigError` of that class when the command failed.

        INFRA, whatever the class, when the guest could not run it or a signal ended it.
        """
        if not self.ok:
            last = self.output.strip().splitlines()[-1:] or ["it printed nothing"]
            own = self.status in CANNOT_RUN or self.status > SIGNAL_BASE
            words = argv[0] if len(argv) == 1 else shlex.join(argv)  # a line of shell as it is
            raise RigError(
                FailureClass.INFRA if own else failure,
                f"`{words}` ended with status {self.status} in the guest: {last[0]}",
            )
        return self


def client_fault(output: str) -> FailureClass:
    """Whose fault it is that a client of ours failed or ended in another way than wanted.

    Its last line says how it went (guest/include/rig_client.h). ASSERT: it did, so the code
    under test made it; INFRA: it was missing, killed, called wrongly or short of memory.
    """
    told = [line for line in output.splitlines() if line.startswith("RESULT ")]
    step = next((w[5:] for w in told[-1].split() if w.startswith("step=")), "") if told else ""
    return FailureClass.ASSERT if told and step not in _OWN_STEPS else FailureClass.INFRA


class GuestShell(Protocol):
    """Runs commands in the guest as root.

    Raises `RigError`: HANG when the command outlives `timeout` (s), LOST when
    the guest goes away meanwhile, OOPS when its kernel panics, ASSERT when
    `check` is set and the status is not 0 (INFRA when there is no such program
    or a signal ended it).
    """

    def run(self, argv: Sequence[str], *, timeout: float, check: bool = False) -> ShellResult:
        """Run `argv` and wait for its end."""
        ...


def sh(shell: GuestShell, script: str, *, timeout: float, check: bool = False) -> ShellResult:
    """Run a line of shell, not an argument vector, over any channel."""
    return shell.run(["sh", "-c", script], timeout=timeout, check=check)


class RunResult(Protocol):
    """What the guest agent answers (`rig.guest.agent`)."""

    @property
    def status(self) -> int | None:
        """Exit status; None when a signal ended it."""
        ...

    @property
    def signal(self) -> int | None:
        """The signal that ended it."""
        ...

    @property
    def stdout(self) -> str:
        """What it wrote."""
        ...

    @property
    def timed_out(self) -> bool:
        """Whether the agent had to end it."""
        ...


class AgentLike(Protocol):
    """The part of the guest agent that a shell needs."""

    def run(self, argv: Sequence[str], stdin: bytes = b"", *, timeout: float) -> RunResult:
        """Run `argv` and wait at most `timeout` s."""
        ...


class AgentShell:
    """The virtio-serial agent as a `GuestShell`."""

    def __init__(self, agent: AgentLike) -> None:
        self._agent = agent

    def run(self, argv: Sequence[str], *, timeout: float, check: bool = False) -> ShellResult:
        """Run a command; stderr joins stdout in the guest, so their order survives."""
        merged = ["sh", "-c", 'exec "$@" 2>&1', "sh", *argv]
        done = self._agent.run(merged, timeout=timeout)
        if done.timed_out:
            raise RigError(
                FailureClass.HANG, f"`{shlex.join(argv)}` did not end within {timeout:g} s"
            )
        status = SIGNAL_BASE + done.signal if done.signal else done.status
        if status is None:
            raise RigError(FailureClass.LOST, f"the agent does not know how `{argv[0]}` ended")
        result = ShellResult(status, done.stdout)
        return result.checked(argv) if check else result


class RecordedShell:
    """A `GuestShell` whose commands, with their ends and times, go into a journal."""

    def __init__(self, shell: GuestShell, journal: Journal, channel: str) -> None:
        self._shell = shell
        self._journal = journal
        self._channel = channel

    def run(self, argv: Sequence[str], *, timeout: float, check: bool = False) -> ShellResult:
        """As `GuestShell.run`."""
        plain = argv[2] if tuple(argv[:2]) == ("sh", "-c") and len(argv) == 3 else shlex.join(argv)
        with self._journal.step("step", plain, channel=self._channel) as told:
            result = self._shell.run(argv, timeout=timeout)
            told["status"] = result.status
            told["output"] = result.output[-_KEPT:]
        return result.checked(argv) if check else result
