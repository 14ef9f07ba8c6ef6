# SPDX-License-Identifier: MIT
"""What has become of a guest: from its process, its logs and its monitor's events."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Sequence

from rig.errors import FailureClass, RigError
from rig.guest.shell import LOST_GRACE_S
from rig.journal import Clocks
from rig.machine.launch import LaunchSpec
from rig.machine.process import ChildProcess, describe_exit
from rig.store import no_space

QEMU_LOG = "qemu.log"
PANIC_GRACE_S = 1.0
"""A panicking kernel prints its trace after the line that says so."""

_PANIC = re.compile(r"Kernel panic - not syncing: (.*)")
_BL33_ERROR = re.compile(r"BL33: ERROR: (.*)")
_EXCEPTION = re.compile(r"BL33: ERROR: unexpected exception, .*\belr (0x[0-9a-f]+)")
_BL33 = range(0x4010_0000, 0x4020_0000)
"""Where BL33 is (firmware/bl33/bl33.ld): its vectors also catch a kernel that has none yet."""
_HANDOVER = "switching to normal world boot"  # OP-TEE's word; BL33 is silent when all is well


class Watch:
    """What has become of the guest: the one place that knows.

    The console's thread reports kernel lines, the process reports its end; every
    channel asks `health()` while it waits.
    """

    def __init__(
        self, process: ChildProcess, spec: LaunchSpec, clocks: Clocks | None = None
    ) -> None:
        self._process = process
        self._clocks = clocks
        self._spec = spec
        self._lock = threading.Lock()
        self._panic: tuple[float, str] | None = None

    def kernel_line(self, line: str) -> None:
        """Look at one line of the kernel's log."""
        if self._clocks is not None:
            self._clocks.kernel_line(line)
        match = _PANIC.search(line)
        if match:
            with self._lock:
                self._panic = self._panic or (time.monotonic(), match[1])

    def health(self) -> RigError | None:
        """The error that ended the guest, or None while it lives."""
        status = self._process.status
        with self._lock:
            panic = self._panic
        if panic and (status is not None or time.monotonic() - panic[0] > PANIC_GRACE_S):
            return RigError(
                FailureClass.OOPS, f"the kernel panicked: {panic[1]}", log=self._spec.console_log
            )
        if status is not None:
            if status < 0 and (full := no_space(self._spec.run_dir, self._spec.ram_file.parent)):
                return full  # a page of the RAM's file that cannot be had is a SIGBUS
            words = self._process.last_words()
            return describe_exit(status, words, self._spec.run_dir / QEMU_LOG)
        return None


def agent_error(turns: Sequence[float], spec: LaunchSpec) -> RigError | None:
    """LOST when the agent's port changed hands; `turns`: when it opened or closed, s of wall time.

    It opens once. Its end may only be seen as a second opening (QEMU merges events within
    a second), and a guest that powers off ends it too: that is left a moment to be told.
    """
    if len(turns) < 2 or time.time() - turns[1] < LOST_GRACE_S:
        return None
    return RigError(
        FailureClass.LOST,
        "the guest's agent ended, and with it what it was asked to do",
        hint="the console's log may tell who ended it",
        log=spec.console_log,
    )


def boot_error(spec: LaunchSpec, console: str, secure: str, error: RigError) -> RigError:
    """Which part of the boot did not get there: the firmware or the kernel."""
    if spec.flavour == "direct" or "Booting Linux" in console:
        hint = error.hint or "the console's log ends where the guest stopped"
        return RigError(FailureClass.BOOT, error.message, hint=hint, log=spec.console_log)
    if (where := _EXCEPTION.search(console)) is not None and int(where[1], 16) not in _BL33:
        return RigError(
            FailureClass.BOOT,
            f"the kernel died before its first line, by an exception at {where[1]}",
            hint="is the Image whole?",
            log=spec.console_log,
        )
    refused = _BL33_ERROR.search(console)
    if refused is not None:  # BL33 judges the Image before it enters it
        failure = FailureClass.BOOT if "-kernel" in refused[1] else FailureClass.FIRMWARE
        return RigError(failure, f"BL33 refused: {refused[1].strip()}", log=spec.console_log)
    if _HANDOVER in secure:
        return RigError(
            FailureClass.BOOT,
            f"the firmware started the kernel, which died before its first line ({error.message})",
            hint="is the Image whole, and is its console ttyAMA0?",
            log=spec.secure_log,
        )
    last = [line.strip() for line in secure.splitlines() if line.strip()][-1:]
    return RigError(
        FailureClass.FIRMWARE,
        f"the firmware did not start the kernel; it said last: {(last or ['nothing'])[0]}",
        hint="is the flash image whole? `rig build firmware` makes it",
        log=spec.secure_log,
    )
