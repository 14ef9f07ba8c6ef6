# SPDX-License-Identifier: MIT
"""The ways into a guest, and whose fault it is when a command in it fails."""

from __future__ import annotations

import secrets
import shlex
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from rig.deadlines import COMMAND_S, PROBE_S, scaled
from rig.errors import FailureClass, RigError
from rig.guest.agent import Process
from rig.guest.shell import CANNOT_RUN, GuestShell, ShellResult, client_fault, sh
from rig.scenarios.terms import CLIENTS, DRIVER_SAYS, POLL_S, SETTLE_S, Extent, check
from rig.session import Session
from rig.verdict import klog
from rig.verdict.firewall import Denials
from rig.verdict.verdict import Note

T = TypeVar("T")
ASSERT = FailureClass.ASSERT

SOAK_FACTOR = 10


class Channels:
    """One booted guest and the ways into it."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.shell: GuestShell = session.shell
        """The channel commands go over; a scenario may set it to `serial` or `ssh`."""
        self.expected: list[klog.Expected] = []
        """Kernel lines that this scenario provokes, with counts."""
        self.denials: list[Denials] = []
        """Accesses that this scenario makes the firewall deny, with counts."""
        self.notes: list[Note] = []
        """What the user must know beside the verdict."""

    # ---- channels
    @property
    def serial(self) -> GuestShell:
        """Commands typed at the serial console."""
        return self.session.recorded(self.session.vm.console, "serial")

    @property
    def ssh(self) -> GuestShell:
        """Commands over ssh."""
        return self.session.recorded(self.session.ssh, "ssh")

    def run(self, *argv: str, timeout: float = COMMAND_S) -> ShellResult:
        """A command whose failure is a verdict on the code under test, over the scenario's channel.

        Raises `RigError`: ASSERT when the command failed, INFRA when it is the rig's own
        program that did not work (see `try_run`).
        """
        return self.try_run(*argv, timeout=timeout).checked(argv)

    def try_run(self, *argv: str, timeout: float = COMMAND_S) -> ShellResult:
        """A command that may fail; the caller looks at its status.

        Raises `RigError` (INFRA) when the guest has no such program, or when a client of
        ours ended without saying how it went: that says nothing about the code under test.
        """
        result = self.shell.run(argv, timeout=scaled(timeout))
        missing = result.status in CANNOT_RUN
        broken = argv[0] in CLIENTS and not result.ok and client_fault(result.output) is not ASSERT
        return result.checked(argv, FailureClass.INFRA) if missing or broken else result

    def sh(self, script: str, timeout: float = COMMAND_S) -> str:
        """Output of a line of shell with which the rig looks or acts; it must succeed.

        Raises `RigError`: INFRA when it fails, ASSERT when a client of ours in it said why.
        """
        result = sh(self.shell, script, timeout=scaled(timeout))
        return result.checked([script], client_fault(result.output)).output

    def spawn(self, *argv: str) -> Process:
        """Start a program by the agent; it runs until it ends or its stdin is closed."""
        with self.session.journal.step("spawn", shlex.join(argv)):
            return self.session.agent.spawn(argv)

    def cycles(self, count: float) -> int:
        """How often to repeat, or seconds to allow for it: ten times as much with `--soak`."""
        return round(count * (SOAK_FACTOR if self.session.bed.options.soak else 1))

    def finish(self, process: Process, *, status: int = 0) -> str:
        """Close a spawned program's stdin and wait for its end; returns what it printed."""
        self.session.journal.note("spawn", f"close stdin of {process.what}")
        process.close_stdin()
        ended = process.wait(scaled(COMMAND_S))
        if ended.timed_out:
            raise RigError(FailureClass.HANG, f"{process.what} does not end")
        told = ended.stdout.strip().splitlines()[-1:] or ["nothing"]
        check(ended.status == status, f"{process.what} {ended.describe()}; it said: {told[0]}",
              client_fault(ended.stdout))  # fmt: skip
        return ended.stdout

    @contextmanager
    def driver_may_complain(self, what: str = DRIVER_SAYS) -> Iterator[None]:
        """Whatever panthor prints inside the block is no finding: a failure is provoked there.

        What it says is never demanded, and a page fault, a GPU fault or an oops stays a
        finding unless `what` (FAULT_SAYS) covers it: verdicts rest on what is seen from
        outside. Raises as `sh` does.
        """
        begin, end = (f"rig-mark-{secrets.token_hex(8)}" for _ in range(2))
        self.sh(f"echo {begin} > /dev/kmsg")
        self.expected.append(klog.Expected(what, None, (begin, end)))
        yield
        self.sh(f"echo {end} > /dev/kmsg")  # without it, the leave reaches to the log's end

    def expect_denials(
        self, access: str, where: Extent, count: int = 1, master: str = "cpu"
    ) -> None:
        """Declare accesses that the firewall denies; fewer or more of them fail the scenario."""
        self.denials.append(Denials(master, access, where.start, where.size, count))

    def exists(self, path: str) -> bool:
        """Whether a path exists in the guest."""
        result = self.try_run("test", "-e", path)
        check(result.status in (0, 1), f"`test -e {path}` ended with {result.status} in the guest",
              FailureClass.INFRA)  # fmt: skip
        return result.ok

    def wait(self, condition: Callable[[], bool], what: str, timeout: float = PROBE_S) -> None:
        """Look until `condition` holds. Raises `RigError` (HANG) at the deadline."""
        deadline = time.monotonic() + scaled(timeout)
        while not condition():
            self.session.vm.check()
            if time.monotonic() > deadline:
                raise RigError(FailureClass.HANG, f"waited {scaled(timeout):.0f} s for {what}")
            time.sleep(POLL_S)

    def settle(self, value: Callable[[], T], wanted: T, what: str) -> None:
        """Wait until `value()` is `wanted`; at the deadline say what it is instead."""
        deadline = time.monotonic() + scaled(SETTLE_S)
        while (now := value()) != wanted:
            self.session.vm.check()
            check(time.monotonic() < deadline, f"{what}: {now}, not {wanted}")
            time.sleep(POLL_S)
