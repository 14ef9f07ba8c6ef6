# SPDX-License-Identifier: MIT
"""A tool and all its children as one: none of them outlives the rig, however it ends."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType

GRACE_S = 10.0
"""What a tool gets to put away half-written files."""
# SIGTERM, not SIGKILL: make and gcc remove what they were writing, and the tree stays usable.
# The keeper is there before the tool, and leads its group: no signal to the rig can fall
# between the two and leave a tool without one.
_KEEPER = 'trap "" TERM; read -r _; kill -TERM 0'


class Leashed:
    """Runs `command` in a process group of its own, its output in `child.stdout`.

    A context manager: whatever ends the block ends the group. A keeper (`sh` blocked
    in a read) sees to it when this process is killed.
    """

    def __init__(self, command: Sequence[str], cwd: Path | None, env: Mapping[str, str]) -> None:
        self._keeper = subprocess.Popen(
            ["sh", "-c", _KEEPER],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            process_group=0,
        )
        try:
            self.child = subprocess.Popen(
                command,
                cwd=cwd,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                process_group=self._keeper.pid,
            )
        except BaseException:  # not installed, or Ctrl-C just now
            self._keeper.communicate()
            raise

    def __enter__(self) -> subprocess.Popen[bytes]:
        return self.child

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if kind is not None:
                self._end()
            self.child.wait()
        finally:
            if self.child.stdout is not None:
                self.child.stdout.close()
            self._keeper.communicate()

    def _end(self) -> None:
        self._signal(signal.SIGTERM)
        try:
            self.child.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            self._signal(signal.SIGKILL)

    def _signal(self, number: int) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._keeper.pid, number)
