# SPDX-License-Identifier: MIT
"""A guest's time line and memory map for the page's script: JSON, deflated, in base64.

Packed, a log is a tenth of its size, and nothing of it can become markup. Times are
virtual, in us.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from rig.errors import RigError
from rig.gpu.event_table import FIREWALL_KINDS
from rig.gpu.events import Event, EventLog
from rig.report import memory
from rig.report.timeline import SOURCES, Mark

MAX_TEXT = 4000
"""Characters of one row."""
_LATE, _BAD = 1, 2  # report.js


def packed(folder: Path, marks: Sequence[Mark]) -> str:
    """Base64 of the deflated JSON that report.js reads. `folder` is the guest's."""
    data = zlib.compress(msgspec.json.encode(data_of(folder, marks)), 6)
    return base64.b64encode(data).decode()


def data_of(folder: Path, marks: Sequence[Mark]) -> dict[str, Any]:
    """What report.js reads."""
    areas = memory.areas(_events(folder / "gpu-events.jsonl"))
    zones = memory.zones(_events(folder / "firewall-events.jsonl", "firewall", FIREWALL_KINDS))
    return {
        "sources": SOURCES,
        "rows": [_row(mark) for mark in marks],
        "areas": [_timed(vars(one)) for one in areas],
        "zones": [_timed(vars(one)) for one in zones],
        "windows": memory.windows(areas, zones),
        "peak": memory.peak(areas) / 1000,
    }


def _row(mark: Mark) -> tuple[float, int, int, int, str]:
    flags = _LATE * mark.late | _BAD * mark.bad
    length = round((mark.seconds or 0) * 1e6)
    return round(mark.vns / 1000), SOURCES.index(mark.source), flags, length, mark.text[:MAX_TEXT]


def _timed(fields: dict[str, Any]) -> dict[str, Any]:
    """Times in us."""
    end = fields["end"]
    return {**fields, "begin": fields["begin"] / 1000, "end": end / 1000 if end else None}


def _events(path: Path, who: str = "GPU", kinds: frozenset[str] | None = None) -> list[Event]:
    """As far as they can be read: the time line says what is wrong with a damaged log."""
    log = EventLog(path, who, kinds) if kinds else EventLog(path)
    try:
        return log.read()
    except RigError:
        return []
