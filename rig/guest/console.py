# SPDX-License-Identifier: MIT
"""A root shell on the serial console: it works when everything else in the guest is dead.

A command's text goes over base64 and so does its output, between markers that
the echo of the command cannot contain: nothing that is echoed, printed by the
kernel meanwhile or part of the output (`dmesg`!) can be taken for something else.
What arrives damaged all the same is an error, not a result.
"""

from __future__ import annotations

import base64
import binascii
import re
import secrets
import shlex
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from pexpect.exceptions import EOF, TIMEOUT

from rig.errors import FailureClass, RigError, infra
from rig.guest.serial import SerialStream, remaining
from rig.guest.shell import LAST, Health, ShellResult, no_health, why_lost

PROMPT = b"rig# "
READY = b"rig: ready"
BASE64_COLUMNS = 76
_CHUNK = 400
"""Characters a typed line: busybox cuts lines at 1024."""
_SLICE_S = 0.2
"""How often a wait looks whether the guest is still alive."""
_INTERRUPT = "\x03"


class Console:
    """The serial console as a `GuestShell`.

    `health` says what has become of the guest (kernel panic, QEMU gone); a wait
    then ends with that error at once instead of at its deadline.
    """

    def __init__(
        self,
        socket_path: Path,
        *,
        health: Health = no_health,
        on_kernel_line: Callable[[str], None] = lambda _l: None,
        log: Path | None = None,
    ) -> None:
        self.stream = SerialStream(socket_path, on_kernel_line)
        self._health = health
        self._log = log
        self._stuck = False

    def wait_ready(self, timeout: float) -> None:
        """Wait for the init script's ``rig: ready`` and its prompt."""
        deadline = time.monotonic() + timeout
        self._expect(re.escape(READY), deadline, "boot to `rig: ready`")
        self._expect(re.escape(PROMPT), deadline, "give a prompt")

    def sync(self, timeout: float) -> None:
        """Get a prompt from a shell of unknown state (after a restore, after a hang)."""
        nonce = secrets.token_hex(4)
        self._write(f'{_INTERRUPT}\necho "<""{nonce}>"\n')
        self._expect(f"<{nonce}>\r?\n".encode(), time.monotonic() + timeout, "answer at its prompt")
        self._stuck = False

    def run(self, argv: Sequence[str], *, timeout: float, check: bool = False) -> ShellResult:
        """Run a command. See `GuestShell` for the errors; a hung command is interrupted."""
        deadline = time.monotonic() + timeout
        if self._stuck:
            self.sync(timeout)
        nonce = secrets.token_hex(4)
        self._type(shlex.join(argv), nonce)
        what = f"finish `{shlex.join(argv)}`"
        try:
            self._expect(f"<{nonce}:B>\r?\n".encode(), deadline, what)
            self._expect(f"<{nonce}:E (x|\\d+)>\r?\n".encode(), deadline, what)
        except RigError as error:
            if error.failure is FailureClass.HANG:
                self._stuck = True
                self._write(_INTERRUPT)
            raise
        result = ShellResult(self._status(), self._decode(what))
        return result.checked(argv) if check else result

    def _type(self, command: str, nonce: str) -> None:
        """Type the command: its base64 text in pieces, then the line that runs it."""
        text = base64.b64encode(command.encode()).decode()
        pieces = [text[i : i + _CHUNK] for i in range(0, len(text), _CHUNK)]
        lines = ["C=", *(f"C=${{C}}{piece}" for piece in pieces)]
        # fd 3 carries the status past the pipe, fd 4 is the console itself. The markers are
        # written with "" inside, so that no echo of this line holds them. The length tells
        # a command that lost characters on its way from one that failed.
        lines.append(
            f'{{ echo "<""{nonce}:B>"; S=x; [ ${{#C}} = {len(text)} ] && S=$({{ {{ '
            '(eval "$(echo $C|base64 -d)") </dev/null 2>&1 3>&- 4>&-; echo $? >&3; '
            f'}}|base64 >&4; }} 3>&1); echo "<""{nonce}:E $S>"; }} 4>&1'
        )
        self._write("".join(line + "\n" for line in lines))

    def _write(self, text: str) -> None:
        try:
            self.stream.write(text.encode())
        except RigError as error:
            raise why_lost(self._health, error) from None

    def _status(self) -> int:
        match = self.stream.match
        if not isinstance(match, re.Match) or match[1] == b"x":
            raise infra("the console lost a part of the command that was typed", log=self._log)
        return int(match[1])

    def _decode(self, what: str) -> str:
        """The output between the markers; strict, so that damage is seen."""
        body = (self.stream.before or b"").replace(b"\r", b"")
        lines = body.splitlines()
        whole = all(len(line) == BASE64_COLUMNS for line in lines[:-1])
        try:
            data = base64.b64decode(b"".join(lines), validate=True)
        except binascii.Error:
            whole, data = False, b""
        if not whole:
            stray = next((x for x in lines if len(x) != BASE64_COLUMNS), b"")
            raise infra(
                f"the console could not {what} undamaged: {stray[:80].decode(errors='replace')!r}"
                " is in its output",
                "something else writes on ttyAMA0, or the guest has no base64; use the agent",
                self._log,
            )
        return data.decode(errors="replace")

    def _expect(self, pattern: bytes, deadline: float, what: str) -> None:
        """Wait for `pattern` in what the tty prints; raise HANG, LOST or what `health` says."""
        compiled = re.compile(pattern)
        while True:
            try:
                self.stream.expect([compiled], timeout=min(_SLICE_S, remaining(deadline)))
            except TIMEOUT:
                if (error := self._health()) is not None:
                    raise error from None
            except EOF:
                raise self._lost(what) from None
            else:
                return
            if not remaining(deadline):
                raise self._error(FailureClass.HANG, f"the guest did not {what} in time") from None

    def _lost(self, what: str) -> RigError:
        message = f"the console went away before the guest could {what}"
        return why_lost(self._health, self._error(FailureClass.LOST, message))

    def _error(self, failure: FailureClass, message: str) -> RigError:
        return RigError(failure, message + self.last_words(), log=self._log)

    def last_words(self) -> str:
        """The console's last lines, to be appended to an error's message."""
        return LAST + (" / ".join(self.stream.last_lines(3)) or "nothing")

    def close(self) -> None:
        """Drop the connection; the guest goes on."""
        self.stream.close()
