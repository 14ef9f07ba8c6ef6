# SPDX-License-Identifier: MIT
"""What a user waits for: `rig run` as a process of its own, everything built."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path

from rig.bench.figures import Figure
from rig.errors import FailureClass, RigError
from rig.store import Store

SCENARIO = "probe-defer/heap-late"
_NOT_BUILT = ("verdict",)
_SNAPSHOT = "snapshot-"
"""What the store also holds: findings and guests, not builds."""


def command_figures(name: str, arguments: list[str], run_dir: Path, rounds: int) -> Figure:
    """Wall time of `rig run …`, which must pass."""
    log = run_dir / f"{re.sub('[^a-z0-9]+', '-', name)}.log"
    return Figure(name, "s", tuple(_timed(arguments, log) for _ in range(rounds)))


def _timed(arguments: list[str], log: Path) -> float:
    argv = [sys.executable, "-m", "rig.cli.main", "run", *arguments]
    started = time.monotonic()
    with log.open("ab") as output:
        done = subprocess.run(
            argv, stdin=subprocess.DEVNULL, stdout=output, stderr=output, check=False
        )
    if done.returncode != 0:
        raise RigError(
            FailureClass.ASSERT,
            f"`rig run {' '.join(arguments)}` ended with {done.returncode}: no time of a verdict",
            log=log,
        )
    return time.monotonic() - started


def build_figures(store: Store) -> list[Figure]:
    """CPU seconds of the dearest build of each artifact in the store.

    The others went on in a warm build tree: what they cost says what changed, not what
    the artifact costs.
    """
    spent: dict[str, float] = {}
    for artifact, _used in store.artifacts():
        spent[artifact.name] = max(spent.get(artifact.name, 0.0), artifact.cpu_seconds)
    return [
        Figure(f"build {name}", "CPU s", (cpu,))
        for name, cpu in sorted(spent.items())
        if name not in _NOT_BUILT and not name.startswith(_SNAPSHOT)
    ]
