# SPDX-License-Identifier: MIT
"""Rates inside one guest: register reads and job submissions."""

from __future__ import annotations

import re
from pathlib import Path

from rig.bench.figures import Figure
from rig.deadlines import JOB_S, scaled
from rig.errors import infra
from rig.scenarios.kit import Scenario
from rig.session import GuestConfig, Session
from rig.testbed import TestBed

READS = 1_000_000
SUBMITS = 20_000


def rate_figures(bed: TestBed, run_dir: Path, rounds: int) -> list[Figure]:
    """MMIO reads a second, checked with the device's own count, and submits a second."""
    with Session(bed, run_dir / "rates", GuestConfig("direct")) as session:
        rig = Scenario(session)
        reads = tuple(_reads(rig) for _ in range(rounds))
        rig.load_panthor(heap=None)
        rig.wait_bound()
        runs = [_said(rig, "gpuctl", "submit-bench", str(SUBMITS)) for _ in range(rounds)]
    return [
        Figure("MMIO reads", "1/s", reads),
        Figure("submits through the driver", "1/s", tuple(r["submits_per_s"] for r in runs)),
        Figure("jobs to their fence", "1/s", tuple(r["jobs_per_s"] for r in runs)),
    ]


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
