# SPDX-License-Identifier: MIT
"""What is tried with each row of the fault plan, and what the driver's code says must happen.

fault_trials.toml has the trials; `run_trials` makes them on one guest, one after the other.
A trial is never a pass by itself: the device must have counted an effect of its row, the
client and the device must tell the end that the table demands, and a job must run behind
it, after a reload of the driver where its own code says that it gives up.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from rig.errors import infra

TABLE = Path(__file__).with_suffix(".toml")
RESULTS = "fault-trials.json"
"""In a scenario's folder: what its trials came to."""

Fate = Literal["carries-on", "resets", "fails-probe", "gives-up"]
"""carries-on: no reset, the driver lives. resets: it resets the GPU and lives. fails-probe:
it does not bind. gives-up: it takes its device away, until it is loaded again."""

FATES: Mapping[Fate, str] = {
    "carries-on": "the driver goes on without a reset",
    "resets": "the driver resets the GPU and goes on",
    "fails-probe": "the probe fails; the next one works",
    "gives-up": "the driver gives the GPU up; it works after a reload",
}


@dataclass(frozen=True)
class Trial:
    """One row of fault_trials.toml."""

    fault: str
    value: int
    family: str
    """The scenario (`faults/NAME`) whose guest it is made on."""
    way: str
    """How the driver is brought to meet it: a key of `rig.scenarios.fault_ways.WAYS`."""
    fate: Fate
    ends: str
    """What the last line of the client, or of the way, must match."""
    where: str
    """The driver's code that settles it (Linux 7.3)."""
    why: str
    argv: tuple[str, ...] = ()
    """What gpuctl is told, where the way is a client."""
    plan: Mapping[str, int] = field(default_factory=dict)
    """Other rows that are set with it."""
    sees: tuple[str, ...] = ()
    """Events of the device that must be there, `kind` or `kind field=value`."""
    resets: int = 0
    """GPU resets that the host asks for, exactly."""
    again: bool = False
    """One more is no fault: two places of the driver ask for it (panthor_gpu.c:361 or
    panthor_mmu.c:549, and panthor_mmu.c:1855), which is once unless the first is over by then."""
    off_first: bool = False
    """The fault is taken away at the first reset: as long as it is there nothing recovers."""
    reload: bool = False
    """The driver works but is spoilt, as `why` tells: the next trial needs another one."""

    @property
    def name(self) -> str:
        """For people: the row, its value, the way."""
        return f"{self.fault}={self.value:#x} ({' '.join((self.way, *self.argv))})"

    @property
    def most(self) -> int:
        """Resets that there may be."""
        return self.resets + self.again

    def matches(self, ended: str) -> bool:
        """Whether the client's or the way's end is the demanded one."""
        return re.search(self.ends, ended) is not None


@dataclass(frozen=True)
class Outcome:
    """What a trial came to, as the device and the client told it."""

    fault: str
    value: int
    way: str
    fate: Fate
    strikes: int
    resets: int
    boots: int
    ended: str
    seconds: float


def trials(family: str = "", table: Path = TABLE) -> list[Trial]:
    """The trials of one scenario, or all. Raises `RigError` (INFRA) for a row that is none."""
    rows = tomllib.loads(table.read_text())["trial"]
    return [_trial(row) for row in rows if family in ("", row.get("family"))]


def _trial(row: dict[str, Any]) -> Trial:
    for name in ("argv", "sees"):
        row[name] = tuple(row.get(name, ()))
    try:
        trial = Trial(**row)
    except TypeError as exc:
        raise infra(f"{TABLE.name}: {row.get('fault')}: {exc}") from exc
    if trial.fate not in FATES:
        raise infra(f"{TABLE.name}: {trial.name}: no fate {trial.fate!r}")
    return trial


def save(folder: Path, outcomes: Sequence[Outcome]) -> None:
    """Put what was found into a scenario's folder."""
    (folder / RESULTS).write_text(json.dumps([asdict(one) for one in outcomes], indent=1) + "\n")


def found(run_dir: Path) -> list[Outcome]:
    """What the trials of a run came to, in the order of its scenarios' folders."""
    files = sorted(run_dir.glob(f"*/{RESULTS}"))
    return [Outcome(**row) for file in files for row in json.loads(file.read_text())]


_HEAD = (
    "| fault | value | way | what comes of it | ends in | the driver's code |",
    "|---" * 6 + "|",
)


def page() -> str:
    """docs/fault-trials.md."""
    lines = [
        "<!-- SPDX-License-Identifier: MIT -->",
        "<!-- made by `python -m rig.scenarios.fault_trials`; do not edit -->",
        "# What panthor makes of each fault",
        "",
        "Each row of the [fault plan](faults.md) is tried on the driver under test by the family",
        "`faults` (`rig run faults/memory`, `make nightly` for all of them); the rows below are",
        "its data, `rig/scenarios/fault_trials.toml`. A trial passes when the device has counted",
        "an effect of the row (`strikes-NAME`), the client ends as told, the device has seen",
        "exactly so many resets, and a job runs behind it, after a reload where the driver gives",
        "up. Line numbers are those of Linux 7.3.4.",
        "",
        *_HEAD,
    ]
    return "\n".join([*lines, *map(_told, trials()), ""])


def _told(trial: Trial) -> str:
    value = f"{trial.value:#x}" + "".join(f", `{k}` {v:#x}" for k, v in trial.plan.items())
    way = " ".join((trial.way, *trial.argv))
    comes = f"{FATES[trial.fate]}. {trial.why}"
    ends = trial.ends.replace("|", "\\|")
    return f"| `{trial.fault}` | {value} | {way} | {comes} | `{ends}` | {trial.where} |"


def results(outcomes: Sequence[Outcome]) -> str:
    """A run's own table, from what it found."""
    lines = [
        "| fault | value | way | fate | strikes | resets | boots | ended | s |",
        "|---" * 9 + "|",
    ]
    lines += [
        f"| `{o.fault}` | {o.value:#x} | {o.way} | {o.fate} | {o.strikes} | {o.resets} "
        f"| {o.boots} | {o.ended} | {o.seconds} |"
        for o in outcomes
    ]
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    print(page(), end="")
