# SPDX-License-Identifier: MIT
"""How long the stages of a run took, beside the runs before it on this machine."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rig.bundle import RUN, Run, load
from rig.errors import RigError

KEEP = 12
"""Earlier runs that are looked at, the newest."""
_ENOUGH = 3
"""Earlier runs from which on one may be called slow."""
_SLOW, _SLOW_S = 1.5, 0.5
WHOLE = "the run"


@dataclass(frozen=True)
class Timing:
    """One stage."""

    what: str
    """The scenario, or `WHOLE`."""
    stage: str
    seconds: float
    earlier: tuple[float, ...]
    """Seconds in earlier runs, the oldest first."""

    @property
    def usual(self) -> float | None:
        """The median of the earlier runs; None without any."""
        return statistics.median(self.earlier) if self.earlier else None

    @property
    def ratio(self) -> float | None:
        """To the usual."""
        return self.seconds / self.usual if self.usual else None

    @property
    def slow(self) -> bool:
        """Half as long again as usual, and by so much that a reader cares."""
        if self.usual is None or len(self.earlier) < _ENOUGH:
            return False
        return self.seconds > max(self.usual * _SLOW, self.usual + _SLOW_S)

    @property
    def points(self) -> str:
        """Earlier ones and this one as points of a polyline of 80 x 18."""
        values = [*self.earlier, self.seconds]
        most = max(values) or 1.0
        step = 76 / max(1, len(values) - 1)
        return " ".join(
            f"{2 + number * step:.1f},{16 - value / most * 14:.1f}"
            for number, value in enumerate(values)
        )


def timings(run_dir: Path, run: Run) -> list[Timing]:
    """Every stage of `run`, whose folder is `run_dir`; what is slow first, then by scenario."""
    before = list(_before(run_dir, run))
    now = _stages(run)
    found = [
        Timing(what, stage, seconds, tuple(b[what, stage] for b in before if (what, stage) in b))
        for (what, stage), seconds in now.items()
    ]
    return sorted(found, key=lambda one: (not one.slow, one.what != WHOLE, one.what, one.stage))


def _before(run_dir: Path, run: Run) -> Iterator[dict[tuple[str, str], float]]:
    earlier = []
    for file in run_dir.parent.glob(f"*/{RUN}"):
        if file.parent == run_dir:
            continue
        try:
            other = load(file, Run)
        except RigError:  # of another version of the rig, or gone meanwhile
            continue
        if other.started < run.started and other.rows and _alike(other, run):
            earlier.append(other)
    for other in sorted(earlier, key=lambda one: one.started)[-KEEP:]:
        yield _stages(other, like=run)


def _alike(one: Run, two: Run) -> bool:
    """Whether their seconds may be compared at all."""
    return all(
        getattr(one.inputs, name) == getattr(two.inputs, name) for name in ("gpu", "soak", "cold")
    )


def _stages(run: Run, like: Run | None = None) -> dict[tuple[str, str], float]:
    """(scenario, stage) -> s. With `like` only what ended as it did there."""
    wanted = {row.scenario: row.outcome for row in like.rows} if like is not None else None
    found = {
        (row.scenario, stage): seconds
        for row in run.rows
        if wanted is None or wanted.get(row.scenario) == row.outcome
        for stage, seconds in row.stages.items()
    }
    whole = {"total": run.seconds, **run.timings}
    if like is None or set(run.wanted) == set(like.wanted):
        found |= {(WHOLE, stage): seconds for stage, seconds in whole.items()}
    return found
