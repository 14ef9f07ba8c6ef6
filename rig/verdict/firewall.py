# SPDX-License-Identifier: MIT
"""What the firewall has against a pass: denied accesses, and lent memory that it does not guard.

A correct driver never has an access denied, so that each denial is a finding unless
the scenario provoked it and said so. The firewall's log and its counter must agree:
what was not logged is not excused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rig.errors import FailureClass
from rig.gpu.events import Event
from rig.verdict.seclog import SecureLog

WHO = {
    "cpu": "the CPU",
    "gpu": "the GPU in normal mode",
    "gpu-protected": "the GPU in protected mode",
    "other": "a device or the host",
}
DID = {"read": "read", "write": "wrote to", "exec": "executed"}


@dataclass(frozen=True)
class Denials:
    """Denials that a scenario provokes: exactly so many, by one master, within one range."""

    master: str
    access: str
    start: int
    size: int
    """Bytes of physical memory from `start` on."""
    count: int = 1

    def covers(self, event: Event) -> bool:
        """Whether a denial is one of these."""
        inside = self.start <= event["addr"] < self.start + self.size
        return inside and (event["master"], event["access"]) == (self.master, self.access)

    def __str__(self) -> str:
        return f"{self.count} x {self.access} by {self.master} in {self.start:#x}+{self.size:#x}"


def unexpected(
    events: Sequence[Event], counted: int, expected: Sequence[Denials]
) -> list[tuple[FailureClass, str]]:
    """Findings in a whole log: `counted` is what the firewall's own counter says."""
    if events and events[0].seq != 0:
        return [(FailureClass.INFRA, "the firewall's event log lacks its beginning")]
    denials = [event for event in events if event.kind == "denial"]
    logged = sum(1 + int(event["unlogged"]) for event in denials)
    if counted < logged:
        sentence = f"the firewall counted {counted} denials but logged {logged}"
        return [(FailureClass.INFRA, sentence)]
    found = []
    rest = [event for event in denials if not any(one.covers(event) for one in expected)]
    unlogged = counted - len(denials)
    if rest:
        more = len(rest) - 1 + unlogged
        text = told(rest[0]) + (f" (and {more} more)" if more else "")
        found.append((FailureClass.MODEL_VIOLATION, text))
    elif unlogged:
        text = f"firewall: {unlogged} denials more than its log has room for"
        found.append((FailureClass.MODEL_VIOLATION, text))
    for one in expected:
        seen = sum(one.covers(event) for event in denials)
        if seen != one.count:
            text = f"firewall: expected {one}, seen {seen}"
            found.append((FailureClass.ASSERT, text))
    return found


def told(denial: Event) -> str:
    """A denial as a sentence."""
    what = "protected memory" if denial["region"] else "normal memory"
    who, did = WHO[denial["master"]], DID[denial["access"]]
    return f"firewall: {who} {did} {what} at {denial['addr']:#x} ({denial['size']} bytes): denied"


def open_lends(log: SecureLog, events: Sequence[Event]) -> list[str]:
    """Memory that OP-TEE was lent and the firewall leaves open, as sentences."""
    closed = guarded(events)
    return [
        f"firewall: {lend.pa:#x}+{lend.size:#x} was lent to OP-TEE and is open to everybody"
        for lend in log.outstanding
        if not any(base <= lend.pa and lend.pa + lend.size - 1 <= top for base, top in closed)
    ]


def guarded(events: Sequence[Event]) -> list[tuple[int, int]]:
    """First and last byte of each range that is closed to CPUs now."""
    now: dict[int, Event] = {e["region"]: e for e in events if e.kind == "region"}
    gate = now.pop(0, None)
    if gate is None or not gate["on"]:
        return []
    return [(e["base"], e["top"]) for e in now.values() if e["on"] and not e["id_access"] & CPU_IDS]


CPU_IDS = 0x10001
"""Read and write bit of the CPUs' access id, 0, in a region's id_access."""
