# SPDX-License-Identifier: MIT
"""Rates inside one guest: register reads and job submissions."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

from rig.bench.figures import Figure
from rig.deadlines import JOB_S, scaled
from rig.errors import infra
from rig.scenarios.kit import Scenario
from rig.session import GuestConfig, Session
from rig.testbed import TestBed

READS = 1_000_000
SUBMITS = 20_000
IDLE_S = 5.0
"""Length of one look at a guest that does nothing."""
IDLE_BUDGET = 1.0
"""% of a CPU that driver and GPU may cost such a guest."""


def rate_figures(bed: TestBed, run_dir: Path, rounds: int) -> list[Figure]:
    """MMIO reads a second, checked with the device's own count, and submits a second."""
    with Session(bed, run_dir / "rates", GuestConfig("direct")) as session:
        rig = Scenario(session)
        reads = tuple(_reads(rig) for _ in range(rounds))
        bare = [_idle(session) for _ in range(rounds)]
        rig.load_panthor(heap=None)
        rig.wait_bound()
        idle = [_idle(session) for _ in range(rounds)]
        runs = [_said(rig, "gpuctl", "submit-bench", str(SUBMITS)) for _ in range(rounds)]
    return [
        Figure("MMIO reads", "1/s", reads),
        Figure("idle driver and GPU", "% of a CPU", _differences(idle, bare), IDLE_BUDGET),
        Figure("submits through the driver", "1/s", tuple(r["submits_per_s"] for r in runs)),
        Figure("jobs to their fence", "1/s", tuple(r["jobs_per_s"] for r in runs)),
    ]


def cpu_seconds(pid: int) -> float:
    """CPU time of a process so far."""
    words = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def _idle(session: Session) -> float:
    """QEMU's share of a CPU while nobody asks the guest for anything, %."""
    pid = session.vm.pid
    if pid is None:
        raise infra("QEMU is gone")
    before, since = cpu_seconds(pid), time.monotonic()
    time.sleep(IDLE_S)  # the length of the measurement, no synchronisation
    return 100 * (cpu_seconds(pid) - before) / (time.monotonic() - since)


def _differences(more: list[float], less: list[float]) -> tuple[float, ...]:
    return tuple(a - b for a, b in zip(more, less, strict=True))


def _reads(rig: Scenario) -> float:
    before = rig.session.counter("mmio-reads")
    rate = _said(rig, "mmiobench", str(READS))["reads_per_s"]
    arrived = rig.session.counter("mmio-reads") - before
    if arrived != READS:
        raise infra(f"the guest read a register {READS} times, the device counted {arrived}")
    return rate


def _said(rig: Scenario, *argv: str) -> dict[str, float]:
    """The decimal key=value words of a client's output."""
    return numbers(rig.run(*argv, timeout=scaled(JOB_S)).output)


def numbers(text: str) -> dict[str, float]:
    """``a=1 b=2.5`` as a dict; words that are no decimal numbers are left out."""
    return {key: float(value) for key, value in re.findall(r"(\w+)=(\d+(?:\.\d+)?)(?=\s|$)", text)}
