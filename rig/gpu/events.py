# SPDX-License-Identifier: MIT
"""The GPU model's event log: one JSON object a line, in the order things happened.

Fields of every line: ``seq`` (counts from the first event without gaps), ``vns``
(virtual time, ns), ``ev`` (the kind); the rest depends on the kind.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from rig.errors import FailureClass, RigError, infra

KINDS = frozenset(
    {
        *("power", "gpu-cmd", "pwr-cmd", "reset", "mcu-boot", "section", "mcu-halt", "mcu-stop"),
        *("ping", "glb-req", "glb-event", "as-cmd", "mmu-fault", "gpu-fault", "violation"),
        "known-issue",
        "suppressed",
        *("csg-start", "csg-resume", "csg-endpoints", "csg-suspend", "csg-terminate"),
        *("no-endpoint", "cs-blocked", "cs-fault", "cs-fatal", "sections-unknown"),
        *("tiler-oom", "heap-grow", "progress-timeout"),
        *("protm-pend", "protm-enter", "protm-exit", "protm-fault", "protm-suspend"),
    }
)
_POLL_S = 0.01


@dataclass(frozen=True)
class Event:
    """One thing that happened in the GPU."""

    seq: int
    vns: int
    """Virtual time, ns."""
    kind: str
    fields: Mapping[str, Any] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Any:
        """One field. Raises `RigError(INFRA)` when this kind has no such field."""
        try:
            return self.fields[name]
        except KeyError as exc:
            known = ", ".join(sorted(self.fields)) or "none"
            raise infra(
                f"event {self.kind} #{self.seq} has no field {name!r} (it has: {known})"
            ) from exc


class EventLog:
    """Incremental reader of the log while QEMU writes it.

    A line that is not finished yet is left for the next look. A gap in `seq` is
    an error: an oracle that misses events would pass what it did not see.
    """

    def __init__(self, path: Path, who: str = "GPU", kinds: Collection[str] = KINDS) -> None:
        self._path, self._who, self._kinds = path, who, kinds
        self._offset = 0
        self._events: list[Event] = []

    def read(self) -> list[Event]:
        """All events so far. Raises `RigError(INFRA)` for a damaged log."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._offset)
                data = file.read()
        except FileNotFoundError:
            return []
        complete = data[: data.rfind(b"\n") + 1]
        for line in complete.splitlines():
            self._append(line)
        self._offset += len(complete)
        return list(self._events)

    def _append(self, line: bytes) -> None:
        try:
            raw: dict[str, Any] = msgspec.json.decode(line, type=dict[str, Any])
            event = Event(int(raw.pop("seq")), int(raw.pop("vns")), str(raw.pop("ev")), raw)
        except (msgspec.MsgspecError, KeyError, TypeError, ValueError) as exc:
            text = line[:80].decode(errors="replace")
            raise infra(
                f"the {self._who}'s event log has a line that is no event: {text!r}", log=self._path
            ) from exc
        if self._events and event.seq != self._events[-1].seq + 1:
            before = self._events[-1].seq
            raise infra(
                f"the {self._who}'s event log has a gap: #{event.seq} follows #{before}",
                log=self._path,
            )
        if event.fields.get("truncated"):
            raise infra(f"event {event.kind} #{event.seq} did not fit its line", log=self._path)
        self._events.append(event)

    @property
    def last_seq(self) -> int:
        """Sequence number of the newest event, -1 before the first: a mark for `since`."""
        events = self.read()
        return events[-1].seq if events else -1

    def since(self, seq: int) -> list[Event]:
        """Events after the one numbered `seq`."""
        return [event for event in self.read() if event.seq > seq]

    def of_kind(self, *kinds: str, since: int = -1) -> list[Event]:
        """Events of these kinds after `since`. An unknown kind is an error, not an empty list."""
        self._known(kinds)
        return [event for event in self.since(since) if event.kind in kinds]

    def wait_for(
        self,
        predicate: Callable[[Event], bool],
        timeout: float,
        *,
        since: int = -1,
        what: str = "the expected event",
        health: Callable[[], RigError | None] = lambda: None,
    ) -> Event:
        """The first event after `since` that `predicate` accepts, past ones included.

        Raises `RigError`: HANG when none comes within `timeout` s (the message
        names the last event), or what `health` returns meanwhile.
        """
        deadline = time.monotonic() + timeout
        seen = since
        while True:
            for event in self.since(seen):
                if predicate(event):
                    return event
                seen = event.seq
            if (error := health()) is not None:
                raise error
            if time.monotonic() >= deadline:
                last = self._events[-1] if self._events else None
                told = f"the last is {last.kind} #{last.seq}" if last else "there is none at all"
                raise RigError(
                    FailureClass.HANG,
                    f"the {self._who} did not report {what} within {timeout:g} s; {told}",
                    log=self._path,
                )
            time.sleep(min(_POLL_S, timeout))

    def wait_kind(
        self,
        kind: str,
        timeout: float,
        *,
        since: int = -1,
        health: Callable[[], RigError | None] = lambda: None,
    ) -> Event:
        """The first event of one kind after `since`."""
        self._known([kind])
        return self.wait_for(
            lambda event: event.kind == kind, timeout, since=since, what=f"`{kind}`", health=health
        )

    def _known(self, kinds: Collection[str]) -> None:
        unknown = set(kinds) - set(self._kinds)
        if unknown:
            names, known = (", ".join(sorted(words)) for words in (unknown, self._kinds))
            raise infra(f"no such kind of {self._who} event: {names}", f"there are {known}")
