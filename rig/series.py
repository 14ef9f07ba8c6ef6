# SPDX-License-Identifier: MIT
"""A patch series as a matrix: which scenario says what behind which patch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rig.catalogue import Entry
from rig.errors import FailureClass, RigError, usage
from rig.kernel.patches import Patch
from rig.kernel.repo import KernelRepo, Tree
from rig.kernel.revisions import Revisions
from rig.states import Referee, Ruling, State, stop_if_rig_failed
from rig.verdict.signature import Signature, signature_of
from rig.verdict.verdict import Outcome, Verdict


@dataclass(frozen=True)
class Finding:
    """A failure that a patch brought in: the state before it did not fail like this."""

    number: int
    """How the table refers to its signature, from 1."""
    row: int
    verdict: Verdict
    signature: Signature
    unjudged: tuple[str, ...]
    """Names of the states just before that could not be judged: one of them may be to blame."""
    new: bool
    """Whether the scenario was judged on an earlier state; else it fails where it first applies."""


def states_of(repo: KernelRepo, base: Tree, patches: Sequence[Patch], series: str) -> list[State]:
    """The base as number 0, then the state behind each patch.

    From the first patch that does not apply on there is no tree: that patch's state
    says why, the later ones say that they were not tried.
    """
    states = [State("0", f"(base) {base.label}", base)]
    trees = repo.apply_each(base, patches, series)
    refusal: RigError | None = None
    for number, patch in enumerate(patches, 1):
        tree = None
        if refusal is None:
            try:
                tree = next(trees)
            except RigError as error:
                if error.failure is not FailureClass.BUILD:
                    raise
                refusal = error
        states.append(State(str(number), patch.subject, tree, refusal))
        if refusal is not None and tree is None and states[-2].refusal is None:
            refusal = RigError(FailureClass.BUILD, f"not tried: patch {number} does not apply")
    return states


def states_of_commits(revisions: Revisions, old: str, new: str) -> list[State]:
    """The commit `old` as number 0, then each commit up to `new`, first parents only.

    Who builds them borrows the objects of `revisions`. Raises `RigError` (USAGE) for none.
    """
    commits = revisions.between(old, new)
    if not commits:
        raise usage(
            f"there is no commit in {old[:12]}..{new[:12]}", "OLD..NEW, the older one first"
        )
    return [
        State(str(number), f"{commit[:12]} {revisions.subject(commit)}", revisions.tree(commit))
        for number, commit in enumerate([old, *commits])
    ]


def matrix(
    referee: Referee,
    states: Sequence[State],
    chosen: Sequence[Entry],
    told: Callable[[Ruling], None] = lambda _ruling: None,
) -> list[Ruling]:
    """Judge every state, the base first; `told` hears of each as it is done.

    Raises `RigError` when the rig itself fails: what was found so far is kept.
    """
    rows: list[Ruling] = []
    for state in states:
        row = referee.rule(state, chosen)
        for judged in row.judged:
            stop_if_rig_failed(judged)
        rows.append(row)
        told(row)
    return rows


def signatures(rows: Sequence[Ruling]) -> dict[Signature, int]:
    """Every failure signature of the matrix, numbered from 1 as they appear."""
    numbers: dict[Signature, int] = {}
    for row in rows:
        for judged in row.judged:
            signature = signature_of(judged.verdict)
            if signature is not None:
                numbers.setdefault(signature, len(numbers) + 1)
    return numbers


def findings(rows: Sequence[Ruling]) -> list[Finding]:
    """Failures by the patch that brought them in, in the order of the rows."""
    numbers = signatures(rows)
    columns = range(len(rows[0].judged)) if rows else range(0)
    found = [finding for column in columns for finding in _of_column(rows, column, numbers)]
    return sorted(found, key=lambda finding: finding.row)


@dataclass(frozen=True)
class Warned:
    """A compiler warning that no earlier state of the series gave."""

    row: int
    file: str
    words: str
    sure: bool
    """Whether an earlier state compiled the file too, without it."""

    @property
    def sentence(self) -> str:
        """For people."""
        doubt = "" if self.sure else " (no state before compiled that file, so it may be older)"
        return f"{self.file}: {self.words}{doubt}"


def new_warnings(rows: Sequence[Ruling]) -> list[Warned]:
    """Compiler warnings by the state that first gave them; the base brings none in."""
    found: list[Warned] = []
    objects: set[str] = set()
    known: set[tuple[str, str]] = set()
    for number, row in enumerate(rows):
        fresh = sorted(row.compiled.warnings - known) if number else []
        found += [
            Warned(number, file, words, file.endswith(".h") or file.removesuffix(".c") in objects)
            for file, words in fresh
        ]
        objects |= row.compiled.objects
        known |= row.compiled.warnings
    return found


def _of_column(rows: Sequence[Ruling], column: int, numbers: dict[Signature, int]) -> list[Finding]:
    found: list[Finding] = []
    before: Verdict | None = None  # of the last state that this scenario could be judged on
    unjudged: list[str] = []
    for number, row in enumerate(rows):
        verdict = row.judged[column].verdict
        if verdict.outcome is Outcome.ERROR:
            unjudged.append(row.state.name)
            continue
        signature = signature_of(verdict)
        if signature is not None and signature != (signature_of(before) if before else None):
            judged_before = before is not None and before.outcome is not Outcome.NOT_APPLICABLE
            found.append(
                Finding(numbers[signature], number, verdict, signature, tuple(unjudged),
                        judged_before)
            )  # fmt: skip
        before, unjudged = verdict, []
    return found
