# SPDX-License-Identifier: MIT
"""A guest's first answers, over the agent and over ssh: restored and booted, in turns.

Both go the way a scenario goes (`rig.snapshots.opened`), from before keys and folders
are made: a restored guest's time includes the look at its snapshot, the modules, MCU
image, clock and key that it is given.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from rig.bench.figures import Figure, compared
from rig.deadlines import COMMAND_S, scaled
from rig.machine.launch import Flavour
from rig.session import GuestConfig
from rig.snapshots import opened
from rig.testbed import TestBed

RATIO = 0.5
"""What a restore may take of a boot's time."""


@dataclass(frozen=True)
class Answers:
    """Seconds from the start to two points."""

    agent: float
    ssh: float
    """`true` has answered over ssh, asked behind the agent's answer."""


def restore_figures(
    bed: TestBed, run_dir: Path, flavour: Flavour, rounds: int, tell: Callable[[str], None]
) -> list[Figure]:
    """Both kinds, `rounds` times in turns, after one unmeasured pair that makes the snapshot."""
    pairs: list[tuple[Answers, Answers]] = []
    for number in range(rounds + 1):
        restored, booted = (_answers(bed, run_dir, flavour, cold=cold) for cold in (False, True))
        told = f"restored {restored.agent:.2f}/{restored.ssh:.2f} s"
        tell(f"{told}, booted {booted.agent:.2f}/{booted.ssh:.2f} s {flavour} {number}/{rounds}")
        pairs += [(restored, booted)] if number else []
    found: list[Figure] = []
    for point, name in (("agent", "the agent's answer"), ("ssh", "ssh")):
        ours, theirs = ([getattr(pair[who], point) for pair in pairs] for who in (0, 1))
        found += [
            Figure(f"restore {flavour} to {name}", "s", tuple(ours)),
            Figure(f"cold boot {flavour} to {name}", "s", tuple(theirs)),
            compared(f"restore/boot {flavour} to {name}", ours, theirs, RATIO),
        ]
    return found


def _answers(bed: TestBed, run_dir: Path, flavour: Flavour, *, cold: bool) -> Answers:
    chosen = bed.at(bed.tree)
    chosen.options = replace(bed.options, cold=cold)
    folder = run_dir / f"{flavour}-{'booted' if cold else 'restored'}"
    started = time.monotonic()
    with opened(chosen, folder, GuestConfig(flavour)) as session:
        session.agent.uptime()
        agent = time.monotonic() - started
        session.ssh.run(["true"], timeout=scaled(COMMAND_S), check=True)
        answers = Answers(agent, time.monotonic() - started)
    shutil.rmtree(folder)
    return answers
