# SPDX-License-Identifier: MIT
"""QEMU by counted instructions: a guest that a busy host cannot starve, recorded and replayed.

Virtual time is the number of instructions shifted left, and goes on by the host's clock
while all CPUs sleep. A recording holds what came in from outside (docs/system/replay.rst of
QEMU 10.0): clocks, random numbers, packets, and what was typed on a serial line. Facts that
are not in that document (QEMU 10.0.13):

- More than one CPU is refused (system/vl.c: "multiple CPUs"), threads of their own too.
- A chardev is recorded only when `-serial` names it (chardev/char.c, qemu_chr_new_from_name).
  The agent's port thus stands behind the serial lines that the board has, for nothing else.
- That a chardev is opened is not recorded, and the guest hears of it: whoever records attaches
  before the first instruction; in a replay a file takes its place, which is open at once.
- QOM properties that are set meanwhile are not recorded: see `rig.machine.recording`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

_UARTS = {"direct": ("none",), "secure": ()}
"""Serial lines that the board could have beside the one or two of the launch line."""


@dataclass(frozen=True)
class Icount:
    """How instructions are counted, and what for."""

    shift: int = 1
    """An instruction takes 2^shift ns of virtual time."""
    log: Path | None = None
    """What came in from outside; None: neither recorded nor replayed."""
    replays: bool = False

    def arguments(self, flavour: str, port: str) -> list[str]:
        """Behind the launch line of a flavour; `port`: the agent's chardev."""
        how = f"shift={self.shift}"
        if self.log is None:
            return ["-icount", how]
        log = str(self.log).replace(",", ",,")
        mode = "replay" if self.replays else "record"
        return [
            *("-icount", f"{how},rr={mode},rrfile={log}"),
            *(word for line in _UARTS[flavour] for word in ("-serial", line)),
            *("-serial", f"chardev:{port}"),
            *("-object", "filter-replay,id=replay,netdev=net"),
        ]
