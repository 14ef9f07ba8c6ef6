# SPDX-License-Identifier: MIT
"""Warnings of the code under test: each is a finding unless a row here gives leave.

To add a row: the pattern, where the line comes from, and why it is no defect. A
line that only one scenario provokes belongs into that scenario, with its count.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from rig.errors import FailureClass
from rig.verdict.rule import rule

WARN = 4
"""KERN_WARNING; smaller numbers are worse (include/linux/kern_levels.h)."""

UNKNOWN = rule(
    "unknown-warning",
    FailureClass.ASSERT,
    r"^(?P<what>(?:panthor|optee|tee|dma[-_]heap)\b.*)",
    "a warning that nobody expects: {what}",
)


@dataclass(frozen=True)
class Allowed:
    """One kind of line that is no finding."""

    pattern: re.Pattern[str]
    reason: str


def _allowed(regex: str, reason: str) -> Allowed:
    return Allowed(re.compile(regex), reason)


ALLOWED = (
    _allowed(
        r"Firmware protected mode entry is not supported, ignoring$",
        "panthor_fw.c:586 of 7.3.4: a driver without a heap says that it skips a PROT section",
    ),
)
