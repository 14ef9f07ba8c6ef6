# SPDX-License-Identifier: MIT
"""The verdict on one scenario, and what many of them mean for the exit code."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rig.errors import FailureClass


class Outcome(enum.Enum):
    """How a scenario ended."""

    PASS = "PASS"
    FAIL = "FAIL"
    """The code under test is wrong."""
    NOT_APPLICABLE = "NOT_APPLICABLE"
    """The tree does not speak the scenario's contract."""
    ERROR = "ERROR"
    """The rig could not find out."""


class NoteKind(enum.Enum):
    """What a note is about."""

    INTEGRATION = "INTEGRATION"
    """What the driver was given does not fit the system it runs on; the driver may be right."""
    UNCHECKED = "UNCHECKED"
    """Something the scenario could not look at here, and what would let it."""
    FLAKE = "FLAKE"
    """The same content had another verdict before."""
    KNOWN_ISSUE = "KNOWN_ISSUE"
    """The device saw panthor do what it is known for (docs/events.md)."""
    MEASURED = "MEASURED"
    """A figure that belongs to the verdict, such as how much was tried."""


@dataclass(frozen=True)
class Note:
    """What the user must know beside the verdict; it changes no exit code."""

    kind: NoteKind
    text: str

    def __str__(self) -> str:
        return f"{self.kind.value}: {self.text}"


@dataclass(frozen=True)
class Verdict:
    """One scenario's result."""

    scenario: str
    outcome: Outcome
    sentence: str = ""
    """Why it is no PASS: one sentence for the reader."""
    failure: FailureClass | None = None
    seconds: float = 0.0
    stages: dict[str, float] = field(default_factory=dict)
    run_dir: Path | None = None
    notes: tuple[Note, ...] = ()
    hint: str = ""
    """What to do next about a verdict that is no PASS, where the rig knows."""

    @property
    def exit_code(self) -> int:
        """The process exit code if this were the only scenario."""
        if self.outcome is Outcome.PASS:
            return 0
        return self.failure.exit_code if self.failure else FailureClass.INFRA.exit_code


def outcome_of(failure: FailureClass) -> Outcome:
    """Whose fault a failure class is."""
    if failure is FailureClass.NOT_APPLICABLE:
        return Outcome.NOT_APPLICABLE
    return Outcome.FAIL if failure.exit_code == 1 else Outcome.ERROR


def exit_code(verdicts: Sequence[Verdict]) -> int:
    """Of a whole run. The rig's own failure outranks a FAIL, a FAIL outranks "cannot judge".

    NOT_APPLICABLE counts only when nothing else was judged: then the commit
    cannot be judged (125). No verdict at all is the rig's failure: fail closed.
    """
    codes = {verdict.exit_code for verdict in verdicts}
    rig_failures = [code for code in codes if code >= FailureClass.INFRA.exit_code]
    if not codes:
        return FailureClass.INFRA.exit_code
    if rig_failures:
        return max(rig_failures)
    if 1 in codes:
        return 1
    judged = [v for v in verdicts if v.outcome is not Outcome.NOT_APPLICABLE]
    return max((v.exit_code for v in judged), default=FailureClass.NOT_APPLICABLE.exit_code)
