# SPDX-License-Identifier: MIT
"""The signature of a failure: what makes two failures the same one."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from rig.errors import FailureClass
from rig.guest.shell import LAST
from rig.verdict.verdict import Outcome, Verdict

DEFINITION = (
    "signature: the failure class and the failure's sentence, with numbers, addresses, paths, "
    "counts of further findings, what a log adds to a check that failed, and the check that met "
    "an oops taken out"
)
AFTER = " (after: "
"""Behind an oops: which check tripped over it. That is a matter of luck."""

_NORMAL = (
    (re.compile(rf"{LAST}.*", re.DOTALL), ""),  # what happened to stand on the console
    (re.compile(rf"{re.escape(AFTER)}.*\)$", re.DOTALL), ""),
    # behind a check: the driver's words may reach the console before it is looked at, or after
    (re.compile(r"(?<=.) \((?:kernel log|secure log|firewall|GPU): .*\)$", re.DOTALL), ""),
    (re.compile(r" \(and \d+ more\)$"), ""),
    (re.compile(r"\+0x[0-9a-f]+/0x[0-9a-f]+"), ""),  # offset in a function
    (re.compile(r"(?<![\w.])/[\w.@:+-]+(?:/[\w.@:+-]+)+"), "PATH"),
    (re.compile(r"\b0x[0-9a-f]+\b", re.IGNORECASE), "N"),
    (re.compile(r"\b(?=[0-9a-f]*\d)[0-9a-f]{8,}\b"), "N"),  # pointers without 0x
    (re.compile(r"(?<![\w-])-?\d+(?:\.\d+)?(?![\w])"), "N"),
    (re.compile(r"\s+"), " "),
)


@dataclass(frozen=True)
class Signature:
    """A failure class and a normalised sentence (see `DEFINITION`)."""

    failure: FailureClass
    text: str

    @property
    def id(self) -> str:
        """8 hex digits, to name it on a command line."""
        return hashlib.sha256(str(self).encode()).hexdigest()[:8]

    def __str__(self) -> str:
        return f"{self.failure.label}: {self.text}"


def signature_of(verdict: Verdict) -> Signature | None:
    """The signature of a FAIL; None for every other outcome."""
    if verdict.outcome is not Outcome.FAIL or verdict.failure is None:
        return None
    text = verdict.sentence
    for pattern, to in _NORMAL:
        text = pattern.sub(to, text)
    return Signature(verdict.failure, text.strip())
