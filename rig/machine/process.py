# SPDX-License-Identifier: MIT
"""QEMU as a child that cannot outlive the rig, nor leave files behind.

Three things see to it, because a rig may be killed with SIGKILL:
- the kernel kills QEMU when its parent thread ends (``PR_SET_PDEATHSIG``, through
  setpriv: `preexec_fn` is not safe in a process with threads);
- the parent is a thread of ours that lives exactly as long as QEMU does, since
  the signal follows the *thread* that forked, not the process;
- a janitor (`sh` blocked in a read) removes sockets and RAM once the pipe to the
  rig closes, whatever closed it.
"""

from __future__ import annotations

import os
import re
import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path

from rig.errors import FailureClass, RigError, infra

# Between fork and prctl the rig may die unseen; so the child looks who its parent is.
_GUARD = '[ "$PPID" = "$0" ] && exec "$@"'
_JANITOR = 'read -r _; rm -rf -- "$@"'
_SPAWN_TIMEOUT_S = 10.0
# QEMU's own messages start with its name; sanitizers and assertions have their own ways.
_COMPLAINT = re.compile(r"^\S*qemu\S*: (?!warning)|Assertion|ERROR:|Sanitizer|runtime error")


class ChildProcess:
    """Starts `argv` in a session of its own, its output in `log`."""

    def __init__(self, argv: Sequence[str], log: Path) -> None:
        self._argv = list(argv)
        self._log = log
        self._spawned = threading.Event()
        self._ended = threading.Event()
        self._child: subprocess.Popen[bytes] | None = None
        self._error: OSError | None = None
        self._thread = threading.Thread(target=self._own, name="qemu-parent", daemon=True)

    def start(self) -> None:
        """Start it. Raises `RigError(INFRA)` when it cannot be executed."""
        self._thread.start()
        if not self._spawned.wait(_SPAWN_TIMEOUT_S):
            raise infra(f"{self._argv[0]} did not start", log=self._log)
        if self._error is not None:
            raise infra(
                f"cannot start {self._argv[0]}: {self._error.strerror}",
                "`rig doctor` says what is missing",
            ) from self._error

    def _own(self) -> None:
        """Body of the parent thread: fork, then wait for the child."""
        guarded = ["setpriv", "--pdeathsig", "KILL", "sh", "-c", _GUARD, str(os.getpid())]
        try:
            with self._log.open("wb") as log:
                self._child = subprocess.Popen(
                    [*guarded, *self._argv],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,  # the terminal's Ctrl-C is for the rig alone
                )
        except OSError as exc:
            self._error = exc
            return
        finally:
            self._spawned.set()
        self._child.wait()
        self._ended.set()

    @property
    def pid(self) -> int | None:
        """Process id while it runs."""
        running = self._child is not None and not self._ended.is_set()
        return self._child.pid if self._child is not None and running else None

    @property
    def status(self) -> int | None:
        """Exit status (negative: the signal that ended it), None while it runs."""
        return self._child.returncode if self._child and self._ended.is_set() else None

    def wait(self, timeout: float) -> int | None:
        """Wait at most `timeout` s for the end; the exit status, or None."""
        self._ended.wait(timeout)
        return self.status

    def end(self, grace: float) -> None:
        """Terminate, then kill; returns once it is gone. `grace` s before the kill."""
        if not self._thread.ident or not self._spawned.wait(_SPAWN_TIMEOUT_S) or not self._child:
            return
        if self.status is None:
            self._child.terminate()
            if self.wait(grace) is None:
                self._child.kill()
        self._thread.join()

    def last_words(self) -> str:
        """The line of its own output that says what is wrong, for an error message."""
        try:
            lines = self._log.read_text(errors="replace").strip().splitlines()
        except FileNotFoundError:
            lines = []
        told = [line for line in lines if _COMPLAINT.search(line)] or lines[-1:]
        return told[0].strip() if told else "it printed nothing"


class Janitor:
    """Removes files and folders when it is closed, or when this process is gone."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._child = subprocess.Popen(
            ["sh", "-c", _JANITOR, "janitor", *map(str, paths)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def close(self) -> None:
        """Have it remove them now, and wait until it has."""
        if self._child.stdin is None:
            raise RuntimeError("the janitor has no pipe")
        try:
            self._child.stdin.close()
            self._child.wait(timeout=10)
        except subprocess.TimeoutExpired as exc:
            self._child.kill()
            raise infra("the files of the run could not be removed in time") from exc


def describe_exit(status: int, last_words: str, log: Path) -> RigError:
    """The error for a QEMU that ended by itself. LOST: nothing was proved or disproved."""
    if status == 0:
        return RigError(FailureClass.LOST, "the guest powered off or rebooted, and QEMU ended")
    how = f"was killed by signal {-status}" if status < 0 else f"exited with status {status}"
    crash = "a crash of the device model? run the line in qemu.cmdline under `gdb --args`"
    hint = crash if status < 0 else ""
    return RigError(FailureClass.LOST, f"QEMU {how}: {last_words}", hint=hint, log=log)
