# SPDX-License-Identifier: MIT
"""Verdicts as KTAP version 1 (Documentation/dev-tools/ktap.rst), one subtest list a family."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from rig.verdict.verdict import Outcome, Verdict


def ktap(verdicts: Sequence[Verdict]) -> str:
    """The document. A FAIL or ERROR is ``not ok`` with its reason as a diagnostic line."""
    families = [(name, list(group)) for name, group in groupby(verdicts, _family)]
    lines = ["KTAP version 1", f"1..{len(families)}"]
    for number, (name, group) in enumerate(families, 1):
        lines += ["  KTAP version 1", f"  # Subtest: {name}", f"  1..{len(group)}"]
        for count, verdict in enumerate(group, 1):
            lines += _case(count, verdict)
        bad = any(v.outcome in (Outcome.FAIL, Outcome.ERROR) for v in group)
        lines.append(f"{'not ok' if bad else 'ok'} {number} {name}")
    return "\n".join(lines) + "\n"


def _family(verdict: Verdict) -> str:
    return verdict.scenario.split("/", 1)[0]


def _case(number: int, verdict: Verdict) -> list[str]:
    name = verdict.scenario.split("/", 1)[1]
    notes = [f"  # {' '.join(str(note).split())}" for note in verdict.notes]
    if verdict.outcome is Outcome.PASS:
        return [*notes, f"  ok {number} {name}"]
    reason = " ".join(verdict.sentence.split())
    if verdict.outcome is Outcome.NOT_APPLICABLE:
        return [*notes, f"  ok {number} {name} # SKIP {reason}"]
    kind = verdict.failure.label if verdict.failure else verdict.outcome.value
    return [*notes, f"  # {kind}: {reason}", f"  not ok {number} {name}"]
