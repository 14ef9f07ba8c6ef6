# SPDX-License-Identifier: MIT
"""The GPU's event log, read while it is being written."""

from __future__ import annotations

import json
import re
import threading
import time
from pathlib import Path

import pytest

from rig.errors import FailureClass, RigError
from rig.gpu.events import KINDS, Event, EventLog
from rig.paths import REPO


def line(seq: int, kind: str, /, **fields: object) -> bytes:
    return json.dumps({"seq": seq, "vns": seq * 1000, "ev": kind, **fields}).encode() + b"\n"


def log_of(tmp_path: Path, *lines: bytes) -> EventLog:
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"".join(lines))
    return EventLog(path)


def append(tmp_path: Path, data: bytes) -> None:
    with (tmp_path / "events.jsonl").open("ab") as file:
        file.write(data)


def test_events_are_typed(tmp_path: Path) -> None:
    log = log_of(tmp_path, line(0, "power", domain="l2", ready=1), line(1, "reset", kind="soft"))
    assert log.read() == [
        Event(0, 0, "power", {"domain": "l2", "ready": 1}),
        Event(1, 1000, "reset", {"kind": "soft"}),
    ]
    assert log.read()[0]["domain"] == "l2"


def test_a_log_that_is_not_there_yet_is_empty(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "later.jsonl")
    assert (log.read(), log.last_seq) == ([], -1)


def test_a_half_written_line_waits_for_its_rest(tmp_path: Path) -> None:
    whole = line(1, "ping", n=1)
    log = log_of(tmp_path, line(0, "power"), whole[:20])
    assert [e.seq for e in log.read()] == [0]
    append(tmp_path, whole[20:])
    assert [e.seq for e in log.read()] == [0, 1]


def test_reading_goes_on_where_it_stopped(tmp_path: Path) -> None:
    log = log_of(tmp_path, line(0, "power"), line(1, "ping"))
    mark = log.last_seq
    append(tmp_path, line(2, "ping") + line(3, "csg-start", csg=0))
    assert [e.seq for e in log.since(mark)] == [2, 3]
    assert [e.seq for e in log.of_kind("ping")] == [1, 2]
    assert [e.seq for e in log.of_kind("ping", "csg-start", since=mark)] == [2, 3]


def test_a_snapshot_goes_on_with_its_own_numbers(tmp_path: Path) -> None:
    assert [e.seq for e in log_of(tmp_path, line(40, "ping"), line(41, "ping")).read()] == [40, 41]


@pytest.mark.parametrize(
    ("second", "message"),
    [
        (line(2, "ping"), "gap: #2 follows #0"),
        (line(0, "ping"), "gap: #0 follows #0"),
        (b"oops\n", "no event: 'oops'"),
        (b'{"seq":1,"vns":0}\n', "no event"),
        (b"[1]\n", "no event"),
    ],
)
def test_a_damaged_log_is_an_error(tmp_path: Path, second: bytes, message: str) -> None:
    with pytest.raises(RigError, match=message) as caught:
        log_of(tmp_path, line(0, "power"), second).read()
    assert caught.value.failure is FailureClass.INFRA


def test_waiting_sees_past_and_coming_events(tmp_path: Path) -> None:
    log = log_of(tmp_path, line(0, "ping", n=1))
    assert log.wait_kind("ping", 0)["n"] == 1
    timer = threading.Timer(0.05, append, [tmp_path, line(1, "ping", n=2)])
    timer.start()
    assert log.wait_kind("ping", 5, since=0)["n"] == 2
    timer.join()


def test_a_wait_that_ends_says_what_was_last(tmp_path: Path) -> None:
    log = log_of(tmp_path, line(0, "power"))
    with pytest.raises(RigError, match=r"`ping` within 0\.02 s; the last is power #0") as caught:
        log.wait_kind("ping", 0.02)
    assert caught.value.failure is FailureClass.HANG


def test_a_wait_ends_when_the_guest_does(tmp_path: Path) -> None:
    started = time.monotonic()
    gone = RigError(FailureClass.LOST, "QEMU was killed")
    with pytest.raises(RigError, match="killed"):
        log_of(tmp_path).wait_kind("ping", 30, health=lambda: gone)
    assert time.monotonic() - started < 5


def test_misspelt_names_are_errors(tmp_path: Path) -> None:
    log = log_of(tmp_path, line(0, "power", domain="l2"))
    with pytest.raises(RigError, match="no such kind of GPU event: csg-strat"):
        log.of_kind("csg-strat")
    with pytest.raises(RigError, match=r"no field .dmain.*domain"):
        log.read()[0]["dmain"]


def test_the_kinds_are_those_of_the_model() -> None:
    calls = re.compile(
        r"(?:mali_ev_begin|ev_name|ev_plain|log_exception)\([^;\"]*((?:\"[a-z-]+\"[^;]*?)+);"
    )
    sources = "".join(f.read_text() for f in sorted((REPO / "qemu_models" / "core").glob("*.c")))
    begun = {
        name
        for call in calls.findall(sources)
        for name in re.findall(r'"([a-z]+(?:-[a-z]+)*)"', call.split(",")[0])
    }
    assert begun == KINDS
