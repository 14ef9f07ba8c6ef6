# SPDX-License-Identifier: MIT
"""Which review findings the results on disk show: id -> scenarios -> mutants -> contracts.

A finding is shown by a scenario that speaks to it, passed on the contract, and failed, for
the right reason, on a mutant that has the defect. A finding that only one contract or series
can have (`Review.on`) is shown there, whatever contract is asked for. Both are read from
`run.json` and `matrix.json`; what scenarios and mutants merely say of themselves counts for
nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rig.bundle import MATRIX, RUN, Matrix, Run, load
from rig.errors import RigError, usage
from rig.review_table import REVIEWS, Review
from rig.tested import rig_version
from rig.verdict.verdict import Outcome

_PASS, _FAIL = Outcome.PASS.value, Outcome.FAIL.value
TEETH = "teeth"


@dataclass
class Evidence:
    """What results say, keyed by finding and scenario."""

    passed: dict[tuple[str, str], dict[str, None]] = field(default_factory=dict)
    """(finding, scenario) -> contracts or series that it passed on."""
    killed: dict[tuple[str, str], dict[str, str]] = field(default_factory=dict)
    """(finding, scenario) -> mutants with the finding that it failed on, as it had to, and the
    series that each goes on top of."""


@dataclass(frozen=True)
class Shown:
    """One finding, and what shows it."""

    review: Review
    proofs: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...]
    """(scenario, mutants it killed, contracts it passed on), the complete ones only."""

    @property
    def good(self) -> bool:
        """Whether it is shown, or the table says why no run can; both at once is wrong."""
        return bool(self.proofs) != bool(self.review.impossible)


def gather(folders: Iterable[Path]) -> Evidence:
    """Read the results of runs and of mutants' runs; those of another rig are left out.

    Raises `RigError` (USAGE) for a folder that is no run's.
    """
    records = [_record(folder) for folder in folders]
    matrices = [record for record in records if isinstance(record, Matrix)]
    runs = [record for record in records if isinstance(record, Run)]
    runs = [run for run in runs if run.inputs.rig == rig_version()]
    found = Evidence()
    speaks: dict[str, tuple[str, ...]] = {}
    for run in runs:
        speaks.update(run.reviews)
        _add_run(found, run)
    for matrix in matrices:
        if matrix.kind == TEETH and matrix.rig == rig_version():
            _add_teeth(found, matrix, speaks)
    return found


def _record(folder: Path) -> Matrix | Run:
    """What `rig teeth` or `rig run` left in its folder. Raises as `bundle.load` does."""
    if (folder / MATRIX).exists():
        return load(folder / MATRIX, Matrix)
    return load(folder / RUN, Run)


def _add_run(found: Evidence, run: Run) -> None:
    """A run on an unbroken driver and device, behind a firewall: its passes."""
    inputs = run.inputs
    if inputs.faults or not inputs.firewall or "--mutant" in inputs.options:
        return
    for row in run.rows:
        for name in run.reviews.get(row.scenario, ()) if row.outcome == _PASS else ():
            found.passed.setdefault((name, row.scenario), {})[label(run)] = None


def _add_teeth(found: Evidence, matrix: Matrix, speaks: dict[str, tuple[str, ...]]) -> None:
    """Killers that failed for the reason of the mutant's row."""
    for line in matrix.lines:
        for cell in line.cells:
            if not (cell.good and cell.wanted == cell.outcome == _FAIL):
                continue
            for name in set(line.reviews).intersection(speaks.get(cell.scenario, ())):
                found.killed.setdefault((name, cell.scenario), {})[line.name] = line.contract


def label(run: Run) -> str:
    """What a run was on: the names of the series that were applied, or the contract found."""
    names = [Path(patches.path).name for patches in run.inputs.patches]
    return "+".join(names) or run.inputs.contract


def judge(found: Evidence, contract: str, reviews: Sequence[Review] = REVIEWS) -> list[Shown]:
    """Each finding with what shows it on `contract`, or on its own, in the table's order."""
    return [Shown(review, _proofs(found, contract, review)) for review in reviews]


def _proofs(
    found: Evidence, contract: str, review: Review
) -> tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...]:
    """A finding of one contract or series counts there, and by the mutants of that, only."""
    proofs = []
    for (name, scenario), contracts in found.passed.items():
        bases = found.killed.get((name, scenario), {})
        mutants = tuple(mutant for mutant in bases if review.on in ("", bases[mutant]))
        if name == review.id and (review.on or contract) in contracts and mutants:
            proofs.append((scenario, mutants, tuple(contracts)))
    return tuple(sorted(proofs))


def newest(runs: Path) -> list[Path]:
    """Folders of finished runs, the newest last. Raises `RigError` (USAGE) when there is none.

    What this version of the rig cannot read is another one's, and would not count.
    """
    found = [path for path in sorted(runs.glob("*")) if _readable(path)]
    if not found:
        raise usage(f"no run in {runs}", "`rig run` and `rig teeth` make some")
    return found


def _readable(folder: Path) -> bool:
    try:
        _record(folder)
    except RigError:
        return False
    return True
