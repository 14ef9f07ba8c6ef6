# SPDX-License-Identifier: MIT
"""The shape of a row in the tables of log rules (`klog_rules`, `panthor_rules`)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from rig.errors import FailureClass


@dataclass(frozen=True)
class Rule:
    """One kind of finding."""

    name: str
    failure: FailureClass
    start: re.Pattern[str]
    """Searched in each line; its named groups fill `title`."""
    title: str
    end: re.Pattern[str] | None = None
    """The report's last line. None: the report is one line, and what `context` takes."""
    context: re.Pattern[str] | None = None
    """Lines that belong to this report although another rule would start at them."""
    where: re.Pattern[str] | None = None
    """Searched in the report's lines; its groups add to those of `start`."""
    bare: bool = False
    """Also looked for in lines without a kernel timestamp."""


def rule(
    name: str,
    failure: FailureClass,
    start: str,
    title: str,
    *,
    end: str = "",
    context: str = "",
    where: str = "",
    bare: bool = False,
) -> Rule:
    """One row: regular expressions as text; an empty one means none."""

    def compiled(text: str) -> re.Pattern[str] | None:
        return re.compile(text) if text else None

    return Rule(
        name,
        failure,
        re.compile(start),
        title,
        compiled(end),
        compiled(context),
        compiled(where),
        bare,
    )
