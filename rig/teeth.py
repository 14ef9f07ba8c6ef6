# SPDX-License-Identifier: MIT
"""Drivers, firmware, devices broken on purpose: each turns its scenarios red, and only those.

A mutant row names its finding, the scenarios that must FAIL on it (killers) and
scenarios that must still PASS (survivors). Both sides are checked; a rig failure
or a mutant that does not build is neither.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rig.catalogue import Entry, select
from rig.errors import usage
from rig.options import MUTANTS, SERIES, Options
from rig.runner import RunResult, run
from rig.testbed import TestBed
from rig.ui import Reporter
from rig.verdict.verdict import Outcome, Verdict

TABLE = MUTANTS / "mutants.toml"


@dataclass(frozen=True)
class Mutant:
    """One row of kernel_config/mutants/mutants.toml."""

    name: str
    base: str
    """The series it goes on top of, which is a contract's."""
    finding: str
    """The defect, in one sentence."""
    says: str
    """Regular expression that the sentence of every killer must match: the right cause."""
    killers: tuple[str, ...]
    survivors: tuple[str, ...]
    faults: tuple[tuple[str, int], ...] = ()
    """A broken device instead of a broken driver: rows of the fault plan."""
    firewall: bool = True
    """False: nothing is broken but the firewall, which is off."""
    reviews: tuple[str, ...] = ()
    """The review findings (`rig.review_table`) that it has."""
    nightly: bool = False
    """`make test` leaves it to `make nightly` and `make teeth`: a build and two guests each."""
    debug: bool = False
    """What it breaks shows in the debug kernel alone."""

    def options(self, base: Options) -> Options:
        """What is under test when this mutant is."""
        if self.faults or not self.firewall:
            return replace(base, faults=self.faults, firewall=self.firewall)
        series = (SERIES / self.base,)
        return replace(base, mutant=self.name, series=series, debug=self.debug)


@dataclass(frozen=True)
class Bite:
    """One mutant on one scenario, and whether that is what its row says."""

    mutant: Mutant
    wanted: Outcome
    verdict: Verdict

    @property
    def good(self) -> bool:
        """Whether a killer failed for the row's reason, or a survivor passed."""
        if self.verdict.outcome is not self.wanted:
            return False
        return self.wanted is Outcome.PASS or self._names_the_cause()

    def _names_the_cause(self) -> bool:
        return re.search(self.mutant.says, self.verdict.sentence) is not None


def load(table: Path = TABLE) -> list[Mutant]:
    """The rows of the table."""
    rows = tomllib.loads(table.read_text())["mutant"]
    return [
        Mutant(
            row["name"],
            row["base"],
            row["finding"],
            row["says"],
            tuple(row["killers"]),
            tuple(row["survivors"]),
            tuple(row.get("faults", {}).items()),
            row.get("firewall", True),
            tuple(row.get("reviews", ())),
            row.get("nightly", False),
            row.get("debug", False),
        )
        for row in rows
    ]


def choose(names: Sequence[str], mutants: Sequence[Mutant], *, debug: bool = False) -> list[Mutant]:
    """The mutants of these names, or all of the plain kernel, or all of the debug kernel.

    Raises `RigError` (USAGE) for an unknown name.
    """
    known = {mutant.name: mutant for mutant in mutants}
    for name in names:
        if name not in known:
            raise usage(f"no mutant {name!r}", f"one of: {', '.join(known)}")
    if names:
        return [known[name] for name in names]
    return [mutant for mutant in mutants if mutant.debug == debug]


def bite(mutant: Mutant, base: Options, catalogue: Sequence[Entry], run_dir: Path) -> list[Bite]:
    """Run one mutant's killers and survivors."""
    wanted = dict.fromkeys(mutant.survivors, Outcome.PASS)
    wanted.update(dict.fromkeys(mutant.killers, Outcome.FAIL))
    if not wanted:
        return []
    folder = run_dir / mutant.name
    folder.mkdir()
    bed = TestBed(mutant.options(base), Reporter())
    result: RunResult = run(bed, select(list(wanted), catalogue), folder)
    return [Bite(mutant, wanted[verdict.scenario], verdict) for verdict in result.verdicts]


def toothless(mutants: Sequence[Mutant], catalogue: Sequence[Entry]) -> list[str]:
    """Scenarios that no mutant of the table kills: checks that have not been seen to fail.

    A family that runs only when named needs none: the unpatched kernel is its mutant.
    """
    killed = {name for mutant in mutants for name in mutant.killers}
    return [e.id for e in catalogue if e.id not in killed and not e.on_demand]
