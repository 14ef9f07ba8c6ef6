# SPDX-License-Identifier: MIT
"""Bisection by the signature of a failure.

Both ends are judged before the first step: BAD must fail, GOOD must pass. A state
that fails like BAD is bad, one that passes is good, and one that fails in another
way, does not build or does not speak the contract is skipped. Verdicts are kept by
content (`rig.states`), so the same bisection goes on where Ctrl-C ended it.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from rig.catalogue import Entry
from rig.errors import usage
from rig.kernel.patches import Patch
from rig.kernel.repo import KernelRepo
from rig.kernel.revisions import Revisions
from rig.series import states_of
from rig.states import Judged, Ruling, State, stop_if_rig_failed
from rig.verdict.signature import Signature, signature_of
from rig.verdict.verdict import Outcome, Verdict

SURE = 0.99
"""A confidence that wants no more runs."""


class History(Protocol):
    """The states between which to search."""

    def state(self, name: str) -> State:
        """The state of a patch number or commit."""

    def candidates(self, bad: str, goods: Sequence[str]) -> list[str]:
        """Names that may be the first bad one, but `bad` itself; the best to judge first."""


class Judge(Protocol):
    """Who gives verdicts: `rig.states.Referee`."""

    def rule(self, state: State, chosen: Sequence[Entry], turn: int = 1) -> Ruling:
        """All chosen scenarios on a state; `turn` counts independent runs."""


class SeriesHistory:
    """A series: its patches in order, 0 is the base."""

    def __init__(self, states: Sequence[State]) -> None:
        self._states = {state.name: state for state in states}

    def state(self, name: str) -> State:
        """Raises `RigError` (USAGE) for a number that the series does not have."""
        if name not in self._states:
            raise usage(
                f"the series has no patch {name}", f"0 (the base) to {len(self._states) - 1}"
            )
        return self._states[name]

    def candidates(self, bad: str, goods: Sequence[str]) -> list[str]:
        """Those nearest to the middle first."""
        low, high = max(int(good) for good in goods), int(bad)
        middle = (low + high) / 2
        return sorted(map(str, range(low + 1, high)), key=lambda name: abs(int(name) - middle))


class GitHistory:
    """Revisions of the user's tree, each with fix-up patches on top."""

    def __init__(self, revisions: Revisions, repo: KernelRepo, fixups: Sequence[Patch]) -> None:
        self._revisions, self._repo, self._fixups = revisions, repo, fixups

    def state(self, name: str) -> State:
        """A commit with the fix-ups that it lacks; where one does not apply there is no tree."""
        title = self._revisions.subject(name)
        tree = self._revisions.tree(name)
        for patch in self._fixups:
            if self._repo.contains(tree, patch):
                continue
            last = states_of(self._repo, tree, [patch], "fix-ups")[-1]
            if last.tree is None:
                return State(name, title, None, last.refusal)
            tree = last.tree
        return State(name, title, tree)

    def candidates(self, bad: str, goods: Sequence[str]) -> list[str]:
        """git's own choice: it knows merges."""
        return self._revisions.candidates(bad, goods)


class Kind(enum.Enum):
    """What a state means for the search."""

    GOOD = "good"
    BAD = "bad"
    SKIP = "skip"


@dataclass(frozen=True)
class Decision:
    """What was decided of one state, and on what."""

    state: State
    kind: Kind
    runs: tuple[Judged, ...]
    hits: int
    """Runs that failed with the signature searched for."""

    @property
    def telling(self) -> Verdict:
        """The verdict to show: a failure if there was one."""
        others = [run.verdict for run in self.runs if run.verdict.outcome is not Outcome.PASS]
        failed = [verdict for verdict in others if verdict.outcome is Outcome.FAIL]
        return (failed or others or [self.runs[0].verdict])[0]

    def line(self) -> str:
        """``bad   7  subject: 1 run``, with the reason of what is no PASS."""
        reused = sum(run.reused for run in self.runs)
        count = f"{len(self.runs)} run{'s' if len(self.runs) > 1 else ''}"
        count += f", {self.hits} with the signature" if 0 < self.hits < len(self.runs) else ""
        count += f", {reused} known before" if reused else ""
        text = f"{self.kind.value:5} {self.state.name[:12]} {self.state.title} ({count})"
        if self.kind is not Kind.SKIP:
            return text
        verdict = self.telling
        other = "fails with another signature: " if verdict.outcome is Outcome.FAIL else ""
        label = verdict.failure.label if verdict.failure else verdict.outcome.value
        return f"{text}\n      {other}{label}: {verdict.sentence}"


@dataclass(frozen=True)
class Bisection:
    """The end of a search."""

    signature: Signature
    first_bad: Decision
    """The earliest state known to be bad."""
    suspects: tuple[State, ...]
    """Skipped states that may be the first bad one instead; empty: it is `first_bad`."""
    decisions: tuple[Decision, ...]

    def confidence(self) -> str:
        """On how much the answer rests: it is wrong when a state judged good was not.

        Its bad states say how often the failure shows, by the rule of succession: without
        it, one bad run would make a single good one certain.
        """
        bad = [one for one in self.decisions if one.kind is Kind.BAD]
        good = [one for one in self.decisions if one.kind is Kind.GOOD]
        hits, runs = sum(one.hits for one in bad), sum(len(one.runs) for one in bad)
        fewest = min(len(one.runs) for one in good)
        missed = 1 - (hits + 1) / (runs + 2)
        enough = math.ceil(math.log(1 - SURE) / math.log(missed))
        more = "" if fewest >= enough else f"; --repeat {enough} would make it {SURE:.0%}"
        return (
            f"confidence {1 - missed**fewest:.2%}: bad states failed in {hits} of {runs} runs "
            f"({'no flake seen' if hits == runs else 'flaky'}), each good one passed "
            f"{fewest} of {fewest}{more}"
        )


class Bisector:
    """One search: a history, a scenario, and who judges."""

    def __init__(
        self, history: History, judge: Judge, entry: Entry, say: Callable[[str], None],
        repeat: int = 1,
    ) -> None:  # fmt: skip
        self._history, self._judge, self._entry = history, judge, entry
        self._say, self._repeat = say, repeat
        self._decisions: list[Decision] = []

    def search(self, good: str, bad: str) -> Bisection:
        """The first bad state after `good`.

        Raises `RigError`: USAGE when BAD does not fail or GOOD does not pass; the rig's
        own failures as they are.
        """
        target = self._verify_bad(bad)
        self._verify_good(good, target)
        goods, skipped = [good], set[str]()
        while left := [n for n in self._history.candidates(bad, goods) if n not in skipped]:
            self._say(f"{len(left)} left to judge, about {len(left).bit_length()} steps")
            decision = self._decide(self._history.state(left[0]), target)
            if decision.kind is Kind.BAD:
                bad = left[0]
            elif decision.kind is Kind.GOOD:
                goods.append(left[0])
            else:
                skipped.add(left[0])
        suspects = tuple(self._history.state(n) for n in self._history.candidates(bad, goods))
        first = next(d for d in self._decisions if d.state.name == bad)
        return Bisection(target, first, suspects, tuple(self._decisions))

    def _verify_bad(self, name: str) -> Signature:
        state = self._history.state(name)
        runs = self._runs(state)
        found = [s for run in runs if (s := signature_of(run.verdict)) is not None]
        if not found:
            said = _said(runs[-1].verdict)
            raise usage(f"BAD ({name[:12]}) does not fail {self._entry.id}: {said}",
                        "give a state that fails; if it fails seldom, raise --repeat")  # fmt: skip
        self._say(f"searching for [{found[0].id}] {found[0]}")
        self._note(state, runs, found[0])
        return found[0]

    def _verify_good(self, name: str, target: Signature) -> None:
        decision = self._decide(self._history.state(name), target)
        if decision.kind is not Kind.GOOD:
            said = _said(decision.telling)
            raise usage(f"GOOD ({name[:12]}) does not pass {self._entry.id}: {said}",
                        "give an earlier state that passes; `rig series` shows them")  # fmt: skip

    def _decide(self, state: State, target: Signature) -> Decision:
        return self._note(state, self._runs(state), target)

    def _note(self, state: State, runs: Sequence[Judged], target: Signature) -> Decision:
        kinds = [_kind(run.verdict, target) for run in runs]
        kind = kinds[0] if len(set(kinds)) == 1 else Kind.SKIP
        if Kind.BAD in kinds:  # the failure is in there, however seldom it shows
            kind = Kind.BAD
        decision = Decision(state, kind, tuple(runs), kinds.count(Kind.BAD))
        self._decisions.append(decision)
        self._say(decision.line())
        return decision

    def _runs(self, state: State) -> list[Judged]:
        """`repeat` runs, and as many again when they disagree. What cannot be judged: one."""
        runs: list[Judged] = []
        for turn in range(1, 2 * self._repeat + 1):
            if turn > self._repeat and len({_mark(run.verdict) for run in runs}) == 1:
                break
            row = self._judge.rule(state, [self._entry], turn)
            runs.append(stop_if_rig_failed(row.judged[0]))
            if runs[-1].verdict.outcome in (Outcome.ERROR, Outcome.NOT_APPLICABLE):
                break
        return runs


def _kind(verdict: Verdict, target: Signature) -> Kind:
    if verdict.outcome is Outcome.PASS:
        return Kind.GOOD
    return Kind.BAD if signature_of(verdict) == target else Kind.SKIP


def _mark(verdict: Verdict) -> tuple[Outcome, Signature | None]:
    return verdict.outcome, signature_of(verdict)


def _said(verdict: Verdict) -> str:
    words = verdict.outcome.value
    if verdict.outcome is not Outcome.NOT_APPLICABLE and verdict.failure is not None:
        words += f" {verdict.failure.label}"
    return words + (f": {verdict.sentence}" if verdict.sentence else "")
