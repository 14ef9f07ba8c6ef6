# SPDX-License-Identifier: MIT
"""What the device reports decides a scenario, and so does what it could not report."""

from __future__ import annotations

from typing import cast

from rig.errors import FailureClass
from rig.gpu.events import Event
from rig.session import Session
from rig.verdict.oracles import device


class Log:
    def __init__(self, events: list[Event]) -> None:
        self.events = events

    def read(self) -> list[Event]:
        return self.events

    def of_kind(self, kind: str) -> list[Event]:
        return [event for event in self.events if event.kind == kind]


class Device:
    """A session of which only the device is looked at."""

    def __init__(self, events: list[Event], **counters: int) -> None:
        self.gpu = Log(events)
        self.counters = counters

    def counter(self, name: str) -> int:
        return self.counters[name]


BROKEN = Event(0, 0, "violation", {"rule": "l2-off", "detail": "the MCU runs"})


def judged(events: list[Event], **counters: int) -> list[tuple[FailureClass, str]]:
    session = cast(Session, Device(events, **counters))
    return [(c.failure, c.sentence) for c in device(session)]


def test_nothing_against_a_clean_device() -> None:
    assert judged([Event(0, 0, "mcu-stop")], violations=0, suppressed=0) == []


def test_a_violation_is_told() -> None:
    told = judged([BROKEN], violations=1, suppressed=0)
    assert told == [(FailureClass.MODEL_VIOLATION, "GPU: l2-off: the MCU runs")]


def test_counter_and_log_must_agree() -> None:
    assert judged([BROKEN], violations=2, suppressed=0)[0][0] is FailureClass.INFRA


def test_a_log_without_its_beginning() -> None:
    assert judged([Event(3, 0, "ping")], violations=0, suppressed=0)[0][0] is FailureClass.INFRA


def test_suppressed_events_are_no_pass() -> None:
    (complaint,) = judged([], violations=0, suppressed=7)
    assert complaint[0] is FailureClass.MODEL_VIOLATION
    assert "7 events were not written" in complaint[1]
