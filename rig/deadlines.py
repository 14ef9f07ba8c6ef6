# SPDX-License-Identifier: MIT
"""Deadlines of the stages, all stretched by one factor: how slow this machine is right now.

The base values are for an idle 2-core machine under TCG, with a margin of about
ten. A deadline is how long a silent failure takes to be called one; nothing
waits for a deadline that goes well.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from functools import cache

_REFERENCE_S = 0.050
"""What the loop below takes on the machine the base values were set on."""
_LOOPS = 600_000

BOOT_S = 30.0
COMMAND_S = 20.0
PROBE_S = 20.0
JOB_S = 60.0


@dataclass
class _Guests:
    slower: float = 1.0


_GUESTS = _Guests()


def slow_guest(factor: float) -> None:
    """From now on guests of this process are `factor` times slower than the plain kernel's."""
    _GUESTS.slower = factor


@cache
def scale() -> float:
    """At least 1.0: how much slower this machine is, by a short loop and by its load."""
    started = time.perf_counter()
    total = 0
    for number in range(_LOOPS):
        total += number
    measured = (time.perf_counter() - started) / _REFERENCE_S
    load = os.getloadavg()[0] / (os.cpu_count() or 1)
    return max(1.0, measured) * max(1.0, load)


def scaled(seconds: float) -> float:
    """A deadline for this machine."""
    return seconds * scale() * _GUESTS.slower
